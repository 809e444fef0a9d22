/** docs/onex.md has a row for each feature and each defect of the templates, and names only files that exist. */
import { existsSync, readFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { expect, test } from "vitest";

const root = resolve(import.meta.dirname, "..");
const rows = readFileSync(join(root, "docs/onex.md"), "utf8")
  .split("\n")
  .map((line) => line.split("|").map((cell) => cell.trim()))
  .filter(([, number]) => /^D?\d+(-D?\d+)?$/.test(number ?? ""))
  .map(([, number = "", what = "", here = "", shown = ""]) => ({ number, what, here, shown }));

/** "119-131" and "D21-D24" as the numbers they stand for. */
function numbers(cell: string): string[] {
  const [first = "", last = first] = cell.split("-");
  const [, mark = "", from = ""] = /^(D?)(\d+)$/.exec(first) ?? [];
  const to = Number(last.replace("D", ""));
  return Array.from({ length: to - Number(from) + 1 }, (_, i) => `${mark}${Number(from) + i}`);
}

test("each feature 1 to 178 and each defect D1 to D92 has one row", () => {
  const all = [...Array.from({ length: 178 }, (_, i) => `${i + 1}`), ...Array.from({ length: 92 }, (_, i) => `D${i + 1}`)];
  expect(rows.flatMap(({ number }) => numbers(number))).toEqual(all);
});

test("each row says what, where, and names tests that exist", () => {
  for (const { number, what, here, shown } of rows) {
    expect(what, number).not.toBe("");
    expect(here, number).not.toBe("");
    const tests = pathsOf(shown);
    expect(tests.length, `${number}: ${shown}`).toBeGreaterThan(0);
    // What every store must do is a scenario, run by the test of each store.
    expect(
      tests.some((path) => path.endsWith(".test.ts") || path.startsWith("src/store/suite/")),
      `${number}: ${shown}`,
    ).toBe(true);
    expect(
      [...tests, ...pathsOf(here)].filter((path) => !existsSync(join(root, path))),
      number,
    ).toEqual([]);
  }
});

function pathsOf(cell: string): string[] {
  return [...cell.matchAll(/`((?:src|test|docs|examples)\/[^`]+)`/g)].map(([, path = ""]) => path);
}
