import { basename, dirname, join } from "node:path";
import { describe, expect, test } from "vitest";
import { styleOf } from "../output.ts";
import { forGitHub, forPeople, forPrograms, type Shown } from "./print.ts";

const plain = styleOf({}, { NO_COLOR: "1" });
const base: Shown = {
  level: "error",
  code: "STEP_CYCLE",
  message: "they wait",
  file: "a.yaml",
  line: 7,
  column: 3,
  excerpt: "  first: 1",
  page: "docs/checks.md#step_cycle",
};

describe("for people", () => {
  test("is the place, the line with a caret, the page", () => {
    expect(forPeople([base], plain, 100)).toEqual([
      "a.yaml:7:3: error STEP_CYCLE: they wait",
      "  7 │   first: 1",
      "    │   ^",
      "  more: onex check --explain STEP_CYCLE",
    ]);
  });

  test("shows a place and a page once, and parts files by an empty line", () => {
    const lines = forPeople([base, { ...base, message: "again" }, { ...base, level: "warning", file: "b.yaml", line: 12 }], plain, 100);
    expect(lines.slice(4)).toEqual([
      "a.yaml:7:3: error STEP_CYCLE: again",
      "",
      "b.yaml:12:3: warning STEP_CYCLE: they wait",
      "  12 │   first: 1",
      "     │   ^",
    ]);
  });

  test("of a whole file has no line", () => {
    const { excerpt: _, ...whole } = { ...base, line: 0, column: 0 };
    expect(forPeople([whole], plain, 100)[0]).toBe("a.yaml: error STEP_CYCLE: they wait");
  });

  test("cannot be made to move the cursor", () => {
    const lines = forPeople([{ ...base, file: "a\x1b[2J.yaml", message: "x\x1b[31m\ny", excerpt: "\x1b[1m" }], plain, 100);
    expect(lines.join("\n")).not.toContain("\x1b");
  });
});

describe("for GitHub", () => {
  test("is a workflow command", () => {
    expect(forGitHub([base], process.cwd())).toEqual(["::error file=a.yaml,line=7,col=3,title=STEP_CYCLE::they wait"]);
    expect(forGitHub([{ ...base, level: "warning", line: 0, column: 0 }], process.cwd())).toEqual([
      "::warning file=a.yaml,title=STEP_CYCLE::they wait",
    ]);
  });
  test("has the path that the repository has, where the command runs in a folder of it", () => {
    expect(forGitHub([base], dirname(process.cwd()))[0]).toContain(`file=${basename(process.cwd())}/a.yaml,`);
    expect(forGitHub([base], join(process.cwd(), "elsewhere"))[0]).toContain("file=a.yaml,");
  });
  test("escapes what would end a property, a message or the command", () => {
    const [line] = forGitHub([{ ...base, file: "a,b:c%\\d.yaml", message: "50% is, as it: seems\r\nenough\n::warning::x" }], process.cwd());
    expect(line).toBe("::error file=a%2Cb%3Ac%25/d.yaml,line=7,col=3,title=STEP_CYCLE::50%25 is, as it: seems%0Aenough%0A::warning::x");
  });
});

describe("for programs", () => {
  test("has the keys in one order, and no line longer than a thousand characters", () => {
    const [found] = forPrograms([{ ...base, excerpt: "x".repeat(5000) }]);
    expect(Object.keys(found ?? {})).toEqual(["level", "code", "message", "file", "line", "column", "excerpt", "page"]);
    expect(found).toMatchObject({ excerpt: "x".repeat(1000) });
  });
});
