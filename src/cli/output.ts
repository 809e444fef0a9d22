/** What people read: colour, tables, times, and a terminal whose last lines move. Names and messages are escaped here. */
import { Console } from "node:console";
import { Writable } from "node:stream";
import type { WriteStream } from "node:tty";
import { OnexError } from "../core/failure.ts";
import type { Json } from "../core/json.ts";
import { Sanitizer } from "../core/sanitizer.ts";

/** Knows the names and shapes of secrets; registered values do not reach what is thrown. */
const sanitizer = new Sanitizer();

type Paint = (text: string) => string;
export interface Style {
  readonly bold: Paint;
  readonly dim: Paint;
  readonly red: Paint;
  readonly green: Paint;
  readonly yellow: Paint;
  readonly cyan: Paint;
}

/** Colours for a stream: none for `NO_COLOR`, `TERM=dumb` and what is no terminal; `FORCE_COLOR` wants them. */
export function styleOf(stream: { readonly isTTY?: boolean }, env: NodeJS.ProcessEnv = process.env): Style {
  const forced = env.FORCE_COLOR !== undefined && env.FORCE_COLOR !== "" && env.FORCE_COLOR !== "0";
  const on = !env.NO_COLOR && env.FORCE_COLOR !== "0" && (forced || (stream.isTTY === true && env.TERM !== "dumb"));
  const paint = (open: number, close: number): Paint => (on ? (text) => `\x1b[${open}m${text}\x1b[${close}m` : (text) => text);
  return { bold: paint(1, 22), dim: paint(2, 22), red: paint(31, 39), green: paint(32, 39), yellow: paint(33, 39), cyan: paint(36, 39) };
}

// C0 and C1 controls, the marks that reorder text, line and paragraph separators.
const unprintable = /[\p{Cc}\p{Bidi_Control}\p{Zl}\p{Zp}]/gu;

/** One line that cannot move the cursor, clear the screen, or read backwards. */
export function clean(text: string): string {
  return text.replace(unprintable, (char) => (char === "\n" ? "\\n" : char === "\t" ? "\\t" : char === "\r" ? "\\r" : escaped(char)));
}

/** As `clean`, but lines stay lines; those after the first are indented. */
export function cleanLines(text: string, indent = "  "): string {
  return text.trimEnd().split(/\r?\n/).map(clean).join(`\n${indent}`);
}

/** JSON text that is safe to print: what JSON leaves bare is escaped the JSON way. */
export function json(value: unknown, indent?: number): string {
  // Line feeds are only JSON's own layout here.
  return JSON.stringify(value, null, indent).replace(unprintable, (char) => (char === "\n" ? char : escaped(char)));
}

function escaped(char: string): string {
  return `\\u${char.charCodeAt(0).toString(16).padStart(4, "0")}`;
}

/** Data: one JSON value on stdout, over several lines for a person and on one for a program. */
export function printJson(value: unknown): void {
  print(json(value, process.stdout.isTTY ? 2 : undefined));
}

export function print(line: string): void {
  process.stdout.write(`${line}\n`);
}

/** Rows as columns, the last one ragged. Cells are escaped; `paint` colours a cell after it was padded. */
export function table(
  head: readonly string[],
  rows: readonly (readonly string[])[],
  style: Style,
  paint: (column: number, cell: string) => Paint | undefined = () => undefined,
): string[] {
  const cells = rows.map((row) => row.map(clean));
  const widths = head.map((title, column) => Math.max(title.length, ...cells.map((row) => row[column]?.length ?? 0)));
  const line = (row: readonly string[], of: (column: number, cell: string) => Paint | undefined) =>
    row
      .map((cell, column) => {
        const padded = column === row.length - 1 ? cell : cell.padEnd(widths[column] ?? 0);
        return cell === "" ? padded : (of(column, cell)?.(padded) ?? padded);
      })
      .join("  ")
      .trimEnd();
  return [line(head, () => style.dim), ...cells.map((row) => line(row, paint))];
}

export function statusPaint(style: Style, status: string): Paint | undefined {
  switch (status) {
    case "completed":
      return style.green;
    case "failed":
    case "cancelled":
    case "aborted":
      return style.red;
    case "paused":
    case "compensating":
    case "retrying":
      return style.yellow;
    case "running":
      return style.cyan;
    default:
      return undefined;
  }
}

/** A moment, in UTC to the second: "2026-11-21 03:39:21Z". */
export function moment(ms: number): string {
  return Number.isFinite(ms)
    ? new Date(ms)
        .toISOString()
        .replace("T", " ")
        .replace(/\.\d+Z$/, "Z")
    : "";
}

/** A length of time as people say it: "31 ms", "1.2 s", "3 m 4 s", "2 h 3 m", "4 d 1 h". */
export function took(ms: number): string {
  const whole = Math.max(0, Math.round(ms));
  if (whole < 1000) return `${whole} ms`;
  const seconds = whole / 1000;
  if (seconds < 59.95) return `${seconds.toFixed(1)} s`;
  const minutes = Math.round(seconds / 60 - (seconds % 60) / 60);
  if (minutes < 60) return `${minutes} m ${Math.floor(seconds % 60)} s`;
  const hours = Math.floor(minutes / 60);
  if (hours < 24) return `${hours} h ${minutes % 60} m`;
  return `${Math.floor(hours / 24)} d ${hours % 24} h`;
}

/** A value in few words, for a line of a view. */
export function brief(value: Json | undefined, width: number): string {
  if (value === undefined) return "";
  const text = json(value);
  return text.length > width ? `${text.slice(0, Math.max(1, width - 1))}…` : text;
}

/** Cuts to what fits; the text holds no colours. */
export function shortened(text: string, width: number): string {
  return text.length > width ? `${text.slice(0, Math.max(1, width - 1))}…` : text;
}

/** stderr: lines that stay, and under them, on a terminal, a few that are drawn anew. */
export class Terminal {
  readonly live: boolean;
  readonly style: Style;
  readonly #stream: WriteStream;
  #drawn = 0;
  #region: readonly string[] = [];

  constructor(stream: WriteStream = process.stderr, env: NodeJS.ProcessEnv = process.env) {
    this.#stream = stream;
    this.live = stream.isTTY === true && env.TERM !== "dumb" && !env.CI;
    this.style = styleOf(stream, env);
  }

  get width(): number {
    return this.#stream.columns || 80;
  }
  get height(): number {
    return this.#stream.rows || 24;
  }

  /** Lines that stay. */
  say(...lines: readonly string[]): void {
    if (lines.length === 0) return;
    this.#stream.write(`${this.#erase()}${lines.join("\n")}\n${this.#paint()}`);
  }

  /** The moving lines, each short enough for one row; nothing where nothing moves. */
  region(lines: readonly string[]): void {
    if (!this.live) return;
    this.#region = lines;
    this.#stream.write(this.#erase() + this.#paint());
  }

  #erase(): string {
    if (this.#drawn === 0) return "";
    const up = this.#drawn;
    this.#drawn = 0;
    // The terminal may have echoed ^C: back to the first column too.
    return `\r\x1b[${up}A\x1b[J`;
  }

  #paint(): string {
    if (!this.live || this.#region.length === 0) return "";
    this.#drawn = this.#region.length;
    return `${this.#region.join("\n")}\n`;
  }

  /** `console.log` of the user's code comes out here: stdout is for data. */
  adoptConsole(): void {
    let rest = "";
    const lines = new Writable({
      write: (chunk: Buffer, _encoding, done) => {
        const parts = (rest + chunk.toString("utf8")).split("\n");
        rest = parts.pop() ?? "";
        this.say(...parts);
        done();
      },
    });
    globalThis.console = new Console({ stdout: lines, stderr: lines, colorMode: false });
  }
}

/** An error as people read it: code, what, where (`place`, of one that nobody planned), what to do; with its stack when `verbose`. */
export function complaint(thrown: unknown, place: string | undefined, style: Style, verbose: boolean): string {
  const error = thrown instanceof Error ? thrown : new Error(String(thrown));
  const code = (error as { code?: unknown }).code;
  const title = typeof code === "string" && code !== "" ? code : error.name;
  const planned = error instanceof OnexError;
  const where = planned || place === undefined ? "" : ` (${clean(place)})`;
  const text = `${style.red("error")} ${style.bold(clean(sanitizer.text(title)))}: ${cleanLines(sanitizer.text(error.message))}${where}`;
  if (!verbose) return planned ? text : `${text}\n  this is not expected; --verbose shows where it came from`;
  return `${text}\n${style.dim(cleanLines(sanitizer.error(error), "  "))}`;
}
