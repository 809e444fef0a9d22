/**
 * A sorted set in chunks: adding and removing cost the square root of its size at worst, walking costs nothing extra.
 * Small enough to read, fast enough for a hundred thousand sleeping runs.
 */
const chunkMax = 512;

export class Sorted<T> {
  readonly #compare: (a: T, b: T) => number;
  readonly #chunks: T[][] = [];

  /** `compare` must tell any two items apart, and must not change its mind while an item is inside. */
  constructor(compare: (a: T, b: T) => number) {
    this.#compare = compare;
  }

  add(item: T): void {
    const c = Math.min(this.#chunkOf(item), this.#chunks.length - 1);
    const chunk = this.#chunks[c];
    if (chunk === undefined) {
      this.#chunks.push([item]);
      return;
    }
    chunk.splice(this.#indexIn(chunk, item), 0, item);
    if (chunk.length > chunkMax) this.#chunks.splice(c + 1, 0, chunk.splice(chunkMax >> 1));
  }

  delete(item: T): void {
    const c = this.#chunkOf(item);
    const chunk = this.#chunks[c];
    if (chunk === undefined) return;
    const at = this.#indexIn(chunk, item);
    if (chunk[at] !== item) return;
    chunk.splice(at, 1);
    if (chunk.length === 0) this.#chunks.splice(c, 1);
  }

  /** The items in order, from the first for which `reached` holds (it must hold for all that follow). */
  *from(reached: (item: T) => boolean): Generator<T, void, undefined> {
    let c = firstIndex(this.#chunks.length, (i) => reached(last(this.#chunks[i] as T[])));
    const start = this.#chunks[c];
    if (start === undefined) return;
    let at = firstIndex(start.length, (i) => reached(start[i] as T));
    for (; c < this.#chunks.length; c++, at = 0) {
      const chunk = this.#chunks[c] as T[];
      for (; at < chunk.length; at++) yield chunk[at] as T;
    }
  }

  /** The first chunk whose last item is not before `item`. */
  #chunkOf(item: T): number {
    return firstIndex(this.#chunks.length, (i) => this.#compare(last(this.#chunks[i] as T[]), item) >= 0);
  }

  #indexIn(chunk: readonly T[], item: T): number {
    return firstIndex(chunk.length, (i) => this.#compare(chunk[i] as T, item) >= 0);
  }
}

function last<T>(chunk: readonly T[]): T {
  return chunk[chunk.length - 1] as T;
}

/** The first of 0…n-1 for which `holds`, or n; `holds` must not become false again. */
function firstIndex(n: number, holds: (i: number) => boolean): number {
  let low = 0;
  let high = n;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (holds(middle)) high = middle;
    else low = middle + 1;
  }
  return low;
}
