import { expect, test } from "vitest";
import { didYouMean, nearest, oneOf } from "./suggest.ts";

const known = ["charge-card", "refund-card", "price", "retry", "with", "onError"];

test.each([
  ["pirce", "price"],
  ["chargeCard", "charge-card"],
  ["charge_cart", "charge-card"],
  ["onerror", "onError"],
  ["whit", "with"],
])("%s is near %s", (word, near) => {
  expect(nearest(word, known)).toBe(near);
});

test.each(["x", "quantity", "zz", "a".repeat(1000)])("%s is near to nothing", (word) => {
  expect(didYouMean(word, known)).toBe("");
});

test("words in a sentence", () => {
  expect(oneOf(["a", "b", "c"])).toBe("a, b or c");
  expect(oneOf(["a"])).toBe("a");
});
