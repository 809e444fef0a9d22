/**
 * The line of a finding with a caret under the column, as a terminal shows it.
 *
 * A column counts UTF-16 units from 1, as editors and the parsers do; a caret counts cells. Between them stand tabs,
 * characters of two cells or none, escaped controls, and the cut of a long line.
 */
import { Sanitizer } from "../../core/sanitizer.ts";
import { clean } from "../output.ts";

const sanitizer = new Sanitizer();
const graphemes = new Intl.Segmenter("en", { granularity: "grapheme" });
/** A tab is shown as so many spaces. */
const tab = "  ";

export interface Excerpt {
  readonly text: string;
  /** Cells before the caret. */
  readonly caret: number;
}

/** Line `line` (from 1) of a text, without its line break; undefined when there is none, or when it holds a secret. */
export function lineAt(text: string, line: number): string | undefined {
  if (line < 1) return undefined;
  let start = 0;
  for (let i = 1; i < line; i++) {
    start = text.indexOf("\n", start) + 1;
    if (start === 0) return undefined;
  }
  const end = text.indexOf("\n", start);
  const found = text.slice(start, end < 0 ? undefined : end).replace(/\r$/, "");
  return sanitizer.text(found) === found ? found : undefined;
}

/** A line as at most `width` cells with the column in sight. */
export function excerpt(line: string, column: number, width: number): Excerpt {
  // Far beyond what is shown: a line of a megabyte need not be cut into its characters.
  const from = Math.max(0, column - 1 - 4 * width);
  const near = line.slice(from, column - 1 + 4 * width);
  const cells: { readonly text: string; readonly width: number }[] = [];
  let at = -1;
  for (const { segment, index } of graphemes.segment(near)) {
    if (at < 0 && from + index + segment.length > column - 1) at = cells.length;
    cells.push(shown(segment));
  }
  if (at < 0) at = cells.length;
  const wide = (list: typeof cells) => list.reduce((sum, cell) => sum + cell.width, 0);
  const cutBefore = from > 0;
  const cutAfter = from + near.length < line.length;
  if (!cutBefore && !cutAfter && wide(cells) <= width) return { text: textOf(cells).trimEnd(), caret: wide(cells.slice(0, at)) };
  // The caret stands a third of the width from the left, unless the line begins or ends before.
  let start = at;
  for (let left = Math.floor(width / 3); start > 0; start--) {
    left -= cells[start - 1]?.width ?? 0;
    if (left < 1) break;
  }
  const head = start > 0 || cutBefore ? "…" : "";
  let end = start;
  for (let room = width - head.length - 1; end < cells.length; end++) {
    room -= cells[end]?.width ?? 0;
    if (room < 0) break;
  }
  const tail = end < cells.length || cutAfter ? "…" : "";
  return { text: `${head}${textOf(cells.slice(start, end))}${tail}`, caret: head.length + wide(cells.slice(start, at)) };
}

function textOf(cells: readonly { readonly text: string }[]): string {
  return cells.map(({ text }) => text).join("");
}

function shown(grapheme: string): { readonly text: string; readonly width: number } {
  if (grapheme === "\t") return { text: tab, width: tab.length };
  const text = clean(grapheme);
  return { text, width: text === grapheme ? cellsOf(grapheme) : text.length };
}

const none = /^[\p{M}\p{Cf}]+$/u;
const double =
  /^(?:\p{Emoji_Presentation}|\p{Extended_Pictographic}\uFE0F|[\p{Script=Han}\p{Script=Hiragana}\p{Script=Katakana}\p{Script=Hangul}\u3000-\u303E\uFF01-\uFF60\uFFE0-\uFFE6])/u;

function cellsOf(grapheme: string): number {
  if (none.test(grapheme)) return 0;
  return double.test(grapheme) ? 2 : 1;
}
