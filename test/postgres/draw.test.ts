import { expect, test } from "vitest";
import { Draw } from "./draw.ts";

test("a seed tells the same schedule again, and another one another", () => {
  const told = (seed: number) => {
    const draw = new Draw(seed);
    return Array.from({ length: 20 }, () => [draw.next(), draw.between(3, 9), draw.pick(["a", "b", "c"])]);
  };
  expect(told(7)).toEqual(told(7));
  expect(told(7)).not.toEqual(told(8));
});

test("what is drawn lies within its bounds, and meets all of them", () => {
  const draw = new Draw(1);
  const drawn = new Set(Array.from({ length: 500 }, () => draw.between(3, 5)));
  expect([...drawn].sort()).toEqual([3, 4, 5]);
  expect(new Set(Array.from({ length: 500 }, () => draw.pick(["a", "b"])))).toEqual(new Set(["a", "b"]));
  expect(() => draw.pick([])).toThrow("nothing to draw from");
  expect(() => new Draw(Number.NaN)).toThrow("ONEX_FAULTS_SEED");
});
