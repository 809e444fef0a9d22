import { expect, test } from "vitest";
import { Capped } from "./capped.ts";

test("D5: beyond its size, all share one entry", () => {
  const capped = new Capped(() => ({ count: 0 }), 3);
  for (const name of ["c", "a", "b", "d", "e", "a"]) capped.of(name).count++;
  expect(capped.entries()).toEqual([
    ["a", { count: 2 }],
    ["b", { count: 1 }],
    ["c", { count: 1 }],
    ["other", { count: 2 }],
  ]);
  expect(capped.find("a")).toEqual({ count: 2 });
  expect(capped.find("zzz")).toEqual({ count: 2 });
});
test("a name that was never seen has none while there is room", () => {
  expect(new Capped(() => 0).find("a")).toBeUndefined();
});
