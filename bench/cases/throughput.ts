/** 2,000 runs of ten steps, 100 at once: durable effects, and computes that share their turn. */
import { inFolder } from "../folder.ts";
import { tenComputes, tenEffects, withOrchestrator } from "../nodes.ts";
import type { Figures } from "../stats.ts";
import { timed } from "../stats.ts";

const runs = 2_000;
const atOnce = 100;

export function throughput(): Promise<Figures> {
  return many(tenEffects);
}
export function pure(): Promise<Figures> {
  return many(tenComputes);
}

function many(workflow: typeof tenEffects | typeof tenComputes): Promise<Figures> {
  return inFolder((file) =>
    withOrchestrator(file, [workflow], async (orchestrator) => {
      let left = runs;
      const client = async (): Promise<void> => {
        while (left-- > 0) await (await orchestrator.start<{ n: number }, { n: number }>(workflow, { n: 0 })).result();
      };
      const before = process.cpuUsage();
      const ms = await timed(() => Promise.all(Array.from({ length: atOnce }, client)));
      const cpu = process.cpuUsage(before);
      const steps = runs * 10;
      return {
        stepsPerSecond: (steps / ms) * 1000,
        cpuSecondsPer1000Steps: (cpu.user + cpu.system) / 1000 / steps,
        commitsPerStep: orchestrator.stats().commits / steps,
      };
    }),
  );
}
