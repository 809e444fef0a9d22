/** Who waits for what a run does: in the process that owns the store they are told, in a client they look when it has changed. */
import { type Fact, type FinalBody, isFinal } from "../core/fact.ts";
import { OnexError } from "../core/failure.ts";
import type { Engine } from "./engine.ts";
import { isMissing, missing } from "./missing.ts";
import { isSmall } from "./values.ts";

const maxRecent = 256;

interface Waiter {
  ended(final: Fact & FinalBody): void;
  failed(error: OnexError): void;
}
interface Listener {
  news(facts: readonly Fact[]): void;
  failed(error: OnexError): void;
}

export class Watchers {
  readonly #engine: Engine;
  readonly #waiters = new Map<string, Set<Waiter>>();
  readonly #listeners = new Map<string, Set<Listener>>();
  readonly #recent = new Map<string, Fact & FinalBody>();
  #stopFollowing: (() => void) | undefined;
  #following = false;
  #looking = false;
  #again = false;
  #error: OnexError | undefined;

  constructor(engine: Engine) {
    this.#engine = engine;
  }

  /** A client: the owner's writes are seen by looking. */
  follow(): void {
    this.#following = true;
    if (this.#waiters.size + this.#listeners.size > 0) this.#stopFollowing ??= this.#engine.store.watch("client", () => this.look());
  }
  unfollow(): void {
    this.#following = false;
    this.#stopFollowing?.();
    this.#stopFollowing = undefined;
    // What ended while the ownership changed hands is seen by one more look.
    this.look();
  }

  wait(runId: string, waiter: Waiter): () => void {
    return this.#add(this.#waiters, runId, waiter);
  }
  listen(runId: string, listener: Listener): () => void {
    return this.#add(this.#listeners, runId, listener);
  }

  #add<T extends Waiter | Listener>(map: Map<string, Set<T>>, runId: string, one: T): () => void {
    if (this.#error) {
      one.failed(this.#error);
      return () => {};
    }
    const set = map.get(runId) ?? new Set();
    set.add(one);
    map.set(runId, set);
    if (this.#following) this.#stopFollowing ??= this.#engine.store.watch("client", () => this.look());
    return () => {
      set.delete(one);
      if (set.size === 0 && map.get(runId) === set) map.delete(runId);
      if (this.#waiters.size === 0 && this.#listeners.size === 0) {
        this.#stopFollowing?.();
        this.#stopFollowing = undefined;
      }
    };
  }

  publish(runId: string, facts: readonly Fact[]): void {
    for (const listener of this.#listeners.get(runId) ?? []) listener.news(facts);
  }
  ended(runId: string, final: Fact & FinalBody): void {
    const waiters = this.#waiters.get(runId);
    if (waiters) for (const waiter of [...waiters]) waiter.ended(final);
    else this.#remember(runId, final);
  }
  /** How a run ended that has only just done so, often before its caller could ask. */
  recent(runId: string): (Fact & FinalBody) | undefined {
    return this.#recent.get(runId);
  }
  #remember(runId: string, final: Fact & FinalBody): void {
    if (final.type === "run.completed" && !isSmall(final.output)) return;
    this.#recent.set(runId, final);
    if (this.#recent.size > maxRecent) this.#recent.delete(this.#recent.keys().next().value as string);
  }
  stop(error: OnexError): void {
    this.#error = error;
    this.#stopFollowing?.();
    for (const set of [...this.#waiters.values(), ...this.#listeners.values()]) for (const one of [...set]) one.failed(error);
  }

  /** Looks how the runs that somebody waits for stand. */
  look(): void {
    if (this.#looking) {
      this.#again = true;
      return;
    }
    this.#looking = true;
    this.#lookOnce()
      .catch((error) => this.#engine.stop(error))
      .finally(() => {
        this.#looking = false;
        if (this.#again) {
          this.#again = false;
          this.look();
        }
      });
  }

  async #lookOnce(): Promise<void> {
    for (const runId of [...this.#waiters.keys()]) {
      if (this.#error) return;
      // Driven here: whoever waits is told.
      if (this.#engine.active(runId)) continue;
      try {
        const final = await finalOf(this.#engine, runId);
        if (final) this.ended(runId, final);
      } catch (error) {
        if (!(error instanceof OnexError && (error.code === "SECRET_KEY_MISSING" || isMissing(error)))) throw error;
        // It ended, and this process cannot read how, or it is gone: that is the matter of who waits for it alone.
        for (const waiter of [...(this.#waiters.get(runId) ?? [])]) waiter.failed(error);
      }
    }
    // Listeners read on from where they are.
    for (const runId of [...this.#listeners.keys()]) this.publish(runId, []);
  }
}

/** The last fact of a run that has ended. */
export async function finalOf(engine: Engine, runId: string): Promise<(Fact & FinalBody) | undefined> {
  const row = await engine.store.run(runId);
  if (!row) throw await missing(engine.store, runId);
  if (row.endedAt === undefined) return undefined;
  const tail = await engine.store.tail(row.runNo);
  // Its row was read just before it was removed.
  if (!tail) throw await missing(engine.store, runId);
  const last = engine.decode(row.runNo, tail).at(-1);
  return last && isFinal(last) ? last : undefined;
}
