/** One run of 10,000 steps: what a step costs at its end against its beginning, and how long it takes to resume it cold. */
import { signal, workflow } from "onex";
import { z } from "zod";
import { inFolder } from "../folder.ts";
import { noop, withOrchestrator } from "../nodes.ts";
import type { Figures } from "../stats.ts";

const steps = 10_000;
const marks: number[] = [];
const go = signal({ name: "go", payload: z.object({}) });

const chain = workflow({ name: "chain", input: z.object({ steps: z.number() }) }, function* ({ steps: count }) {
  for (let i = 1; i <= count; i++) {
    yield* noop({ n: i });
    marks[i] = performance.now();
  }
  yield* go.wait();
  yield* noop({ n: 0 });
  return count;
});

export function long(): Promise<Figures> {
  return inFolder(async (file) => {
    const { first, last } = await withOrchestrator(file, [chain], async (orchestrator) => {
      const warm = await orchestrator.start(chain, { steps: 2_000 });
      await warm.signal(go, {});
      await warm.result();
      await orchestrator.start(chain, { steps }, { runId: "long" });
      marks.length = 0;
      const from = performance.now();
      await orchestrator.idle();
      return { first: (marks[100] ?? 0) - from, last: (marks[steps] ?? 0) - (marks[steps - 100] ?? 0) };
    });
    const from = performance.now();
    const resumeMs = await withOrchestrator(file, [chain], async (orchestrator) => {
      const run = orchestrator.run("long");
      await run.signal(go, {});
      await run.result();
      return performance.now() - from;
    });
    return { first100Ms: first, last100Ms: last, lastToFirst: last / first, coldResumeMs: resumeMs };
  });
}
