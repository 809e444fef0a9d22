/** docs/errors.md holds every code that the sources can produce, and no other. */
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { describe, expect, test } from "vitest";
import { exitOf } from "../src/cli/exit.ts";
import { OnexError } from "../src/core/failure.ts";

const root = fileURLToPath(new URL("..", import.meta.url));

/** Words in capitals that are no codes of ours: of Node, of the yaml parser, of the environment, of undici, and ONEX's types of actions. */
const notCodes = new Set([
  "ERR_MODULE_NOT_FOUND",
  "TAB_AS_INDENT",
  "ONEX_LISTEN",
  "MULTIPLE_DOCS",
  "ONEX_STORE",
  "ONEX_TOKEN",
  "HPE_HEADER_OVERFLOW",
  "ERR_HTTP_REQUEST_TIMEOUT",
  "EAI_AGAIN",
  "UND_ERR_CONNECT_TIMEOUT",
  "EXECUTE_COMPUTATION",
  "EXECUTE_SIDE_EFFECT",
  "EXECUTE_AGGREGATION",
  "EXECUTE_WORKFLOW",
]);

interface Literal {
  readonly text: string;
  /** The code before it, without spaces at its end. */
  readonly before: string;
}

/** The string literals of a source without holes, comments left out. Templates are cut at their holes. */
function literals(source: string): Literal[] {
  const found: Literal[] = [];
  /** Braces that are open, and which of them end a hole of a template. */
  const holes: boolean[] = [];
  let code = "";
  const template = (from: number): number => {
    for (let i = from; i < source.length; i++) {
      if (source[i] === "\\") i++;
      else if (source[i] === "`") return i + 1;
      else if (source.startsWith("${", i)) {
        holes.push(true);
        return i + 2;
      }
    }
    return source.length;
  };
  for (let i = 0; i < source.length; ) {
    const char = source[i] as string;
    if (source.startsWith("//", i)) i = endOf("\n", i);
    else if (source.startsWith("/*", i)) i = endOf("*/", i + 2);
    else if (char === '"' || char === "'") {
      const start = ++i;
      while (i < source.length && source[i] !== char && source[i] !== "\n") i += source[i] === "\\" ? 2 : 1;
      found.push({ text: source.slice(start, i), before: code.trimEnd() });
      code += '""';
      i++;
    } else if (char === "`") i = template(i + 1);
    else if (char === "}" && holes.pop()) i = template(i + 1);
    else if (char === "/" && /[=(,:;[!&|?{}\n]\s*$/.test(code)) i = regex(i);
    else {
      if (char === "{") holes.push(false);
      code = (code + char).slice(-200);
      i++;
    }
  }
  return found;

  function endOf(mark: string, from: number): number {
    const at = source.indexOf(mark, from);
    return at < 0 ? source.length : at + mark.length;
  }
  function regex(from: number): number {
    let inClass = false;
    for (let i = from + 1; i < source.length; i++) {
      const char = source[i];
      if (char === "\\") i++;
      else if (char === "\n") return i;
      else if (char === "[") inClass = true;
      else if (char === "]") inClass = false;
      else if (char === "/" && !inClass) return i + 1;
    }
    return source.length;
  }
}

/** Where one word in capitals is a code; with an underscore it is one everywhere. */
const asCode =
  /(?:\b(?:OnexError|Fatal|CelMistake|super|failureOf|pause|refuse)\(|\bcode(?:\?)?\s*(?::|=|===|!==)|\?\?|\b(?:error|warn|wrong|add)\((?:"",\s*)?)$/;

/** The codes that a source can produce. */
function codesOf(source: string): string[] {
  const codes = literals(source)
    .filter(({ text, before }) => /^[A-Z][A-Z0-9]*(?:_[A-Z0-9]+)+$/.test(text) || (/^[A-Z]{3,}$/.test(text) && asCode.test(before)))
    .map(({ text }) => text);
  // The table of exit codes names them as keys.
  for (const [, key = ""] of source.matchAll(/^\s*([A-Z][A-Z0-9_]+): exit\./gm)) codes.push(key);
  return codes.filter((code) => !notCodes.has(code) && !/^E[A-Z]+$/.test(code));
}

function sources(): string[] {
  return readdirSync(join(root, "src"), { recursive: true, encoding: "utf8" })
    .filter((file) => file.endsWith(".ts") && !file.endsWith(".test.ts") && !/store[\\/]suite/.test(file))
    .sort();
}

interface Row {
  readonly code: string;
  readonly cells: readonly string[];
  readonly exit: string;
}

/** The rows of the page's tables. */
function rows(): Row[] {
  const found: Row[] = [];
  for (const line of readFileSync(join(root, "docs/errors.md"), "utf8").split("\n")) {
    if (!line.startsWith("| `")) continue;
    const cells = line
      .slice(1, -1)
      .split("|")
      .map((cell) => cell.trim());
    found.push({ code: (cells[0] ?? "").replaceAll("`", ""), cells, exit: cells.at(-1) ?? "" });
  }
  return found;
}

const page = rows();
const bySource = new Map<string, string[]>();
for (const file of sources())
  for (const code of codesOf(readFileSync(join(root, "src", file), "utf8"))) bySource.set(code, [...(bySource.get(code) ?? []), file]);

describe("the page of error codes", () => {
  test("has every code that the sources can produce", () => {
    expect(bySource.size, "the scanner finds codes").toBeGreaterThan(80);
    const listed = new Set(page.map(({ code }) => code));
    const missing = [...bySource]
      .filter(([code]) => !listed.has(code))
      .map(([code, files]) => `${code} (${[...new Set(files)].join(", ")})`);
    expect(missing, "add a row to docs/errors.md").toEqual([]);
  });

  test("has no code that no source has", () => {
    expect(
      page.map(({ code }) => code).filter((code) => !bySource.has(code)),
      "take the row out of docs/errors.md",
    ).toEqual([]);
  });

  test("has each code once, with all its cells", () => {
    const codes = page.map(({ code }) => code);
    expect(codes.filter((code, i) => codes.indexOf(code) !== i)).toEqual([]);
    for (const { code, cells } of page) {
      expect(cells.length, code).toBe(5);
      for (const cell of cells) expect(cell, code).not.toBe("");
    }
  });

  test("says the exit code that the CLI ends with", () => {
    for (const { code, exit } of page) {
      const thrown = exitOf(new OnexError(code, ""));
      const first = /^(?:\d+|–)/.exec(exit)?.[0] ?? "";
      // 70 is for what the CLI's table does not name: what is no thrown error has an exit code of another kind, or none.
      if (thrown === 70) expect(["70", "1", "3", "65", "0", "–"], code).toContain(first);
      else expect(first, code).toBe(String(thrown));
    }
  });
});

describe("the scanner", () => {
  test("sees codes however they are handed on", () => {
    const source = [
      'throw new OnexError("USAGE", "…");',
      'throw new OnexError(\n  "FILE_MISSING",\n  `in ${name("INNER_CODE")} and so on`);',
      'this.#pause("POISON", `x`);',
      '{ code: "CANCELLED", message: "NOT A CODE" }',
      'const shown = /["`]/.test(text) ? "AFTER_REGEX" : options.code ?? "LATER";',
      "findings.error('STEP_CYCLE', place)",
      "  NODE_LIST: exit.contract,",
    ].join("\n");
    expect(codesOf(source)).toEqual([
      "USAGE",
      "FILE_MISSING",
      "INNER_CODE",
      "POISON",
      "CANCELLED",
      "AFTER_REGEX",
      "LATER",
      "STEP_CYCLE",
      "NODE_LIST",
    ]);
  });

  test("passes over comments, sentences, SQL and words of others", () => {
    const source = [
      '// throw new OnexError("OLD_CODE")',
      '/* "OLDER_CODE" */ /** `"OLDEST_CODE"` */',
      'const sql = "SELECT A_B FROM C_D"; db.prepare("COMMIT");',
      'if (error.code === "ENOENT" || env["NO" + "_COLOR"]) print("STATUS");',
      "`a template with A_CODE in it`",
    ].join("\n");
    expect(codesOf(source)).toEqual([]);
  });
});
