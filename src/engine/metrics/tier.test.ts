import { expect, test } from "vitest";
import { LastRuns, performanceTier, worst } from "./tier.ts";

test.each([
  [0, "optimal"],
  [500, "optimal"],
  [501, "good"],
  [1_000, "good"],
  [1_001, "degraded"],
  [2_000, "degraded"],
  [2_001, "poor"],
])("a mean of %d ms against a threshold of a second is %s", (mean, tier) => {
  expect(performanceTier(mean, 1_000)).toBe(tier);
});

test("the tier is that of the last ten, and optimal before the first", () => {
  const last = new LastRuns();
  const add = (ms: number) => {
    last.add(ms);
    return last.tier(1_000);
  };
  expect(last.tier(1_000)).toBe("optimal");
  expect(add(4_000)).toBe("poor");
  expect(add(0)).toBe("degraded");
  for (let i = 0; i < 9; i++) add(0);
  expect(add(100)).toBe("optimal");
});

test("the worst of several", () => {
  expect(worst([])).toBe("optimal");
  expect(worst(["good", "poor", "degraded"])).toBe("poor");
});
