/** One run of 10,000 steps: what a step costs at its end against its beginning, and how long it takes to resume it cold. */
import { signal, workflow } from "onex";
import { z } from "zod";
import { noop } from "../nodes.ts";
import type { Figures } from "../stats.ts";
import { inStore, type StoreKind, withOrchestratorAt } from "../store.ts";

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

export function long(store: StoreKind): Promise<Figures> {
  return inStore(store, async (place) => {
    const { first, last } = await withOrchestratorAt(place, [chain], async (orchestrator) => {
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
    const resumeMs = await withOrchestratorAt(place, [chain], async (orchestrator) => {
      const run = orchestrator.run("long");
      await run.signal(go, {});
      await run.result();
      return performance.now() - from;
    });
    return { first100Ms: first, last100Ms: last, lastToFirst: last / first, coldResumeMs: resumeMs };
  });
}
