/** Limits of the templates' configuration, as runs meet them: the circuit breaker, and how many runs are driven at once. */
import { expect, test } from "vitest";
import { effect, sleep, workflow } from "../../src/index.ts";
import { testOrchestrator } from "../../src/testing/index.ts";
import { anything, quiet } from "./kit.ts";

const pay = effect(
  {
    name: "pay",
    input: anything,
    idempotent: true,
    irreversible: "for the test",
    retry: { maxAttempts: 9, backoff: "fixed", delay: "1s", jitter: "none" },
  },
  async () => {
    throw new Error("down");
  },
);
const flow = workflow({ name: "flow", input: anything }, function* () {
  yield* pay(1);
});

test("circuitBreakerThreshold failures open it for circuitBreakerTimeoutSeconds; an option for a breaker says the rest", async () => {
  const config = { circuitBreakerThreshold: 2, circuitBreakerTimeoutSeconds: 30 };
  const t = testOrchestrator({ nodes: [flow], log: quiet, config, circuitBreaker: { local: true } });
  await t.start(flow, null);
  await t.advance("29s");
  expect(t.calls(pay)).toHaveLength(2);
  expect((await t.getPerformanceMetrics()).circuitBreakerStatus).toBe("open");
  // Opened after a second, it lets a probe through after thirty more.
  await t.advance("2s");
  expect(t.calls(pay)).toHaveLength(3);
});

test("maxConcurrentWorkflows of the configuration is that of the option, which wins", async () => {
  const nap = workflow({ name: "nap", input: anything }, function* () {
    yield* sleep("500ms");
  });
  const queued = async (more: object) => {
    const t = testOrchestrator({ nodes: [nap], log: quiet, config: { maxConcurrentWorkflows: 2 }, parkAfterMs: 1_000, ...more });
    for (let i = 0; i < 4; i++) await t.start(nap, i);
    await t.advance("100ms");
    const { admission } = await t.getPerformanceMetrics();
    await t.advance("1m");
    expect((await t.list({ status: "completed" })).length).toBe(4);
    return [admission.max, admission.active, admission.queued];
  };
  expect(await queued({})).toEqual([2, 2, 2]);
  expect(await queued({ maxConcurrentWorkflows: 3 })).toEqual([3, 3, 1]);
});
