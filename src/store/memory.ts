/**
 * The store in memory: the reference for all others, for tests and for runs that may die with the process.
 *
 * The data lives in the `Store`, so opening it twice gives two connections to the same data, as two processes would have.
 * Every turn passes the whole fence (S1). Time is the host's own, so a virtual clock rules here too. `sharedMemory` is the
 * same for many owners, behind promises (`shared-memory.ts`).
 */
import { Connection } from "./memory-connection.ts";
import { MemoryData } from "./memory-data.ts";
import type { OpenStore, Store, StoreHost } from "./store.ts";

/** The memory store, with a way to play the death of its owner. */
export interface MemoryStore extends Store {
  open(host: StoreHost): OpenStore;
  /** The owner dies without a word, as by `kill -9`: its lease is gone, and the next `acquire` gets the ownership. */
  kill(): void;
}

/** Runs are kept in memory, and lost with the process. */
export function memory(): MemoryStore {
  const data = new MemoryData();
  const connections = new Set<Connection>();
  return {
    kind: "memory",
    open: (host) => new Connection(data, connections, host),
    kill: () => data.live.clear(),
  };
}
