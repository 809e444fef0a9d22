import { describe, expect, test } from "vitest";
import { typedOf } from "./typed.ts";

const to = "postgres://me@db/shop";

describe("what was typed after promote", () => {
  test("is read", () => {
    expect(typedOf("sqlite:shop.db", to, {})).toEqual({ file: "shop.db", url: to, schema: "onex" });
    expect(typedOf("sqlite:///a/b.db", `${to}?schema=two&sslmode=require`, {})).toEqual({
      file: "/a/b.db",
      url: `${to}?sslmode=require`,
      schema: "two",
    });
    expect(typedOf("sqlite:a", to, { schema: "three", abort: true, force: true }).schema).toBe("three");
  });

  test.each([
    ["shop.db", to, {}, "USAGE", '"shop.db" is none'],
    [to, to, {}, "USAGE", "a database is none"],
    ["sqlite::memory:", to, {}, "USAGE", "what is moved is a file"],
    ["sqlite:a", "sqlite:b", {}, "STORE_URL_INVALID", "postgres://USER@HOST"],
    ["sqlite:a", `${to}?schema=x`, { schema: "y" }, "USAGE", "give one of them"],
    ["sqlite:a", to, { schema: "Big Name" }, "USAGE", "no name of a schema"],
    ["sqlite:a", to, { force: true }, "USAGE", "--abort"],
    ["sqlite:a", to, { abort: true, dryRun: true }, "USAGE", "do not go together"],
  ])("%s %s %j is refused", (from, url, flags, code, says) => {
    expect(() => typedOf(from, url, flags)).toThrow(expect.objectContaining({ code, message: expect.stringContaining(says) }));
  });
});
