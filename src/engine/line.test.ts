import fc from "fast-check";
import { expect, test } from "vitest";
import { Line } from "./line.ts";

interface One {
  readonly priority: number;
  readonly order: number;
  gone: boolean;
}

test("the lowest number first, equal ones as they came, and nobody who left", () => {
  fc.assert(
    fc.property(fc.array(fc.tuple(fc.integer({ min: 1, max: 5 }), fc.integer({ min: 0, max: 3 })), { maxLength: 300 }), (moves) => {
      const line = new Line<One>((one) => !one.gone);
      let model: One[] = [];
      for (const [order, [priority, move]] of moves.entries()) {
        if (move === 0) expect(line.shift()).toBe(model.shift());
        else if (move === 1 && model.length > 0) {
          const [left] = model.splice(order % model.length, 1);
          if (left) left.gone = true;
        } else {
          const one = { priority, order, gone: false };
          line.push(one);
          model = [...model, one].sort((a, b) => a.priority - b.priority || a.order - b.order);
        }
        expect(line.first).toBe(model[0]);
      }
    }),
  );
});

test("those who left do not pile up", () => {
  const line = new Line<One>((one) => !one.gone);
  const first = { priority: 1, order: 0, gone: false };
  line.push(first);
  for (let order = 1; order < 100_000; order++) {
    const one = { priority: 2, order, gone: false };
    line.push(one);
    one.gone = true;
  }
  expect(line.size).toBeLessThan(200);
  expect(line.shift()).toBe(first);
  expect(line.shift()).toBeUndefined();
});
