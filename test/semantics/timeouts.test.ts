import { expect, test } from "vitest";
import { z } from "zod";
import { attempt, effect, type Json, sleep, workflow } from "../../src/index.ts";
import { testOrchestrator } from "../../src/testing/index.ts";
import { anything, Gate, Ledger, play, playOut, quiet } from "./kit.ts";

test("a step's timeout is that of one attempt: the call is aborted, the outcome unknown", async () => {
  const ledger = new Ledger();
  ledger.manners.a = "obey";
  const { view } = await playOut(function* () {
    const tried = yield* attempt(ledger.again("a", { timeout: "10s", retry: { maxAttempts: 2, delay: "1s", jitter: "none" } }));
    return tried.error?.code;
  });
  expect(await view()).toMatchObject({ status: "completed", output: "STEP_TIMEOUT" });
  expect(ledger.lines).toEqual(["a", "a", "undo a?"]);
});

test("thirty seconds when nothing is said", async () => {
  const ledger = new Ledger();
  ledger.manners.a = "obey";
  const { t, view } = await play(function* () {
    yield* ledger.act("a");
  });
  await t.advance("29s");
  expect((await view()).endedAt).toBeUndefined();
  await t.advance("1s");
  expect(await view()).toMatchObject({ status: "failed", error: { code: "STEP_TIMEOUT" } });
});

test("a call that ignores the abort is given up after 5 s more", async () => {
  const ledger = new Ledger();
  const gate = new Gate();
  ledger.manners.a = gate;
  const { t, view } = await play(function* () {
    yield* ledger.act("a", { timeout: "10s" });
  });
  await t.advance("14s");
  expect((await view()).endedAt).toBeUndefined();
  await t.advance("1s");
  expect(await view()).toMatchObject({ status: "failed", error: { code: "STEP_TIMEOUT" } });
  expect(t.stats().callsInFlight).toBe(0);
});

test("an answer that comes after the timeout does not count", async () => {
  const ledger = new Ledger();
  const gate = new Gate();
  ledger.manners.a = gate;
  const { t, view } = await play(function* () {
    return (yield* attempt(ledger.act("a", { timeout: "10s" }))).ok;
  });
  await t.advance("11s");
  gate.open();
  await t.advance("1s");
  expect(await view()).toMatchObject({ status: "completed", output: false });
});

test("the run's timeout ends it as failed, and it compensates", async () => {
  const { act, lines } = new Ledger();
  const { t, run, view } = await play(
    function* () {
      try {
        yield* act("a");
        yield* sleep("1h");
      } catch {
        yield* act("caught");
      }
    },
    { timeout: "1m" },
  );
  await t.advance("59s");
  expect((await view()).endedAt).toBeUndefined();
  await t.advance("1s");
  expect(lines).toEqual(["a", "undo a"]);
  expect(await view()).toMatchObject({ status: "failed", error: { code: "RUN_TIMEOUT" } });
  await expect(run.result()).rejects.toMatchObject({ name: "RunFailed", code: "RUN_TIMEOUT" });
});

test("D25: the run's timeout aborts the call that is under way, whose own time is longer, and takes it back as unknown", async () => {
  const ledger = new Ledger();
  ledger.manners.a = "obey";
  const { t, view } = await play(
    function* () {
      yield* ledger.act("a", { timeout: "1h" });
      yield* ledger.act("b");
    },
    { timeout: "10s" },
  );
  await t.advance("9s");
  expect(ledger.lines).toEqual(["a"]);
  await t.advance("2s");
  expect(ledger.lines).toEqual(["a", "undo a?"]);
  expect(await view()).toMatchObject({ status: "failed", error: { code: "RUN_TIMEOUT" }, compensated: true, notUndone: [] });
});

test("the run's timeout holds through a crash", async () => {
  const { t, view } = await play(
    function* () {
      yield* sleep("1h");
    },
    { timeout: "1m" },
  );
  await t.advance("30s");
  await t.crash();
  await t.advance("30s");
  expect(await view()).toMatchObject({ error: { code: "RUN_TIMEOUT" } });
});

test("a timeout in `start` wins over the workflow's own", async () => {
  const slow = workflow({ name: "slow", input: anything, timeout: "1h" }, function* () {
    yield* sleep("10m");
  });
  const t = testOrchestrator({ nodes: [slow], log: quiet });
  const run = await t.start(slow, null, { timeout: "1m" });
  await t.advance("1m");
  expect(await run.status()).toMatchObject({ error: { code: "RUN_TIMEOUT" } });
});

/** Works in steps that the test lets go, and tells of each. */
function worker(gates: readonly Gate[]) {
  const resumed: (Json | undefined)[] = [];
  const node = effect(
    { name: "work", input: anything, output: z.number(), idempotent: true, heartbeat: "10s", timeout: "1h", retry: false },
    async (_input, { progress, resume }) => {
      resumed.push(resume);
      let done = (resume as { done: number } | undefined)?.done ?? 0;
      for (; done < gates.length; done++) {
        await gates[done]?.pass();
        progress({ done: done + 1 });
      }
      return done;
    },
  );
  return { node, resumed };
}

test("a heartbeat missed ends the attempt", async () => {
  const { node } = worker([new Gate()]);
  const { t, view } = await play(function* () {
    yield* node(1);
  });
  await t.advance("16s");
  expect(await view()).toMatchObject({ status: "failed", error: { code: "HEARTBEAT_TIMEOUT" } });
});

test("progress keeps it alive", async () => {
  const gates = [new Gate(), new Gate(), new Gate()];
  const { node } = worker(gates);
  const { t, view } = await play(function* () {
    return yield* node(1);
  });
  for (const gate of gates) {
    await t.advance("9s");
    gate.open();
  }
  await t.advance("1s");
  expect(await view()).toMatchObject({ status: "completed", output: 3 });
});

test("the last note comes back as `resume` after a crash", async () => {
  const gates = [new Gate(), new Gate()];
  const { node, resumed } = worker(gates);
  const { t, view } = await play(function* () {
    return yield* node(1);
  });
  gates[0]?.open();
  await t.advance("1s");
  await t.crash();
  gates[1]?.open();
  await t.advance("1s");
  expect(resumed).toEqual([undefined, { done: 1 }]);
  expect(await view()).toMatchObject({ status: "completed", output: 2 });
});
