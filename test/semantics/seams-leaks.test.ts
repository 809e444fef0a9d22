/** What a process keeps of runs that have ended, were put down, cancelled in the queue, given up or refused: nothing. */
import { expect, test } from "vitest";
import { type AnyNode, all, effect, Fatal, type Run, race, restart, type Steps, signal, sleep, workflow } from "../../src/index.ts";
import { anything } from "./kit.ts";
import { engineOf, tested } from "./stage.ts";
import { numbers } from "./stream-kit.ts";

test("random ends of many runs leave no slot, share, pass, timer or wait behind", async () => {
  const { rows } = numbers(3, () => {}, { concurrency: { limit: 2 } });
  const act = effect(
    {
      name: "act",
      input: anything,
      idempotent: true,
      concurrency: { limit: 2 },
      rate: { limit: 50, per: "1s" },
      timeout: "10s",
      retry: { maxAttempts: 2, backoff: "fixed", delay: "1s", jitter: "none" },
      undo: () => back(null),
    },
    async (n: number, { signal: cut, attempt }) => {
      if (n % 5 === 0) throw new Fatal("NO");
      if (n % 7 === 0 && attempt === 1) throw new Error("again");
      if (n % 11 === 0) await new Promise((_, reject) => cut.addEventListener("abort", () => reject(cut.reason)));
      return n;
    },
  );
  const back = effect({ name: "back", input: anything, idempotent: true, irreversible: "t", concurrency: { limit: 1 } }, async () => {});
  const go = signal({ name: "go", payload: anything });
  const child = workflow({ name: "child", input: anything }, function* (n: number) {
    yield* act(n);
    return n;
  });
  const flow: AnyNode & ((n: never) => unknown) = workflow(
    {
      name: "flow",
      input: anything,
      timeout: "5m",
      concurrency: { limit: 3, key: (n: unknown) => String(Number(n) % 2) },
      rate: { limit: 20, per: "1m" },
    },
    function* (n: number): Steps<unknown> {
      yield* race({ a: all([act(n), child(n + 1), rows(n)]), b: sleep(n % 3 === 0 ? "2s" : "1m") });
      if (n % 4 === 0) yield* go.wait();
      if (n % 6 === 0 && n < 1000) return yield* restart(n + 1001);
      return n;
    },
  ) as never;
  const t = tested({ nodes: [flow, back], config: { maxConcurrentWorkflows: 4 } });
  const runs: Run[] = [];
  for (let n = 0; n < 120; n++) {
    const run = await t.start(flow as never, n as never, { runId: `r${n}` });
    runs.push(run);
    if (n % 8 === 3) await run.cancel().catch(() => {});
    if (n % 9 === 4) await run.pause().catch(() => {});
    if (n % 10 === 9) await t.advance("3s");
    if (n === 60) await t.crash();
  }
  for (let m = 0; m < 60; m++) {
    await t.advance("1m");
    for (const run of runs) {
      const { status } = await run.status();
      if (status === "paused") await run.resume().catch(() => {});
    }
  }
  const rest = await t.list({ limit: 1000 });
  expect(rest.filter(({ endedAt }) => endedAt === undefined).map(({ id, status }) => `${id} ${status}`)).toEqual([]);
  const engine = engineOf(t);
  expect(engine.quiet).toBe(true);
  expect(engine.activeCount).toBe(0);
  expect(engine.callsInFlight).toBe(0);
  expect(engine.admission.free).toBe(4);
  expect(await engine.admission.view()).toEqual({ active: 0, queued: 0, max: 4 });
  const again = [];
  for (let n = 0; n < 6; n++) again.push(await t.start(flow as never, (2001 + 26 * n) as never, { runId: `again${n}` }));
  await t.advance("10m");
  for (const run of again) expect((await run.status()).status).not.toBe("pending");
});

test("a run that is cancelled in the queue is counted, once", async () => {
  const go = signal({ name: "go", payload: anything });
  const flow = workflow({ name: "flow", input: anything, concurrency: { limit: 1, key: () => "k" } }, function* () {
    return yield* go.wait();
  });
  const t = tested({ nodes: [flow] });
  const one = await t.start(flow, 1);
  const two = await t.start(flow, 2);
  await t.advance("1s");
  await two.cancel();
  await t.advance("1s");
  expect((await two.status()).status).toBe("cancelled");
  const { byOutcome } = await t.getPerformanceMetrics();
  expect(byOutcome.cancelled.count).toBe(1);
  await one.signal(go, 1);
  await t.advance("1s");
  expect((await t.getPerformanceMetrics()).totalWorkflows).toBe(2);
});

test.each(["one", "crash"])("a deadline that passes in the queue ends the run there, and `process` answers (%s)", async (how) => {
  const go = signal({ name: "go", payload: anything });
  const ran: unknown[] = [];
  const flow = workflow({ name: "flow", input: anything, concurrency: { limit: 1, key: () => "k" } }, function* (n: unknown) {
    ran.push(n);
    return yield* go.wait();
  });
  const t = tested({ nodes: [flow] });
  const one = await t.start(flow, 1);
  await t.advance("1s");
  const before = ran.length;
  if (how === "crash") {
    await t.start(flow, 2, { runId: "late", timeout: "1m" });
    await t.advance("1s");
    await t.crash("2m");
  } else {
    const asked = t.process({
      workflowType: "flow",
      workflowContext: 2,
      idempotencyKey: "late",
      deadline: new Date(Date.UTC(2030, 0, 1, 0, 1)),
    } as never);
    await t.advance("1m");
    expect(await asked).toMatchObject({ success: false, finalState: "failed", errorCode: "RUN_TIMEOUT", stepsExecuted: 0 });
  }
  await t.advance("1s");
  const late = t.run("late");
  expect((await late.status()).error?.code).toBe("RUN_TIMEOUT");
  expect((await late.facts()).map(({ type }) => type)).toEqual(["run.started", "timer.fired", "run.failed"]);
  if (how === "one") expect(ran).toHaveLength(before);
  // Its log is a history like others.
  const fork = await t.fork("late");
  await t.advance("1s");
  expect((await fork.status()).status).toBe("pending");
  await one.signal(go, "on");
  await t.advance("1s");
  expect(await one.result()).toBe("on");
  expect((await fork.status()).status).toBe("waiting");
  expect((await t.getPerformanceMetrics()).byOutcome.failed.count).toBe(1);
});

test("what is started for later takes its time from then on", async () => {
  const flow = workflow({ name: "flow", input: anything }, function* () {
    yield* sleep("500ms");
  });
  const t = tested({ nodes: [flow] });
  await t.start(flow, null, { startAt: new Date(Date.UTC(2030, 0, 2)) });
  await t.advance("25h");
  const { totalWorkflows, byOutcome } = await t.getPerformanceMetrics();
  expect(totalWorkflows).toBe(1);
  expect(byOutcome.completed.maxMs).toBeLessThan(2000);
});
