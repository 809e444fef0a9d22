/** The memory store, whose connections are kept in `taps`: for `vi.mock`, which every file must ask for itself. */
import type { MemoryStore } from "../../src/store/memory.ts";
import type { OpenStore } from "../../src/store/store.ts";

/** Connections to stores, newest last. */
export const taps: OpenStore[] = [];

type Module = { memory(): MemoryStore };

export function tapped(original: Module): Module {
  return {
    ...original,
    memory: (): MemoryStore => {
      const store = original.memory();
      return {
        ...store,
        open: (host) => {
          const connection = store.open(host);
          taps.push(connection);
          return connection;
        },
      };
    },
  };
}
