/** The limits that calls wait at, by key: made when one is asked for, forgotten when nobody uses it. */
import { Line, type Place } from "./line.ts";

/** What lets only so much through. */
export interface Limit {
  /** When it may let the next one through, ms: not after `now` is at once, infinity is when something ends. */
  next(now: number): number;
}

/** A limit and those who wait at it. */
export class Station<L extends Limit = Limit, T extends Place = Place> {
  readonly limit: L;
  readonly waiting: Line<T>;
  /** Who holds it: waiting lanes and calls. */
  users = 0;
  /** When its timer fires. */
  armedFor = Number.POSITIVE_INFINITY;

  constructor(limit: L, waits: (one: T) => boolean) {
    this.limit = limit;
    this.waiting = new Line(waits);
  }
}

const fewest = 64;

export class Stations<S extends { readonly users: number }> {
  readonly #byKey = new Map<string, S>();
  readonly #make: () => S;
  readonly #unused: (station: S) => boolean;
  #sweepAt = fewest;

  /** @param unused whether one that nobody holds is like a new one. */
  constructor(make: () => S, unused: (station: S) => boolean) {
    this.#make = make;
    this.#unused = unused;
  }

  of(key: string): S {
    const known = this.#byKey.get(key);
    if (known) return known;
    if (this.#byKey.size >= this.#sweepAt) {
      for (const [one, station] of this.#byKey) if (station.users === 0 && this.#unused(station)) this.#byKey.delete(one);
      this.#sweepAt = Math.max(fewest, 2 * this.#byKey.size);
    }
    const station = this.#make();
    this.#byKey.set(key, station);
    return station;
  }
  get size(): number {
    return this.#byKey.size;
  }
}
