/** The only writers of shared state: keyed, each event exactly once (API rule 15). */
import { expect, test } from "vitest";
import { z } from "zod";
import { all, attempt, effect, Fatal, reducer, sleep, workflow } from "../../src/index.ts";
import { testOrchestrator } from "../../src/testing/index.ts";
import { anything, Ledger, play, playOut, quiet } from "./kit.ts";

const Moved = z.object({ sku: z.string(), by: z.number() });
const stock = reducer(
  { name: "stock", event: Moved, initial: { left: 10, events: 0 }, key: ({ sku }) => sku, undo: ({ sku, by }) => ({ sku, by: -by }) },
  (state, { by }) => {
    if (state.left + by < 0) throw new Fatal("NOT_ENOUGH", { details: { left: state.left } });
    return { left: state.left + by, events: state.events + 1 };
  },
);

test("the step's output is the state after its event; keys are apart", async () => {
  const { t, view } = await playOut(function* () {
    return [yield* stock({ sku: "a", by: -1 }), yield* stock({ sku: "b", by: 5 }), yield* stock({ sku: "a", by: -1 })];
  });
  expect((await view()).output).toEqual([
    { left: 9, events: 1 },
    { left: 15, events: 1 },
    { left: 8, events: 2 },
  ]);
  expect(await t.read(stock, "a")).toEqual({ left: 8, events: 2 });
  expect(await t.read(stock, "nobody")).toEqual({ left: 10, events: 0 });
});

test("`read` is a recorded step: a replay sees what was seen", async () => {
  const seen: number[] = [];
  const { t } = await play(function* () {
    seen.push((yield* stock.read("a")).left);
    yield* stock({ sku: "a", by: -1 });
    yield* sleep("1h");
    return yield* stock.read("a");
  });
  await t.crash();
  await t.advance("1h");
  expect(seen).toEqual([10, 10]);
  expect(await t.run("run").result()).toEqual({ left: 9, events: 1 });
});

test("is shared by runs, and each event counts once whatever crashes", async () => {
  const take = workflow({ name: "take", input: anything }, function* () {
    for (let i = 0; i < 4; i++) {
      yield* all([stock({ sku: "a", by: 1 }), stock({ sku: "a", by: 1 })]);
      yield* sleep("1s");
    }
  });
  const t = testOrchestrator({ nodes: [take, stock], log: quiet });
  const runs = await Promise.all([1, 2, 3].map(() => t.start(take, null)));
  for (let i = 0; i < 6; i++) {
    const going = t.advance("1s");
    await t.crash();
    await going;
  }
  await t.advance("1m");
  for (const run of runs) expect((await run.status()).status).toBe("completed");
  expect(await t.read(stock, "a")).toEqual({ left: 10 + 3 * 4 * 2, events: 3 * 4 * 2 });
});

test("`Fatal` applies nothing, and the step fails with its code and details", async () => {
  const { t, view } = await playOut(function* () {
    const { error } = yield* attempt(stock({ sku: "a", by: -11 }));
    return { code: error?.code, details: error?.details, step: error?.step, node: error?.node };
  });
  expect((await view()).output).toEqual({ code: "NOT_ENOUGH", details: { left: 10 }, step: "stock", node: "stock" });
  expect(await t.read(stock, "a")).toEqual({ left: 10, events: 0 });
});

test("any other error fails the step as well, and applies nothing", async () => {
  const broken = reducer({ name: "broken", event: anything, initial: 0 }, () => {
    throw new TypeError("a bug");
  });
  const { view } = await playOut(function* () {
    yield* broken(1);
  });
  expect((await view()).error?.code).toBe("REDUCER_THREW");
});

test("an event that does not fit is INPUT_INVALID, a state that does not OUTPUT_INVALID", async () => {
  const typed = reducer({ name: "typed", event: z.number(), state: z.number().max(5), initial: 0 }, (sum, n) => sum + n);
  const { t, view } = await playOut(function* () {
    return [(yield* attempt(typed("x" as never))).error?.code, (yield* attempt(typed(9))).error?.code, yield* typed(2)];
  });
  expect((await view()).output).toEqual(["INPUT_INVALID", "OUTPUT_INVALID", 2]);
  expect(await t.read(typed)).toBe(2);
});

test("its undo is a new event, applied when the scope is undone, in the order of everything else", async () => {
  const ledger = new Ledger();
  const { t, view } = await playOut(function* () {
    yield* stock({ sku: "a", by: -3 });
    yield* ledger.act("x");
    yield* stock({ sku: "a", by: -1 });
    throw new Fatal("BROKEN");
  });
  expect(await t.read(stock, "a")).toEqual({ left: 10, events: 4 });
  expect((await view()).notUndone).toEqual([]);
  const applied = (await t.run("run").facts()).flatMap((fact) =>
    fact.type === "reducer.applied" || fact.type === "action.dispatched" ? [fact.step] : [],
  );
  expect(applied).toEqual(["stock", "act", "stock#2", "stock#2~undo/stock", "act~undo/back", "stock~undo/stock"]);
});

test("one without an undo is left as it is", async () => {
  const log = reducer({ name: "log", event: anything, initial: 0 }, (n) => n + 1);
  const { t, view } = await playOut(function* () {
    yield* log(1);
    throw new Fatal("BROKEN");
  });
  expect(await t.read(log)).toBe(1);
  expect((await view()).notUndone).toEqual([]);
});

test("an undo that is refused stands in notUndone", async () => {
  const { t, view } = await playOut(function* () {
    yield* stock({ sku: "a", by: 5 });
    yield* all([stock({ sku: "a", by: -14 }, { step: "take" })]);
    throw new Fatal("BROKEN");
  });
  // Newest first: the 14 come back, then the 5 go.
  expect(await t.read(stock, "a")).toEqual({ left: 10, events: 4 });
  expect((await view()).notUndone).toEqual([]);
});

test("a reducer is not called in an effect, and its state is not reached there", async () => {
  const act = effect({ name: "act", input: anything, readonly: true, retry: false }, async () => {
    await (stock({ sku: "a", by: 1 }) as unknown as Promise<unknown>);
    return null;
  });
  const { t, view } = await playOut(function* () {
    yield* act(1);
  });
  expect((await view()).error?.code).toBe("OPERATION_AWAITED");
  expect(await t.read(stock, "a")).toEqual({ left: 10, events: 0 });
});
