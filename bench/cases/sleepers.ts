/** 100,000 runs asleep, due over one minute: what each costs in memory, and how late it wakes. */
import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import { sleepUntil, workflow } from "onex";
import { z } from "zod";
import { type Figures, percentile } from "../stats.ts";
import { type StoreKind, withOrchestrator } from "../store.ts";

const count = 100_000;
const spreadMs = 60_000;

const nap = workflow({ name: "nap", input: z.object({ due: z.number() }), output: z.null() }, function* ({ due }) {
  yield* sleepUntil(due);
  return null;
});

export function sleepers(store: StoreKind): Promise<Figures> {
  return withOrchestrator(store, [nap], async (orchestrator) => {
    await (await orchestrator.start(nap, { due: 0 })).result();
    const before = memory();
    // Time to put them all to sleep; the last second of it is checked below.
    const base = Date.now() + 45_000;
    let next = 0;
    const starter = async (): Promise<void> => {
      for (let i = next++; i < count; i = next++)
        await orchestrator.start(nap, { due: Math.round(base + (i / count) * spreadMs) }, { runId: `nap-${i}` });
    };
    await Promise.all(Array.from({ length: 200 }, starter));
    if (Date.now() > base - 1_000) throw new Error("the machine is too slow: the first sleepers were due before the last fell asleep");
    const bytesEach = (memory() - before) / count;
    const late: number[] = [];
    let early = 0;
    for (let i = 0; i < count; i += 100) {
      const run = orchestrator.run(`nap-${i}`);
      await run.result();
      for (const fact of await run.facts())
        if (fact.type === "timer.fired") {
          const lateness = fact.at - Math.round(base + (i / count) * spreadMs);
          late.push(lateness);
          if (lateness < 0) early++;
        }
    }
    return { asleep: count, bytesEach, lateP50Ms: percentile(late, 0.5), lateP99Ms: percentile(late, 0.99), early };
  });
}

function memory(): number {
  setFlagsFromString("--expose-gc");
  const collect = runInNewContext("gc") as () => void;
  collect();
  collect();
  const { heapUsed, external, arrayBuffers } = process.memoryUsage();
  return heapUsed + external + arrayBuffers;
}
