/** What people are told about the processes that share one store. */
import { hostname } from "node:os";
import { liveOwnersOf } from "./client.ts";
import { clean } from "./output.ts";
import type { StoreUrl } from "./store.ts";

const named = 3;

/** For one that has just begun: undefined on a store for one owner. */
export async function oneOf(at: StoreUrl): Promise<string | undefined> {
  if (!at.database) return undefined;
  const others = await othersAt(at);
  if (others.length === 0) return "the only orchestrator there now; each further one takes its share of the runs";
  return `one of ${others.length + 1} orchestrators there: each takes its share of the runs, and all of them when the others are gone (${listed(others)})`;
}

/** For one that has let go of its runs: who goes on with them, undefined where nobody does. */
export async function goingOn(at: StoreUrl): Promise<string | undefined> {
  if (!at.database) return undefined;
  // The store has just been closed in order: what is wrong with it now stops nobody.
  const others = await othersAt(at).catch(() => []);
  return others.length === 0 ? undefined : `other orchestrators go on with what they hold the code of: ${listed(others)}`;
}

async function othersAt({ database }: StoreUrl): Promise<readonly string[]> {
  const owners = database ? await liveOwnersOf(database) : [];
  return owners
    .filter(({ host, pid }) => host !== hostname() || pid !== process.pid)
    .map(({ host, pid }) => `${clean(host)} process ${pid}`);
}

function listed(processes: readonly string[]): string {
  const more = processes.length - named;
  return `${processes.slice(0, named).join(", ")}${more > 0 ? ` and ${more} more` : ""}`;
}
