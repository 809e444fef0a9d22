/** The templates' performance tiers: the mean of the last ten runs of a type against what is held to be good. */
export type Tier = "optimal" | "good" | "degraded" | "poor";

const order: readonly Tier[] = ["optimal", "good", "degraded", "poor"];
const lastRuns = 10;

/** Template feature 155: half of the threshold, it, twice of it. */
export function performanceTier(meanMs: number, thresholdMs: number): Tier {
  if (meanMs <= thresholdMs * 0.5) return "optimal";
  if (meanMs <= thresholdMs) return "good";
  return meanMs <= thresholdMs * 2 ? "degraded" : "poor";
}

export function worst(tiers: Iterable<Tier>): Tier {
  let found: Tier = "optimal";
  for (const tier of tiers) if (order.indexOf(tier) > order.indexOf(found)) found = tier;
  return found;
}

/** The durations of the last runs of one type that completed. */
export class LastRuns {
  readonly #ms: number[] = [];
  #next = 0;
  add(ms: number): void {
    this.#ms[this.#next] = ms;
    this.#next = (this.#next + 1) % lastRuns;
  }
  /** "optimal" when there are none. */
  tier(thresholdMs: number): Tier {
    if (this.#ms.length === 0) return "optimal";
    return performanceTier(this.#ms.reduce((sum, ms) => sum + ms, 0) / this.#ms.length, thresholdMs);
  }
}
