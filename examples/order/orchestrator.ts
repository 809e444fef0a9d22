/** The process that gets killed: starts the orders that are not started yet, and waits until all have ended. */
import { setTimeout as pause } from "node:timers/promises";
import { parseArgs } from "node:util";
import { createOrchestrator, loadWorkflow, type Run, RunFailed, sqlite } from "onex";
import { payment, remote, shipping, warehouse } from "./client.ts";
import { orderNodes } from "./nodes.ts";
import { file, type Order, readOrders } from "./orders.ts";
import { exitWithParent, say } from "./processes.ts";
import { shipOrder } from "./workflow.ts";

/** What it tells the director, a line each. */
export type News =
  | { readonly event: "up"; readonly runs: number; readonly open: number }
  | { readonly event: "started"; readonly order: string }
  | { readonly event: "ended"; readonly order: string; readonly code: string };

const { values } = parseArgs({
  options: {
    db: { type: "string", default: "orders.db" },
    orders: { type: "string", default: "200" },
    /** Orders come in one by one, this many ms apart. */
    "every-ms": { type: "string", default: "40" },
    yaml: { type: "boolean", default: false },
    warehouse: { type: "string", default: "" },
    payment: { type: "string", default: "" },
    shipping: { type: "string", default: "" },
  },
});

exitWithParent();
const plan = values.yaml ? await loadWorkflow(file("order.yaml")) : undefined;
const orchestrator = createOrchestrator({
  store: sqlite(values.db),
  nodes: [...orderNodes, plan ?? shipOrder],
  provide: [warehouse.from(remote(values.warehouse)), payment.from(remote(values.payment)), shipping.from(remote(values.shipping))],
});
const told = (news: News) => say(news);

const rows = await orchestrator.list({ limit: 1_000 });
const known = new Set(rows.map(({ id }) => id));
told({ event: "up", runs: rows.length, open: rows.filter(({ endedAt }) => endedAt === undefined).length });

const ends: Promise<void>[] = [];
for (const order of readOrders(Number(values.orders))) {
  // An order's id is its run's id: to start it again after a crash is to find it.
  const run = await start(order);
  if (!known.has(order.id)) told({ event: "started", order: order.id });
  ends.push(ended(order, run));
  if (!known.has(order.id)) await pause(Number(values["every-ms"]));
}
await Promise.all(ends);
await orchestrator.close();
process.exit(0); // idle connections to the services would keep it

function start(order: Order): Promise<Run> {
  const options = { runId: order.id };
  return plan ? orchestrator.start(plan, order, options) : orchestrator.start(shipOrder, order, options);
}

async function ended(order: Order, run: Run): Promise<void> {
  try {
    await run.result();
    told({ event: "ended", order: order.id, code: "SHIPPED" });
  } catch (error) {
    if (!(error instanceof RunFailed)) throw error;
    told({ event: "ended", order: order.id, code: error.code });
  }
}
