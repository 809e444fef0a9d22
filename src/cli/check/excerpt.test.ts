import { describe, expect, test } from "vitest";
import { excerpt, lineAt } from "./excerpt.ts";

/** The line, and under it the caret. */
function drawn(line: string, column: number, width = 60): string[] {
  const { text, caret } = excerpt(line, column, width);
  return [text, `${" ".repeat(caret)}^`];
}

describe("an excerpt", () => {
  test("has the caret under the column", () => {
    expect(drawn("  two: { set: 1, sett: 2 }", 18)).toEqual(["  two: { set: 1, sett: 2 }", "                 ^"]);
    expect(drawn("name: x", 1)).toEqual(["name: x", "^"]);
  });

  test("points behind the line where something is missing there", () => {
    expect(drawn("with: {", 8)).toEqual(["with: {", "       ^"]);
    expect(drawn("", 1)).toEqual(["", "^"]);
  });

  test("shows a tab as two cells", () => {
    expect(drawn("\ttwo:\t{ sett: 2 }", 9)).toEqual(["  two:  { sett: 2 }", "          ^"]);
    expect(drawn("\ttwo", 1)).toEqual(["  two", "^"]);
  });

  test.each([
    ["日本", 3, 4],
    ["😀x", 3, 2],
    ["e\u0301x", 3, 1],
    ["👨‍👩‍👧x", 9, 2],
    ["ｆx", 2, 2],
    ["한글", 2, 2],
    ["äß", 2, 1],
    ["⚠️x", 3, 2],
  ])("counts the cells of %j before column %i as %i", (line, column, cells) => {
    expect(excerpt(line, column, 60).caret).toBe(cells);
  });

  test("inside a character points at the character", () => {
    expect(excerpt("a😀b", 3, 60).caret).toBe(1);
  });

  test("escapes what would move the cursor, and still points right", () => {
    expect(drawn("a\x1b[2Jb: !", 7)).toEqual(["a\\u001b[2Jb: !", "           ^"]);
    expect(excerpt("a\u202eb", 3, 60)).toEqual({ text: "a\\u202eb", caret: 7 });
  });

  test("cuts a long line around the column", () => {
    const line = `${"a".repeat(100)}X${"b".repeat(100)}`;
    const [text = "", caret = ""] = drawn(line, 101, 30);
    expect(text).toHaveLength(30);
    expect(text).toMatch(/^…a+Xb+…$/);
    expect(text[caret.length - 1]).toBe("X");
  });

  test("cuts a long line at one end where the column is near the other", () => {
    expect(drawn(`X${"b".repeat(100)}`, 1, 30)).toEqual([`X${"b".repeat(28)}…`, "^"]);
    const [text = "", caret = ""] = drawn(`${"a".repeat(100)}X`, 101, 30);
    expect(text).toMatch(/^…a+X$/);
    expect(text[caret.length - 1]).toBe("X");
  });

  test.each([1, 20, 40, 41, 500_000, 999_999, 1_000_001])("of a line of a million characters has column %i in sight", (column) => {
    const line = `${"日".repeat(column - 1)}X${"b".repeat(1_000_000 - column + 1)}`;
    const { text, caret } = excerpt(line, column, 40);
    const cells = [...text].flatMap((char) => (char === "日" ? [char, ""] : [char]));
    expect(cells.length).toBeLessThanOrEqual(40);
    expect(cells[caret]).toBe("X");
  });
});

describe("a line of a text", () => {
  test("is found by its number, without its line break", () => {
    expect(lineAt("a\nb\r\nc", 1)).toBe("a");
    expect(lineAt("a\nb\r\nc", 2)).toBe("b");
    expect(lineAt("a\nb\r\nc", 3)).toBe("c");
    expect(lineAt("a\n", 2)).toBe("");
  });
  test("is nothing where there is none", () => {
    expect(lineAt("a", 0)).toBeUndefined();
    expect(lineAt("a", 2)).toBeUndefined();
    expect(lineAt("", 1)).toBe("");
  });
  test("is not shown when it holds a secret", () => {
    expect(lineAt('  one: { set: "日本", password: "hunter22" }', 1)).toBeUndefined();
    expect(lineAt("url: postgres://app:s3cr3tpass@db/x", 1)).toBeUndefined();
  });
});
