// biome-ignore-all lint/correctness/useYield: a workflow may end at once
/** Limits and schedules are typed by the workflow's input. */
import { z } from "zod";
import { createOrchestrator, memory, workflow } from "../../src/index.ts";

const order = workflow(
  {
    name: "order",
    input: z.object({ customer: z.string(), amount: z.number().default(1) }),
    concurrency: { limit: 2, key: ({ customer }) => customer },
    rate: { limit: 10, per: "1m", key: ({ amount }) => String(amount.toFixed()) },
  },
  function* ({ amount }) {
    return amount;
  },
);
workflow(
  {
    name: "a",
    input: z.string(),
    // @ts-expect-error a key is a string
    concurrency: { limit: 1, key: (input) => input.length },
  },
  function* () {},
);
workflow(
  {
    name: "b",
    input: z.string(),
    // @ts-expect-error a key is given at once
    rate: { limit: 1, per: "1s", key: async (input) => input },
  },
  function* () {},
);

export async function use() {
  const orchestrator = createOrchestrator({ store: memory(), nodes: [order], maxConcurrentWorkflows: 3, whenFull: "refuse" });
  const { schedules } = orchestrator;
  const kept: { readonly nextAt?: number } = await schedules.put({
    id: "s",
    workflow: order,
    cron: "@daily",
    input: { customer: "c" },
    overlap: "queue",
    catchUp: "all",
    catchUpWithin: "2h",
  });
  await schedules.put({ id: "s", workflow: "order", cron: "@daily", input: { anything: true } });
  // @ts-expect-error the input is that of the workflow
  await schedules.put({ id: "s", workflow: order, cron: "@daily", input: { customer: 7 } });
  // @ts-expect-error one of four words
  await schedules.put({ id: "s", workflow: order, cron: "@daily", overlap: "drop" });
  // @ts-expect-error a duration has a unit
  await schedules.put({ id: "s", workflow: order, cron: "@daily", catchUpWithin: "2" });
  await orchestrator.start(order, { customer: "c" }, { startAt: new Date(0), priority: 3 });
  return kept;
}
