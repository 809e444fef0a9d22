/** What a process does with runs that it does not drive: look, and leave messages. */
import { hostname } from "node:os";
import type { Orchestrator, Run } from "../engine/api.ts";
import { orchestratorIn } from "../engine/orchestrator.ts";
import { systemWorld } from "../engine/system.ts";
import type { OpenStore, Owner, Store } from "../store/store.ts";
import { isAlive } from "./process.ts";
import { type Database, existing, placeOf, type StoreUrl } from "./store.ts";

/** How a step that is in doubt is settled. */
export type Resume = NonNullable<Parameters<Run["resume"]>[0]>;

export interface Client {
  readonly orchestrator: Orchestrator;
  /** The processes that drive the runs of this store: on a store for one owner at most one. */
  owners(): Promise<readonly Owner[]>;
  /** Calls back when something was written to the store; the answer ends that. */
  news(listener: () => void): () => void;
  /** The text of the YAML definition that a run is pinned to, by its hash. */
  definition(hash: string): Promise<string | undefined>;
}

/** Does one thing as a client of a store that exists, and closes it. Throws OnexError `STORE_MISSING` and what opening throws. */
export async function withClient<T>(at: StoreUrl, use: (client: Client) => Promise<T>): Promise<T> {
  let opened: OpenStore | undefined;
  const store = await existing(at);
  const watched: Store = {
    kind: store.kind,
    open(host) {
      opened = store.open(host);
      return opened;
    },
  };
  // Without a workflow it does not become the owner: it could drive nothing. So it starts without all that reads contracts.
  const orchestrator = orchestratorIn(systemWorld(undefined), { store: watched, nodes: [] });
  try {
    return await use({
      orchestrator,
      owners: async () => (at.database ? await liveOwnersOf(at.database) : await ownerHere(opened)),
      news: (listener) => opened?.watch("client", listener) ?? (() => {}),
      definition: async (hash) => opened?.definition(hash),
    });
  } finally {
    await orchestrator.close({ graceMs: 0 });
  }
}

/** The owner of a store that only processes of this machine can have. It names its last one, also one that was killed. */
async function ownerHere(store: OpenStore | undefined): Promise<readonly Owner[]> {
  const owner = await store?.owner();
  return owner !== undefined && isAlive(owner.pid) ? [owner] : [];
}

/** Those whose lease is live; of one that was killed on this machine a moment ago nobody need wait until it has lapsed. */
export async function liveOwnersOf(database: Database): Promise<readonly Required<Owner>[]> {
  const { liveOwners } = await import("../store/postgres/glance.ts");
  return (await liveOwners(placeOf(database))).filter(({ host, pid }) => host !== hostname() || isAlive(pid));
}

/** A message is read by the process that drives the run: says so when there is none. */
export async function sayWhoDrives(client: Client, at: StoreUrl): Promise<void> {
  if ((await client.owners()).length === 0)
    process.stderr.write(`no process drives the runs of ${at.url} now; the next one reads it: onex work MODULE|FILE${at.flag}\n`);
}
