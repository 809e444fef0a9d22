// biome-ignore-all lint/correctness/useYield: a workflow may end at once
/** What the orchestrator and its test double know of the nodes they are given. */
import { z } from "zod";
import {
  createOrchestrator,
  effect,
  type HealthReport,
  memory,
  type Orchestrator,
  type OrchestratorConfig,
  type PerformanceMetrics,
  preset,
  type Run,
  type RunView,
  reducer,
  type StartedRun,
  signal,
  workflow,
} from "../../src/index.ts";
import { stub, testOrchestrator } from "../../src/testing/index.ts";
import { is } from "./kit.ts";

const order = workflow(
  { name: "order", input: z.object({ id: z.string(), rush: z.boolean().default(false) }), output: z.object({ total: z.number() }) },
  function* () {
    return { total: 1 };
  },
);
const other = workflow({ name: "other", input: z.number() }, function* (n) {
  return n;
});
const stock = reducer(
  { name: "stock", event: z.object({ sku: z.string() }), initial: { left: 0 }, key: (event) => event.sku },
  (state) => state,
);
const charge = effect(
  { name: "charge", input: z.object({ amount: z.number() }), output: z.object({ receipt: z.string() }), readonly: true },
  async () => ({ receipt: "r" }),
);
const approval = signal({ name: "approval", payload: z.object({ by: z.string() }) });

export async function use() {
  const orchestrator = createOrchestrator({ store: memory(), nodes: [order, other, stock] });
  const run = await orchestrator.start(
    order,
    { id: "1" },
    { runId: "o-1", priority: 1, timeout: "1h", stepInputs: { charge: { amount: 1 } } },
  );
  is<StartedRun<{ total: number }>>()(run);
  is<boolean>()(run.existed);
  run satisfies Run<{ total: number }>;
  is<{ total: number }>()(await run.result({ timeout: "5s" }));
  // @ts-expect-error: the input of the workflow
  await orchestrator.start(order, { id: 1 });
  // @ts-expect-error: no such option
  await orchestrator.start(order, { id: "1" }, { id: "x" });
  // @ts-expect-error: only workflows are started
  await orchestrator.start(charge, { amount: 1 });

  is<{ total: number }>()(await orchestrator.run("o-1", order).result());
  is<unknown>()(await orchestrator.run("o-1").result());

  await run.signal(approval, { by: "bob" }, { messageId: "m" });
  await run.signal("approval", { anything: true });
  // @ts-expect-error: the signal's payload
  await run.signal(approval, { by: 1 });
  await run.resume();
  await run.resume({ step: "charge", as: "retry" });
  await run.resume({ step: "charge", output: { receipt: "r" } });
  // @ts-expect-error: a choice is needed
  await run.resume({ step: "charge" });

  await run.pause({ reason: "lunch" });
  is<StartedRun>()(await orchestrator.fork("o-1", { from: "charge", input: { amount: 2 }, version: "1.0.0" }));
  is<StartedRun>()(await orchestrator.retry("o-1"));
  // @ts-expect-error: a retry changes nothing
  await orchestrator.retry("o-1", { input: 1 });

  const out = await orchestrator.process({
    workflowType: "order",
    workflowContext: { id: "1" },
    correlationId: "c",
    idempotencyKey: "k",
    priority: 5,
    deadline: new Date(),
  });
  is<{ total: number } | null>()(out.workflowResult.finalOutput);
  is<"order">()(out.workflowType);
  is<boolean>()(out.success);
  is<string | null>()(out.errorCode);
  // @ts-expect-error: a type that is not in `nodes`
  await orchestrator.process({ workflowType: "orders", workflowContext: { id: "1" } });
  // @ts-expect-error: the context is the workflow's input
  await orchestrator.process({ workflowType: "order", workflowContext: { id: 1 } });
  // @ts-expect-error: a reducer is no workflow
  await orchestrator.process({ workflowType: "stock" });

  is<{ left: number }>()(await orchestrator.read(stock, "sku"));
  // @ts-expect-error: keyed
  await orchestrator.read(stock);
  is<"owner" | "client">()(orchestrator.role);

  is<RunView | undefined>()(await orchestrator.getWorkflowStatus("o-1"));
  is<PerformanceMetrics>()(await orchestrator.getPerformanceMetrics());
  is<HealthReport>()(await orchestrator.healthCheck({ timeoutMs: 100 }));
  is<number>()((await orchestrator.getPerformanceMetrics()).window.successRate);
  await orchestrator.start(orchestrator.registry.get("order", "1").workflow, { id: "1" });
  await orchestrator.process({
    workflowType: "order",
    workflowVersion: "1",
    workflowContext: { id: "1" },
    stepInputs: null,
    deadline: null,
  });
}

export function configured() {
  const config: OrchestratorConfig = preset("production", { retry: { maxRetries: 2 }, domain: { currency: "EUR" } });
  // @ts-expect-error: it cannot be switched off
  preset("staging", { cycleDetectionEnabled: false });
  // @ts-expect-error: no such strategy
  preset("staging", { failureStrategy: "carry_on" });
  // @ts-expect-error: no such environment
  preset("test");
  return createOrchestrator({ store: memory(), nodes: [order], config });
}

export async function testing() {
  const t = testOrchestrator({
    nodes: [order],
    stubs: [stub(charge, ({ amount }, { attempt }) => ({ receipt: `${amount} ${attempt}` }))],
    seed: 3,
  });
  const plain: Orchestrator<readonly [typeof order]> = t;
  is<readonly { readonly input: { amount: number }; readonly idempotencyKey: string }[]>()(t.calls(charge));
  await t.advance("24h");
  await t.crash();
  // @ts-expect-error: a duration has a unit
  await t.advance("24");
  // @ts-expect-error: what it replaces gives another output
  stub(charge, () => ({ total: 1 }));
  // @ts-expect-error: a workflow has no stub
  stub(order, () => ({ total: 1 }));
  return plain;
}
