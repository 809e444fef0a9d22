/**
 * A circuit breaker: it keeps calls from an endpoint that fails, and finds out by a few probes when it works again.
 *
 *            fails too often              openMs pass               successThreshold probes succeed
 *   closed ─────────────────► open ─────────────────► half_open ───────────────────────────────────► closed
 *                              ▲                          │ a probe fails
 *                              └──────────────────────────┘
 *
 * B1 It has no clock and no timer: every question brings the time, in ms that never jump.
 * B2 Each call that was let through is ended once by `leave`, whatever became of it; so a probe's place comes back always.
 * B3 Only calls of the present period count: what was let through before a change of state decides nothing after it.
 * B4 Memory is bounded: the window is a ring of ten buckets, so it slides by a tenth of its length.
 */
import { OnexError } from "../core/failure.ts";
import { shown } from "../core/fields.ts";

/** Settings of the circuit breakers, the same for every endpoint. */
export interface CircuitBreakerOptions {
  /** Failures in the window with no success after them that open it, 1 to 10000; default 5. */
  readonly failureThreshold?: number;
  /** Length of the window that slides over the ends of calls, ms, 100 to a day; default 120000. */
  readonly windowMs?: number;
  /** Share of failures in the window that opens it, above 0 and at most 1; default 0.5. */
  readonly failureRateThreshold?: number;
  /** Calls that must have ended in the window before their share of failures counts, 1 to 1000000; default 20. */
  readonly minimumCalls?: number;
  /** How long it stays open before probes are let through, ms, 1 to a day; default 60000. */
  readonly openMs?: number;
  /** Probes under way at once, 1 to 1000; default 3. Each gives its place back when it ends, so more than this may be needed to close it. */
  readonly halfOpenMaxCalls?: number;
  /** Probes that must succeed, none failing, to close it, 1 to 1000; default 2. */
  readonly successThreshold?: number;
  /**
   * Effects that run in this process have breakers too, one for each effect; default false. That an in-process function
   * fails says nothing about an endpoint that others share, so its retries are left to its own policy.
   */
  readonly local?: boolean;
}
export type BreakerSettings = Required<CircuitBreakerOptions>;

/** How a call ended, as the breaker sees it; "ignored" says nothing about the endpoint. */
export type Outcome = "success" | "failure" | "ignored";

const dayMs = 86_400_000;
const ranges = {
  failureThreshold: { usual: 5, min: 1, max: 10_000, whole: true },
  windowMs: { usual: 120_000, min: 100, max: dayMs, whole: true },
  failureRateThreshold: { usual: 0.5, min: Number.MIN_VALUE, max: 1, whole: false },
  minimumCalls: { usual: 20, min: 1, max: 1_000_000, whole: true },
  openMs: { usual: 60_000, min: 1, max: dayMs, whole: true },
  halfOpenMaxCalls: { usual: 3, min: 1, max: 1_000, whole: true },
  successThreshold: { usual: 2, min: 1, max: 1_000, whole: true },
} as const;

/** The settings with their defaults. Throws OnexError `OPTION_INVALID`, one error for all that is wrong. */
export function breakerSettings(given: CircuitBreakerOptions = {}, configured: CircuitBreakerOptions = {}): BreakerSettings {
  if (typeof given !== "object" || given === null || Array.isArray(given))
    throw new OnexError(
      "OPTION_INVALID",
      `circuitBreaker is ${shown(given)}: give an object of ${Object.keys(ranges).join(", ")} or local`,
    );
  const options: CircuitBreakerOptions = { ...configured, ...given };
  const problems: string[] = [];
  const settings: Record<string, number> = {};
  for (const [name, { usual, min, max, whole }] of Object.entries(ranges)) {
    const value: unknown = options[name as keyof typeof ranges] ?? usual;
    settings[name] = value as number;
    if (typeof value === "number" && value >= min && value <= max && (!whole || Number.isInteger(value))) continue;
    problems.push(`${name} is ${String(value)}: give ${whole ? `a whole number from ${min}` : "a number above 0"} to ${max}`);
  }
  for (const name of Object.keys(options))
    if (!(name in ranges) && name !== "local") problems.push(`there is no "${name}": give ${Object.keys(ranges).join(", ")} or local`);
  const { local = false } = options;
  if (typeof local !== "boolean") problems.push(`local is ${String(local)}: give true or false`);
  if (problems.length > 0) throw new OnexError("OPTION_INVALID", `circuitBreaker: ${problems.join("; ")}`);
  return { ...(settings as Omit<BreakerSettings, "local">), local };
}

const bucketCount = 10;

interface Bucket {
  /** Number of the slice of time that it counts; below 0: none. */
  slice: number;
  calls: number;
  failures: number;
  /** Failures with no success after them. */
  unbroken: number;
}

export class Breaker {
  readonly #settings: BreakerSettings;
  readonly #buckets: Bucket[] = Array.from({ length: bucketCount }, () => ({ slice: -1, calls: 0, failures: 0, unbroken: 0 }));
  #state: "closed" | "open" | "half_open" = "closed";
  /** Number of the present period; it rises with every change of state (B3). */
  #period = 0;
  #openUntil = 0;
  #probes = 0;
  #successes = 0;

  constructor(settings: BreakerSettings) {
    this.#settings = settings;
  }

  /** When it may let the next call through: not after `now` is at once, infinity is when a probe has ended. */
  next(now: number): number {
    this.#wait(now);
    if (this.#state === "closed") return 0;
    if (this.#state === "open") return this.#openUntil;
    return this.#probes < this.#settings.halfOpenMaxCalls ? 0 : Number.POSITIVE_INFINITY;
  }

  /** Lets a call through, which `next` must have allowed; the answer goes to `leave` when the call has ended. */
  enter(now: number): number {
    this.#wait(now);
    if (this.#state === "half_open") this.#probes++;
    return this.#period;
  }

  /** A call that `enter` let through has ended (B2). */
  leave(period: number, outcome: Outcome, now: number): void {
    if (period !== this.#period) return;
    if (this.#state === "half_open") return this.#probed(outcome, now);
    if (outcome === "ignored") return;
    const bucket = this.#bucket(now);
    bucket.calls++;
    if (outcome === "success") {
      for (const one of this.#buckets) one.unbroken = 0;
      return;
    }
    bucket.failures++;
    bucket.unbroken++;
    if (this.#tooMany(now)) this.#open(now);
  }

  /** What it shows of itself. */
  view(now: number): {
    readonly state: "closed" | "open" | "half_open";
    readonly calls: number;
    readonly failures: number;
    readonly openUntil: number | undefined;
  } {
    this.#wait(now);
    const { calls, failures } = this.#sum(now);
    return { state: this.#state, calls, failures, openUntil: this.#state === "open" ? this.#openUntil : undefined };
  }

  #probed(outcome: Outcome, now: number): void {
    this.#probes--;
    if (outcome === "failure") {
      this.#count(now);
      this.#open(now);
    } else if (outcome === "success" && ++this.#successes >= this.#settings.successThreshold) {
      this.#change("closed");
      for (const bucket of this.#buckets) bucket.slice = -1;
    }
  }

  /** A probe that failed is seen in the figures; it opens the breaker by itself. */
  #count(now: number): void {
    const bucket = this.#bucket(now);
    bucket.calls++;
    bucket.failures++;
  }

  /** An open one whose time is over becomes half open. */
  #wait(now: number): void {
    if (this.#state === "open" && now >= this.#openUntil) this.#change("half_open");
  }
  #open(now: number): void {
    this.#change("open");
    this.#openUntil = now + this.#settings.openMs;
  }
  #change(state: "closed" | "open" | "half_open"): void {
    this.#state = state;
    this.#period++;
    this.#probes = 0;
    this.#successes = 0;
  }

  #tooMany(now: number): boolean {
    const { calls, failures, unbroken } = this.#sum(now);
    const { failureThreshold, minimumCalls, failureRateThreshold } = this.#settings;
    return unbroken >= failureThreshold || (calls >= minimumCalls && failures / calls >= failureRateThreshold);
  }

  #slice(now: number): number {
    return Math.floor((now * bucketCount) / this.#settings.windowMs);
  }
  #bucket(now: number): Bucket {
    const slice = this.#slice(now);
    const bucket = this.#buckets[slice % bucketCount] as Bucket;
    if (bucket.slice !== slice) Object.assign(bucket, { slice, calls: 0, failures: 0, unbroken: 0 });
    return bucket;
  }
  #sum(now: number): { readonly calls: number; readonly failures: number; readonly unbroken: number } {
    const oldest = this.#slice(now) - bucketCount;
    const sum = { calls: 0, failures: 0, unbroken: 0 };
    for (const bucket of this.#buckets) {
      if (bucket.slice <= oldest || bucket.slice < 0) continue;
      sum.calls += bucket.calls;
      sum.failures += bucket.failures;
      sum.unbroken += bucket.unbroken;
    }
    return sum;
  }
}
