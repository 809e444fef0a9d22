import fc from "fast-check";
import { expect, test } from "vitest";
import { Heap } from "./heap.ts";

test("what is put in comes out in order, whatever comes in between", () => {
  fc.assert(
    fc.property(fc.array(fc.option(fc.integer({ min: 0, max: 50 }))), (moves) => {
      const heap = new Heap<number>((a, b) => a < b);
      const model: number[] = [];
      for (const move of moves) {
        if (move === null) {
          expect(heap.pop()).toBe(model.shift());
        } else {
          heap.push(move);
          model.push(move);
          model.sort((a, b) => a - b);
        }
        expect(heap.first).toBe(model[0]);
      }
    }),
  );
});

test("it can be emptied", () => {
  const heap = new Heap<number>((a, b) => a < b);
  heap.push(1);
  heap.clear();
  expect(heap.pop()).toBeUndefined();
});

test("what is thrown out does not come out, and the rest stays in order", () => {
  fc.assert(
    fc.property(fc.array(fc.integer({ min: 0, max: 50 })), (items) => {
      const heap = new Heap<number>((a, b) => a < b);
      for (const item of items) heap.push(item);
      heap.keep((item) => item % 3 !== 0);
      const left = items.filter((item) => item % 3 !== 0).sort((a, b) => a - b);
      expect(heap.size).toBe(left.length);
      expect(left.map(() => heap.pop())).toEqual(left);
    }),
  );
});
