/**
 * The states of reducers. One owner sees its own writes first, then the store's. Where many write, a state is never kept: one
 * that a workflow reads is read for that once, and events are folded under the lock of their key (`fold.ts`).
 */
import type { Json } from "../core/json.ts";
import type { Callee } from "../core/operation.ts";
import type { ReducerContract } from "../node/contract.ts";
import type { OpenStore } from "../store/store.ts";

const maxCached = 10_000;

export class States {
  readonly #store: OpenStore;
  readonly #cache = new Map<string, Json>();
  /** With many owners: what was read for a workflow that stands still until then. */
  readonly #fetched = new Map<string, string | undefined>();

  constructor(store: OpenStore) {
    this.#store = store;
  }

  read(callee: Callee, key: string): Json {
    const id = `${callee.name}\0${key}`;
    if (this.#store.owners === "many") {
      const text = this.#fetched.get(id);
      this.#fetched.delete(id);
      return stateOf(callee, text);
    }
    const cached = this.#cache.get(id);
    if (cached !== undefined) return cached;
    const state = stateOf(callee, this.#store.state(callee.name, key) as string | undefined);
    this.#cache.set(id, state);
    return state;
  }
  /** What must be read before `read` can answer: undefined when nothing must. */
  before(callee: Callee, key: string): (() => Promise<void>) | undefined {
    const id = `${callee.name}\0${key}`;
    if (this.#store.owners === "one" || this.#fetched.has(id)) return undefined;
    return async () => void this.#fetched.set(id, await this.#store.state(callee.name, key));
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

export function stateOf(callee: Callee, text: string | undefined): Json {
  return text === undefined ? (callee as ReducerContract).initial : (JSON.parse(text) as Json);
}
