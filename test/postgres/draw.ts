/** Schedules of faults that a seed tells again, and how much is played. */

/** Whether the full figures are played: `ONEX_FAULTS=full`. */
export const full = process.env.ONEX_FAULTS === "full";

/** The numbers of `ONEX_FAULTS_SEED`, or new ones. */
export class Draw {
  readonly seed: number;
  #state: number;

  constructor(seed = Number(process.env.ONEX_FAULTS_SEED ?? Math.floor(Math.random() * 2 ** 31))) {
    if (!Number.isInteger(seed)) throw new Error(`ONEX_FAULTS_SEED is ${process.env.ONEX_FAULTS_SEED}: give a whole number`);
    this.seed = seed;
    this.#state = seed >>> 0;
  }

  /** In [0, 1) (mulberry32). */
  next(): number {
    this.#state = (this.#state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(this.#state ^ (this.#state >>> 15), this.#state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4_294_967_296;
  }
  /** A whole number from `least` to `most`. */
  between(least: number, most: number): number {
    return least + Math.floor(this.next() * (most - least + 1));
  }
  pick<T>(list: readonly T[]): T {
    if (list.length === 0) throw new Error("there is nothing to draw from");
    return list[Math.floor(this.next() * list.length)] as T;
  }
}
