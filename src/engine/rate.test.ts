import fc from "fast-check";
import { expect, test } from "vitest";
import { Rate } from "./rate.ts";

test("so many starts within the time that slides", () => {
  const rate = new Rate(2, 1_000);
  const start = (now: number) => {
    expect(rate.next(now)).toBe(0);
    rate.reserve();
    rate.start(now);
  };
  start(0);
  start(400);
  expect(rate.next(500)).toBe(1_000);
  expect(rate.next(999)).toBe(1_000);
  start(1_000);
  expect(rate.next(1_000)).toBe(1_400);
  expect(rate.unused(2_000)).toBe(true);
});

test("a reserved start keeps its room until it is made or given back, however long that takes", () => {
  const rate = new Rate(1, 1_000);
  rate.reserve();
  expect(rate.next(5_000)).toBe(Number.POSITIVE_INFINITY);
  expect(rate.unused(5_000)).toBe(false);
  rate.start(6_000);
  expect(rate.next(6_000)).toBe(7_000);
  rate.next(7_000);
  rate.reserve();
  rate.giveBack();
  expect(rate.next(7_000)).toBe(0);
});

test("no stretch of the time holds more starts than the limit, and none is held back for longer than that asks", () => {
  fc.assert(
    fc.property(
      fc.integer({ min: 1, max: 5 }),
      fc.array(fc.tuple(fc.integer({ min: 0, max: 40 }), fc.integer({ min: 0, max: 2 })), { maxLength: 200 }),
      (limit, moves) => {
        const per = 100;
        const rate = new Rate(limit, per);
        const starts: number[] = [];
        let now = 0;
        let reserved = 0;
        for (const [ms, move] of moves) {
          now += ms;
          const recent = starts.filter((at) => at + per > now).length;
          const next = rate.next(now);
          expect(next <= now).toBe(recent + reserved < limit);
          if (next > now && next !== Number.POSITIVE_INFINITY) expect(starts).toContain(next - per);
          if (move === 0 && next <= now) {
            rate.reserve();
            reserved++;
          } else if (move > 0 && reserved > 0) {
            reserved--;
            if (move === 1) {
              rate.start(now);
              starts.push(now);
            } else rate.giveBack();
          }
        }
        for (const at of starts) expect(starts.filter((one) => one >= at && one < at + per).length).toBeLessThanOrEqual(limit);
      },
    ),
  );
});
