/** `onex prune --older-than 30d`: removes runs that ended long ago, after it has said which. */
import { OnexError } from "../../core/failure.ts";
import type { OpenStore, PruneGroup } from "../../store/store.ts";
import { withClient } from "../client.ts";
import { consent, here } from "../consent.ts";
import { engineOf } from "../diff/runs.ts";
import { type ExitCode, exit } from "../exit.ts";
import { clean, moment, print, printJson, statusPaint, styleOf, table } from "../output.ts";
import { removeAll, type Wanted } from "../prune/prune.ts";
import { type PruneFlags, typedOf } from "../prune/typed.ts";
import { memoryNote, storeUrl } from "../store.ts";

/** Throws OnexError `USAGE`, `STORE_URL_INVALID`, `STORE_MISSING`, `STORE_BUSY`. */
export async function prune(flags: PruneFlags, terminals = here()): Promise<ExitCode> {
  const { olderThanMs, limit, options } = typedOf(flags);
  const at = storeUrl(flags.store);
  if (at.kind === "memory") throw new OnexError("USAGE", `there are no runs to remove: ${memoryNote}`);
  return withClient(at, async ({ orchestrator }) => {
    const { store } = engineOf(orchestrator);
    const wanted: Wanted = { before: store.now() - olderThanMs, limit, options };
    const groups = await store.prunable(wanted.before, options);
    const total = groups.reduce((sum, { runs }) => sum + runs, 0);
    const answer = { before: wanted.before, runs: total, groups };
    if (!flags.json) for (const line of total === 0 ? [] : lines(groups)) print(line);
    say(total === 0 ? none(flags, at.url, wanted.before) : found(total, wanted));
    if (flags.dryRun) {
      if (flags.json) printJson({ ...answer, removed: 0 });
      else if (total > 0) say("nothing was removed: this was --dry-run");
      return exit.done;
    }
    if (total > 0 && !flags.yes) {
      const runs = counted(Math.min(limit, total));
      const agreed = await consent(terminals, `remove ${runs} for good`, `prune removes ${runs} for good`);
      if (agreed !== "yes") say("nothing was removed");
      if (agreed !== "yes") return agreed === "no" ? exit.done : exit.interrupted;
    }
    // Also when there is no run: ids that were kept long enough go.
    const { removed, stopped } = await remove(store, wanted);
    if (flags.json) printJson({ ...answer, removed });
    if (total > 0) say(ending(removed, total, stopped, flags.keepIds ?? "30d"));
    return stopped ? exit.interrupted : exit.done;
  });
}

/** Ctrl-C: the transaction under way is the last one; the second one ends it at once. */
async function remove(store: OpenStore, wanted: Wanted): Promise<{ readonly removed: number; readonly stopped: boolean }> {
  const stop = new AbortController();
  const interrupt = () => stop.abort();
  process.once("SIGINT", interrupt);
  let removed = 0;
  try {
    await removeAll(store, wanted, stop.signal, (so) => {
      removed = so;
    });
  } catch (error) {
    if (removed > 0) say(`${counted(removed)} were removed before this; the same command goes on with the rest`);
    throw error;
  } finally {
    process.off("SIGINT", interrupt);
  }
  return { removed, stopped: stop.signal.aborted };
}

function lines(groups: readonly PruneGroup[]): string[] {
  const style = styleOf(process.stdout);
  const cells = groups.map(({ workflow, status, runs, oldest, newest }) => [
    workflow,
    status,
    String(runs),
    moment(oldest),
    moment(newest),
  ]);
  return table(["WORKFLOW", "STATUS", "RUNS", "FIRST ENDED", "LAST ENDED"], cells, style, (column, cell) =>
    column === 1 ? statusPaint(style, cell) : undefined,
  );
}

function found(total: number, { before, limit }: Wanted): string {
  const some = limit < total ? `; ${limit} of them go now, the oldest first` : "";
  return `${counted(total)} that ended before ${moment(before)} can be removed${some}`;
}

function none({ status, workflow }: PruneFlags, url: string, before: number): string {
  const such = status === undefined && workflow === undefined ? "" : " such";
  return `there is no${such} run in ${url} that ended before ${moment(before)} and can be removed`;
}

function ending(removed: number, total: number, stopped: boolean, kept: string): string {
  const left = total - removed;
  const rest = left > 0 ? `; ${counted(left)} ${left === 1 ? "is" : "are"} left, and the same command goes on` : "";
  const ids = `; until ${kept} after the end of a run, no start makes another one under its id`;
  return `${stopped ? "stopped: " : ""}removed ${counted(removed)}${rest}${ids}`;
}

function counted(runs: number): string {
  return runs === 1 ? "1 run" : `${runs} runs`;
}

function say(line: string): void {
  process.stderr.write(`${clean(line)}\n`);
}
