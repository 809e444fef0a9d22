import { expect, test } from "vitest";
import { placeOf } from "./place.ts";

const here = import.meta.dirname.replace(/core$/, "");

test("the first line of a stack that is not onex's own", () => {
  const stack = [
    "Error",
    `    at new Op (${here}core/operation.ts:104:30)`,
    "    at order (/app/src/order.ts:7:12)",
    "    at Generator.next (<anonymous>)",
  ].join("\n");
  expect(placeOf(stack)).toBe("/app/src/order.ts:7:12");
});
test("without a name, as a URL, with a path of spaces", () => {
  expect(placeOf("Error\n    at file:///app/order.js:7:12")).toBe("/app/order.js:7:12");
  expect(
    placeOf(`Error\n    at Module.compute (file://${here}node/compute.ts:1:1)\n    at async file:///app/my%20shop/order.js:7:12`),
  ).toBe("/app/my%20shop/order.js:7:12");
});
test("a user's folders may be called as ours are", () => {
  expect(placeOf("Error\n    at order (/app/src/core/order.ts:7:12)")).toBe("/app/src/core/order.ts:7:12");
  expect(placeOf("Error\n    at order (/app/dist/node/order.js:7:12)")).toBe("/app/dist/node/order.js:7:12");
});
test("Node's own lines are passed over; nothing left is no place", () => {
  expect(placeOf("Error\n    at process.processTicks (node:internal/process/task_queues:95:5)\n    at Map.forEach (<anonymous>)")).toBe("");
  expect(placeOf("")).toBe("");
});
