/** The person who approves dear orders: a client of the same file, in a process of its own, who looks in now and then. */
import { setTimeout as pause } from "node:timers/promises";
import { createOrchestrator, type Orchestrator, sqlite } from "onex";
import { approval } from "./nodes.ts";
import { isDear, readOrders } from "./orders.ts";
import { exitWithParent, say } from "./processes.ts";

const dear = new Set(
  readOrders(1_000)
    .filter(isDear)
    .map(({ id }) => id),
);
let leaving = false;
exitWithParent(() => {
  leaving = true;
});

while (!leaving) {
  const desk = createOrchestrator({ store: sqlite(process.argv[2] ?? "orders.db"), nodes: [] });
  try {
    // Owning the file would mean to drive its runs: when the orchestrator is dead, leave the place to the next one.
    if (desk.role === "client") await approve(desk);
  } finally {
    await desk.close();
  }
  await pause(250);
}

async function approve(desk: Orchestrator): Promise<void> {
  for (const { id } of await desk.list({ status: "waiting", limit: 1_000 })) {
    if (!dear.has(id)) continue;
    const run = desk.run(id);
    const { steps } = await run.status();
    if (!steps.some(({ kind, status }) => kind === "signal" && status === "waiting")) continue;
    // The message's id makes it count once, should we die before we know that it was sent.
    await run.signal(approval, { by: "dana" }, { messageId: `approve ${id}` });
    dear.delete(id);
    say({ approved: id });
  }
}
