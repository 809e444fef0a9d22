/**
 * A waiting line: the lowest priority number first, equal ones as they came. Who no longer wants to wait says so when
 * asked, so that leaving costs nothing; those who left are thrown out when the line has doubled, or when they are first.
 */
import { Heap } from "../core/heap.ts";

export interface Place {
  readonly priority: number;
  /** When it came, as a number that rises. */
  readonly order: number;
}

const shortest = 64;

export class Line<T extends Place> {
  readonly #heap = new Heap<T>(goesBefore);
  readonly #waits: (one: T) => boolean;
  #sweepAt = shortest;

  /** @param waits whether it still wants to wait; once it does not, it never does again. */
  constructor(waits: (one: T) => boolean) {
    this.#waits = waits;
  }

  push(one: T): void {
    if (this.#heap.size >= this.#sweepAt) {
      this.#heap.keep(this.#waits);
      this.#sweepAt = Math.max(shortest, 2 * this.#heap.size);
    }
    this.#heap.push(one);
  }
  /** Who is first of those that still wait. */
  get first(): T | undefined {
    for (let one = this.#heap.first; one; one = this.#heap.first) {
      if (this.#waits(one)) return one;
      this.#heap.pop();
    }
    return undefined;
  }
  /** Takes the first out. */
  shift(): T | undefined {
    const first = this.first;
    if (first) this.#heap.pop();
    return first;
  }
  /** How many it holds, those included who left and were not thrown out yet. */
  get size(): number {
    return this.#heap.size;
  }
}

export function goesBefore(a: Place, b: Place): boolean {
  return a.priority < b.priority || (a.priority === b.priority && a.order < b.order);
}
