/**
 * How many calls of one run are under way at once. Only calls hold a slot: a block that held one while its inner steps
 * wait for another would wait for itself, and a sleep or a wait is no work. The best of those that wait goes first:
 * by priority, then in the order of declaration, then of arrival.
 */
import { Heap } from "../core/heap.ts";
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
  /** Entries of cancelled steps are dropped when they come up. */
  readonly #heap = new Heap<Entry>(before);

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
    else this.#heap.push(entry);
    return entry;
  }

  #leave(entry: Entry): void {
    if (!entry.granted) {
      entry.gone = true;
      return;
    }
    this.#free++;
    for (let next = this.#heap.pop(); next; next = this.#heap.pop()) if (!next.gone) return this.#grant(next);
  }

  #grant(entry: Entry): void {
    this.#free--;
    entry.granted = true;
    entry.gate.release();
  }
}

function before(a: Entry, b: Entry): boolean {
  if (a.priority !== b.priority) return a.priority < b.priority;
  return a.order !== b.order ? a.order < b.order : a.arrival < b.arrival;
}
