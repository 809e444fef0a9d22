/** JSON as people hand it in: as text, `@FILE`, or `-` for standard input. */
import { readFileSync } from "node:fs";
import { text as readAll } from "node:stream/consumers";
import { OnexError } from "../core/failure.ts";
import type { Json } from "../core/json.ts";

/** Throws OnexError `INPUT_NOT_JSON`, `FILE_MISSING`; `option` names the place in the message, such as "--input". */
export async function readJson(source: string, option: string): Promise<Json> {
  if (source === "-") {
    if (process.stdin.isTTY) process.stderr.write(`reading ${option} from the terminal; end it with Ctrl-D\n`);
    return parse(await readAll(process.stdin), `${option} (standard input)`, false);
  }
  if (source.startsWith("@")) return parse(fileText(source.slice(1), option), `${option} ${source.slice(1)}`, false);
  return parse(source, option, true);
}

function fileText(file: string, option: string): string {
  try {
    return readFileSync(file, "utf8");
  } catch (error) {
    const why = (error as { code?: string }).code === "ENOENT" ? "there is no such file" : (error as Error).message;
    throw new OnexError("FILE_MISSING", `${option} @${file}: ${why}`);
  }
}

function parse(source: string, where: string, typed: boolean): Json {
  const text = source.replace(/^\uFEFF/, "");
  try {
    return JSON.parse(text) as Json;
  } catch {
    const hint = typed
      ? `\nquote it for the shell, such as ${option(where)}'{"amount": 1}', or name a file: ${option(where)}@input.json`
      : "";
    if (text.trim() === "") throw new OnexError("INPUT_NOT_JSON", `${where}: it is empty; JSON is wanted${hint}`);
    const offset = stumble(text);
    const before = text.slice(0, offset);
    const line = before.split("\n").length;
    const column = offset - before.lastIndexOf("\n");
    const what =
      offset >= text.length
        ? "it ends too early"
        : text[offset] === '"'
          ? "this string has no end, is not wanted here, or holds a bad character"
          : `unexpected ${JSON.stringify(text[offset])}`;
    throw new OnexError("INPUT_NOT_JSON", `${where}:${line}:${column}: ${what}; JSON is wanted\n${excerptOf(text, line, column)}${hint}`);
  }
}

/** How the option is typed; an argument such as PAYLOAD is typed as its value alone. */
function option(where: string): string {
  return where.startsWith("--") ? `${where} ` : "";
}

const token =
  /[ \t\n\r]*(?:([{}[\],:])|("[^"\\]*(?:\\(?:["\\/bfnrt]|u[0-9a-fA-F]{4})[^"\\]*)*")|-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?|true|false|null)/y;

/** Where a text stops being JSON; V8 says so for some mistakes only. */
function stumble(text: string): number {
  const open: ("{" | "[")[] = [];
  let want: "value" | "value or ]" | "key" | "key or }" | ":" | "next" = "value";
  token.lastIndex = 0;
  for (let at = 0; ; at = token.lastIndex) {
    const match = token.exec(text);
    const start = at + (/[^ \t\n\r]/.exec(text.slice(at))?.index ?? text.length - at);
    if (!match) return start;
    const [, mark, string] = match;
    // Control characters stand in a string only as escapes.
    if (string !== undefined && [...string].some((char) => char < " ")) return start;
    const inside = open.at(-1);
    if (mark === undefined) {
      if (want.startsWith("value")) want = "next";
      else if (string !== undefined && want.startsWith("key")) want = ":";
      else return start;
    } else if (mark === "{" || mark === "[") {
      if (!want.startsWith("value")) return start;
      open.push(mark);
      want = mark === "{" ? "key or }" : "value or ]";
    } else if (mark === "}" || mark === "]") {
      if (inside !== (mark === "}" ? "{" : "[") || (want !== "next" && !want.endsWith(mark))) return start;
      open.pop();
      want = "next";
    } else if (mark === ":") {
      if (want !== ":") return start;
      want = "value";
    } else {
      if (want !== "next" || inside === undefined) return start;
      want = inside === "{" ? "key" : "value";
    }
  }
}

function excerptOf(text: string, line: number, column: number): string {
  const whole = text.split("\n")[line - 1] ?? "";
  const from = Math.max(0, column - 40);
  return `${whole.slice(from, from + 72)}\n${" ".repeat(Math.max(0, column - 1 - from))}^`;
}
