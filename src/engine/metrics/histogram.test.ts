import fc from "fast-check";
import { expect, test } from "vitest";
import { Histogram } from "./histogram.ts";

const of = (values: readonly number[]): Histogram => {
  const histogram = new Histogram();
  for (const value of values) histogram.add(value);
  return histogram;
};

test("D8: nothing recorded is all zeros, with the same keys", () => {
  expect(new Histogram().stats()).toEqual({ count: 0, averageMs: 0, minMs: 0, maxMs: 0, p50Ms: 0, p95Ms: 0, p99Ms: 0 });
  expect(Object.keys(of([1]).stats())).toEqual(Object.keys(new Histogram().stats()));
});

test("one record is every quantile", () => {
  expect(of([123.456]).stats()).toEqual({
    count: 1,
    averageMs: 123.46,
    minMs: 123.46,
    maxMs: 123.46,
    p50Ms: 123.46,
    p95Ms: 123.46,
    p99Ms: 123.46,
  });
});

test("quantiles are within a fifth above the true ones, and never outside of what was seen", () => {
  const durations = fc.array(fc.double({ min: 0.01, max: 1e9, noNaN: true }), { minLength: 1, maxLength: 200 });
  fc.assert(
    fc.property(durations, fc.constantFrom(0.01, 0.5, 0.95, 0.99, 1), (values, q) => {
      const sorted = [...values].sort((a, b) => a - b);
      const exact = sorted[Math.max(1, Math.ceil(q * sorted.length)) - 1] as number;
      const found = of(values).quantile(q);
      expect(found).toBeGreaterThanOrEqual(exact * 0.999_999);
      expect(found).toBeLessThanOrEqual(exact * 1.2);
      expect(found).toBeLessThanOrEqual(sorted.at(-1) as number);
    }),
  );
});

test("what is shorter or longer than its buckets is kept in the first and the last", () => {
  const histogram = of([0, 0.001, 1e12]);
  expect(histogram.stats()).toMatchObject({ count: 3, minMs: 0, maxMs: 1e12 });
  expect(histogram.quantile(0.5)).toBeLessThanOrEqual(0.01);
  expect(histogram.quantile(1)).toBeGreaterThan(6e10);
});

test("merging two is recording both", () => {
  fc.assert(
    fc.property(fc.array(fc.nat(10_000)), fc.array(fc.nat(10_000)), (left, right) => {
      const merged = of(left);
      merged.merge(of(right));
      expect(merged.stats()).toEqual(of([...left, ...right]).stats());
    }),
  );
});

test("cleared, it is as new", () => {
  const histogram = of([1, 2, 3]);
  histogram.clear();
  expect(histogram.stats()).toEqual(new Histogram().stats());
});
