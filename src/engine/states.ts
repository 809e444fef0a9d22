/** The states of reducers, as the owner of the store sees them: its own writes first, then the store's. */
import { OnexError } from "../core/failure.ts";
import type { Json } from "../core/json.ts";
import type { Callee } from "../core/operation.ts";
import type { ReducerContract } from "../node/contract.ts";
import type { OpenStore } from "../store/store.ts";

const maxCached = 10_000;

export class States {
  readonly #store: OpenStore;
  readonly #cache = new Map<string, Json>();

  constructor(store: OpenStore) {
    this.#store = store;
  }

  read(callee: Callee, key: string): Json {
    const id = `${callee.name}\0${key}`;
    const cached = this.#cache.get(id);
    if (cached !== undefined) return cached;
    const text = this.#store.state(callee.name, key);
    if (text instanceof Promise) throw new OnexError("NOT_BUILT", "a reducer needs a store that answers at once");
    const state = text === undefined ? (callee as ReducerContract).initial : (JSON.parse(text) as Json);
    this.#cache.set(id, state);
    return state;
  }
  write(callee: Callee, key: string, state: Json): void {
    this.#cache.set(`${callee.name}\0${key}`, state);
  }
  /** Everything written is in the store: the cache may be cut. */
  settled(): void {
    if (this.#cache.size > maxCached) this.#cache.clear();
  }
  clear(): void {
    this.#cache.clear();
  }
}
