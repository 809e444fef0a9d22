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
  /** With many owners: what was read for a run that stands still until then, and at which turn it stands. */
  readonly #fetched = new Map<string, { readonly id: string; readonly turn: number; readonly text: string | undefined }>();

  constructor(store: OpenStore) {
    this.#store = store;
  }

  /** `runId`: of the run that reads, where many own the store. */
  read(callee: Callee, key: string, runId = ""): Json {
    const id = `${callee.name}\0${key}`;
    if (this.#store.owners === "many") {
      const fetched = this.#fetched.get(runId);
      this.#fetched.delete(runId);
      return stateOf(callee, fetched?.text);
    }
    const cached = this.#cache.get(id);
    if (cached !== undefined) return cached;
    const state = stateOf(callee, this.#store.state(callee.name, key) as string | undefined);
    this.#cache.set(id, state);
    return state;
  }
  /** What must be read before `read` can answer that run, whose next turn is `turn`: undefined when nothing must. */
  before(callee: Callee, key: string, runId: string, turn: number): (() => Promise<void>) | undefined {
    const id = `${callee.name}\0${key}`;
    if (this.#store.owners === "one") return undefined;
    const fetched = this.#fetched.get(runId);
    // Its own turns may have changed it since.
    if (fetched?.id === id && fetched.turn === turn) return undefined;
    return async () => void this.#fetched.set(runId, { id, turn, text: await this.#store.state(callee.name, key) });
  }
  /** The run is not driven here any more. */
  forget(runId: string): void {
    this.#fetched.delete(runId);
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
