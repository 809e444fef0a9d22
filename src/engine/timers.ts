/** Wake-ups at absolute store times: a heap, driven by one timer that is clamped to an hour. */
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
  readonly #heap: Entry[] = [];
  #cancel: (() => void) | undefined;
  #firesAt = Number.POSITIVE_INFINITY;
  #order = 0;

  constructor(clock: Clock, now: () => number) {
    this.#clock = clock;
    this.#now = now;
  }

  /** Calls `wake` at or after `due`; one that is no longer wanted must find that out itself. */
  at(due: number, wake: () => void): void {
    const entry = { due, order: this.#order++, wake };
    const heap = this.#heap;
    let at = heap.length;
    heap.push(entry);
    while (at > 0) {
      const up = (at - 1) >> 1;
      if (!before(entry, heap[up] as Entry)) break;
      heap[at] = heap[up] as Entry;
      at = up;
    }
    heap[at] = entry;
    if (due < this.#firesAt) this.#arm();
  }

  stop(): void {
    this.#cancel?.();
    this.#heap.length = 0;
  }

  #arm(): void {
    this.#cancel?.();
    const first = this.#heap[0];
    this.#cancel = undefined;
    this.#firesAt = Number.POSITIVE_INFINITY;
    if (!first) return;
    this.#firesAt = first.due;
    this.#cancel = this.#clock.setTimer(Math.min(longestMs, Math.max(0, Math.ceil(first.due - this.#now()))), () => this.#fire());
  }

  #fire(): void {
    const now = this.#now();
    for (let first = this.#heap[0]; first && first.due <= now; first = this.#heap[0]) {
      this.#pop();
      first.wake();
    }
    this.#arm();
  }

  #pop(): void {
    const heap = this.#heap;
    const last = heap.pop() as Entry;
    if (heap.length === 0) return;
    let at = 0;
    for (;;) {
      let down = 2 * at + 1;
      if (down >= heap.length) break;
      if (down + 1 < heap.length && before(heap[down + 1] as Entry, heap[down] as Entry)) down++;
      if (!before(heap[down] as Entry, last)) break;
      heap[at] = heap[down] as Entry;
      at = down;
    }
    heap[at] = last;
  }
}

function before(a: Entry, b: Entry): boolean {
  return a.due < b.due || (a.due === b.due && a.order < b.order);
}
