/** What the definers infer, and what they refuse: each refusal beside the form that is right. */
import { z } from "zod";
import { type Compute, compute, type Effect, effect, type Reducer, reducer, service, signal, workflow } from "../../src/index.ts";
import { is, same } from "./kit.ts";

const Text = z.object({ text: z.string(), times: z.number().default(1) });
const Size = z.object({ size: z.number() });

// ── the caller hands in what the schema takes, the function gets what the schema gives ──

export const measure = compute({ name: "measure", input: Text, output: Size }, (input) => {
  is<{ text: string; times: number }>()(input);
  return { size: input.text.length * input.times };
});
same<typeof measure, Compute<{ text: string; times?: number | undefined }, { size: number }>>();

export const inferred = compute({ name: "inferred", input: Text }, ({ text }) => ({ text, at: [1, 2] }));
same<typeof inferred, Compute<{ text: string; times?: number | undefined }, { text: string; at: number[] }>>();

/** A declared output gives the context: no `as const`. */
export const literal = compute({ name: "literal", input: Text, output: z.object({ kind: z.enum(["short", "long"]) }) }, ({ text }) => ({
  kind: text.length > 9 ? "long" : "short",
}));
const Kind = z.object({ kind: z.enum(["short", "long"]) });
// @ts-expect-error: not a member of the enum
export const wrongLiteral = compute({ name: "literal", input: Text, output: Kind }, () => ({ kind: "wide" }));
// @ts-expect-error: a field is missing
export const missing = compute({ name: "missing", input: Text, output: Size }, () => ({}));

/** Callers get the schema's output, the function returns its input. */
export const withDefault = compute({ name: "with-default", input: z.number(), output: z.object({ n: z.number().default(3) }) }, () => ({}));
same<typeof withDefault, Compute<number, { n: number }>>();

// ── outputs are JSON ──

export const day = compute({ name: "day", input: z.string() }, (text) => ({ day: new Date(text).toISOString() }));
// @ts-expect-error: a Date becomes a string
export const badDay = compute({ name: "day", input: z.string() }, (text) => ({ day: new Date(text) }));
// @ts-expect-error: a Map is lost
export const badMap = compute({ name: "map", input: z.string() }, () => new Map([["a", 1]]));
// @ts-expect-error: a Set is lost, at any depth
export const badSet = compute({ name: "set", input: z.string() }, () => ({ deep: [{ set: new Set([1]) }] }));
// @ts-expect-error: a bigint has no JSON form
export const badBig = compute({ name: "big", input: z.string() }, () => ({ n: 1n }));
// @ts-expect-error: a function has none
export const badFunction = compute({ name: "function", input: z.string() }, () => ({ f: () => 1 }));
// @ts-expect-error: a compute is synchronous (inferred)
export const badAsync = compute({ name: "async", input: z.string() }, async (text) => ({ text }));
// @ts-expect-error: a compute is synchronous (declared)
export const badAsyncDeclared = compute({ name: "async", input: z.string(), output: Size }, async () => ({ size: 1 }));
export const optional = compute({ name: "optional", input: z.string() }, (text): { a?: string; b: string | undefined; c: null } => ({
  b: text,
  c: null,
}));
interface Interfaced {
  readonly name: string;
  readonly nested: { readonly list: readonly number[] };
}
export const interfaced = compute({ name: "interfaced", input: z.string() }, (name): Interfaced => ({ name, nested: { list: [] } }));
same<typeof interfaced, Compute<string, Interfaced>>();

// ── effects ──

interface Mailer {
  send(to: string): Promise<string>;
}
const mailer = service<Mailer>("mailer");
export const retract = effect({ name: "retract", input: z.object({ id: z.string() }), irreversible: "is an undo" }, async () => null);

export const send = effect(
  {
    name: "send",
    input: z.object({ to: z.string() }),
    output: z.object({ id: z.string() }),
    uses: { mailer },
    undo: ({ input, output, idempotencyKey }) => {
      is<{ to: string }>()(input);
      is<{ id: string } | undefined>()(output);
      is<string>()(idempotencyKey);
      return retract({ id: output?.id ?? idempotencyKey });
    },
  },
  async ({ to }, { mailer, signal, epoch, leaseId, actionId, attempt, resume, progress }) => {
    is<Mailer>()(mailer);
    is<AbortSignal>()(signal);
    is<number>()(epoch);
    is<string>()(leaseId);
    is<string>()(actionId);
    is<number>()(attempt);
    progress({ resume: resume ?? null });
    return { id: await mailer.send(to) };
  },
);
same<typeof send, Effect<{ to: string }, { id: string }>>();

// @ts-expect-error: an undo is an operation, not a function that does something
export const badUndo = effect({ name: "x", input: z.string(), output: z.string(), undo: () => console.log("undone") }, async (x) => x);
export const onlyFinal = effect({ name: "x", input: z.string(), irreversible: "sent is sent" }, async (x) => x);
// @ts-expect-error: one of undo, irreversible, readonly
export const both = effect({ name: "x", input: z.string(), irreversible: "sent is sent", readonly: true }, async (x) => x);
// @ts-expect-error: an effect is async
export const badSync = effect({ name: "x", input: z.string() }, (x) => x);
// @ts-expect-error: a service that it does not use
export const badService = effect({ name: "x", input: z.string() }, async (_x, { mailer }) => mailer.send("x"));
// @ts-expect-error: a duration has a unit
export const badTimeout = effect({ name: "x", input: z.string(), timeout: "10" }, async (x) => x);
// @ts-expect-error: one of three words
export const badDoubt = effect({ name: "x", input: z.string(), inDoubt: "ask" }, async (x) => x);
// @ts-expect-error: an effect's output is JSON too
export const badOutput = effect({ name: "x", input: z.string() }, async () => ({ at: new Date() }));

/** An undo by reference: an effect whose input is what an undo gets. */
export const takeBack = effect(
  {
    name: "take-back",
    input: z.object({ input: z.string(), output: z.string().optional(), idempotencyKey: z.string() }),
    irreversible: "is an undo",
  },
  async () => null,
);
export const give = effect({ name: "give", input: z.string(), output: z.string(), undo: takeBack }, async (x) => x);
// @ts-expect-error: its output is a number, the undo takes a string
export const giveNumber = effect({ name: "give", input: z.string(), output: z.number(), undo: takeBack }, async () => 1);

// ── services ──

mailer.from({ send: async () => "id" });
mailer.from(() => ({ send: async () => "id" }));
mailer.from(async () => ({ send: async () => "id" }));
// @ts-expect-error: not a mailer
mailer.from(() => ({ post: async () => "id" }));

// ── reducers ──

const Moved = z.object({ sku: z.string(), by: z.number() });
export const stock = reducer(
  { name: "stock", event: Moved, initial: { left: 0 }, key: (event) => event.sku, undo: ({ sku, by }) => ({ sku, by: -by }) },
  (state, event) => {
    is<{ left: number }>()(state);
    return { left: state.left + event.by };
  },
);
same<typeof stock, Reducer<{ sku: string; by: number }, { left: number }, [key: string]>>();
export const total = reducer({ name: "total", event: Moved, initial: 0 }, (sum, { by }) => sum + by);
same<typeof total, Reducer<{ sku: string; by: number }, number, []>>();
export const seen = reducer({ name: "seen", event: Moved, state: z.array(z.string()), initial: [] }, (list, { sku }) => [...list, sku]);
same<typeof seen, Reducer<{ sku: string; by: number }, string[], []>>();
// @ts-expect-error: the state keeps its type
export const badState = reducer({ name: "total", event: Moved, initial: 0 }, (sum, { sku }) => sum + sku);
// @ts-expect-error: a reducer is synchronous
export const badReducer = reducer({ name: "total", event: Moved, initial: 0 }, async (sum) => sum);
// @ts-expect-error: the undo is an event
export const badUndoEvent = reducer({ name: "total", event: Moved, initial: 0, undo: () => 1 }, (sum) => sum);
stock.read("a");
total.read();
// @ts-expect-error: keyed
stock.read();
// @ts-expect-error: not keyed
total.read("a");

// ── signals ──

export const approval = signal({ name: "approval", payload: z.object({ by: z.string() }) });

// ── a workflow has a name that `process` knows ──

export const flow = workflow({ name: "flow", input: Text }, function* ({ times }) {
  is<number>()(times);
  const { by } = yield* approval.wait();
  return { by };
});

// ── limits of an effect: keys see the decoded input ──

export const limited = effect(
  {
    name: "limited",
    input: Text,
    readonly: true,
    concurrency: { limit: 2, key: ({ text, times }) => `${text} ${times + 1}` },
    rate: { limit: 10, per: "1m", key: ({ times }) => times.toFixed() },
  },
  async () => null,
);
// @ts-expect-error: a key is text
export const badKey = effect({ name: "limited", input: Text, readonly: true, rate: { limit: 1, per: "1s", key: () => 7 } }, async () => 1);
// @ts-expect-error: a rate is per some time
export const noTime = effect({ name: "limited", input: Text, readonly: true, rate: { limit: 1 } }, async () => 1);
