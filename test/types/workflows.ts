/** What `yield*` gives, and the mistakes of the first hour. */
import { z } from "zod";
import {
  all,
  attempt,
  compute,
  each,
  effect,
  type Json,
  now,
  type Operation,
  type Performable,
  race,
  random,
  restart,
  type StepError,
  type Steps,
  signal,
  sleep,
  uuid,
  type Workflow,
  workflow,
} from "../../src/index.ts";
import { is, same } from "./kit.ts";

const length = compute({ name: "length", input: z.string(), output: z.number() }, (text) => text.length);
const charge = effect(
  { name: "charge", input: z.object({ amount: z.number() }), output: z.object({ receipt: z.string() }), irreversible: "for the test" },
  async () => ({ receipt: "r" }),
);
const approval = signal({ name: "approval", payload: z.object({ by: z.string() }) });

export const verbs = workflow({ name: "verbs", input: z.string() }, function* (text, { log, runId }) {
  is<string>()(runId);
  log.info("started");
  is<number>()(yield* length(text));
  is<{ receipt: string }>()(
    yield* charge({ amount: 1 }, { step: "deposit", timeout: "5s", retry: { maxAttempts: 2 }, priority: 1, keep: true }),
  );
  is<{ a: number; b: { receipt: string } }>()(yield* all({ a: length(text), b: charge({ amount: 1 }) }));
  is<[number, { receipt: string }]>()(yield* all([length(text), charge({ amount: 1 })]));
  is<number[]>()(yield* all([text].map((one) => length(one))));
  is<number[]>()(yield* each([text], (one) => length(one), { concurrency: 2, key: (one) => one }));
  is<number[]>()(yield* each([text], (some) => length(some.join(" ")), { batchSize: 2, key: (some) => some.join("-") }));
  // @ts-expect-error: with a batchSize the branch gets lists
  yield* each([text], (one) => length(one), { batchSize: 2 });
  is<string[]>()(
    yield* each([1, 2], function* (n, i) {
      yield* sleep("1s");
      return `${n} ${i}`;
    }),
  );
  const won = yield* race({ yes: approval.wait(), no: sleep("1h") });
  if (won.winner === "yes") is<string>()(won.value.by);
  else is<void>()(won.value);
  const tried = yield* attempt(charge({ amount: 1 }));
  if (tried.ok) is<string>()(tried.value.receipt);
  else is<StepError>()(tried.error);
  is<number>()(yield* now());
  is<number>()(yield* random());
  is<string>()(yield* uuid());
  return { text };
});
same<typeof verbs, Workflow<string, { text: string }, "verbs">>();

// ── `yield*` performs: a result cannot be used without it ──

export const used = workflow({ name: "used", input: z.string() }, function* (text) {
  const made = length(text);
  is<Operation<number>>()(made);
  // @ts-expect-error: an operation is not its result
  const wrong: number = made;
  // @ts-expect-error: nor has it the result's fields
  charge({ amount: 1 }).receipt;
  const size: number = yield* made;
  return size + (wrong as unknown as number);
});

// @ts-expect-error: an operation that was never performed is no output
export const returned = workflow({ name: "returned", input: z.string() }, function* (text) {
  yield* sleep("1s");
  return length(text);
});
export const returnedWell = workflow({ name: "returned", input: z.string() }, function* (text) {
  return yield* length(text);
});

export async function awaiting() {
  // @ts-expect-error: await is not how an operation is performed
  await length("x");
  // @ts-expect-error: `then` takes no callback
  length("x").then(() => 1);
}

// @ts-expect-error: `yield` without star
export const starless = workflow({ name: "starless", input: z.string() }, function* (text) {
  yield length(text);
  yield 5;
  return null;
});
// @ts-expect-error: a workflow is function*
export const arrow = workflow({ name: "arrow", input: z.string() }, (text) => ({ text }));
// @ts-expect-error: not async
export const asynchronous = workflow({ name: "async", input: z.string() }, async (text) => ({ text }));
export const promised = workflow({ name: "promised", input: z.string() }, function* () {
  // @ts-expect-error: a promise cannot be performed
  yield* Promise.resolve(1);
  return null;
});

// ── arguments ──

export const called = workflow({ name: "called", input: z.string() }, function* () {
  // @ts-expect-error: the input of the node
  yield* length(5);
  // @ts-expect-error: a missing field
  yield* charge({});
  // @ts-expect-error: no such option
  yield* length("x", { retries: 3 });
  // @ts-expect-error: only a workflow call takes a run id
  yield* length("x", { runId: "x" });
  yield* verbs("x", { runId: "x" });
  // @ts-expect-error: a number is no branch
  yield* all([5]);
  yield* all([sleep("1s")]);
  // @ts-expect-error: a duration has a unit
  yield* sleep("10");
  yield* restart({ any: [1] });
  // @ts-expect-error: a restart's input is JSON
  yield* restart(new Date());
  return null;
});

// ── declared outputs give the context of `return` ──

const Status = z.discriminatedUnion("status", [
  z.object({ status: z.literal("paid"), receipt: z.string() }),
  z.object({ status: z.literal("rejected") }),
]);
export const declared = workflow({ name: "declared", input: z.boolean(), output: Status }, function* (yes) {
  if (!yes) return { status: "rejected" };
  return { status: "paid", receipt: (yield* charge({ amount: 1 })).receipt };
});
same<typeof declared, Workflow<boolean, z.output<typeof Status>, "declared">>();
// @ts-expect-error: a receipt is missing
export const misdeclared = workflow({ name: "declared", input: z.boolean(), output: Status }, function* () {
  yield* sleep("1s");
  return { status: "paid" };
});

export const caller = workflow({ name: "caller", input: z.boolean() }, function* (yes) {
  const done = yield* declared(yes);
  return done.status === "paid" ? done.receipt : null;
});
same<typeof caller, Workflow<boolean, string | null, "caller">>();

// ── helpers are plain generators; recursion needs one annotation ──

function* twice<T>(work: () => Performable<T>) {
  return [yield* work(), yield* work()] as const;
}
export const helped = workflow({ name: "helped", input: z.string() }, function* (text) {
  is<readonly [number, number]>()(yield* twice(() => length(text)));
  is<{ both: readonly [number, number] }>()(yield* all({ both: twice(() => length(text)) }));
  return null;
});
export const counting = workflow({ name: "counting", input: z.number(), output: z.number() }, function* (n): Steps<number> {
  return n === 0 ? 0 : 1 + (yield* counting(n - 1));
});
export type Counting = typeof counting;
same<Counting, Workflow<number, number, "counting">>();
same<Json, Json>();
