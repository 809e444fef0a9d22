/** Durations of runs by how they ended. */
import { type DurationBuckets, type DurationStats, Histogram, rounded } from "./histogram.ts";

export const outcomes = ["completed", "failed", "cancelled"] as const;
export type RunOutcome = (typeof outcomes)[number];

/** Runs that have ended; the rate is in percent with two places, and 0 when there are none. */
export interface RunTotals {
  readonly totalWorkflows: number;
  readonly successfulWorkflows: number;
  readonly successRate: number;
  readonly averageDurationMs: number;
  readonly maxDurationMs: number;
  readonly minDurationMs: number;
}

export class Outcomes {
  /** A histogram is made when the first run ends that way. */
  readonly #by: { [outcome in RunOutcome]?: Histogram } = {};

  add(outcome: RunOutcome, ms: number): void {
    this.#of(outcome).add(ms);
  }
  merge(other: Outcomes): void {
    for (const outcome of outcomes) {
      const histogram = other.#by[outcome];
      if (histogram) this.#of(outcome).merge(histogram);
    }
  }
  clear(): void {
    for (const outcome of outcomes) this.#by[outcome]?.clear();
  }
  #of(outcome: RunOutcome): Histogram {
    let histogram = this.#by[outcome];
    if (!histogram) {
      histogram = new Histogram();
      this.#by[outcome] = histogram;
    }
    return histogram;
  }

  count(outcome: RunOutcome): number {
    return this.#by[outcome]?.count ?? 0;
  }
  /** Of those ways in which runs have ended here. */
  buckets(): readonly { readonly outcome: RunOutcome; readonly durations: DurationBuckets }[] {
    return outcomes.flatMap((outcome) => {
      const durations = this.#by[outcome]?.buckets();
      return durations ? [{ outcome, durations }] : [];
    });
  }
  byOutcome(): { readonly [outcome in RunOutcome]: DurationStats } {
    const stats = (outcome: RunOutcome) => (this.#by[outcome] ?? none).stats();
    return { completed: stats("completed"), failed: stats("failed"), cancelled: stats("cancelled") };
  }
  totals(): RunTotals {
    const all = new Histogram();
    for (const outcome of outcomes) {
      const histogram = this.#by[outcome];
      if (histogram) all.merge(histogram);
    }
    const { count, averageMs, minMs, maxMs } = all.stats();
    const successful = this.count("completed");
    return {
      totalWorkflows: count,
      successfulWorkflows: successful,
      successRate: count === 0 ? 0 : rounded((successful / count) * 100),
      averageDurationMs: averageMs,
      maxDurationMs: maxMs,
      minDurationMs: minMs,
    };
  }
}

const none = new Histogram();
