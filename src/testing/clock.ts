/** Time that goes on only when a test says so. */
import type { Clock } from "../engine/world.ts";

interface Timer {
  readonly due: number;
  readonly order: number;
  readonly callback: () => void;
}

export class VirtualClock implements Clock {
  #now: number;
  #order = 0;
  readonly #timers = new Set<Timer>();
  readonly #soon: (callback: () => void) => void;

  /** @param soon the next turn of the real event loop, so that promises of stubs settle. */
  constructor(now: number, soon: (callback: () => void) => void) {
    this.#now = now;
    this.#soon = soon;
  }

  now(): number {
    return this.#now;
  }
  elapsed(): number {
    return this.#now;
  }
  soon(callback: () => void): void {
    this.#soon(callback);
  }
  setTimer(ms: number, callback: () => void): () => void {
    const timer = { due: this.#now + Math.max(0, ms), order: this.#order++, callback };
    this.#timers.add(timer);
    return () => this.#timers.delete(timer);
  }

  /** Fires the earliest timer that is due by `until` and moves to its time; false when there is none. */
  step(until: number): boolean {
    let first: Timer | undefined;
    for (const timer of this.#timers)
      if (timer.due <= until && (!first || timer.due < first.due || (timer.due === first.due && timer.order < first.order))) first = timer;
    if (!first) return false;
    this.#timers.delete(first);
    this.#now = Math.max(this.#now, first.due);
    first.callback();
    return true;
  }
  moveTo(time: number): void {
    this.#now = Math.max(this.#now, time);
  }
}
