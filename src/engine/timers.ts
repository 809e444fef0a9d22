/** Wake-ups at absolute store times: a heap, driven by one timer that is clamped to an hour. */
import { Heap } from "../core/heap.ts";
import type { Clock } from "./world.ts";

interface Entry {
  readonly due: number;
  readonly order: number;
  readonly wake: () => void;
}

const longestMs = 3_600_000;

export class Timers {
  readonly #clock: Clock;
  readonly #now: () => number;
  readonly #heap = new Heap<Entry>(before);
  #cancel: (() => void) | undefined;
  #firesAt = Number.POSITIVE_INFINITY;
  #order = 0;

  constructor(clock: Clock, now: () => number) {
    this.#clock = clock;
    this.#now = now;
  }

  /** Calls `wake` at or after `due`; one that is no longer wanted must find that out itself. */
  at(due: number, wake: () => void): void {
    this.#heap.push({ due, order: this.#order++, wake });
    if (due < this.#firesAt) this.#arm();
  }

  stop(): void {
    this.#cancel?.();
    this.#heap.clear();
  }

  #arm(): void {
    this.#cancel?.();
    const { first } = this.#heap;
    this.#cancel = undefined;
    this.#firesAt = Number.POSITIVE_INFINITY;
    if (!first) return;
    this.#firesAt = first.due;
    this.#cancel = this.#clock.setTimer(Math.min(longestMs, Math.max(0, Math.ceil(first.due - this.#now()))), () => this.#fire());
  }

  #fire(): void {
    const now = this.#now();
    for (let first = this.#heap.first; first && first.due <= now; first = this.#heap.first) {
      this.#heap.pop();
      first.wake();
    }
    this.#arm();
  }
}

function before(a: Entry, b: Entry): boolean {
  return a.due < b.due || (a.due === b.due && a.order < b.order);
}
