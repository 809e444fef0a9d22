import { expect, test } from "vitest";
import { digest } from "./digest.ts";

test("equal text, equal digest; short; a change anywhere changes it", () => {
  expect(digest("abc")).toBe(digest("abc"));
  const texts = ["", "a", "b", "ab", "ba", "a ", " a", "{}", "[]", '{"a":1}', '{"a":2}', "x".repeat(10_000), `${"x".repeat(9_999)}y`];
  expect(new Set(texts.map(digest)).size).toBe(texts.length);
  for (const text of texts) expect(digest(text)).toMatch(/^[0-9a-z]{1,11}$/);
});
test("does not collide over many neighbours", () => {
  expect(new Set(Array.from({ length: 20_000 }, (_, i) => digest(`{"n":${i}}`))).size).toBe(20_000);
});
