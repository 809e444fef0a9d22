import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { Sorted } from "./sorted.ts";

describe("Sorted", () => {
  test("agrees with a plain sorted list, whatever is added and removed", () => {
    const step = fc.record({ add: fc.boolean(), n: fc.integer({ min: 0, max: 3000 }) });
    fc.assert(
      fc.property(fc.array(step, { maxLength: 200 }), fc.integer({ min: -1, max: 3001 }), (steps, from) => {
        const sorted = new Sorted<number>((a, b) => a - b);
        const model = new Set<number>();
        for (let n = 0; n < 3000; n += 3) {
          sorted.add(n);
          model.add(n);
        }
        for (const { add, n } of steps) {
          if (!add) {
            sorted.delete(n);
            model.delete(n);
          } else if (!model.has(n)) {
            sorted.add(n);
            model.add(n);
          }
        }
        const want = [...model].filter((n) => n >= from).sort((a, b) => a - b);
        expect([...sorted.from((n) => n >= from)]).toEqual(want);
      }),
      { numRuns: 50 },
    );
  });

  test("is empty again when everything was removed", () => {
    const sorted = new Sorted<number>((a, b) => a - b);
    for (let n = 0; n < 2000; n++) sorted.add(n);
    for (let n = 1999; n >= 0; n--) sorted.delete(n);
    expect([...sorted.from(() => true)]).toEqual([]);
  });
});
