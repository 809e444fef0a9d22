import { expect, test } from "vitest";
import type { Folded } from "./begin.ts";
import { ParkedFolds } from "./parked.ts";

function folded(length: number, paused = false): Folded {
  return { replay: { length, paused }, log: {} } as unknown as Folded;
}

test("a fold is given back once, and only for the log it knows", () => {
  const kept = new ParkedFolds();
  const one = folded(100);
  kept.keep(1, 7, one);
  expect(kept.take(1, 8)).toBeUndefined();
  expect(kept.take(1, 7)).toBeUndefined();
  kept.keep(1, 7, one);
  expect(kept.take(1, 7)).toBe(one);
  expect(kept.take(1, 7)).toBeUndefined();
});

test("short logs and paused runs are folded anew", () => {
  const kept = new ParkedFolds();
  kept.keep(1, 7, folded(63));
  kept.keep(2, 7, folded(100, true));
  expect([kept.take(1, 7), kept.take(2, 7)]).toEqual([undefined, undefined]);
});

test("of many, the latest hundred are kept", () => {
  const kept = new ParkedFolds();
  for (let runNo = 0; runNo < 150; runNo++) kept.keep(runNo, 1, folded(100));
  expect(kept.take(49, 1)).toBeUndefined();
  expect(kept.take(50, 1)).toBeDefined();
});
