/** The template's door: every field, on success and on failure. */
import { expect, test } from "vitest";
import { z } from "zod";
import { compute, effect, Fatal, reducer, sleep, workflow } from "../../src/index.ts";
import { testOrchestrator } from "../../src/testing/index.ts";
import { anything, quiet } from "./kit.ts";

const back = effect({ name: "back", input: anything, irreversible: "is an undo" }, async () => null);
let calls = 0;
const act = effect(
  {
    name: "act",
    input: z.object({ amount: z.number(), to: z.string().optional() }),
    idempotent: true,
    retry: { maxAttempts: 2, delay: "1s", jitter: "none" },
    undo: () => back(1),
  },
  async ({ amount, to }) => {
    if (++calls % 2 === 1) throw new Error("again");
    return { amount, to: to ?? "nobody" };
  },
);
const add = compute({ name: "add", input: z.object({ n: z.number() }) }, ({ n }) => ({ n: n + 1 }));
const sum = reducer({ name: "sum", event: z.object({ n: z.number() }), initial: 0 }, (total, { n }) => total + n);
const order = workflow({ name: "order", version: "1.2.0", input: z.object({ fail: z.boolean().default(false) }) }, function* ({ fail }) {
  const { n } = yield* add({ n: 1 });
  yield* sum({ n });
  const done = yield* act({ amount: n });
  yield* sleep("1s");
  if (fail) throw new Fatal("BROKEN", { message: "it broke" });
  return done;
});
const make = () => testOrchestrator({ nodes: [order, sum], log: quiet });

async function processed(input: object, t = make()) {
  const going = t.process({ workflowType: "order", ...input } as never) as Promise<Awaited<ReturnType<typeof t.process>>>;
  await t.advance("1m");
  return { t, out: await going };
}

test("on success", async () => {
  calls = 0;
  const { out } = await processed({ workflowContext: {}, correlationId: "c", idempotencyKey: "k", priority: 3 });
  expect(out).toMatchObject({
    workflowType: "order",
    workflowId: "k",
    correlationId: "c",
    timestamp: Date.UTC(2030, 0, 1) + 2_000,
    success: true,
    finalState: "completed",
    errorMessage: null,
    errorCode: null,
    processingTimeMs: 2_000,
    stepsExecuted: 4,
    nodesInvolved: 3,
    metadata: { workflowVersion: "1.2.0", retryCount: 1, compensationApplied: false, performanceTier: "optimal", unusedStepInputs: [] },
  });
  expect(out.workflowResult.finalOutput).toEqual({ amount: 2, to: "nobody" });
  expect(out.workflowResult.steps.map(({ step, status }) => [step, status])).toEqual([
    ["add", "completed"],
    ["sum", "completed"],
    ["act", "completed"],
    ["sleep", "completed"],
  ]);
});

test("a failed run does not throw, and has every field", async () => {
  calls = 0;
  const { out } = await processed({ workflowContext: { fail: true }, idempotencyKey: "k" });
  expect(out).toMatchObject({
    workflowId: "k",
    correlationId: "k",
    success: false,
    finalState: "failed",
    errorMessage: "it broke",
    errorCode: "BROKEN",
    processingTimeMs: 2_000,
    stepsExecuted: 5,
    workflowResult: { finalOutput: null },
    metadata: { compensationApplied: true, retryCount: 1 },
  });
});

test("a cancelled one and one past its deadline as well", async () => {
  const t = make();
  const going = t.process({ workflowType: "order", workflowContext: {}, idempotencyKey: "k" });
  await t.advance("0ms");
  await t.run("k").cancel("not needed");
  await t.advance("1m");
  expect(await going).toMatchObject({ success: false, finalState: "cancelled", errorCode: "RUN_CANCELLED" });
  const { out } = await processed({ workflowContext: {}, deadline: Date.UTC(2030, 0, 1) + 500 });
  expect(out).toMatchObject({ success: false, finalState: "failed", errorCode: "RUN_TIMEOUT" });
});

test("the same idempotency key is the same run", async () => {
  const t = make();
  const first = await processed({ workflowContext: {}, idempotencyKey: "k" }, t);
  const second = await processed({ workflowContext: {}, idempotencyKey: "k" }, t);
  expect(second.out.workflowId).toBe(first.out.workflowId);
  expect(await t.list()).toHaveLength(1);
  await expect(t.process({ workflowType: "order", workflowContext: { fail: true }, idempotencyKey: "k" })).rejects.toMatchObject({
    code: "RUN_ID_CONFLICT",
  });
});

test("a bad argument throws", async () => {
  const t = make();
  await expect(t.process({ workflowType: "nothing" } as never)).rejects.toMatchObject({ code: "WORKFLOW_UNKNOWN" });
  await expect(t.process({ workflowType: "order", workflowContext: { fail: 1 } as never })).rejects.toMatchObject({
    code: "INPUT_INVALID",
  });
  for (const deadline of [0, new Date("soon")])
    await expect(t.process({ workflowType: "order", workflowContext: {}, deadline })).rejects.toMatchObject({ code: "DEADLINE_PASSED" });
});

test("step inputs are merged shallowly over the step of that name before it is checked; an unused name is named", async () => {
  calls = 1;
  const { out, t } = await processed({
    workflowContext: {},
    idempotencyKey: "k",
    stepInputs: { act: { to: "bob" }, add: { n: 40 }, sum: { n: 7 }, nobody: { x: 1 } },
  });
  expect(out.workflowResult.finalOutput).toEqual({ amount: 41, to: "bob" });
  expect(out.metadata.unusedStepInputs).toEqual(["nobody"]);
  expect((await t.run("k").facts())[0]).toMatchObject({ stepInputs: { act: { to: "bob" } } });
  expect(await t.read(sum)).toBe(7);
  const bad = await processed({ workflowContext: {}, stepInputs: { act: { amount: "much" } } });
  expect(bad.out).toMatchObject({ success: false, errorCode: "INPUT_INVALID" });
});
