/** Removing runs in many small steps, beside whoever drives the others. */
import { setTimeout as pause } from "node:timers/promises";
import type { OpenStore, PruneOptions } from "../../store/store.ts";

/** In one transaction. */
const runsAtOnce = 100;
/** The process that drives runs gets at least so long between two transactions, and as long as the last one took, ms. */
const breathMs = 5;

export interface Wanted {
  /** Runs that ended before this store time, ms. */
  readonly before: number;
  readonly limit: number;
  readonly options: PruneOptions;
}

/** Removes what is wanted until all is gone or `stop` is aborted. `told` hears how many are gone so far; all of them are whole. */
export async function removeAll(
  store: Pick<OpenStore, "prune">,
  { before, limit, options }: Wanted,
  stop: AbortSignal,
  told: (removed: number) => void,
): Promise<void> {
  let removed = 0;
  let from = 0;
  for (let more = true; more && removed < limit && !stop.aborted; ) {
    const began = performance.now();
    const pruned = await store.prune(before, Math.min(runsAtOnce, limit - removed), { ...options, from });
    removed += pruned.runs;
    ({ more, from } = pruned);
    told(removed);
    if (more) await pause(Math.max(breathMs, performance.now() - began));
  }
}
