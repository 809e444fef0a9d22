import fc from "fast-check";
import { describe, expect, test } from "vitest";
import type { Fact } from "../core/fact.ts";
import type { Json } from "../core/json.ts";
import { blobMin, decodeFacts, type Encoded, encodeFacts } from "./codec.ts";

function decode(encoded: Encoded): Fact[] {
  return decodeFacts(encoded.text, (hash) => encoded.blobs?.find((blob) => blob.hash === hash)?.text);
}

const long = "x".repeat(blobMin);

/** Values with all that has ever been lost on the way: NUL, lone surrogates, odd keys, sizes on both sides of the limit. */
const text = fc.oneof(
  fc.string({ unit: "binary" }),
  fc.constantFrom("\0", "a\0b", "\ud800", "\udfff x", long, long.slice(2), long.slice(3)),
);
const key = fc.oneof(fc.string(), fc.constantFrom("__proto__", "constructor", "blobs", "error", "toJSON", "\0"));
const { value } = fc.letrec<{ value: Json }>((tie) => ({
  value: fc.oneof(
    { maxDepth: 4 },
    fc.constant(null),
    fc.boolean(),
    fc.double({ noNaN: true, noDefaultInfinity: true }).map((n) => (n === 0 ? 0 : n)),
    text,
    fc.array(tie("value"), { maxLength: 4 }),
    fc.array(fc.tuple(key, tie("value")), { maxLength: 4 }).map((entries) => objectOf(entries)),
  ),
}));

/** With `__proto__` as a plain key, as JSON has it. */
function objectOf(entries: readonly (readonly [string, Json])[]): Json {
  const object = {};
  for (const [name, item] of entries)
    Object.defineProperty(object, name, { value: item, enumerable: true, writable: true, configurable: true });
  return object as Json;
}

const fact: fc.Arbitrary<Fact> = fc.oneof(
  fc.record({ type: fc.constant("action.completed" as const), step: fc.string(), attempt: fc.nat(), output: value, at: fc.nat() }),
  fc.record({
    type: fc.constant("action.dispatched" as const),
    step: fc.string(),
    attempt: fc.nat(),
    node: fc.string(),
    input: value,
    notAfter: fc.nat(),
    at: fc.nat(),
  }),
  fc.record({
    type: fc.constant("reducer.applied" as const),
    step: fc.string(),
    node: fc.string(),
    key: fc.string(),
    input: value,
    state: value,
    at: fc.nat(),
  }),
  fc.record({ type: fc.constant("signal.received" as const), seq: fc.nat(), name: fc.string(), payload: value, at: fc.nat() }),
  fc.record({ type: fc.constant("action.progressed" as const), step: fc.string(), attempt: fc.nat(), note: value, at: fc.nat() }),
  fc.record({ type: fc.constant("value.recorded" as const), step: fc.string(), value, at: fc.nat() }),
  fc.record({
    type: fc.constant("run.failed" as const),
    error: fc.record({ code: fc.string(), message: fc.string(), details: value }),
    notUndone: fc.array(fc.string(), { maxLength: 2 }),
    at: fc.nat(),
  }),
);

describe("facts as text", () => {
  test("what is encoded comes back the same", () => {
    fc.assert(
      fc.property(fc.array(fact, { maxLength: 5 }), (facts) => {
        expect(decode(encodeFacts(facts))).toEqual(facts);
      }),
      { numRuns: 150 },
    );
  });

  test("keeps __proto__ a plain key", () => {
    const value = JSON.parse(`{"__proto__":{"evil":"${long}"}}`) as Json;
    const [back] = decode(encodeFacts([{ type: "value.recorded", step: "s", value, at: 1 }]));
    expect(back?.type === "value.recorded" && JSON.stringify(back.value) === JSON.stringify(value)).toBe(true);
    expect(({} as { evil?: string }).evil).toBeUndefined();
  });

  test("short facts are one piece of text", () => {
    const facts: Fact[] = [{ type: "value.recorded", step: "s", value: { blobs: { value: "mine" } }, at: 1 }];
    const encoded = encodeFacts(facts);
    expect(encoded).toEqual({ text: JSON.stringify(facts) });
    expect(decode(encoded)).toEqual(facts);
  });

  test("a long value stands apart once, however often it appears", () => {
    const encoded = encodeFacts([
      { type: "value.recorded", step: "a", value: long, at: 1 },
      { type: "run.completed", output: long, at: 2 },
    ]);
    expect(encoded.blobs).toHaveLength(1);
    expect(encoded.text.length).toBeLessThan(500);
  });

  test("many short values stay where they are, however long together", () => {
    const facts: Fact[] = Array.from({ length: 100 }, (_, at) => ({ type: "value.recorded", step: "s", value: "y".repeat(1000), at }));
    expect(encodeFacts(facts).blobs).toBeUndefined();
  });

  test("a value that is gone is named", () => {
    const { text } = encodeFacts([{ type: "value.recorded", step: "a", value: long, at: 1 }]);
    expect(() => decodeFacts(text, () => undefined)).toThrow(/lost the value [0-9a-f]{64} \(value of value.recorded\)/);
  });
});
