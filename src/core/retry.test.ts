import { describe, expect, test } from "vitest";
import { backoffMs, jitter, nextDelayMs, once, retryOf, undoing, usual, worstCaseRetryMs } from "./retry.ts";

const plain = retryOf({ jitter: "none" });
const failed = (attempt: number, more: { code?: string; elapsedMs?: number; afterMs?: number } = {}) => ({
  attempt,
  code: "X",
  elapsedMs: 0,
  ...more,
});

describe("the wait", () => {
  test("grows as the policy says, up to its cap", () => {
    const waits = (backoff: "fixed" | "linear" | "exponential") =>
      [1, 2, 3, 4, 9].map((attempt) => backoffMs(retryOf({ backoff, delay: "2s", maxDelay: "10s" }), attempt) / 1000);
    expect(waits("fixed")).toEqual([2, 2, 2, 2, 2]);
    expect(waits("linear")).toEqual([2, 4, 6, 8, 10]);
    expect(waits("exponential")).toEqual([2, 4, 8, 10, 10]);
  });
  test("stays finite after any number of attempts", () => {
    expect(backoffMs(undoing, 5_000)).toBe(60_000);
  });
  test("is drawn between nothing and the whole with full jitter", () => {
    const retry = retryOf({ backoff: "fixed", delay: "10s" });
    expect([0, 0.5, 0.999].map((draw) => nextDelayMs(retry, failed(1), draw))).toEqual([0, 5_000, 9_990]);
  });
});

describe("none", () => {
  test("after the last attempt, for an excepted code, past the budget", () => {
    expect(nextDelayMs(plain, failed(3), 0)).toBeUndefined();
    expect(nextDelayMs(once, failed(1), 0)).toBeUndefined();
    expect(nextDelayMs(retryOf({ except: ["X"] }), failed(1), 0)).toBeUndefined();
    const budget = retryOf({ jitter: "none", within: "5s" });
    expect(nextDelayMs(budget, failed(1, { elapsedMs: 4_000 }), 0)).toBe(1_000);
    expect(nextDelayMs(budget, failed(1, { elapsedMs: 4_001 }), 0)).toBeUndefined();
    expect(nextDelayMs(budget, failed(1, { afterMs: 6_000 }), 0)).toBeUndefined();
  });
  test("never for an undo", () => {
    expect(nextDelayMs(undoing, failed(1_000_000, { elapsedMs: 1e12 }), 0.5)).toBe(30_000);
  });
});

test("the defaults: three attempts, from a second, doubled, up to a minute", () => {
  expect(usual).toMatchObject({ maxAttempts: 3, backoff: "exponential", delayMs: 1_000, maxDelayMs: 60_000, factor: 2, jitter: "full" });
});

test("jitter depends on seed, step and attempt alone, and spreads", () => {
  expect(jitter(1, "a", 1)).toBe(jitter(1, "a", 1));
  const draws = Array.from({ length: 1_000 }, (_, i) => jitter(i, `step ${i % 7}`, (i % 5) + 1));
  expect(Math.min(...draws)).toBeGreaterThanOrEqual(0);
  expect(Math.max(...draws)).toBeLessThan(1);
  expect(new Set(draws).size).toBeGreaterThan(990);
  expect(draws.reduce((sum, draw) => sum + draw, 0) / draws.length).toBeCloseTo(0.5, 1);
});

test("the worst case is the sum of all waits, each under the cap, and what jitter may add", () => {
  expect(worstCaseRetryMs({ maxAttempts: 6, delay: "500ms", maxDelay: "5s" }, 0.15)).toBe(14_375);
  expect(worstCaseRetryMs({ maxAttempts: 4, delay: "2s" })).toBe(14_000);
  expect(worstCaseRetryMs({ maxAttempts: 4, delay: "2s", backoff: "linear" })).toBe(12_000);
  expect(worstCaseRetryMs({ maxAttempts: 4, delay: "2s", backoff: "fixed" })).toBe(6_000);
  expect(worstCaseRetryMs({ maxAttempts: 1 })).toBe(0);
});
