import { expect, test } from "vitest";
import { guarded, unguarded } from "./guard.ts";

const doors = () => [globalThis.Date, Math.random, crypto.randomUUID, globalThis.fetch, setTimeout, setInterval, setImmediate];
const refusal = expect.objectContaining({ code: "NONDETERMINISTIC" });

test("everything is as it was after an advance, also after one that throws", () => {
  const before = doors();
  expect(guarded(() => 5)).toBe(5);
  expect(doors()).toEqual(before);
  expect(() =>
    guarded(() => {
      throw new TypeError("thrown");
    }),
  ).toThrow("thrown");
  expect(doors()).toEqual(before);
  expect(typeof Date.now()).toBe("number");
});

test("inside, the doors are shut; nested too, until the outermost advance ends", () => {
  guarded(() => {
    guarded(() => {
      expect(() => Date.now()).toThrow(refusal);
    });
    expect(() => Math.random()).toThrow(refusal);
    expect(() => new Date()).toThrow(refusal);
  });
});

test("a Date of a known time is a Date", () => {
  guarded(() => {
    expect(new Date(0)).toBeInstanceOf(Date);
    expect(new Date(0).toISOString()).toBe("1970-01-01T00:00:00.000Z");
    expect(Date.UTC(1970, 0, 1)).toBe(0);
    class Day extends Date {}
    expect(new Day(0)).toBeInstanceOf(Day);
  });
});

test("unguarded lets everything through", () => {
  expect(typeof unguarded(() => Date.now())).toBe("number");
});
