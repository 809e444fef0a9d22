/** Ten awaited effects, one run at a time: how long a run takes, and how long until its first step begins. */
import { begun, tenEffects } from "../nodes.ts";
import { type Figures, percentile } from "../stats.ts";
import { type StoreKind, withOrchestrator } from "../store.ts";

export function sequential(store: StoreKind): Promise<Figures> {
  return withOrchestrator(store, [tenEffects], async (orchestrator) => {
    const whole: number[] = [];
    const first: number[] = [];
    for (let i = 0; i < 300; i++) {
      const from = performance.now();
      await (await orchestrator.start(tenEffects, { n: 0 })).result();
      // The first ones are the compiler's.
      if (i < 100) continue;
      whole.push(performance.now() - from);
      first.push(begun.at - from);
    }
    return {
      p50Ms: percentile(whole, 0.5),
      p99Ms: percentile(whole, 0.99),
      firstStepP50Ms: percentile(first, 0.5),
      firstStepP99Ms: percentile(first, 0.99),
    };
  });
}
