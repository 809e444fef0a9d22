/**
 * The memory store for many owners: the reference for stores over a network. Every verb is carried out and answered later, in
 * the order in which verbs were called, and each orchestrator that opens it has a lease of its own.
 */
import type { MemoryStore } from "./memory.ts";
import { Connection } from "./memory-connection.ts";
import { MemoryData } from "./memory-data.ts";
import type { OpenStore } from "./store.ts";

/** Verbs that answer at once on any store. */
const atOnce: ReadonlySet<PropertyKey> = new Set(["now", "trusted", "watch", "close", "secretKeys"]);

export interface SharedMemory extends MemoryStore {
  /** The lease of that owner lapses, and it is told so; default all of them. */
  lapse(leaseId?: string): void;
}

export function sharedMemory(): SharedMemory {
  const data = new MemoryData();
  const connections = new Set<Connection>();
  const lapse = (leaseId?: string, told = true): void => {
    for (const lease of [...data.live]) {
      if (leaseId !== undefined && lease.leaseId !== leaseId) continue;
      data.live.delete(lease);
      data.orphan();
      if (told) lease.lost("its lease has lapsed");
    }
    for (const connection of connections) connection.wake();
  };
  return {
    kind: "memory",
    open: (host) => later(new Connection(data, connections, host, "many")),
    kill: () => lapse(undefined, false),
    lapse,
  };
}

function later(connection: Connection): OpenStore {
  const delayed = <T extends object>(target: T): T =>
    new Proxy(target, {
      get(_, name) {
        const own: unknown = Reflect.get(target, name, target);
        if (name === "schedules") return delayed(own as object);
        if (typeof own !== "function") return own;
        if (atOnce.has(name)) return own.bind(target);
        return async (...given: unknown[]) => {
          await undefined;
          return own.apply(target, given) as unknown;
        };
      },
    });
  return delayed(connection);
}
