/**
 * How many calls of one run are under way at once. Only calls hold a slot: a block that held one while its inner steps
 * wait for another would wait for itself, and a sleep or a wait is no work. The best of those that wait goes first:
 * by priority, then in the order of declaration, then of arrival.
 */
import { Latch, type Performable, type Steps } from "../core/operation.ts";

interface Entry {
  readonly priority: number;
  readonly order: number;
  readonly arrival: number;
  readonly gate: Latch;
  granted: boolean;
  gone: boolean;
}

export class Slots {
  #free: number;
  #arrivals = 0;
  /** A binary heap; entries of cancelled steps are dropped when they come up. */
  readonly #heap: Entry[] = [];

  constructor(count: number) {
    this.#free = count;
  }

  /** Does the work while holding a slot; the slot is given back however it ends. */
  *hold<T>(priority: number, order: number, work: () => Performable<T>): Steps<T> {
    const entry = this.#enter(priority, order);
    try {
      if (!entry.granted) yield* entry.gate.wait();
      return yield* work();
    } finally {
      this.#leave(entry);
    }
  }

  #enter(priority: number, order: number): Entry {
    const entry: Entry = { priority, order, arrival: this.#arrivals++, gate: new Latch(), granted: false, gone: false };
    if (this.#free > 0) this.#grant(entry);
    else this.#push(entry);
    return entry;
  }

  #leave(entry: Entry): void {
    if (!entry.granted) {
      entry.gone = true;
      return;
    }
    this.#free++;
    for (let next = this.#pop(); next; next = this.#pop()) if (!next.gone) return this.#grant(next);
  }

  #grant(entry: Entry): void {
    this.#free--;
    entry.granted = true;
    entry.gate.release();
  }

  #push(entry: Entry): void {
    const heap = this.#heap;
    let at = heap.push(entry) - 1;
    while (at > 0) {
      const up = (at - 1) >> 1;
      if (!before(entry, heap[up] as Entry)) break;
      heap[at] = heap[up] as Entry;
      at = up;
    }
    heap[at] = entry;
  }

  #pop(): Entry | undefined {
    const heap = this.#heap;
    const first = heap[0];
    const last = heap.pop();
    if (first === undefined || last === undefined || heap.length === 0) return first;
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
    return first;
  }
}

function before(a: Entry, b: Entry): boolean {
  if (a.priority !== b.priority) return a.priority < b.priority;
  return a.order !== b.order ? a.order < b.order : a.arrival < b.arrival;
}
