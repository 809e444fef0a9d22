// biome-ignore-all lint/correctness/useYield: a workflow may end at once
import { expect, test } from "vitest";
import { z } from "zod";
import { all, attempt, Fatal, race, StepError, type Steps, sleep, workflow } from "../../src/index.ts";
import { anything, Gate, Ledger, play, playOut } from "./kit.ts";

const flowOf = (name: string, body: (input: never) => Steps<unknown>) =>
  workflow({ name, input: anything }, body as (input: unknown) => Steps<unknown>);

test("a child is a run of its own, named after its parent and step; its output is the step's", async () => {
  const child = flowOf("child", function* (n: number) {
    yield* sleep("1s");
    return n + 1;
  });
  const { t, view } = await playOut(function* () {
    return [yield* child(1), yield* child(2, { step: "second" }), yield* child(3, { runId: "own" })];
  });
  expect((await view()).output).toEqual([2, 3, 4]);
  expect((await t.list({ workflow: "child" })).map(({ id, parent }) => [id, parent]).sort()).toEqual([
    ["own", "run"],
    ["run/child", "run"],
    ["run/second", "run"],
  ]);
  expect(await t.run("run/child").status()).toMatchObject({ correlationId: "run", status: "completed" });
});

test("a child's workflow travels with the call: it need not stand in `nodes`, and survives a crash", async () => {
  const child = flowOf("child", function* () {
    yield* sleep("1h");
    return "awake";
  });
  const { t, view } = await play(function* () {
    return yield* child(1);
  });
  await t.crash();
  await t.advance("1h");
  expect((await view()).output).toBe("awake");
});

test("a failed child is a StepError with the child's code, after it has undone what it did", async () => {
  const ledger = new Ledger();
  const gate = new Gate();
  ledger.manners["undo a"] = gate;
  const child = flowOf("child", function* () {
    yield* ledger.act("a");
    throw new Fatal("NO_STOCK", { details: { left: 0 } });
  });
  let error: unknown;
  const { t, view } = await play(function* () {
    try {
      yield* child(1);
    } catch (caught) {
      error = caught;
    }
    return "on";
  });
  expect(error).toBeUndefined();
  gate.open();
  await t.advance("1s");
  expect(ledger.lines).toEqual(["a", "undo a"]);
  expect(error).toBeInstanceOf(StepError);
  expect(error).toMatchObject({ code: "NO_STOCK", step: "child", node: "child", details: { left: 0 } });
  expect((await view()).output).toBe("on");
});

test("cancelling the parent reaches the child, which cleans up before the parent ends", async () => {
  const ledger = new Ledger();
  const child = flowOf("child", function* () {
    try {
      yield* ledger.act("a");
      yield* sleep("1h");
    } finally {
      yield* ledger.final("cleanup");
    }
  });
  const { t, run, view } = await play(function* () {
    yield* child(1);
  });
  await run.cancel();
  await t.advance("1s");
  expect(ledger.lines).toEqual(["a", "cleanup", "undo a"]);
  expect((await view()).status).toBe("cancelled");
  expect((await t.run("run/child").status()).status).toBe("cancelled");
});

test("a child that is cancelled on its own fails the step with RUN_CANCELLED", async () => {
  const child = flowOf("child", function* () {
    yield* sleep("1h");
  });
  const { t, view } = await play(function* () {
    return (yield* attempt(child(1))).error?.code;
  });
  await t.run("run/child").cancel();
  await t.advance("1s");
  expect((await view()).output).toBe("RUN_CANCELLED");
});

test("a run id that is taken fails the step with RUN_ID_CONFLICT", async () => {
  const child = flowOf("child", function* () {
    yield* sleep("1m");
  });
  const { view } = await playOut(function* () {
    const { both } = yield* all({
      both: all([attempt(child(1, { runId: "same" })), attempt(child(1, { runId: "same" }))]),
    });
    return both.map(({ error }) => error?.code ?? "ok");
  });
  expect((await view()).output).toEqual(["ok", "RUN_ID_CONFLICT"]);
});

test("an input that does not fit fails the step before there is a child", async () => {
  const child = workflow({ name: "child", input: z.object({ n: z.number() }) }, function* () {
    return 1;
  });
  const { t, view } = await playOut(function* () {
    return (yield* attempt(child({ n: "x" } as never))).error?.code;
  });
  expect((await view()).output).toBe("INPUT_INVALID");
  expect(await t.list({ workflow: "child" })).toEqual([]);
});

test("a completed child of a parent that fails is taken back by a run of its own, newest first", async () => {
  const { act, lines } = new Ledger();
  const child = flowOf("child", function* () {
    yield* act("a");
    yield* act("b");
  });
  const { t, view } = await playOut(function* () {
    yield* act("before");
    yield* child(1);
    throw new Fatal("BROKEN");
  });
  expect(lines).toEqual(["before", "a", "b", "undo b", "undo a", "undo before"]);
  expect(await t.run("run/child~undo").status()).toMatchObject({ status: "completed", workflow: "onex-undo" });
  expect(await view()).toMatchObject({ status: "failed", notUndone: [] });
});

test("what a child could not take back stands in the parent's notUndone", async () => {
  const ledger = new Ledger();
  ledger.manners["undo a"] = "fatal";
  const child = flowOf("child", function* () {
    yield* ledger.act("a");
  });
  const { view } = await playOut(function* () {
    yield* child(1);
    throw new Fatal("BROKEN");
  });
  expect((await view()).notUndone).toEqual(["child"]);
});

test("a grandchild is taken back too", async () => {
  const { act, lines } = new Ledger();
  const grandchild = flowOf("grandchild", function* () {
    yield* act("deep");
  });
  const child = flowOf("child", function* () {
    yield* grandchild(1);
    yield* act("a");
  });
  const { view } = await playOut(function* () {
    yield* child(1);
    throw new Fatal("BROKEN");
  });
  expect(lines).toEqual(["deep", "a", "undo a", "undo deep"]);
  expect((await view()).notUndone).toEqual([]);
});

test("a child that lost a race is cancelled, and taken back when it completed all the same", async () => {
  const ledger = new Ledger();
  const gate = new Gate();
  ledger.manners.a = gate;
  const child = flowOf("child", function* () {
    yield* ledger.act("a");
  });
  const { t, view } = await play(function* () {
    return (yield* race({ quick: sleep("1s"), child: child(1) })).winner;
  });
  await t.advance("2s");
  gate.open();
  await t.advance("1s");
  expect(ledger.lines).toEqual(["a", "undo a"]);
  expect((await view()).output).toBe("quick");
});

test("a child's timeout cancels it and fails the step", async () => {
  const { act, lines } = new Ledger();
  const child = flowOf("child", function* () {
    yield* act("a");
    yield* sleep("1h");
  });
  const { view } = await playOut(function* () {
    return (yield* attempt(child(1, { timeout: "10s" }))).error?.code;
  });
  expect((await view()).output).toBe("STEP_TIMEOUT");
  expect(lines).toEqual(["a", "undo a"]);
});

test("with `retry` a failed child is tried again as another run", async () => {
  let tries = 0;
  const ledger = new Ledger();
  ledger.manners.a = ["fatal", "ok"];
  const child = flowOf("child", function* () {
    tries++;
    return yield* ledger.act("a");
  });
  const { t, view } = await playOut(function* () {
    return yield* child(1, { retry: { maxAttempts: 2, delay: "1s" } });
  });
  expect(tries).toBeGreaterThanOrEqual(2);
  expect((await view()).output).toEqual({ id: "a" });
  expect((await t.list({ workflow: "child" })).map(({ id }) => id).sort()).toEqual(["run/child", "run/child~2"]);
});

test("recursion", async () => {
  const sum = workflow({ name: "sum", input: z.number(), output: z.number() }, function* (n): Steps<number> {
    return n === 0 ? 0 : n + (yield* sum(n - 1));
  });
  const { view } = await playOut(function* () {
    return yield* sum(5);
  });
  expect((await view()).output).toBe(15);
});
