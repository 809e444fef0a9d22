import { expect, test } from "vitest";
import { atMost } from "./session.ts";

test("what a database that is away never answers is not waited for", async () => {
  expect(await atMost(1, new Promise(() => {}))).toBeUndefined();
  expect(await atMost(60_000, Promise.resolve(7))).toBe(7);
  await expect(atMost(60_000, Promise.reject(new Error("gone")))).rejects.toThrow("gone");
});
