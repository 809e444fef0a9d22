/** Facts and times in, figures out. */
import { expect, test } from "vitest";
import type { Fact, FactBody, FinalBody, Started } from "../../core/fact.ts";
import { Metrics } from "./metrics.ts";

const threshold = 1_000;
function make() {
  const clock = { now: 0 };
  return { clock, metrics: new Metrics(() => clock.now, threshold) };
}
const at = (body: FactBody, time = 0): Fact => ({ ...body, at: time });
const started = (workflow: string, time = 0): Started => ({
  type: "run.started",
  workflow,
  version: "1.0.0",
  input: null,
  correlationId: "c",
  seed: 1,
  priority: 100,
  at: time,
});
const completed: FinalBody = { type: "run.completed", output: null };
const failed: FinalBody = { type: "run.failed", error: { code: "X", message: "x" }, notUndone: [] };
const cancelled: FinalBody = { type: "run.cancelled", notUndone: [] };
const end = (metrics: Metrics, workflow: string, final: FinalBody, ms: number) =>
  metrics.ended(started(workflow, 100), { ...final, at: 100 + ms });
const dispatched = (step: string, attempt = 1): FactBody => ({
  type: "action.dispatched",
  step,
  attempt,
  node: "charge",
  input: 1,
  notAfter: 0,
});

test("D1, D6, D7: a run counts once, when it ends, with how it ended", () => {
  const { metrics } = make();
  end(metrics, "a", completed, 10);
  end(metrics, "a", failed, 30);
  end(metrics, "b", cancelled, 20);
  const report = metrics.report();
  expect(report).toMatchObject({
    totalWorkflows: 3,
    successfulWorkflows: 1,
    successRate: 33.33,
    averageDurationMs: 20,
    maxDurationMs: 30,
    minDurationMs: 10,
    byOutcome: { completed: { count: 1, averageMs: 10 }, failed: { count: 1, averageMs: 30 }, cancelled: { count: 1, averageMs: 20 } },
    byType: { a: { totalWorkflows: 2, successRate: 50, byOutcome: { failed: { count: 1 } } }, b: { totalWorkflows: 1, successRate: 0 } },
  });
});

test("D8: without a run there are the same keys", () => {
  const { metrics } = make();
  const empty = metrics.report();
  end(metrics, "a", completed, 10);
  const keys = (value: object): string[] => Object.keys(value).sort();
  const report = metrics.report();
  expect(keys(empty)).toEqual(keys(report));
  expect(keys(empty.window)).toEqual(keys(report.window));
  expect(keys(empty.byOutcome)).toEqual(["cancelled", "completed", "failed"]);
  expect(empty).toMatchObject({ successRate: 0, averageDurationMs: 0, minDurationMs: 0, performanceTier: "optimal" });
});

test("D10: the tier is of one type, and of its last ten that completed", () => {
  const { metrics } = make();
  for (let i = 0; i < 10; i++) end(metrics, "slow", completed, 5_000);
  for (let i = 0; i < 10; i++) end(metrics, "quick", completed, 5);
  for (let i = 0; i < 10; i++) end(metrics, "quick", failed, 60_000);
  expect(metrics.tierOf("slow")).toBe("poor");
  expect(metrics.tierOf("quick")).toBe("optimal");
  expect(metrics.tierOf("never")).toBe("optimal");
  expect(metrics.report().performanceTier).toBe("poor");
  for (let i = 0; i < 10; i++) end(metrics, "slow", completed, 900);
  expect(metrics.tierOf("slow")).toBe("good");
});

test("D9, D14: the window is five minutes of the clock that was given", () => {
  const { metrics, clock } = make();
  end(metrics, "a", completed, 10);
  clock.now = 200_000;
  end(metrics, "a", failed, 10);
  expect(metrics.report().window).toMatchObject({ windowMs: 300_000, totalWorkflows: 2, successRate: 50 });
  clock.now = 310_000;
  expect(metrics.report().window).toMatchObject({ totalWorkflows: 1, successfulWorkflows: 0, successRate: 0 });
  expect(metrics.report()).toMatchObject({ totalWorkflows: 2, successRate: 50 });
});

test("D12: steps that failed have run, those that were refused before an attempt have not; retries are attempts", () => {
  const { metrics } = make();
  const error = { code: "X", message: "x" };
  const facts: FactBody[] = [
    { type: "compute.completed", step: "a", node: "n", digest: "", output: 1 },
    { type: "compute.failed", step: "b", node: "n", digest: "", error },
    { type: "reducer.applied", step: "c", node: "n", key: "", input: 1, state: 1 },
    dispatched("d"),
    { type: "action.failed", step: "d", attempt: 1, error, outcome: "unknown" },
    dispatched("d", 2),
    { type: "action.completed", step: "d", attempt: 2, output: 1 },
    { type: "step.failed", step: "e", node: "n", attempts: 3, error },
    { type: "step.failed", step: "f", node: "n", attempts: 0, error },
  ];
  metrics.accepted(
    {},
    facts.map((fact) => at(fact)),
    true,
  );
  expect(metrics.report().steps).toMatchObject({ executed: 5, failed: 3, retries: 1 });
});

test("attempts of effects are measured by node, each from its intent to its answer", () => {
  const { metrics } = make();
  const run = {};
  metrics.accepted(run, [at(dispatched("a"), 1_000), at(dispatched("b"), 1_000)], false);
  const error = { code: "X", message: "x" };
  metrics.accepted(run, [at({ type: "action.failed", step: "a", attempt: 1, error, outcome: "unknown" }, 1_010)], false);
  metrics.accepted(run, [at({ type: "action.completed", step: "b", attempt: 1, output: 1 }, 1_050)], false);
  // Of a call that an earlier process made, nobody here knows when it began.
  metrics.accepted(run, [at({ type: "action.completed", step: "c", attempt: 1, output: 1 }, 9_000)], false);
  expect(metrics.report().steps.byNode).toEqual({ charge: expect.objectContaining({ count: 2, minMs: 10, maxMs: 50 }) });
});

test("D13: initiation ends with the turn of the first action", () => {
  const { metrics, clock } = make();
  const run = {};
  metrics.asked(run, 5);
  clock.now = 10;
  metrics.accepted(run, [at({ type: "lease.acquired", leaseId: "l", epoch: 1 })], false);
  clock.now = 25;
  metrics.accepted(run, [at(dispatched("a"))], false);
  clock.now = 90;
  metrics.accepted(run, [at(dispatched("b"))], true);
  expect(metrics.report().initiation).toMatchObject({ count: 1, averageMs: 20 });
});

test("D13: or with the first turn, when the run waits for something else", () => {
  const { metrics, clock } = make();
  const run = {};
  metrics.asked(run, 0);
  clock.now = 3;
  metrics.accepted(run, [], true);
  clock.now = 86_400_000;
  metrics.accepted(run, [at(dispatched("a"))], false);
  expect(metrics.report().initiation).toMatchObject({ count: 1, maxMs: 3 });
  metrics.accepted({}, [at(dispatched("a"))], false);
  expect(metrics.report().initiation.count).toBe(1);
});

test("a log that goes on under the same id has not ended, and the undo of a child is no workflow", () => {
  const { metrics } = make();
  end(metrics, "a", { type: "run.restarted", input: null }, 10);
  end(metrics, "onex-undo", completed, 10);
  expect(metrics.report()).toMatchObject({ totalWorkflows: 0, byType: {} });
});

test("D5: a million names and runs take no more room than a thousand", () => {
  const { metrics } = make();
  for (let i = 0; i < 5_000; i++) end(metrics, `type-${i}`, completed, i);
  const { byType, totalWorkflows } = metrics.report();
  expect(Object.keys(byType)).toHaveLength(1_001);
  expect(byType.other?.totalWorkflows).toBe(4_000);
  expect(totalWorkflows).toBe(5_000);
});
