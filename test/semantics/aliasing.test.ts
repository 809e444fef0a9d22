/** What user code does to a value it was given changes nothing that is recorded or shared. */
import { expect, test } from "vitest";
import { attempt, compute, effect, Fatal, reducer, signal, sleep, workflow } from "../../src/index.ts";
import { testOrchestrator } from "../../src/testing/index.ts";
import { anything, play, playOut, quiet } from "./kit.ts";

interface Box {
  list: number[];
}

test("a workflow that changes its input, an output and a payload is replayed like it ran", async () => {
  const make = compute({ name: "make", input: anything }, (): Box => ({ list: [1] }));
  const call = effect({ name: "call", input: anything, readonly: true }, async (): Promise<Box> => ({ list: [1] }));
  const note = signal({ name: "note", payload: anything });
  const seen: unknown[] = [];
  const { t, run, view } = await play(
    function* (input) {
      const boxes = [input as Box, yield* make(1), yield* call(1), (yield* note.wait()) as Box];
      for (const box of boxes) box.list.push(2);
      seen.push(boxes.map(({ list }) => [...list]));
      yield* sleep("1h");
      return boxes;
    },
    { input: { list: [1] } },
  );
  await run.signal(note, { list: [1] });
  await t.advance("1m");
  await t.crash();
  await t.advance("1h");
  expect(seen).toEqual(Array(2).fill(Array(4).fill([1, 2])));
  expect(await view()).toMatchObject({ status: "completed", input: { list: [1] }, output: Array(4).fill({ list: [1, 2] }) });
  expect((await view()).steps.flatMap(({ output }) => (output ? [output] : []))).toEqual(Array(3).fill({ list: [1] }));
});

test("an effect that changes its input is tried again with the recorded one", async () => {
  const inputs: number[][] = [];
  const call = effect({ name: "call", input: anything, idempotent: true, retry: { maxAttempts: 3, delay: "1s" } }, async (box: Box) => {
    inputs.push([...box.list]);
    box.list.push(2);
    if (inputs.length < 3) throw new Error("again");
    return box.list.length;
  });
  const { t, view } = await play(function* () {
    return yield* call({ list: [1] });
  });
  await t.crash();
  await t.advance("1m");
  expect(inputs).toEqual([[1], [1], [1]]);
  expect((await view()).output).toBe(2);
});

test("a reducer that changes the state in place and then refuses applied nothing", async () => {
  const sum = reducer({ name: "sum", event: anything, initial: { list: [] as number[] } }, (state, n: number) => {
    state.list.push(n);
    if (n < 0) throw new Fatal("NEGATIVE");
    return state;
  });
  const { t, view } = await playOut(function* () {
    yield* sum(1);
    const { error } = yield* attempt(sum(-1));
    const state = yield* sum.read();
    state.list.push(99);
    yield* sum(2);
    return error?.code;
  });
  expect((await view()).output).toBe("NEGATIVE");
  expect(await t.read(sum)).toEqual({ list: [1, 2] });
});

test("two runs that start from the initial state do not share it", async () => {
  const sum = reducer(
    { name: "sum", event: anything, initial: { list: [] as number[] }, key: (event: { key: string }) => event.key },
    (state, { n }: { n: number }) => {
      state.list.push(n);
      return state;
    },
  );
  const { t } = await playOut(function* () {
    yield* sum({ key: "a", n: 1 });
    yield* sum({ key: "b", n: 2 });
  });
  expect(await t.read(sum, "a")).toEqual({ list: [1] });
  expect(await t.read(sum, "b")).toEqual({ list: [2] });
});

test("a caller that changes a result does not change it for the next one", async () => {
  const flow = workflow({ name: "flow", input: anything }, function* () {
    yield* sleep("1s");
    return { list: [1] };
  });
  const t = testOrchestrator({ nodes: [flow], log: quiet });
  const run = await t.start(flow, null);
  await t.advance("1s");
  (await run.result()).list.push(2);
  expect(await run.result()).toEqual({ list: [1] });
  ((await t.run(run.runId).result()) as Box).list.push(2);
  expect(await t.run(run.runId).result()).toEqual({ list: [1] });
});
