/**
 * How many calls may start within a time that slides.
 *
 * A start is reserved before its intent is written and gets its time when the call is made: however long the write takes,
 * no stretch of that length holds more starts than the limit. Memory is one number for each start within the time.
 */
export class Rate {
  readonly #limit: number;
  readonly #perMs: number;
  /** Times of starts, oldest first; those before `#from` are past. */
  #starts: number[] = [];
  #from = 0;
  #reserved = 0;

  /** @param limit starts within any `perMs`, a whole number from 1. */
  constructor(limit: number, perMs: number) {
    this.#limit = limit;
    this.#perMs = perMs;
  }

  /** When there is room for one more start: not after `now` is at once, infinity is when a reserved one was made or given back. */
  next(now: number): number {
    this.#forget(now);
    if (this.#reserved + this.#starts.length - this.#from < this.#limit) return 0;
    const oldest = this.#starts[this.#from];
    return oldest === undefined ? Number.POSITIVE_INFINITY : oldest + this.#perMs;
  }
  /** Reserves a start, which `next` must have allowed; `start` or `giveBack` follows. */
  reserve(): void {
    this.#reserved++;
  }
  /** The reserved start is made now. */
  start(now: number): void {
    this.#reserved--;
    this.#starts.push(now);
  }
  /** The reserved start is not made. */
  giveBack(): void {
    this.#reserved--;
  }
  /** It holds nothing that a new one would not. */
  unused(now: number): boolean {
    this.#forget(now);
    return this.#reserved === 0 && this.#from === this.#starts.length;
  }

  #forget(now: number): void {
    while (this.#from < this.#starts.length && (this.#starts[this.#from] as number) + this.#perMs <= now) this.#from++;
    if (this.#from > 32 && this.#from * 2 > this.#starts.length) {
      this.#starts = this.#starts.slice(this.#from);
      this.#from = 0;
    }
  }
}
