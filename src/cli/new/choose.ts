/** What is to be made: from what was typed, and on a terminal from answers. */
import { OnexError } from "../../core/failure.ts";
import { didYouMean, oneOf } from "../../plan/suggest.ts";
import { manifestKinds } from "../manifest.ts";
import { Prompt, type Question } from "./ask.ts";
import { type NameOf, nameOf, suggestion, versionOf } from "./names.ts";

export const kinds = ["project", ...manifestKinds] as const;
export type Kind = (typeof kinds)[number];

/** What was typed; what is undefined is asked for, or takes its default. */
export interface Typed {
  readonly kind: string | undefined;
  readonly name: string | undefined;
  readonly domain: string | undefined;
  readonly version: string | undefined;
}
/** Checked; a project has neither domain nor version. */
export interface Wanted {
  readonly kind: Kind;
  readonly name: string;
  readonly domain: string;
  readonly version: string;
}
export interface Terminals {
  readonly input: NodeJS.ReadableStream;
  readonly output: NodeJS.WritableStream;
}

const firstVersion = "1.0.0";

/** Without questions. Throws OnexError `USAGE` with all that is missing, `NAME_REFUSED`. */
export function chosen(typed: Typed): Wanted {
  if (typed.kind === undefined) throw new OnexError("USAGE", `new: say what to make: onex new ${kinds.join("|")}`);
  const kind = kindOf(typed.kind, typed.name);
  if (kind === "project") {
    checkProject(typed);
    if (typed.name === undefined) throw new OnexError("USAGE", "new project: its name is missing: onex new project NAME");
    return { kind, name: nameOf("project", typed.name, "NAME"), domain: "", version: "" };
  }
  const missing = [typed.domain === undefined && "--domain NAME", typed.name === undefined && "--name NAME"].filter(
    (flag) => flag !== false,
  );
  if (typed.domain === undefined || typed.name === undefined)
    throw new OnexError(
      "USAGE",
      `new ${kind}: ${missing.join(" and ")} ${missing.length === 1 ? "is" : "are"} missing, such as: ${example(kind)}`,
    );
  return {
    kind,
    domain: nameOf("domain", typed.domain, "--domain"),
    name: nameOf("node", typed.name, "--name"),
    version: versionOf(typed.version ?? firstVersion),
  };
}

/**
 * Asks for all that was not typed, once something is missing that has no default. `domains` names those of the project's nodes,
 * and throws where there is no project. Throws as `chosen` does, and `Stopped`.
 */
export async function asked(typed: Typed, domains: () => readonly string[], { input, output }: Terminals): Promise<Wanted> {
  const complete = typed.kind !== undefined && typed.name !== undefined && (typed.kind === "project" || typed.domain !== undefined);
  if (complete) return chosen(typed);
  /** A kind that can be made here. */
  const kindHere = (text: string): Kind => {
    const kind = kindOf(text);
    if (kind !== "project") domains();
    return kind;
  };
  // What was typed and is wrong is said before the first question.
  if (typed.kind !== undefined) kindHere(typed.kind);
  if (typed.domain !== undefined) nameOf("domain", typed.domain, "--domain");
  if (typed.version !== undefined) versionOf(typed.version);
  const prompt = new Prompt(input, output);
  const name = (what: NameOf, text: string, fallback?: string): Question => ({
    text,
    fallback,
    take: (answer) => nameOf(what, answer, "the name"),
    instead: (answer) => suggestion(what, answer),
  });
  try {
    const kind = kindOf(
      typed.kind ??
        (await prompt.ask({
          text: `what to make: ${oneOf(kinds)}`,
          fallback: works(domains) ? "orchestrator" : "project",
          take: kindHere,
        })),
    );
    if (kind === "project")
      return chosen({ ...typed, kind, name: typed.name ?? (await prompt.ask(name("project", "name of the project"))) });
    if (typed.name !== undefined) nameOf("node", typed.name, "--name");
    const [only, other] = domains();
    return chosen({
      kind,
      domain:
        typed.domain ??
        (await prompt.ask(
          name("domain", "domain, the field of business that it belongs to, such as shop", other === undefined ? only : undefined),
        )),
      name: typed.name ?? (await prompt.ask(name("node", `name of the ${kind}, such as ${samples[kind]}`))),
      version: typed.version ?? (await prompt.ask({ text: "version", fallback: firstVersion, take: versionOf })),
    });
  } finally {
    prompt.close();
  }
}

function kindOf(text: string, name?: string): Kind {
  const kind = kinds.find((each) => each === text);
  if (kind) return kind;
  const swapped = kinds.find((each) => each === name);
  if (swapped)
    throw new OnexError(
      "USAGE",
      `new: first the kind, then the name: onex new ${swapped} ${JSON.stringify(text.slice(0, 60)).slice(1, -1)}`,
    );
  throw new OnexError(
    "USAGE",
    `new: ${JSON.stringify(text.slice(0, 60))} is nothing that can be made: ${oneOf(kinds)}.${didYouMean(text, kinds)}`,
  );
}

function works(look: () => unknown): boolean {
  try {
    look();
    return true;
  } catch {
    return false;
  }
}

function checkProject({ domain, version }: Typed): void {
  const extra = [domain !== undefined && "--domain", version !== undefined && "--version"].filter((flag) => flag !== false);
  if (extra.length > 0) throw new OnexError("USAGE", `new project: a project has no ${extra.join(" and no ")}; a node in it has`);
}

const samples = { orchestrator: "order", compute: "price", effect: "charge-card", reducer: "stock-level" } as const;

function example(kind: Exclude<Kind, "project">): string {
  return `onex new ${kind} --domain shop --name ${samples[kind]}`;
}
