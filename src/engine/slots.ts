/** How many calls may be in flight at once; each takes a slot before its intent and gives it back at its end. */
export class Slots {
  readonly #limit: number;
  #taken = 0;

  /** @param limit a whole number from 1. */
  constructor(limit: number) {
    this.#limit = limit;
  }

  /** When there is a slot: 0 is now, infinity is when one is given back. */
  next(): number {
    return this.#taken < this.#limit ? 0 : Number.POSITIVE_INFINITY;
  }
  /** Takes a slot, which `next` must have allowed. */
  take(): void {
    this.#taken++;
  }
  giveBack(): void {
    this.#taken--;
  }
  get unused(): boolean {
    return this.#taken === 0;
  }
}
