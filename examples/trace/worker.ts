/** The process that runs the graph as one workflow; it kills itself where it is told to, and is started again. */
import { writeSync } from "node:fs";
import { setTimeout as pause } from "node:timers/promises";
import { parseArgs } from "node:util";
import { createOrchestrator, effect, planWorkflow, type Run, sqlite } from "onex";
import { z } from "zod";
import { readGraph } from "./graph.ts";
import { journal, openJournal } from "./journal.ts";
import { planOf, runId } from "./plan.ts";

/** What it tells the director, a line each. */
export type News = { readonly event: "begun"; readonly at: number } | ({ readonly event: "dying" | "done"; readonly at: number } & Usage);
interface Usage {
  readonly commits: number;
  readonly rssMiB: number;
}

const { values } = parseArgs({
  options: {
    graph: { type: "string", default: "" },
    db: { type: "string", default: "" },
    journal: { type: "string", default: "" },
    workers: { type: "string", default: "16" },
    "kill-after": { type: "string" },
  },
});

const task = effect(
  {
    name: "task",
    input: z.object({ id: z.string(), ms: z.number() }),
    output: z.object({}),
    uses: { journal },
    idempotent: true,
    irreversible: "writes two lines that only a person reads",
    timeout: "1d",
  },
  async ({ id, ms }, { journal, epoch, attempt }) => {
    journal.write({ edge: "start", task: id, epoch, attempt, at: Date.now() });
    if (ms >= 0.5) await pause(Math.round(ms));
    journal.write({ edge: "end", task: id, epoch, attempt, at: Date.now() });
    return {};
  },
);

process.stdin.on("end", () => process.exit(1)).resume(); // the director is gone
const graph = readGraph(values.graph);
const flow = planWorkflow(planOf(graph, Number(values.workers)));
const orchestrator = createOrchestrator({
  store: sqlite(values.db),
  nodes: [task, flow],
  provide: [journal.from(openJournal(values.journal))],
});
tell({ event: "begun", at: Date.now() });
const run = await orchestrator.start(flow, {}, { runId });
if (values["kill-after"] !== undefined) void dieAfter(run, Number(values["kill-after"]));
await run.result();
tell({ event: "done", at: Date.now(), ...usage() });
await orchestrator.close();
process.exit(0);

/** SIGKILL by its own hand, so that it lands at exactly that many recorded tasks: nothing is flushed or closed. */
async function dieAfter(run: Run, tasks: number): Promise<void> {
  let recorded = 0;
  for await (const fact of run.events()) {
    if (fact.type !== "action.completed" || ++recorded < tasks) continue;
    tell({ event: "dying", at: Date.now(), ...usage() });
    process.kill(process.pid, "SIGKILL");
  }
}

function usage(): Usage {
  return { commits: orchestrator.stats().commits, rssMiB: Math.round(process.resourceUsage().maxRSS / 102.4) / 10 };
}

function tell(news: News): void {
  writeSync(1, `${JSON.stringify(news)}\n`);
}
