/**
 * One look at the store at a time: a request meanwhile makes another one follow, and one timer stands for the earliest moment
 * at which there will be something to see. A moment that is named while a look is under way outlives the look, which may
 * have read the store before.
 */
import type { Engine } from "./engine.ts";

const longestWaitMs = 3_600_000;

export class Looks {
  readonly #engine: Engine;
  readonly #look: () => void;
  readonly #follow: () => void;
  #looking = false;
  #again = false;
  #stopped = false;
  #cancelTimer: (() => void) | undefined;
  #at = Number.POSITIVE_INFINITY;
  /** The lease under which the look under way began. */
  #leaseId = "";
  /** What must be done after the look under way. */
  readonly #next: (() => Promise<void>)[] = [];
  /** The earliest moment that was named since the look under way began. */
  #named = Number.POSITIVE_INFINITY;

  /** `look` is called when it is time, and `follow` (default the same) when one was asked for during another; they come back through `run`. */
  constructor(engine: Engine, look: () => void, follow = look) {
    this.#engine = engine;
    this.#look = look;
    this.#follow = follow;
  }

  /** Nothing is under way, and nothing is due soon. */
  get quiet(): boolean {
    const soon = this.#engine.store.now() + this.#engine.settings.parkAfterMs;
    return !this.#looking && !this.#again && !(this.#at <= soon);
  }
  get stopped(): boolean {
    return this.#stopped;
  }
  /** The look under way must not go on: the process closes, or its lease is another one by now. */
  get over(): boolean {
    return this.#stopped || this.#leaseId !== this.#engine.leaseId;
  }
  stop(): void {
    this.#stopped = true;
    this.#cancelTimer?.();
  }
  /** Does `work` now, or after the look under way: it is no look, and none stands for it. */
  must(work: () => Promise<void>): void {
    if (this.#looking) this.#next.push(work);
    else this.run(work);
  }

  /** Begins `work`, unless a look is under way: then another one follows. What it throws stops the engine. */
  run(work: () => Promise<void>): void {
    if (this.#stopped) return;
    if (this.#looking) {
      this.#again = true;
      return;
    }
    this.#looking = true;
    this.#named = Number.POSITIVE_INFINITY;
    const { leaseId } = this.#engine;
    this.#leaseId = leaseId;
    work()
      .catch((error) => this.#engine.failed(error, leaseId))
      .finally(() => {
        this.#looking = false;
        const next = this.#next.shift();
        if (next) this.run(next);
        else if (this.#again) {
          this.#again = false;
          this.#follow();
        }
        if (!this.#looking) this.#engine.rested();
      });
  }

  /** There will be something to see at that moment, store time in ms: looks then at the latest. */
  by(at: number): void {
    this.#named = Math.min(this.#named, at);
    if (at < this.#at) this.#arm(at);
  }

  /** The look under way saw that there will be something at that moment, store time in ms, and nothing before; Infinity: nothing at all. */
  arm(at: number): void {
    this.#arm(Math.min(at, this.#named));
  }

  #arm(at: number): void {
    const { store, world } = this.#engine;
    this.#cancelTimer?.();
    this.#cancelTimer = undefined;
    this.#at = at;
    if (at === Number.POSITIVE_INFINITY) return;
    this.#cancelTimer = world.clock.setTimer(Math.min(longestWaitMs, Math.max(0, Math.ceil(at - store.now()))), () => {
      this.#at = Number.POSITIVE_INFINITY;
      this.#look();
    });
  }
}
