/**
 * The database's clock. Its distance from the monotonic one is learnt from every answer that carries a time; of the latest
 * samples the one with the shortest way counts. It never goes back.
 */

/** Samples that are compared. */
const kept = 16;

export class StoreClock {
  readonly #samples: { readonly offset: number; readonly wayMs: number }[] = [];
  readonly #monotonic: () => number;
  #offset: number;
  #last = 0;

  /** @param wall wall time until the database has told its own, ms. */
  constructor(wall: number, monotonic: () => number) {
    this.#monotonic = monotonic;
    this.#offset = wall - monotonic();
  }

  /** `told`: the database's time, ms, asked at `sent` and known at `got`, both monotonic. */
  learn(told: number, sent: number, got: number): void {
    this.#samples.push({ offset: told - (sent + got) / 2, wayMs: got - sent });
    if (this.#samples.length > kept) this.#samples.shift();
    this.#offset = this.#samples.reduce((best, one) => (one.wayMs <= best.wayMs ? one : best)).offset;
  }

  now(): number {
    this.#last = Math.max(this.#last, Math.floor(this.#offset + this.#monotonic()));
    return this.#last;
  }
}

/** Monotonic ms that all threads of a process share. */
export function monotonicMs(): number {
  return Number(process.hrtime.bigint()) / 1e6;
}
