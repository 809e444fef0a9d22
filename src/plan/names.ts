/** Names that expressions may use: what is visible where, and who depends on whom because of it. */
import type { Findings, Place } from "./finding.ts";
import { nearest } from "./suggest.ts";

const identifier = /^[A-Za-z_][A-Za-z0-9_]*$/;
export const scopeNames: ReadonlySet<string> = new Set(["input", "values", "config", "run", "item", "index", "error", "last", "done"]);
/** Words of CEL, and names that its library owns. */
export const celNames: ReadonlySet<string> = new Set(
  (
    "true false null in as break const continue else for function if import let loop package namespace return var void while __proto__ prototype " +
    "list map string int uint double bool bytes type null_type dyn cel"
  ).split(" "),
);
/** What people write who look for secrets or the environment. */
const secretNames: ReadonlySet<string> = new Set(["env", "secrets", "secret", "process", "vault", "ENV", "SECRETS"]);

/** What is wrong with a name for a step or an item; undefined when nothing is. */
export function nameProblem(name: string): string | undefined {
  if (scopeNames.has(name)) return `"${name}" is the name of a scope; take another name`;
  if (celNames.has(name)) return `"${name}" is a word of the expression language; take another name`;
  if (identifier.test(name)) return undefined;
  if (/^[A-Za-z_][A-Za-z0-9_-]*$/.test(name))
    return `"${name}" would be a subtraction in an expression; write "${name.replaceAll("-", "_")}"`;
  return `"${name}" is not a name: use letters, digits and _, and begin with a letter`;
}

/** The names of one block, or those that a construct binds (`item`, `error`, …). */
export class Names {
  readonly parent: Names | undefined;
  readonly #own: ReadonlyMap<string, number>;
  /** For a block: what each step refers to, with the first place; `output` for the block's output. */
  readonly references: Map<string, Place>[] = [];
  readonly output = new Map<string, Place>();
  /** The step that is being read; -1 while it is the output. */
  current = -1;
  readonly #binds: boolean;

  private constructor(parent: Names | undefined, own: ReadonlyMap<string, number>, binds: boolean) {
    this.parent = parent;
    this.#own = own;
    this.#binds = binds;
  }
  static binding(parent: Names | undefined, names: readonly string[]): Names {
    return new Names(parent, new Map(names.map((name) => [name, 0])), true);
  }
  static block(parent: Names, index: ReadonlyMap<string, number>): Names {
    return new Names(parent, index, false);
  }

  has(name: string): boolean {
    for (let names: Names | undefined = this; names; names = names.parent) if (names.#own.has(name)) return true;
    return false;
  }
  /** Notes that the step being read refers to `name`; false when nothing is called so. */
  refer(name: string, place: Place): boolean {
    for (let names: Names | undefined = this; names; names = names.parent) {
      if (!names.#own.has(name)) continue;
      if (names.#binds) return true;
      const map = names.current < 0 ? names.output : names.#ofStep(names.current);
      if (!map.has(name)) map.set(name, place);
      return true;
    }
    return false;
  }
  #ofStep(i: number): Map<string, Place> {
    const map = this.references[i] ?? new Map<string, Place>();
    this.references[i] = map;
    return map;
  }
  visible(): string[] {
    const all: string[] = [];
    for (let names: Names | undefined = this; names; names = names.parent) all.push(...names.#own.keys());
    return all;
  }
}

/** References to nothing, told when every step is known. */
export class Unknowns {
  readonly #list: { readonly name: string; readonly place: Place; readonly visible: () => string[] }[] = [];
  /** Every step of the plan by name → its path. */
  readonly steps = new Map<string, string>();

  add(name: string, place: Place, names: Names): void {
    this.#list.push({ name, place, visible: () => names.visible() });
  }

  tell(findings: Findings): void {
    for (const { name, place, visible } of this.#list.slice(0, 100)) {
      if (secretNames.has(name)) {
        findings.error(
          "SECRET_IN_PLAN",
          place,
          `there is no "${name}" in expressions: what they read is stored with the run; let the effect take it from a service`,
        );
        continue;
      }
      const elsewhere = this.steps.get(name);
      const known = visible();
      const near = nearest(name, known);
      const hint =
        elsewhere !== undefined
          ? ` The step ${elsewhere} stands in a block; outside it only the block's output is seen.`
          : near !== undefined
            ? ` Did you mean "${near}"?`
            : known.length <= 12
              ? ` Known here: ${known.join(", ")}.`
              : "";
      findings.error("REFERENCE_UNKNOWN", place, `there is nothing called "${name}" here.${hint}`);
    }
  }
}
