import { expect, test } from "vitest";
import { asMaker, isPerformable, Latch, type Maker, Op } from "./operation.ts";

const make = () => new Op<number>({ kind: "value", of: "now" });
function maker(): Maker & { lostSoFar: number } {
  return {
    unbegun: 0,
    places: new Map(),
    lostSoFar: 0,
    lost(change) {
      this.lostSoFar += change;
    },
  };
}

test("yields itself once and gives what it is resumed with, as often as it is performed", () => {
  const op = make();
  for (const value of [1, 2]) {
    const iterator = op[Symbol.iterator]();
    const first = iterator.next();
    expect(first.done).toBe(false);
    expect(first.value).toBe(op);
    expect(iterator.next(value)).toEqual({ done: true, value });
  }
});

test("is counted with its maker until it is begun, and its place is kept", () => {
  const one = maker();
  const op = asMaker(one, make);
  expect(one.unbegun).toBe(1);
  expect(one.places?.get(op)).toContain("operation.test.ts");
  op.begin();
  op.begin();
  expect(one).toMatchObject({ unbegun: 0, lostSoFar: -1 });
  expect(one.places?.size).toBe(0);
});

test("made outside a run it is nobody's", () => {
  const one = maker();
  asMaker(one, () => {});
  make();
  expect(one.unbegun).toBe(0);
});

test("makers do not leak out of an advance that throws", () => {
  const one = maker();
  expect(() =>
    asMaker(one, () => {
      throw new Error("thrown");
    }),
  ).toThrow("thrown");
  make();
  expect(one.unbegun).toBe(0);
});

test("await rejects, and calling then throws", async () => {
  await expect(make() as unknown as Promise<unknown>).rejects.toMatchObject({ code: "OPERATION_AWAITED" });
  expect(() => (make().then as () => void)()).toThrow(expect.objectContaining({ code: "OPERATION_AWAITED" }));
});

test("an operation and a generator can be performed, nothing else can", () => {
  expect([make(), (function* () {})()].every(isPerformable)).toBe(true);
  expect([null, 1, {}, [], () => 1, Promise.resolve()].some(isPerformable)).toBe(false);
});

test("a latch lets everyone pass who waits, and everyone after", () => {
  const latch = new Latch();
  const passed: number[] = [];
  latch.waiting.push(
    () => passed.push(1),
    () => passed.push(2),
  );
  latch.release();
  expect(passed).toEqual([1, 2]);
  expect(latch).toMatchObject({ open: true, waiting: [] });
});
