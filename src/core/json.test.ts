import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { copyJson, type Json, sameJson, toJson } from "./json.ts";

describe("toJson", () => {
  test("gives what a trip through JSON text gives, whatever JSON it is", () => {
    fc.assert(
      fc.property(fc.jsonValue(), (value) => {
        expect(toJson(value, "x")).toEqual(JSON.parse(JSON.stringify(value)));
      }),
    );
  });
  test("drops undefined in objects; undefined alone is null; -0 is 0", () => {
    expect(Object.keys(toJson({ a: undefined, b: 1 }, "x") as object)).toEqual(["b"]);
    expect(toJson(undefined, "x")).toBeNull();
    expect(Object.is(toJson(-0, "x"), 0)).toBe(true);
  });
  test.each<[string, unknown, string]>([
    ["a Date", { at: [new Date(0)] }, "at[0]"],
    ["a bigint", { n: 1n }, "n"],
    ["a symbol", { s: Symbol("s") }, "s"],
    ["a function", [() => 1], "[0]"],
    ["a Map", { m: new Map() }, "m"],
    ["a promise", { p: Promise.resolve() }, "p"],
    ["a class", { c: new (class Order {})() }, "c"],
    ["Infinity", [Number.POSITIVE_INFINITY], "[0]"],
    ["undefined in a list", { list: [undefined] }, "list[0]"],
  ])("refuses %s and says where", (_what, value, where) => {
    expect(() => toJson(value, "step x")).toThrow(
      expect.objectContaining({ code: "OUTPUT_NOT_JSON", message: expect.stringContaining(`step x (at ${where})`) }),
    );
  });
  test("refuses what contains itself, and what is too deep", () => {
    const loop: Record<string, unknown> = {};
    loop.self = loop;
    expect(() => toJson(loop, "x")).toThrow(expect.objectContaining({ code: "OUTPUT_NOT_JSON" }));
  });
  test("keeps a key named __proto__ as a key", () => {
    const value = JSON.parse('{"__proto__":{"admin":true}}') as Json;
    for (const copy of [toJson(value, "x"), copyJson(value)]) {
      expect(JSON.stringify(copy)).toBe('{"__proto__":{"admin":true}}');
      expect((copy as { admin?: boolean }).admin).toBeUndefined();
    }
  });
});

describe("copyJson", () => {
  test("is equal and shares nothing", () => {
    const value = { a: [{ b: 1 }] };
    const copy = copyJson(value) as typeof value;
    expect(copy).toEqual(value);
    (copy.a[0] as { b: number }).b = 2;
    expect(value).toEqual({ a: [{ b: 1 }] });
  });
});

describe("sameJson", () => {
  test("is equality, the order of keys apart", () => {
    expect(sameJson({ a: 1, b: [1, { c: null }] }, { b: [1, { c: null }], a: 1 })).toBe(true);
    expect(sameJson([1, 2], [2, 1])).toBe(false);
    expect(sameJson({ a: 1 }, { a: 1, b: 1 })).toBe(false);
    expect(sameJson([], {})).toBe(false);
    expect(sameJson({ toString: 1 }, { valueOf: 1 })).toBe(false);
  });
  test("agrees with a comparison of sorted text", () => {
    fc.assert(
      fc.property(fc.jsonValue({ maxDepth: 2 }), fc.jsonValue({ maxDepth: 2 }), (a, b) => {
        const left = toJson(a, "");
        expect(sameJson(left, copyJson(left))).toBe(true);
        const right = toJson(b, "");
        expect(sameJson(left, right)).toBe(sameJson(right, left));
      }),
    );
  });
});
