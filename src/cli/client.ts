/** What a process does with runs that it does not drive: look, and leave messages. */
import type { Orchestrator, Run } from "../engine/api.ts";
import { createOrchestrator } from "../engine/orchestrator.ts";
import type { OpenStore, Store } from "../store/store.ts";
import { isAlive } from "./process.ts";
import { existing, type StoreUrl } from "./store.ts";

/** How a step that is in doubt is settled. */
export type Resume = NonNullable<Parameters<Run["resume"]>[0]>;

export interface Client {
  readonly orchestrator: Orchestrator;
  /** The process that drives the runs of this store, if there is one. */
  owner(): Promise<number | undefined>;
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
  // Without a workflow it does not become the owner: it could drive nothing.
  const orchestrator = createOrchestrator({ store: watched, nodes: [] });
  try {
    return await use({
      orchestrator,
      async owner() {
        const owner = await opened?.owner();
        return owner !== undefined && isAlive(owner.pid) ? owner.pid : undefined;
      },
      news: (listener) => opened?.watch("client", listener) ?? (() => {}),
      definition: async (hash) => opened?.definition(hash),
    });
  } finally {
    await orchestrator.close({ graceMs: 0 });
  }
}

/** A message is read by the process that drives the run: says so when there is none. */
export async function sayWhoDrives(client: Client, at: StoreUrl): Promise<void> {
  if ((await client.owner()) === undefined)
    process.stderr.write(`no process drives the runs of ${at.url} now; the next one reads it: onex work MODULE|FILE${at.flag}\n`);
}
