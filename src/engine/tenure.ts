/**
 * When this process owns its store, or runs of it: it asks for the ownership, begins to drive when it has it, and lets go when
 * it has lost it.
 *
 * One owner: a process that does not get the store is a client, and asks again every half second. Many: each gets a lease at
 * once, and when that has lapsed another one, under a new id.
 */
import { OnexError } from "../core/failure.ts";
import type { OpenStore, Told } from "../store/store.ts";
import type { World } from "./world.ts";

/** How often a client asks whether the store is free. */
const acquireMs = 500;
const sweepMs = 30_000;

export interface Tenant {
  readonly world: World;
  readonly store: OpenStore;
  readonly closing: boolean;
  readonly error: OnexError | undefined;
  /** It holds no workflow: it could drive nothing, and leaves the store to those who can. */
  readonly isIdle: boolean;
  /** Drives runs from now on. */
  begins(): void;
  /** Looks at what others write. */
  follows(): void;
  /** Other processes have written, and what, if it is one thing. */
  news(told?: Told): void;
  /** Once in a while. */
  sweep(): void;
  lost(why: string, leaseId: string): void;
  stop(error: unknown): void;
}

export class Tenure {
  readonly #tenant: Tenant;
  #timer: (() => void) | undefined;
  #stopWatching: (() => void) | undefined;
  #asked: (() => void) | undefined;
  leaseId: string;
  owner = false;
  /** The store has said for the first time whether this process owns it; at once, if it can. */
  readonly ready: Promise<void>;

  constructor(tenant: Tenant) {
    this.#tenant = tenant;
    this.leaseId = tenant.world.entropy.uuid();
    this.ready = new Promise((resolve) => {
      this.#asked = resolve;
    });
  }

  /** Throws what the store throws, where it answers at once and this is the first time. */
  begin(): void {
    this.#acquire(true);
  }

  #acquire(first = false): void {
    const tenant = this.#tenant;
    if (tenant.isIdle) {
      this.#asked?.();
      return tenant.follows();
    }
    const { leaseId } = this;
    const settle = (got: { readonly leaseNo: number } | undefined): void => {
      this.#asked?.();
      if (tenant.closing || tenant.error) return;
      if (got) this.#begins(leaseId);
      else {
        this.#later(acquireMs, () => this.#acquire());
        tenant.follows();
      }
    };
    try {
      const got = tenant.store.acquire(leaseId, (why) => tenant.lost(why, leaseId));
      if (got instanceof Promise) got.then(settle, (error) => tenant.stop(error));
      else settle(got);
    } catch (error) {
      if (first) throw error;
      if (!(error instanceof OnexError && error.code === "STORE_BUSY")) return tenant.stop(error);
      // The ownership is free, and something else keeps the file locked: a client goes on trying.
      tenant.world.log.warn(error.message, { code: error.code });
      this.#later(acquireMs, () => this.#acquire());
    }
  }

  #begins(leaseId: string): void {
    if (this.owner || leaseId !== this.leaseId) return;
    this.owner = true;
    this.#stopWatching = this.#tenant.store.watch("owner", (told) => this.#tenant.news(told));
    const sweep = (): void => {
      this.#tenant.sweep();
      this.#later(sweepMs, sweep);
    };
    this.#later(sweepMs, sweep);
    this.#tenant.begins();
  }

  /** The lease is gone: it drives nothing until `again`. */
  end(): void {
    this.owner = false;
    this.leaseId = this.#tenant.world.entropy.uuid();
    this.stop();
  }
  again(): void {
    this.#acquire();
  }

  /** Asks for nothing and hears of nothing any more. */
  stop(): void {
    this.#asked?.();
    this.#stopWatching?.();
    this.#stopWatching = undefined;
    this.#timer?.();
    this.#timer = undefined;
  }

  /** One thing is waited for at a time: the next question, or the next sweep. */
  #later(ms: number, callback: () => void): void {
    this.#timer?.();
    this.#timer = this.#tenant.world.clock.setTimer(ms, callback);
  }
}
