/** How the memory store removes runs that have ended; the reference for all others. */
import { type MemoryData, type Run, rowOf } from "./memory-data.ts";
import { keepIdsMs, type Pruned, type PruneGroup, type PruneOptions } from "./store.ts";

export function prune(data: MemoryData, before: number, limit: number, options: PruneOptions, now: number): Pruned {
  const found = removable(data, before, options);
  const doomed = found.slice(0, limit);
  const forgetBefore = now - (options.keepIdsMs ?? keepIdsMs);
  for (const run of doomed) {
    data.runs.delete(run.runNo);
    data.byId.delete(run.id);
    if (endOf(run) >= forgetBefore)
      data.pruned.set(run.id, { ...rowOf(run), mailPut: 0, mailGot: 0, concurrency: undefined, rate: undefined });
  }
  for (const [id, { endedAt }] of data.pruned) if ((endedAt as number) < forgetBefore) data.pruned.delete(id);
  const last = doomed.at(-1);
  return { runs: doomed.length, more: found.length > doomed.length, from: last ? endOf(last) : (options.from ?? 0) };
}

export function prunable(data: MemoryData, before: number, options: PruneOptions): readonly PruneGroup[] {
  const groups = new Map<string, PruneGroup>();
  for (const run of removable(data, before, options)) {
    const { workflow, status } = run;
    const ended = endOf(run);
    const key = JSON.stringify([workflow, status]);
    const { runs = 0, oldest = ended } = groups.get(key) ?? {};
    groups.set(key, { workflow, status, runs: runs + 1, oldest, newest: ended });
  }
  return [...groups].sort(([a], [b]) => (a < b ? -1 : 1)).map(([, group]) => group);
}

/** Oldest end first. */
function removable(data: MemoryData, before: number, { statuses, workflow, from = 0 }: PruneOptions): Run[] {
  const forks = new Map<string, Run[]>();
  for (const run of data.runs.values()) if (run.origin !== undefined) forks.set(run.origin, [...(forks.get(run.origin) ?? []), run]);
  return [...data.runs.values()]
    .filter(
      (run) =>
        run.endedAt !== undefined &&
        run.endedAt >= from &&
        run.endedAt < before &&
        (statuses === undefined || statuses.includes(run.status)) &&
        (workflow === undefined || run.workflow === workflow) &&
        !isNeeded(data, forks, run),
    )
    .sort((a, b) => endOf(a) - endOf(b) || a.runNo - b.runNo);
}

/** Who may still need it goes up from it: its parent, in the round that started it, and forks of either. */
function isNeeded(data: MemoryData, forks: ReadonlyMap<string, readonly Run[]>, run: Run): boolean {
  const met = new Set([run]);
  for (const one of met) {
    if (one.endedAt === undefined) return true;
    const parent = one.parent === undefined ? undefined : data.byId.get(one.parent);
    if (parent && parent.createdAt <= one.createdAt) met.add(parent);
    for (const id of [one.id, one.parent]) for (const fork of forks.get(id ?? "") ?? []) met.add(fork);
  }
  return false;
}

function endOf(run: Run): number {
  return run.endedAt as number;
}
