import { expect, test } from "vitest";
import { z } from "zod";
import { check, checkMaybe, type Schema } from "./schema.ts";

test("gives what the schema makes of the value", () => {
  expect(check(z.object({ n: z.number().default(3) }), {}, "x")).toEqual({ value: { n: 3 } });
});
test("says what is wrong in one sentence, with paths, and no more than five times", () => {
  expect(check(z.object({ a: z.object({ b: z.number() }) }), { a: { b: "x" } }, "x").problem).toMatch(/^a\.b: /);
  expect(check(z.number(), "x", "x").problem).not.toMatch(/^: /);
  const { problem } = check(z.array(z.number()), Array(8).fill("x"), "x");
  expect(problem?.split("; ")).toHaveLength(6);
  expect(problem).toMatch(/; and 3 more$/);
});
test("reads paths as other libraries give them", () => {
  const schema = {
    "~standard": { version: 1, vendor: "x", validate: () => ({ issues: [{ message: "bad", path: [{ key: "a" }, 0] }] }) },
  } as Schema;
  expect(check(schema, 1, "x").problem).toBe("a.0: bad");
});
test("what comes out shares nothing with what went in", () => {
  const value = { list: [1] };
  const checked = check(z.any(), value, "x") as { value: typeof value };
  checked.value.list.push(2);
  expect(value).toEqual({ list: [1] });
});
test("an asynchronous schema is refused where an answer is needed at once", async () => {
  const later = z.string().refine(async (text) => text === "yes");
  expect(() => check(later, "yes", "compute x: input")).toThrow(
    expect.objectContaining({ code: "SCHEMA_ASYNC", message: expect.stringContaining("compute x: input") }),
  );
  expect(await checkMaybe(later, "yes")).toEqual({ value: "yes" });
  expect((await checkMaybe(later, "no")).problem).toBeDefined();
  expect(checkMaybe(z.string(), "now")).toEqual({ value: "now" });
});
