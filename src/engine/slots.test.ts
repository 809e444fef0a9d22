import { expect, test } from "vitest";
import { Slots } from "./slots.ts";

test("so many slots and no more; one that comes back can be taken again", () => {
  const slots = new Slots(2);
  expect(slots.unused).toBe(true);
  slots.take();
  expect(slots.next()).toBe(0);
  slots.take();
  expect(slots.next()).toBe(Number.POSITIVE_INFINITY);
  slots.giveBack();
  expect(slots.next()).toBe(0);
  slots.giveBack();
  expect(slots.unused).toBe(true);
});
