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
  // The first attempt of `act` failed: what it failed with is not the step's.
  expect(out.workflowResult.steps.map(({ errorMessage }) => errorMessage)).toEqual([null, null, null, null]);
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
  for (const [deadline, code] of [
    [0, "DEADLINE_PASSED"],
    [new Date("soon"), "OPTION_INVALID"],
  ] as const)
    await expect(t.process({ workflowType: "order", workflowContext: {}, deadline })).rejects.toMatchObject({ code });
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

test("every field is there whatever the outcome", async () => {
  calls = 1;
  const t = make();
  const ok = (await processed({ workflowContext: {}, idempotencyKey: "ok" }, t)).out;
  const failed = (await processed({ workflowContext: { fail: true }, idempotencyKey: "failed" }, t)).out;
  // Its first attempt fails, and is cancelled before the second: it may have happened.
  calls = 0;
  const going = t.process({ workflowType: "order", workflowContext: {}, idempotencyKey: "cancelled" });
  await t.advance("0ms");
  await t.run("cancelled").cancel();
  await t.advance("1m");
  const cancelled = await going;
  const late = (await processed({ workflowContext: {}, idempotencyKey: "late", deadline: Date.UTC(2030, 0, 1) + 3_700_000 }, t)).out;
  for (const out of [failed, cancelled, late]) {
    expect(Object.keys(out)).toEqual(Object.keys(ok));
    expect(Object.keys(out.metadata)).toEqual(Object.keys(ok.metadata));
    expect(Object.values(out)).not.toContain(undefined);
  }
  // D2, D4: a cancelled run has its own time and steps, and what it did was undone.
  expect(cancelled).toMatchObject({ finalState: "cancelled", stepsExecuted: 4, nodesInvolved: 4, metadata: { compensationApplied: true } });
});

test("each step has the template's names: stepName, result and success", async () => {
  calls = 1;
  const { out } = await processed({ workflowContext: { fail: true }, stepInputs: { act: { to: "bob" } } });
  expect(out.workflowResult.steps.map(({ stepName, success, result }) => [stepName, success, result])).toEqual([
    ["add", true, { n: 2 }],
    ["sum", true, 2],
    ["act", true, { amount: 2, to: "bob" }],
    ["sleep", true, null],
    ["act~undo/back", true, null],
  ]);
  const refused = await processed({ workflowContext: {}, stepInputs: { act: { amount: "much" } } });
  expect(refused.out.workflowResult.steps.at(-1)).toMatchObject({
    stepName: "act",
    success: false,
    result: null,
    errorMessage: expect.stringMatching(/amount/),
  });
  // D12: what was refused before it was tried has not run.
  expect(refused.out).toMatchObject({ stepsExecuted: 2, nodesInvolved: 2 });
});

test("D11: nodes are counted, not their kinds or their calls", async () => {
  const flow = workflow({ name: "flow", input: anything }, function* () {
    for (let i = 0; i < 3; i++) yield* add({ n: i });
    yield* back(1);
  });
  const t = testOrchestrator({ nodes: [flow], log: quiet });
  const going = t.process({ workflowType: "flow" });
  await t.advance("1s");
  expect(await going).toMatchObject({ stepsExecuted: 4, nodesInvolved: 2 });
});

test("D57: what the caller passed is neither changed nor shared", async () => {
  calls = 1;
  const t = make();
  const workflowContext = { fail: false };
  const stepInputs = { act: { to: "bob" } };
  const going = t.process({ workflowType: "order", workflowContext, stepInputs, idempotencyKey: "k" });
  workflowContext.fail = true;
  stepInputs.act.to = "eve";
  await t.advance("1m");
  expect((await going).workflowResult.finalOutput).toEqual({ amount: 2, to: "bob" });
  expect([workflowContext, stepInputs]).toEqual([{ fail: true }, { act: { to: "eve" } }]);
});

test("D60: steps of one name have ids of their own, and one entry of stepInputs is for all of them", async () => {
  const flow = workflow({ name: "flow", input: anything }, function* () {
    return [yield* add({ n: 1 }), yield* add({ n: 1 })];
  });
  const t = testOrchestrator({ nodes: [flow], log: quiet });
  const going = t.process({ workflowType: "flow", stepInputs: { add: { n: 5 } } });
  await t.advance("1s");
  const out = await going;
  expect(out.workflowResult.steps.map(({ stepName }) => stepName)).toEqual(["add", "add#2"]);
  expect(out.workflowResult.finalOutput).toEqual([{ n: 6 }, { n: 6 }]);
});

test("D35: null stands for what is left out", async () => {
  calls = 1;
  const nulls = { stepInputs: null, correlationId: null, idempotencyKey: null, priority: null, deadline: null, workflowVersion: null };
  const { out } = await processed({ workflowContext: {}, ...nulls });
  expect(out).toMatchObject({ success: true, metadata: { unusedStepInputs: [] } });
  expect(out.correlationId).toBe(out.workflowId);
});

test("bad arguments are refused by name", async () => {
  const t = make();
  const refused = (input: object, message: RegExp) =>
    expect(t.process({ workflowType: "order", workflowContext: {}, ...input } as never)).rejects.toMatchObject({
      code: "OPTION_INVALID",
      message: expect.stringMatching(message),
    });
  await refused({ stepInputs: [] }, /stepInputs is no map/);
  await refused({ stepInputs: { act: 1 } }, /stepInputs is no map/);
  await refused({ stepInputs: "act" }, /stepInputs is no map/);
  await refused({ priority: 0 }, /priority is 0/);
  await refused({ priority: "high" }, /priority is high/);
  await refused({ idempotencyKey: "" }, /runId/);
  await refused({ step_inputs: {} }, /no field "step_inputs"; it takes .*\. Did you mean "stepInputs"\?/);
  await expect(
    t.process({ workflowType: "order", workflowContext: {}, stepInputs: { act: { at: new Date(0) } } } as never),
  ).rejects.toMatchObject({
    code: "OUTPUT_NOT_JSON",
  });
  await expect(t.process({ workflowType: "ordre" } as never)).rejects.toMatchObject({
    message: expect.stringMatching(/Did you mean "order"/),
  });
  expect(await t.list()).toEqual([]);
});

test("D31, D56: what is answered is what the store says, an output that does not fit included", async () => {
  const flow = workflow({ name: "flow", input: anything, output: z.object({ n: z.number() }) }, function* (input) {
    yield* back(1);
    if (input === "fail") throw new Fatal("BROKEN");
    return { n: input } as never;
  });
  const t = testOrchestrator({ nodes: [flow], log: quiet });
  const outcomes: unknown[] = [];
  for (const workflowContext of [1, "one", "fail"]) {
    const going = t.process({ workflowType: "flow", workflowContext: workflowContext as never, idempotencyKey: `${workflowContext}` });
    await t.advance("1s");
    const { success, finalState, errorCode } = await going;
    const stored = await t.getWorkflowStatus(`${workflowContext}`);
    expect([stored?.status, stored?.error?.code ?? null]).toEqual([finalState, errorCode]);
    outcomes.push([success, finalState, errorCode]);
  }
  expect(outcomes).toEqual([
    [true, "completed", null],
    [false, "failed", "OUTPUT_INVALID"],
    [false, "failed", "BROKEN"],
  ]);
});
