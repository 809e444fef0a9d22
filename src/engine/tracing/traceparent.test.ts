import fc from "fast-check";
import { expect, test } from "vitest";
import { readTraceparent, writeTraceparent } from "./traceparent.ts";

const traceId = "4bf92f3577b34da6a3ce929d0e0e4736";
const spanId = "00f067aa0ba902b7";

test("what is written is read", () => {
  expect(writeTraceparent({ traceId, spanId, traceFlags: 1 })).toBe(`00-${traceId}-${spanId}-01`);
  expect(readTraceparent(`00-${traceId}-${spanId}-01`)).toEqual({ traceId, spanId, traceFlags: 1 });
  const digits = (count: number) => fc.bigInt({ min: 1n, max: 16n ** BigInt(count) - 1n }).map((n) => n.toString(16).padStart(count, "0"));
  const parents = fc.record({ traceId: digits(32), spanId: digits(16), traceFlags: fc.nat(255) });
  fc.assert(fc.property(parents, (parent) => void expect(readTraceparent(writeTraceparent(parent))).toEqual(parent)));
});

test("a later version may say more, and says the same so far", () => {
  expect(readTraceparent(`cc-${traceId}-${spanId}-01-what-the-future-brings`)).toEqual({ traceId, spanId, traceFlags: 1 });
  expect(readTraceparent(`cc-${traceId}-${spanId}-01.what`)).toBeUndefined();
});

test.each([
  ["nothing", ""],
  ["version 00 with more", `00-${traceId}-${spanId}-01-x`],
  ["version ff", `ff-${traceId}-${spanId}-01`],
  ["capitals", `00-${traceId.toUpperCase()}-${spanId}-01`],
  ["a trace of zeros", `00-${"0".repeat(32)}-${spanId}-01`],
  ["a span of zeros", `00-${traceId}-${"0".repeat(16)}-01`],
  ["a digit too few", `00-${traceId.slice(1)}-${spanId}-01`],
  ["a list", `00-${traceId}-${spanId}-01, 00-${traceId}-${spanId}-01`],
  ["a line break", `00-${traceId}-${spanId}-01\n`],
])("%s is none", (_what, text) => {
  expect(readTraceparent(text)).toBeUndefined();
});
