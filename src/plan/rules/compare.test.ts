import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { Expression } from "../expression.ts";
import { nowhere } from "../finding.ts";
import { contraryOf, excludes, implies, type Part, partsOf } from "./compare.ts";

const read = (text: string) => new Expression(text, () => nowhere);
function part(text: string): Part {
  const [first] = partsOf(read(text).ast);
  if (!first) throw new Error(text);
  return first;
}
function holds(text: string, x: unknown): boolean {
  return read(text).evaluate(new Map([["x", x as never]])) === true;
}

describe("what one condition says of another", () => {
  test.each([
    ["x.a > 30", "x.a > 10"],
    ["x.a > 10", "x.a >= 10"],
    ["10 < x.a", "x.a > 10"],
    ["x.a == 5", "x.a < 6"],
    ["x.a == 'b'", "x.a != 'c'"],
    ["x.a > 3", "x.a != 3"],
    ["x.a >= -2", "x.a >= -3"],
    ["x.a", "x.a == true"],
    ["!x.a", "x.a == false"],
    ["size(x.list)>1", "size( x.list ) > 1"],
    ["size(x.list) > 10", "size(x.list) > 1"],
    ["x['a'] == 1", "x.a < 2"],
  ])("%s implies %s", (a, b) => {
    expect(implies(part(a), part(b))).toBe(true);
  });

  test.each([
    ["x.a > 10", "x.a > 30"],
    ["x.a >= 10", "x.a > 10"],
    ["x.a > 10", "x.b > 10"],
    ["x.a < 10", "x.a > 5"],
    ["x.a != 3", "x.a > 3"],
    ["x.a > '3'", "x.a > 2"],
    ["x.a || x.b", "x.a"],
  ])("%s does not imply %s", (a, b) => {
    expect(implies(part(a), part(b))).toBe(false);
  });

  const comparison = fc
    .tuple(fc.constantFrom("<", "<=", ">", ">=", "==", "!="), fc.integer({ min: -3, max: 3 }), fc.boolean(), fc.boolean())
    .map(([op, value, turned, not]) => {
      const text = turned ? `${value} ${op} x` : `x ${op} ${value}`;
      return not ? `!(${text})` : text;
    });

  test("holds for every value", () => {
    fc.assert(
      fc.property(comparison, comparison, (a, b) => {
        const values = Array.from({ length: 17 }, (_, i) => i / 2 - 4);
        if (implies(part(a), part(b))) for (const x of values) if (holds(a, x)) expect(holds(b, x), `${a} → ${b} at ${x}`).toBe(true);
        if (excludes(part(a), part(b))) for (const x of values) expect(holds(a, x) && holds(b, x), `${a} and ${b} at ${x}`).toBe(false);
        const contrary = contraryOf(read(a).ast);
        if (contrary && implies(contrary, part(b)))
          for (const x of values) expect(holds(a, x) || holds(b, x), `${a} or ${b} at ${x}`).toBe(true);
      }),
      { numRuns: 500 },
    );
  });

  test("finds every implication between two bounds of one side", () => {
    for (const [low, high] of [
      [1, 2],
      [2, 2],
    ] as const)
      for (const a of [">", ">="])
        for (const b of [">", ">="]) {
          const expected = low < high || a === ">" || b === ">=";
          expect(implies(part(`x ${a} ${high}`), part(`x ${b} ${low}`)), `x ${a} ${high} → x ${b} ${low}`).toBe(expected);
        }
  });
});
