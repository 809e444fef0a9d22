/** 1,000 effects at once in one run. */
import { all, workflow } from "onex";
import { z } from "zod";
import { noop } from "../nodes.ts";
import { type Figures, timed } from "../stats.ts";
import { type StoreKind, withOrchestrator } from "../store.ts";

const wide = workflow({ name: "wide", input: z.object({ width: z.number() }) }, function* ({ width }) {
  const results = yield* all(Array.from({ length: width }, (_, i) => noop({ n: i })));
  return results.length;
});

export function fanout(store: StoreKind): Promise<Figures> {
  return withOrchestrator(store, [wide], async (orchestrator) => {
    const run = async (width: number): Promise<void> => {
      await (await orchestrator.start(wide, { width })).result();
    };
    await run(1_000);
    return { ms: await timed(() => run(1_000)), tenTimesMs: await timed(() => run(10_000)) };
  });
}
