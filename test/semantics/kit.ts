/** What the tests of the semantics share: a ledger of what happened outside, and a workflow played to its end. */
import { z } from "zod";
import { type AnyNode, effect, type Fact, Fatal, type Log, type Run, type RunView, type Steps, workflow } from "../../src/index.ts";
import { type Stand, type TestOrchestrator, testOrchestrator } from "../../src/testing/index.ts";

export const anything = z.any();
const silent = (): void => {};
export const quiet: Log = { debug: silent, info: silent, warn: silent, error: silent };

/** How the world outside takes a call: at once, refused for good, failing, until it is aborted, never, or when the test says so. */
export type Manner = "ok" | "fatal" | "throw" | "obey" | "deaf" | Gate;

/** Holds calls until the test lets them go. */
export class Gate {
  readonly #waiting: (() => void)[] = [];
  #open = false;
  open(): void {
    this.#open = true;
    for (const go of this.#waiting.splice(0)) go();
  }
  pass(): Promise<void> {
    return this.#open ? Promise.resolve() : new Promise((go) => this.#waiting.push(go));
  }
}

/** Effects by id whose forward calls and undos are written down in order: "a", "undo a", "undo a?" when the outcome was unknown. */
export class Ledger {
  readonly lines: string[] = [];
  /** Keys of the calls as they came, by line. */
  readonly keys: { readonly line: string; readonly key: string }[] = [];
  /** How calls are taken, by id; default "ok". One that is a list is used up call by call, its last stays. */
  readonly manners: Record<string, Manner | Manner[]> = {};

  async #take(id: string, line: string, context: { readonly signal: AbortSignal; readonly idempotencyKey: string }): Promise<void> {
    this.lines.push(line);
    this.keys.push({ line, key: context.idempotencyKey });
    const given = this.manners[id];
    const manner = Array.isArray(given) ? (given.length > 1 ? given.shift() : given[0]) : given;
    if (manner === "fatal") throw new Refused();
    if (manner === "throw") throw new Error("it broke");
    if (manner === "obey")
      await new Promise((_, reject) => {
        if (context.signal.aborted) reject(context.signal.reason);
        else context.signal.addEventListener("abort", () => reject(context.signal.reason));
      });
    if (manner === "deaf") await new Promise(silent);
    if (manner instanceof Gate) await manner.pass();
  }

  /** Takes an id back. */
  readonly back = effect(
    {
      name: "back",
      input: z.object({ id: z.string(), known: z.boolean(), key: z.string() }),
      idempotent: true,
      irreversible: "is an undo itself",
    },
    async ({ id, known }, context) => {
      await this.#take(`undo ${id}`, `undo ${id}${known ? "" : "?"}`, context);
      return { id };
    },
  );
  /** Can be taken back; not idempotent, so it is tried once and pauses in doubt. */
  readonly act = effect(
    {
      name: "act",
      input: z.string(),
      output: z.object({ id: z.string() }),
      undo: ({ input, output, idempotencyKey }) => this.back({ id: input, known: output !== undefined, key: idempotencyKey }),
    },
    async (id, context) => {
      await this.#take(id, id, context);
      return { id };
    },
  );
  /** Can be taken back, and sent again with the same key. */
  readonly again = effect(
    {
      name: "again",
      input: z.string(),
      output: z.object({ id: z.string() }),
      idempotent: true,
      retry: { maxAttempts: 3, backoff: "fixed", delay: "1s", jitter: "none" },
      undo: ({ input, output, idempotencyKey }) => this.back({ id: input, known: output !== undefined, key: idempotencyKey }),
    },
    async (id, context) => {
      await this.#take(id, id, context);
      return { id };
    },
  );
  readonly final = effect(
    { name: "final", input: z.string(), idempotent: true, irreversible: "a letter that was sent" },
    async (id, context) => {
      await this.#take(id, id, context);
      return { id };
    },
  );
  readonly look = effect({ name: "look", input: z.string(), readonly: true }, async (id, context) => {
    await this.#take(id, id, context);
    return { id };
  });
  /** Says nothing about how it is taken back. */
  readonly bare = effect({ name: "bare", input: z.string() }, async (id, context) => {
    await this.#take(id, id, context);
    return { id };
  });
}

class Refused extends Fatal {
  constructor() {
    super("REFUSED");
  }
}

export interface Play {
  readonly t: TestOrchestrator<readonly AnyNode[]>;
  readonly run: Run;
  view(): Promise<RunView>;
  facts(): Promise<readonly Fact[]>;
  /** Types of the facts, with their steps. */
  log(): Promise<string[]>;
}

interface Options {
  readonly input?: unknown;
  readonly nodes?: readonly AnyNode[];
  readonly stubs?: readonly Stand[];
  readonly onFailure?: "compensate" | "stop";
  readonly timeout?: "10s" | "1m" | "1h";
  readonly seed?: number;
  readonly log?: Log;
}

/** Starts a workflow of this body and lets everything happen that needs no time to pass. */
export async function play(body: (input: unknown) => Steps<unknown>, options: Options = {}): Promise<Play> {
  const flow = workflow(
    {
      name: "flow",
      input: anything,
      ...(options.onFailure ? { onFailure: options.onFailure } : {}),
      ...(options.timeout ? { timeout: options.timeout } : {}),
    },
    body,
  );
  const t = testOrchestrator({
    nodes: [flow, ...(options.nodes ?? [])] as readonly AnyNode[],
    log: options.log ?? quiet,
    ...(options.stubs ? { stubs: options.stubs } : {}),
    ...(options.seed === undefined ? {} : { seed: options.seed }),
  });
  const run = await t.start(flow, options.input ?? null, { runId: "run" });
  await t.advance("0ms");
  const facts = () => run.facts();
  return {
    t,
    run,
    facts,
    view: () => run.status(),
    log: async () => (await facts()).map((fact) => ("step" in fact ? `${fact.type} ${fact.step}` : fact.type)),
  };
}

/** Plays it and lets an hour pass. */
export async function playOut(body: (input: unknown) => Steps<unknown>, options: Options = {}): Promise<Play> {
  const played = await play(body, options);
  await played.t.advance("1h");
  return played;
}
