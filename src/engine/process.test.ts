import { expect, test } from "vitest";
import { Durations, performanceTier, startOptions } from "./process.ts";

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

test("the tier is that of the last ten", () => {
  const durations = new Durations(1_000);
  expect(durations.add(4_000)).toBe("poor");
  expect(durations.add(0)).toBe("degraded");
  for (let i = 0; i < 9; i++) durations.add(0);
  expect(durations.add(100)).toBe("optimal");
});

test("what is asked of a process becomes what is asked of a start", () => {
  expect(startOptions({ workflowType: "w" }, 0)).toEqual({});
  expect(
    startOptions({ workflowType: "w", idempotencyKey: "k", correlationId: "c", priority: 3, stepInputs: { a: { b: 1 } }, deadline: 5 }, 4),
  ).toEqual({
    runId: "k",
    correlationId: "c",
    priority: 3,
    stepInputs: { a: { b: 1 } },
  });
  for (const deadline of [4, new Date(3), new Date("soon")])
    expect(() => startOptions({ workflowType: "w", deadline }, 4)).toThrow(expect.objectContaining({ code: "DEADLINE_PASSED" }));
});
