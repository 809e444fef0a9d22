/** `retry` goes on in a new run from what failed, or from what had to be taken back because of it. */
import { expect, test } from "vitest";
import { all, attempt, compensate, Fatal, planWorkflow, type Steps, signal, sleep, workflow } from "../../src/index.ts";
import { anything, Gate, Ledger, play, playOut } from "./kit.ts";

const go = signal({ name: "go", payload: anything });

test("where nothing is taken back it goes on at the step that failed", async () => {
  const ledger = new Ledger();
  ledger.manners.b = ["fatal", "ok"];
  const { t } = await playOut(
    function* () {
      yield* attempt(ledger.look("handled", { step: "handled" }));
      yield* ledger.act("a", { step: "a" });
      yield* ledger.act("b", { step: "b" });
      return "done";
    },
    { onFailure: "stop" },
  );
  const run = await t.retry("run");
  await t.advance("1s");
  expect(await run.result()).toBe("done");
  expect(ledger.lines).toEqual(["handled", "a", "b", "b"]);
  expect(await run.status()).toMatchObject({ forkedFrom: { runId: "run", step: "b" } });
});

test("what was taken back is done anew, what was not is shared", async () => {
  const ledger = new Ledger();
  ledger.manners.c = ["fatal", "ok"];
  const { t } = await playOut(function* () {
    yield* ledger.look("x", { step: "x" });
    yield* ledger.act("a", { step: "a" });
    yield* ledger.act("b", { step: "b" });
    yield* ledger.act("c", { step: "c" });
    return "done";
  });
  const run = await t.retry("run");
  await t.advance("1s");
  expect(await run.result()).toBe("done");
  expect(ledger.lines).toEqual(["x", "a", "b", "c", "undo b", "undo a", "a", "b", "c"]);
  // The new calls are new work.
  expect(new Set(ledger.keys.filter(({ line }) => line === "a").map(({ key }) => key)).size).toBe(2);
});

test("a retry that fails is retried again; the same retry under the same id is the same run", async () => {
  const ledger = new Ledger();
  ledger.manners.b = ["fatal", "fatal", "ok"];
  const { t } = await playOut(function* () {
    yield* ledger.look("a", { step: "a" });
    return yield* ledger.act("b", { step: "b" });
  });
  await t.retry("run", { runId: "second" });
  await t.advance("1s");
  await t.retry("run", { runId: "second" });
  await t.advance("1s");
  const third = await t.retry("second");
  await t.advance("1s");
  expect(await third.result()).toEqual({ id: "b" });
  expect(ledger.lines).toEqual(["a", "b", "b", "b"]);
});

test("from a step that is named", async () => {
  const ledger = new Ledger();
  ledger.manners.b = ["fatal", "ok"];
  const { t } = await playOut(
    function* () {
      yield* ledger.look("a", { step: "a" });
      yield* ledger.look("b", { step: "b" });
    },
    { onFailure: "stop" },
  );
  await t.retry("run", { from: "a" });
  await t.advance("1s");
  expect(ledger.lines).toEqual(["a", "b", "a", "b"]);
});

test("a cancelled run goes on where it stood", async () => {
  const { look, lines } = new Ledger();
  const { t, run } = await play(function* () {
    yield* look("a", { step: "a" });
    const answer = yield* go.wait();
    yield* sleep("1h");
    return answer;
  });
  await t.advance("1m");
  await run.signal(go, 7);
  await t.advance("30m");
  await run.cancel("too slow");
  await t.advance("24h");
  expect((await run.status()).status).toBe("cancelled");
  const again = await t.retry("run");
  await t.advance("29m");
  expect((await again.status()).status).toBe("waiting");
  await t.advance("2m");
  expect(await again.result()).toBe(7);
  expect(lines).toEqual(["a"]);
});

test("a run that was cancelled with a call under way does that call anew", async () => {
  const ledger = new Ledger();
  ledger.manners.b = ["obey", "ok"];
  const { t, run } = await play(function* () {
    yield* ledger.look("a", { step: "a" });
    return yield* ledger.look("b", { step: "b" });
  });
  await run.cancel();
  await t.advance("1s");
  const again = await t.retry("run");
  await t.advance("1s");
  expect(await again.result()).toEqual({ id: "b" });
  expect(ledger.lines).toEqual(["a", "b", "b"]);
});

test("a run that took too long gets its time again", async () => {
  const ledger = new Ledger();
  ledger.manners.slow = ["obey", "ok"];
  const { t, run } = await playOut(
    function* () {
      yield* ledger.act("a", { step: "a" });
      yield* ledger.again("slow", { step: "slow", timeout: "1h" });
      yield* sleep("9s");
    },
    { timeout: "10s", onFailure: "stop" },
  );
  expect((await run.status()).error?.code).toBe("RUN_TIMEOUT");
  const again = await t.retry("run");
  await t.advance("1h");
  expect((await again.status()).status).toBe("completed");
  expect(ledger.lines).toEqual(["a", "slow", "slow"]);
});

test("a workflow that threw goes on where it threw, in code that no longer does", async () => {
  const { act, lines } = new Ledger();
  let broken = true;
  const { t } = await playOut(
    function* () {
      yield* act("a", { step: "a" });
      if (broken) throw new Error("a slip");
      yield* act("b", { step: "b" });
      return "done";
    },
    { onFailure: "stop" },
  );
  broken = false;
  const run = await t.retry("run");
  await t.advance("1s");
  expect(await run.result()).toBe("done");
  expect(lines).toEqual(["a", "b"]);
});

test("branches that failed together are done anew together, the others are shared", async () => {
  const ledger = new Ledger();
  ledger.manners.bad = ["fatal", "ok"];
  ledger.manners.slow = ["obey", "ok"];
  const { t } = await playOut(
    function* () {
      yield* ledger.look("a", { step: "a" });
      yield* all({
        quick: ledger.look("quick", { step: "quick" }),
        slow: ledger.again("slow", { step: "slow", timeout: "1h" }),
        bad: (function* () {
          yield* sleep("1s");
          yield* ledger.look("bad", { step: "bad", retry: false });
        })(),
      });
      return "done";
    },
    { onFailure: "stop" },
  );
  const run = await t.retry("run");
  await t.advance("1h");
  expect(await run.result()).toBe("done");
  // `slow` was given up with the failure, so it is done again; `quick` had its answer.
  expect(ledger.lines.filter((line) => line === "a")).toHaveLength(1);
  expect(ledger.lines.filter((line) => line === "slow")).toHaveLength(2);
  expect(ledger.lines.filter((line) => line === "quick")).toHaveLength(1);
});

test("what a workflow took back by hand cannot be shared", async () => {
  const ledger = new Ledger();
  ledger.manners.b = ["fatal", "ok"];
  const { t } = await playOut(
    function* () {
      const { id } = yield* ledger.act("a", { step: "a" });
      try {
        yield* ledger.act("b", { step: "b" });
      } catch (error) {
        yield* compensate(ledger.back({ id, known: true, key: "k" }));
        throw error;
      }
    },
    { onFailure: "stop" },
  );
  await expect(t.fork("run", { from: "b" })).rejects.toMatchObject({ code: "FORK_UNDONE", details: { step: "a" } });
  await t.retry("run");
  await t.advance("1s");
  expect(ledger.lines).toEqual(["a", "b", "undo a", "a", "b"]);
});

test("a child that failed is begun anew, as a run of its own", async () => {
  const ledger = new Ledger();
  ledger.manners.inner = ["fatal", "ok"];
  const child = workflow({ name: "child", input: anything }, function* (): Steps<unknown> {
    return yield* ledger.act("inner");
  });
  const { t } = await playOut(function* () {
    yield* ledger.look("a", { step: "a" });
    return yield* child(1);
  });
  const run = await t.retry("run", { runId: "again" });
  await t.advance("1s");
  expect(await run.result()).toEqual({ id: "inner" });
  expect(ledger.lines).toEqual(["a", "inner", "inner"]);
  expect((await t.list({ workflow: "child" })).map(({ id }) => id).sort()).toEqual(["again/child", "run/child"]);
  expect(await t.run("run/child").status()).toMatchObject({ status: "failed" });
});

test("a plan is retried under its pinned definition", async () => {
  const ledger = new Ledger();
  ledger.manners.bad = ["fatal", "ok"];
  const plan = planWorkflow({
    onex: "v1",
    kind: "workflow",
    name: "plan",
    version: "1.0.0",
    onFailure: "stop",
    steps: {
      good: { effect: "look", with: "good" },
      bad: { effect: "look", with: "bad", needs: ["good"], retry: false },
      end: { effect: "look", with: "end", needs: ["bad"] },
    },
  });
  const { t } = await playOut(
    function* () {
      return (yield* attempt(plan(null))).ok;
    },
    { nodes: [plan, ledger.look] },
  );
  const run = await t.retry("run/plan");
  await t.advance("1s");
  expect((await run.status()).status).toBe("completed");
  expect(ledger.lines).toEqual(["good", "bad", "bad", "end"]);
});

test("a run that completed has nothing to retry; one that waits for a person is retried at that step", async () => {
  const ledger = new Ledger();
  ledger.manners.b = [new Gate(), "ok"];
  const { t } = await play(function* () {
    yield* ledger.act("a", { step: "a" });
    return yield* ledger.act("b", { step: "b" });
  });
  await t.crash();
  await t.advance("1s");
  const run = await t.retry("run");
  await t.advance("1s");
  expect(await run.result()).toEqual({ id: "b" });
  await expect(t.retry(run.runId)).rejects.toMatchObject({ code: "FORK_IMPOSSIBLE" });
  expect(ledger.lines).toEqual(["a", "b", "b"]);
});

test("a workflow that threw what no step did is retried from the first step that failed", async () => {
  const ledger = new Ledger();
  ledger.manners.b = ["fatal", "ok"];
  const { t } = await playOut(
    function* () {
      yield* ledger.look("a", { step: "a" });
      if (!(yield* attempt(ledger.look("b", { step: "b" }))).ok) throw new Fatal("B_FAILED");
      return "done";
    },
    { onFailure: "stop" },
  );
  const run = await t.retry("run");
  await t.advance("1s");
  expect(await run.result()).toBe("done");
  expect(ledger.lines).toEqual(["a", "b", "b"]);
});
