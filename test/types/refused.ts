/** What is a compile error, each beside the same thing done right. */
import { all, compute, createOrchestrator, effect, memory, race, reducer, type Steps, signal, workflow } from "onex";
import { stub } from "onex/testing";
import { z } from "zod";

const Count = z.object({ n: z.number() });
const add = compute({ name: "add", input: Count }, ({ n }) => ({ n: n + 1 }));
const send = effect({ name: "send", input: Count, output: Count }, async ({ n }) => ({ n }));

// Outputs are JSON.
// @ts-expect-error a promise cannot be stored: a compute is synchronous
compute({ name: "a", input: Count }, async ({ n }) => ({ n }));
// @ts-expect-error so with a declared output
compute({ name: "a", input: Count, output: Count }, async ({ n }) => ({ n }));
// @ts-expect-error a Date becomes a string
compute({ name: "a", input: Count }, () => ({ at: new Date() }));
compute({ name: "a", input: Count }, () => ({ at: new Date(0).toISOString() }));
// @ts-expect-error a Map is lost
compute({ name: "a", input: Count }, () => new Map([["a", 1]]));
// @ts-expect-error a bigint has no JSON
effect({ name: "a", input: Count }, async () => 1n);
// @ts-expect-error a function cannot be stored
effect({ name: "a", input: Count }, async () => ({ f: () => 1 }));
// @ts-expect-error an operation that was never performed
workflow({ name: "a", input: Count }, function* () { yield* add({ n: 1 }); return { pending: add({ n: 1 }) }; });
workflow({ name: "a", input: Count }, function* () { return { done: yield* add({ n: 1 }) }; });

// The declared output is held.
// @ts-expect-error n is a number
compute({ name: "a", input: Count, output: Count }, () => ({ n: "one" }));
// @ts-expect-error n is missing
effect({ name: "a", input: Count, output: Count }, async () => ({}));

// One way to take an effect back.
// @ts-expect-error undo and irreversible at once
effect({ name: "a", input: Count, undo: () => send({ n: 1 }), irreversible: "no" }, async () => null);
// @ts-expect-error readonly is true or absent
effect({ name: "a", input: Count, readonly: false }, async () => null);
effect({ name: "a", input: Count, irreversible: "it was read aloud" }, async () => null);

// `yield*` performs.
workflow({ name: "a", input: Count }, function* (input) {
  const operation = add(input);
  // @ts-expect-error a call's result is not there before it is performed
  operation.n;
  const { n } = yield* operation;
  return n;
});
// @ts-expect-error `yield` without star
workflow({ name: "a", input: Count }, function* (input) { const { n } = yield add(input); return { n }; });
export async function awaited(): Promise<void> {
  // @ts-expect-error inside a workflow write `yield*`; outside one use orchestrator.start
  await send({ n: 1 });
}
// @ts-expect-error a workflow is a function*
workflow({ name: "a", input: Count }, (input) => input);
// @ts-expect-error a workflow is no async function
workflow({ name: "a", input: Count }, async (input) => input);
workflow({ name: "a", input: Count }, function* (input) {
  // @ts-expect-error a promise is no operation
  yield* Promise.all([1]);
  // @ts-expect-error a branch is an operation or a generator
  yield* all([1, 2]);
  // @ts-expect-error a race has named branches
  yield* race([add(input)]);
  return null;
});

// Inputs and options are checked.
// @ts-expect-error n is a number
add({ n: "one" });
// @ts-expect-error durations have a unit
add({ n: 1 }, { timeout: "10" });
add({ n: 1 }, { timeout: "10s" });
// @ts-expect-error a compute has no runId
add({ n: 1 }, { runId: "x" });
// @ts-expect-error only effects have stand-ins
stub(add, () => ({ n: 1 }));
// @ts-expect-error a stand-in answers as the effect does
stub(send, () => ({ m: 1 }));
stub(send, ({ n }) => ({ n }));
const keyed = reducer({ name: "r", event: Count, initial: { n: 0 }, key: ({ n }) => String(n) }, (state) => state);
const single = reducer({ name: "s", event: Count, initial: { n: 0 } }, (state) => state);
// @ts-expect-error a keyed reducer is read by key
keyed.read();
// @ts-expect-error one without a key is not
single.read("key");
// @ts-expect-error a reducer is synchronous
reducer({ name: "t", event: Count, initial: { n: 0 } }, async (state) => state);

const main = workflow({ name: "main", input: Count }, function* (input) { return yield* add(input); });
const yes = signal({ name: "yes", payload: z.object({ by: z.string() }) });
export async function client(): Promise<void> {
  const orchestrator = createOrchestrator({ store: memory(), nodes: [main] });
  // @ts-expect-error n is a number
  await orchestrator.start(main, { n: "one" });
  const run = await orchestrator.start(main, { n: 1 });
  // @ts-expect-error the payload has a field `by`
  await run.signal(yes, { from: "ann" });
  // @ts-expect-error there is no such workflow
  await orchestrator.process({ workflowType: "other" });
  await orchestrator.process({ workflowType: "main", workflowContext: { n: 1 } });
}
export function* recursive(n: number): Steps<number> {
  return n === 0 ? 0 : yield* recursive(n - 1);
}
