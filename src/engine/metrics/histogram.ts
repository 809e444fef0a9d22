/**
 * Durations in fixed exponential buckets: constant memory, and quantiles that are off by at most a tenth.
 * Four buckets to a doubling, from 0.01 ms to about 2 years; what lies outside is in the first or the last.
 */
const smallestMs = 0.01;
const perDoubling = 4;
const buckets = 172;

/** How long something took, over many. All are 0 when `count` is. */
export interface DurationStats {
  readonly count: number;
  readonly averageMs: number;
  readonly minMs: number;
  readonly maxMs: number;
  readonly p50Ms: number;
  readonly p95Ms: number;
  readonly p99Ms: number;
}

/** The same, as systems that collect figures add it up over processes. */
export interface DurationBuckets {
  readonly count: number;
  readonly sumMs: number;
  /** How many took at most `leMs`: bounds four times apart, from 1.28 ms to a day; each counts the ones before it too. */
  readonly buckets: readonly { readonly leMs: number; readonly count: number }[];
}
/** The first of those bounds, how many buckets they are apart, and the last. */
const bounds = { first: 28, apart: 8, last: 132 };

export class Histogram {
  readonly #counts = new Uint32Array(buckets);
  count = 0;
  sumMs = 0;
  minMs = Number.POSITIVE_INFINITY;
  maxMs = 0;

  add(ms: number): void {
    const at = ms <= smallestMs ? 0 : Math.min(buckets - 1, Math.ceil(Math.log2(ms / smallestMs) * perDoubling));
    this.#counts[at] = (this.#counts[at] ?? 0) + 1;
    this.count++;
    this.sumMs += ms;
    if (ms < this.minMs) this.minMs = ms;
    if (ms > this.maxMs) this.maxMs = ms;
  }

  /** Takes the records of another one in. */
  merge(other: Histogram): void {
    other.#counts.forEach((count, i) => {
      this.#counts[i] = (this.#counts[i] ?? 0) + count;
    });
    this.count += other.count;
    this.sumMs += other.sumMs;
    this.minMs = Math.min(this.minMs, other.minMs);
    this.maxMs = Math.max(this.maxMs, other.maxMs);
  }

  clear(): void {
    this.#counts.fill(0);
    this.count = 0;
    this.sumMs = 0;
    this.minMs = Number.POSITIVE_INFINITY;
    this.maxMs = 0;
  }

  /** The duration that the fraction `q` of all took at most: the upper end of its bucket, within what was seen. */
  quantile(q: number): number {
    if (this.count === 0) return 0;
    const rank = Math.max(1, Math.ceil(q * this.count));
    let seen = 0;
    for (let i = 0; i < buckets; i++) {
      seen += this.#counts[i] ?? 0;
      if (seen >= rank) return Math.min(this.maxMs, Math.max(this.minMs, smallestMs * 2 ** (i / perDoubling)));
    }
    return this.maxMs;
  }

  buckets(): DurationBuckets {
    const buckets: { leMs: number; count: number }[] = [];
    let count = 0;
    for (let i = 0; i <= bounds.last; i++) {
      count += this.#counts[i] ?? 0;
      if (i >= bounds.first && (i - bounds.first) % bounds.apart === 0) buckets.push({ leMs: smallestMs * 2 ** (i / perDoubling), count });
    }
    return { count: this.count, sumMs: this.sumMs, buckets };
  }

  stats(): DurationStats {
    return {
      count: this.count,
      averageMs: rounded(this.count === 0 ? 0 : this.sumMs / this.count),
      minMs: rounded(this.count === 0 ? 0 : this.minMs),
      maxMs: rounded(this.maxMs),
      p50Ms: rounded(this.quantile(0.5)),
      p95Ms: rounded(this.quantile(0.95)),
      p99Ms: rounded(this.quantile(0.99)),
    };
  }
}

/** Two decimal places. */
export function rounded(value: number): number {
  return Math.round(value * 100) / 100;
}
