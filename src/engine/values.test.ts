import fc from "fast-check";
import { expect, test } from "vitest";
import { copyJson, type Json, sameJson, toJson } from "../core/json.ts";
import { canonical, checkSize, isSmall } from "./values.ts";

test("the limit is on the bytes of the JSON text, exactly", () => {
  fc.assert(
    fc.property(fc.jsonValue(), (given) => {
      const value = toJson(given, "x");
      const bytes = Buffer.byteLength(JSON.stringify(value));
      checkSize(value, bytes, "x");
      if (bytes > 1)
        expect(() => checkSize(value, bytes - 1, "step x")).toThrow(
          expect.objectContaining({ code: "VALUE_TOO_LARGE", message: expect.stringContaining(`step x has ${bytes} bytes`) }),
        );
    }),
  );
});

test("characters that take more bytes than they look", () => {
  for (const [text, bytes] of [
    ["\u0001".repeat(100), 602],
    ["€".repeat(100), 302],
    ['"'.repeat(100), 202],
  ] as const) {
    checkSize(text, bytes, "x");
    expect(() => checkSize(text, bytes - 1, "x")).toThrow();
  }
});

test("canonical text is equal for equal values and differs for others", () => {
  fc.assert(
    fc.property(fc.jsonValue(), fc.jsonValue(), (left, right) => {
      const [a, b] = [toJson(left, ""), toJson(right, "")];
      expect(canonical(copyJson(a))).toBe(canonical(a));
      expect(canonical(a) === canonical(b)).toBe(sameJson(a, b));
      expect(sameJson(JSON.parse(canonical(a)) as Json, a)).toBe(true);
    }),
  );
  expect(canonical({ b: [{ d: 1, c: 2 }], a: null })).toBe('{"a":null,"b":[{"c":2,"d":1}]}');
});

test("small is what fits beside a record", () => {
  expect(isSmall({ a: [1, 2, "x"] })).toBe(true);
  expect(isSmall("x".repeat(5_000))).toBe(false);
  expect(isSmall(Array(500).fill(1))).toBe(false);
});
