/** 1,000 effects at once in one run. */
import { all, workflow } from "onex";
import { z } from "zod";
import { inFolder } from "../folder.ts";
import { noop, withOrchestrator } from "../nodes.ts";
import { type Figures, timed } from "../stats.ts";

const wide = workflow({ name: "wide", input: z.object({ width: z.number() }) }, function* ({ width }) {
  const results = yield* all(Array.from({ length: width }, (_, i) => noop({ n: i })));
  return results.length;
});

export function fanout(): Promise<Figures> {
  return inFolder((file) =>
    withOrchestrator(file, [wide], async (orchestrator) => {
      const run = async (width: number): Promise<void> => {
        await (await orchestrator.start(wide, { width })).result();
      };
      await run(1_000);
      return { ms: await timed(() => run(1_000)), tenTimesMs: await timed(() => run(10_000)) };
    }),
  );
}
