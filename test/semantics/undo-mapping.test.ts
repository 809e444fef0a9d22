/** The function that maps what was done to what takes it back: what it gets, and what becomes of its slips. */
import { expect, test } from "vitest";
import { z } from "zod";
import { effect, Fatal, type Operation, sleep, type Undoing, workflow } from "../../src/index.ts";
import { anything, Gate, Ledger, play, playOut } from "./kit.ts";

const undoneBy = (undo: (done: Undoing<string, string>) => unknown) =>
  effect(
    { name: "act", input: z.string(), output: z.string(), undo: undo as (done: Undoing<string, string>) => Operation<unknown> },
    async (x) => x,
  );
const failing = (act: ReturnType<typeof undoneBy>) =>
  playOut(function* () {
    yield* act("a");
    throw new Fatal("BROKEN");
  });

test.each<[string, () => unknown, string]>([
  [
    "throws",
    () => {
      throw new Error("slip");
    },
    "UNDO_FAILED",
  ],
  ["gives nothing", () => undefined, "NO_UNDO"],
  ["gives a promise", () => Promise.resolve(), "NO_UNDO"],
  ["uses the clock", () => Date.now(), "NONDETERMINISTIC"],
])("one that %s leaves its step in notUndone", async (_what, undo, code) => {
  const { view, facts } = await failing(undoneBy(undo));
  expect(await view()).toMatchObject({ status: "failed", error: { code: "BROKEN" }, notUndone: ["act"] });
  expect((await facts()).find((fact) => fact.type === "undo.failed")).toMatchObject({ step: "act", error: { code } });
});

test("it may give a generator of several steps, performed as one undo", async () => {
  const ledger = new Ledger();
  await failing(
    undoneBy(function* () {
      yield* ledger.final("first");
      yield* sleep("1m");
      yield* ledger.final("second");
    }),
  );
  expect(ledger.lines).toEqual(["first", "second"]);
});

test("it may give a child workflow", async () => {
  const ledger = new Ledger();
  const child = workflow({ name: "child", input: anything }, function* (id: string) {
    yield* ledger.final(id);
  });
  const { view } = await failing(undoneBy(({ input }) => child(`take ${input} back`)));
  expect(ledger.lines).toEqual(["take a back"]);
  expect((await view()).notUndone).toEqual([]);
});

test("an effect whose input is what an undo gets may stand for the function", async () => {
  const seen: unknown[] = [];
  const back = effect(
    {
      name: "back",
      input: z.object({ input: z.string(), output: z.string().optional(), idempotencyKey: z.string() }),
      irreversible: "is an undo",
    },
    async (done) => {
      seen.push(done);
      return null;
    },
  );
  const act = effect({ name: "act", input: z.string(), output: z.string(), undo: back }, async (x) => {
    if (x === "unknown") throw new Error("lost");
    return `did ${x}`;
  });
  await playOut(function* () {
    yield* act("known");
    yield* act("unknown");
  });
  expect(seen).toMatchObject([{ input: "unknown" }, { input: "known", output: "did known" }]);
  expect(Object.keys(seen[0] as object)).not.toContain("output");
});

test("the run's own timeout does not cut its undo short", async () => {
  const ledger = new Ledger();
  const gate = new Gate();
  ledger.manners["undo a"] = gate;
  const { t, view } = await play(
    function* () {
      yield* ledger.act("a");
      throw new Fatal("BROKEN");
    },
    { timeout: "10s" },
  );
  await t.advance("20s");
  expect((await view()).status).toBe("compensating");
  gate.open();
  await t.advance("1s");
  expect(await view()).toMatchObject({ status: "failed", error: { code: "BROKEN" }, notUndone: [] });
});

test("an undo in doubt is sent again, whatever its effect says of itself", async () => {
  let calls = 0;
  const back = effect({ name: "back", input: anything, irreversible: "is an undo", inDoubt: "pause" }, async () => {
    if (++calls === 1) await new Promise(() => {});
    return null;
  });
  const act = undoneBy(() => back(1));
  const { t, view } = await play(function* () {
    yield* act("a");
    throw new Fatal("BROKEN");
  });
  await t.crash();
  expect(calls).toBe(2);
  expect(await view()).toMatchObject({ status: "failed", notUndone: [] });
});
