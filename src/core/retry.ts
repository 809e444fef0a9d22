/** When a failed attempt is tried again: a decision, so it is pure; jitter comes from the run's own seed. */
import { type Duration, durationMs } from "./duration.ts";

export interface RetryPolicy {
  /** Attempts, the first included; default 3. */
  readonly maxAttempts?: number;
  /** Default "exponential". */
  readonly backoff?: "fixed" | "linear" | "exponential";
  /** Before the second attempt; default "1s". */
  readonly delay?: Duration;
  /** Longest wait between two attempts; default "60s". */
  readonly maxDelay?: Duration;
  /** Growth of the exponential backoff; default 2. */
  readonly factor?: number;
  /** "full" draws between 0 and the delay; default "full". */
  readonly jitter?: "full" | "none";
  /** The whole budget from the first attempt on; default none. */
  readonly within?: Duration;
  /** Codes that are never tried again. */
  readonly except?: readonly string[];
}

/** A policy with its defaults filled in and its times in ms. */
export interface Retry {
  readonly maxAttempts: number;
  readonly backoff: "fixed" | "linear" | "exponential";
  readonly delayMs: number;
  readonly maxDelayMs: number;
  readonly factor: number;
  readonly jitter: "full" | "none";
  readonly withinMs: number;
  readonly except: readonly string[];
}

export function retryOf(policy: RetryPolicy): Retry {
  return {
    maxAttempts: policy.maxAttempts ?? 3,
    backoff: policy.backoff ?? "exponential",
    delayMs: durationMs(policy.delay ?? "1s"),
    maxDelayMs: durationMs(policy.maxDelay ?? "60s"),
    factor: policy.factor ?? 2,
    jitter: policy.jitter ?? "full",
    withinMs: policy.within === undefined ? Number.POSITIVE_INFINITY : durationMs(policy.within),
    except: policy.except ?? [],
  };
}

/** One attempt and no other. */
export const once: Retry = retryOf({ maxAttempts: 1 });
/** What an effect that may be repeated gets without a word about it. */
export const usual: Retry = retryOf({});
/** How an undo is retried: without end, but for `Fatal` (API rule 22). */
export const undoing: Retry = retryOf({ maxAttempts: Number.POSITIVE_INFINITY });

/** The wait before attempt `attempt + 1`, before jitter, in ms. */
export function backoffMs(retry: Retry, attempt: number): number {
  const grown =
    retry.backoff === "fixed"
      ? retry.delayMs
      : retry.backoff === "linear"
        ? retry.delayMs * attempt
        : retry.delayMs * retry.factor ** (attempt - 1);
  return Math.min(grown, retry.maxDelayMs);
}

/** All waits between attempts together, at their longest, in ms; `jitterFactor` is what a jitter may add to each, as a part of it. */
export function worstCaseRetryMs(policy: RetryPolicy, jitterFactor = 0): number {
  const retry = retryOf(policy);
  let sumMs = 0;
  for (let attempt = 1; attempt < retry.maxAttempts; attempt++) sumMs += backoffMs(retry, attempt);
  return Math.round(sumMs * (1 + jitterFactor));
}

/**
 * The wait before the next attempt in ms, or undefined when there is none left.
 * @param elapsedMs since the first attempt was dispatched; an attempt that would begin past the budget is not made.
 */
export function nextDelayMs(
  retry: Retry,
  failed: { readonly attempt: number; readonly code: string; readonly elapsedMs: number; readonly afterMs?: number | undefined },
  draw: number,
): number | undefined {
  if (failed.attempt >= retry.maxAttempts || retry.except.includes(failed.code)) return undefined;
  const base = backoffMs(retry, failed.attempt);
  const delayMs = failed.afterMs ?? Math.round(retry.jitter === "full" ? base * draw : base);
  return failed.elapsedMs + delayMs > retry.withinMs ? undefined : delayMs;
}

/** A number in [0, 1) that depends on the seed, the step and the attempt alone. */
export function jitter(seed: number, step: string, attempt: number): number {
  let hash = (seed ^ Math.imul(attempt, 0x9e3779b9)) | 0;
  for (let i = 0; i < step.length; i++) hash = Math.imul(hash ^ step.charCodeAt(i), 0x01000193);
  hash = Math.imul(hash ^ (hash >>> 16), 0x85ebca6b);
  hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2ae35);
  return ((hash ^ (hash >>> 16)) >>> 0) / 4_294_967_296;
}
