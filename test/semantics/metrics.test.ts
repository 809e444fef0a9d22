/** The figures of an orchestrator over runs that complete, fail, are cancelled, and go on. */
import { expect, test } from "vitest";
import { type AnyNode, compute, effect, Fatal, reducer, sleep, workflow } from "../../src/index.ts";
import { testOrchestrator } from "../../src/testing/index.ts";
import { anything, Gate, quiet } from "./kit.ts";

const gate = new Gate();
const back = effect({ name: "back", input: anything, irreversible: "is an undo" }, async () => null);
let failures = 0;
const flaky = effect(
  { name: "flaky", input: anything, idempotent: true, retry: { maxAttempts: 2, delay: "1s", jitter: "none" }, undo: () => back(1) },
  async () => {
    if (failures-- > 0) throw new Error("again");
    return 1;
  },
);
const held = effect({ name: "held", input: anything, readonly: true }, () => gate.pass());
const price = compute({ name: "price", input: anything }, () => 1);
const total = reducer({ name: "total", event: anything, initial: 0 }, (sum) => sum + 1);
const order = workflow({ name: "order", input: anything }, function* (input) {
  yield* price(1);
  yield* flaky(1);
  yield* total(1);
  yield* sleep(input === "slow" ? "20s" : "1s");
  if (input === "fail") throw new Fatal("NO");
});
const waits = workflow({ name: "waits", input: anything }, function* () {
  yield* held(1);
});
const nodes: readonly AnyNode[] = [order, waits];
const make = (config = {}) => testOrchestrator({ nodes, log: quiet, config });

test("D8: with nothing done, every key is there", async () => {
  const metrics = await make().getPerformanceMetrics();
  expect(metrics).toEqual({
    totalWorkflows: 0,
    successfulWorkflows: 0,
    successRate: 0,
    averageDurationMs: 0,
    maxDurationMs: 0,
    minDurationMs: 0,
    activeWorkflows: 0,
    performanceTier: "optimal",
    circuitBreakerStatus: "closed",
    byOutcome: expect.anything(),
    byType: {},
    initiation: expect.objectContaining({ count: 0, p50Ms: 0, p95Ms: 0, p99Ms: 0 }),
    window: expect.objectContaining({ windowMs: 300_000, totalWorkflows: 0, successRate: 0 }),
    steps: { executed: 0, failed: 0, retries: 0, byNode: {} },
    circuitBreakers: [],
    admission: { active: 0, queued: 0, max: undefined },
    performanceThresholdMs: 5_000,
    commits: expect.any(Number),
    redelivered: 0,
    takenOver: 0,
    callsInFlight: 0,
  });
});

test("D1, D2, D3, D4, D7: runs are counted by their outcome and with their own time, those under way apart", async () => {
  const t = make();
  failures = 1;
  const going = [order, order, order].map((flow, i) =>
    t.process({ workflowType: flow.contract.name, workflowContext: ["ok", "fail", "slow"][i], idempotencyKey: `r${i}` } as never),
  );
  await t.start(waits, null);
  await t.advance("3s");
  await t.run("r2").cancel();
  await t.advance("1s");
  const outputs = await Promise.all(going);
  expect(outputs.map(({ processingTimeMs }) => processingTimeMs)).toEqual([2_000, 1_000, 3_000]);
  expect(await t.getPerformanceMetrics()).toMatchObject({
    totalWorkflows: 3,
    successfulWorkflows: 1,
    successRate: 33.33,
    averageDurationMs: 2_000,
    maxDurationMs: 3_000,
    minDurationMs: 1_000,
    activeWorkflows: 1,
    callsInFlight: 1,
    byOutcome: { completed: { count: 1, averageMs: 2_000 }, failed: { count: 1, averageMs: 1_000 }, cancelled: { count: 1 } },
    byType: { order: { totalWorkflows: 3 } },
    // Three of price, flaky and total; two undos.
    steps: { executed: 11, failed: 0, retries: 1, byNode: { flaky: { count: 4 }, back: { count: 2 } } },
  });
  gate.open();
  await t.advance("0ms");
  expect(await t.getPerformanceMetrics()).toMatchObject({
    totalWorkflows: 4,
    successRate: 50,
    activeWorkflows: 0,
    byType: { waits: { totalWorkflows: 1 } },
  });
});

test("D9: the window forgets what the lifetime keeps", async () => {
  const t = make();
  failures = 0;
  await t.start(order, "fail");
  await t.advance("6m");
  await t.start(order, "ok");
  await t.advance("1m");
  expect(await t.getPerformanceMetrics()).toMatchObject({
    totalWorkflows: 2,
    successRate: 50,
    window: { totalWorkflows: 1, successRate: 100, averageDurationMs: 1_000 },
  });
});

test("D10: the tier of an output is that of its type, this run included", async () => {
  const t = make({ performanceThresholdMs: 1_000 });
  const tier = async (input: string) => {
    failures = 0;
    const going = t.process({ workflowType: "order", workflowContext: input } as never);
    await t.advance("1m");
    return (await going).metadata.performanceTier;
  };
  expect(await tier("slow")).toBe("poor");
  for (let i = 0; i < 9; i++) await tier("ok");
  expect(await tier("fail")).toBe("poor");
  expect(await tier("ok")).toBe("good");
  const quick = t.process({ workflowType: "waits" } as never);
  await t.advance("1s");
  expect((await quick).metadata.performanceTier).toBe("optimal");
});

test("D13: the time to initiate is that from the start to the first action, for each run that was started here", async () => {
  const t = make();
  failures = 0;
  for (let i = 0; i < 5; i++) await t.start(order, "ok");
  await t.advance("1m");
  await t.crash();
  expect((await t.getPerformanceMetrics()).initiation.count).toBe(0);
  await t.start(order, "ok");
  await t.advance("1m");
  const { initiation } = await t.getPerformanceMetrics();
  // In virtual time everything that needs no waiting takes none.
  expect(initiation).toMatchObject({ count: 1, maxMs: 0 });
});

test("a child counts as a run of its own type; the run that takes it back does not", async () => {
  const child = workflow({ name: "child", input: anything }, function* () {
    yield* flaky(1);
  });
  const parent = workflow({ name: "parent", input: anything }, function* () {
    yield* child(1);
    throw new Fatal("NO");
  });
  failures = 0;
  const t = testOrchestrator({ nodes: [parent], log: quiet });
  await t.start(parent, null);
  await t.advance("1m");
  const { byType } = await t.getPerformanceMetrics();
  expect(Object.entries(byType).map(([type, { totalWorkflows, successRate }]) => [type, totalWorkflows, successRate])).toEqual([
    ["child", 1, 100],
    ["parent", 1, 0],
  ]);
});
