/**
 * The spots of a flow: every place where a run of it can be, as a tree with the ids that its steps have in a log.
 *
 * S1 The paths are those of the interpreter (its P1 and P2); an item or a turn, which has a number there, is `*` here.
 * S2 `scope` says what the interpreter says: which work has an undo scope of its own (API rule 22).
 * S3 `order` counts in the order in which things can happen: whatever must settle before another has the lower one.
 */
import type { AnyNode, NodeSource } from "../../node/contract.ts";
import type { Expression } from "../expression.ts";
import type { Block, Flow, NamedStep, Step, Verb } from "../flow.ts";
import { natural } from "../interpret.ts";

/** What a spot is to the one that it stands in. */
export type Role = "run" | "step" | "case" | "item" | "turn" | "branch" | "stream" | "error";

export interface Spot {
  /** As people call it: the step's name, the key of a branch, the node of a body. */
  readonly name: string;
  /** The id of its step in a log; of a block what stands before the ids of its steps. */
  readonly path: string;
  readonly role: Role;
  readonly step: Step;
  readonly parent: Spot | undefined;
  /** Its place in the block that it is a step of. */
  readonly index: number;
  readonly order: number;
  /** Its work has an undo scope of its own; a branch of a race always has, and here it counts to the branch. */
  readonly scope: boolean;
  /** What stands in it, in the order in which it can happen; of a block its steps. */
  readonly inner: readonly Spot[];
  /** What is done instead when it fails. */
  readonly error: Spot | undefined;
  /** Of a call or a read: the node, when it is known. */
  readonly node: AnyNode | undefined;
}

type Draft = { -readonly [K in keyof Spot]: Spot[K] };

/** The whole flow as one spot. Nodes that are missing are unknown, and so is what depends on them. */
export function spotsOf(flow: Flow, nodes?: NodeSource): Spot {
  return new Walk(nodes).run(flow);
}

/** Every spot in it, itself included, in their order. */
export function* spotsIn(spot: Spot): Generator<Spot> {
  yield spot;
  for (const inner of spot.inner) yield* spotsIn(inner);
  if (spot.error) yield* spotsIn(spot.error);
}

/** The block whose steps stand in a spot. */
export function blockOf(spot: Spot): Block | undefined {
  return spot.step.verb.kind === "steps" ? spot.step.verb.block : undefined;
}

/** The named step that a spot of role "step" is. */
export function namedOf(spot: Spot): NamedStep | undefined {
  return spot.role === "step" && spot.parent ? blockOf(spot.parent)?.steps[spot.index] : undefined;
}

/** The steps of a block in an order in which they can settle: what waits stands behind what it waits for. */
export function settlingOrder(block: Block): number[] {
  const left = block.steps.map(() => 0);
  for (const list of block.dependents) for (const step of new Set(list.map((each) => each.step))) left[step] = (left[step] ?? 0) + 1;
  const order: number[] = [];
  const ready = block.steps.flatMap((_, i) => (left[i] === 0 ? [i] : []));
  for (let at = 0; at < ready.length; at++) {
    const i = ready[at] as number;
    order.push(i);
    for (const step of new Set((block.dependents[i] ?? []).map((dependent) => dependent.step))) {
      left[step] = (left[step] ?? 0) - 1;
      if (left[step] === 0) ready.push(step);
    }
  }
  return order;
}

interface At {
  readonly parent: Spot;
  readonly role: Role;
  readonly index?: number;
  /** What comes before its own name. */
  readonly path: string;
  readonly body?: "scoped" | "plain" | undefined;
  readonly branch?: boolean;
}

class Walk {
  readonly #nodes: NodeSource | undefined;
  #order = 0;
  constructor(nodes: NodeSource | undefined) {
    this.#nodes = nodes;
  }

  run(flow: Flow): Spot {
    const verb: Verb = { kind: "steps", block: flow.body };
    const spot = draft({
      name: flow.name,
      path: "",
      role: "run",
      step: { ...plain, place: flow.places.file, at: flow.at, description: flow.description, verb },
      scope: true,
    });
    spot.inner = this.#block(flow.body, spot, "");
    return spot;
  }

  #spot(step: Step, name: string, label: string, at: At): Spot {
    const { verb } = step;
    const leaf = !blocks.has(verb.kind);
    const timed = step.timeout !== undefined && leaf && verb.kind !== "call";
    const grouped = leaf && (at.body !== undefined || timed) && !logless.has(verb.kind);
    const bare = verb.kind === "steps" && at.branch === true && step.onError === "fail" && step.timeout === undefined;
    const spot = draft({
      name: label,
      path: grouped ? `${at.path}${name}/${natural(verb)}` : bare ? at.path.slice(0, -1) : at.path + name,
      role: at.role,
      step,
      parent: at.parent,
      index: at.index ?? -1,
      scope: verb.kind === "steps" ? !bare : grouped && at.body === "scoped",
      node: this.#node(verb),
    });
    const inside = bare || (verb.kind === "switch" && step.timeout === undefined) ? at.path : `${at.path}${name}/`;
    if (!leaf) spot.inner = this.#inner(spot, verb, name, inside, at);
    spot.order = this.#order++;
    if (step.onError !== "fail" && step.onError !== "continue")
      spot.error = this.#spot(step.onError, `${name}~error`, natural(step.onError.verb), { parent: spot, role: "error", path: at.path });
    return spot;
  }

  #inner(spot: Spot, verb: Verb, name: string, path: string, at: At): Spot[] {
    switch (verb.kind) {
      case "steps":
        return this.#block(verb.block, spot, path);
      case "switch": {
        const timed = spot.step.timeout !== undefined;
        const how = timed ? {} : { body: at.body, ...(at.branch === undefined ? {} : { branch: at.branch }) };
        return verb.cases.map((step, index) =>
          this.#spot(step, timed ? "case" : name, natural(step.verb), { parent: spot, role: "case", index, path, ...how }),
        );
      }
      case "each": {
        const body = () => this.#spot(verb.body, "*", natural(verb.body.verb), { parent: spot, role: "item", path, body: "scoped" });
        if (!("verb" in verb.over)) return [body()];
        const label = natural(verb.over.verb);
        return [this.#spot(verb.over, label, label, { parent: spot, role: "stream", path }), body()];
      }
      case "race":
        return [...verb.branches].map(([key, step], index) =>
          this.#spot(step, natural(step.verb), key, { parent: spot, role: "branch", index, path: `${path}${key}/`, branch: true }),
        );
      case "repeat":
        return [this.#spot(verb.body, "*", natural(verb.body.verb), { parent: spot, role: "turn", path, body: "plain" })];
      default:
        return [];
    }
  }

  #block(block: Block, parent: Spot, path: string): Spot[] {
    return settlingOrder(block).flatMap((index) => {
      const named = block.steps[index];
      return named ? [this.#spot(named.body, named.name, named.name, { parent, role: "step", index, path })] : [];
    });
  }

  #node(verb: Verb): AnyNode | undefined {
    if (verb.kind === "call") return this.#nodes?.find(verb.node, verb.reference);
    return verb.kind === "read" ? this.#nodes?.find("reducer", verb.reference) : undefined;
  }
}

const blocks: ReadonlySet<Verb["kind"]> = new Set(["steps", "switch", "each", "race", "repeat"]);
/** They leave nothing in a log, so they have no id of their own there. */
const logless: ReadonlySet<Verb["kind"]> = new Set(["set", "fail", "rethrow"]);

const plain: Omit<Step, "verb" | "place" | "at" | "description"> = {
  when: undefined,
  fallback: undefined,
  timeout: undefined,
  retry: undefined,
  onError: "fail",
  outcome: false,
  undo: undefined,
  keep: false,
  priority: undefined,
  needs: undefined,
};

function draft(given: Pick<Draft, "name" | "path" | "role" | "step" | "scope"> & Partial<Draft>): Draft {
  return { parent: undefined, index: -1, order: 0, inner: [], error: undefined, node: undefined, ...given };
}

/** What a spot does, in few words: "effect charge-card", "each of input.items". */
export function verbWords({ step: { verb } }: Spot): string {
  switch (verb.kind) {
    case "call":
      return `${verb.node} ${verb.reference}`;
    case "read":
      return `read ${verb.reference}`;
    case "wait":
      return `wait ${verb.signal}`;
    case "sleep":
      return "sleep";
    case "set":
      return "set";
    case "fail":
      return verb.code.kind === "constant" ? `fail ${String(verb.code.value)}` : "fail";
    case "rethrow":
      return "fail";
    case "steps":
      return "group";
    case "switch":
      return "switch";
    case "each":
      return `each of ${"verb" in verb.over ? `stream ${verb.over.verb.reference}` : words(verb.over)}`;
    case "race":
      return "race";
    case "repeat":
      return `repeat until ${words(verb.until)}`;
  }
}

/** An expression on one line. */
export function words(expression: Expression): string {
  return expression.text.trim().replaceAll(/\s+/g, " ");
}
