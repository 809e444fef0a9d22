import { describe, expect, test } from "vitest";
import type { Json } from "../../core/json.ts";
import { operatorNames, readGuard } from "./guard.ts";

function holds(text: string, data: { readonly [key: string]: Json }): boolean {
  const guard = readGuard(text);
  if (typeof guard === "string") throw new Error(guard);
  return guard.holds(data);
}

/** Data that meets the condition, and data that does not. */
const cases: readonly (readonly [string, Json, Json])[] = [
  ["x == 3", 3, 4],
  ["x equals ready", "ready", "steady"],
  ["x != 3", 4, 3],
  ["x not_equals ready", "steady", "ready"],
  ["x < 3", 2, 3],
  ["x less_than 3", 2, 3],
  ["x > 3", 4, 3],
  ["x greater_than 3", 4, 3],
  ["x <= 3", 3, 4],
  ["x less_than_or_equal 3", 3, 4],
  ["x >= 3", 3, 2],
  ["x greater_than_or_equal 3", 3, 2],
  ["x in [a, b]", "a", "c"],
  ["x not_in [a, b]", "c", "a"],
  ["x contains b", ["a", "b"], ["a"]],
  ["x matches v[0-9]+", "v12 and more", "not v12"],
  ["x min_length 2", ["a", "b"], ["a"]],
  ["x max_length 2", "ab", "abc"],
  ["x exists", "here", null],
  ["x not_exists", null, "here"],
];

test("the cases cover all twenty operators", () => {
  expect(new Set(cases.map(([text]) => text.split(" ")[1]))).toEqual(new Set(operatorNames));
  expect(operatorNames.length).toBe(20);
});

test.each(cases)("%s", (text, good, bad) => {
  expect([holds(text, { x: good }), holds(text, { x: bad })]).toEqual([true, false]);
});

describe("values", () => {
  test("a field that is not there meets nothing but not_exists", () => {
    for (const [text] of cases) expect(holds(text, { y: 1 }), text).toBe(text === "x not_exists");
  });
  test("numbers compare by value, all else by its text", () => {
    expect(holds("x == 3", { x: "3.0" })).toBe(true);
    expect(holds("x == true", { x: true })).toBe(true);
    expect(holds("x == True", { x: "true" })).toBe(true);
    expect(holds("x == 10", { x: "9" })).toBe(false);
    expect(holds("x > 9", { x: "10" })).toBe(true);
    expect(holds("x > 9", { x: "many" })).toBe(false);
  });
  test("a value may hold spaces, quotes and dots", () => {
    expect(holds("x == two words", { x: "two words" })).toBe(true);
    expect(holds('x == "two words"', { x: "two words" })).toBe(true);
    expect(holds("a.b.c >= 1", { a: { b: { c: 1 } } })).toBe(true);
    expect(holds("x in 1, 2", { x: 2 })).toBe(true);
    expect(holds("x exists false", {})).toBe(true);
    expect(holds("x min_length 1", { x: { k: 1 } })).toBe(true);
  });
  test("names of an object's own kind are no data", () => {
    expect(holds("constructor exists", {})).toBe(false);
  });
});

test.each([
  ["x", /a condition is three words/],
  ["x like 3", /there is no operator "like"/],
  ["x constructor 3", /there is no operator "constructor"/],
  ["_x == 3", /"_x" is no field/],
  ["x.__proto__ == 3", /is no field/],
  ["x <", /< needs a value/],
  ["x min_length many", /min_length takes a number/],
  ["x matches (?=a)", /linear time/],
])("%s is refused", (text, problem) => {
  expect(readGuard(text)).toMatch(problem);
});
