import { expect, test } from "vitest";
import { Window, windowMs } from "./window.ts";

test("what ended within five minutes counts, and what is older does not", () => {
  const window = new Window();
  window.add(0, "completed", 10);
  window.add(windowMs - 1, "failed", 30);
  expect(window.sum(windowMs - 1).totals()).toMatchObject({ totalWorkflows: 2, successRate: 50, averageDurationMs: 20 });
  expect(window.sum(windowMs).totals()).toMatchObject({ totalWorkflows: 1, successRate: 0 });
  expect(window.sum(windowMs * 2).totals()).toMatchObject({ totalWorkflows: 0, successRate: 0, averageDurationMs: 0 });
});

test("a slot is cleared when its time comes again", () => {
  const window = new Window();
  for (let round = 0; round < 3; round++) window.add(round * windowMs + 5, "completed", round);
  expect(window.sum(2 * windowMs + 5).totals()).toMatchObject({ totalWorkflows: 1, maxDurationMs: 2 });
});

test("a clock that begins below zero is no trouble", () => {
  const window = new Window();
  window.add(-25_000, "completed", 1);
  expect(window.sum(-20_000).totals()).toMatchObject({ totalWorkflows: 1 });
});
