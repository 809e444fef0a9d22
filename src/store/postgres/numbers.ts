/** Run numbers, a thousand at a time from the sequence: known before a row is written, and the same when that is tried again. */
import type { Numbers } from "./job.ts";

/** What the sequence counts by. */
const block = 1000;

export class RunNumbers implements Numbers {
  readonly #fetch: () => Promise<number>;
  #next = 0;
  #end = 0;
  #line: Promise<unknown> = Promise.resolve();

  /** @param fetch the first number of a fresh block. */
  constructor(fetch: () => Promise<number>) {
    this.#fetch = fetch;
  }

  take(count: number): Promise<number[]> {
    const taken = this.#line.then(async () => {
      const numbers: number[] = [];
      while (numbers.length < count) {
        if (this.#next === this.#end) {
          this.#next = await this.#fetch();
          this.#end = this.#next + block;
        }
        numbers.push(this.#next++);
      }
      return numbers;
    });
    this.#line = taken.catch(() => {}); // told to whoever asked for them
    return taken;
  }
}
