/** Findings as people, programs and GitHub read them. */
import { readFileSync, statSync } from "node:fs";
import { isAbsolute, relative, resolve } from "node:path";
import type { Finding } from "../../plan/finding.ts";
import { shown } from "../load.ts";
import { clean, cleanLines, type Style } from "../output.ts";
import { excerpt, lineAt } from "./excerpt.ts";
import { pageOf } from "./pages.ts";

/** A finding with what a reader wants beside it; `file` as a person in this folder names it. */
export interface Shown extends Finding {
  /** The line that it stands in; none where there is no text, or where that holds a secret. */
  readonly excerpt?: string;
  /** Where to read about its code, relative to the package. */
  readonly page: string;
}

/** A larger file than this has no excerpts. */
const readableBytes = 4 * 1024 * 1024;
/** The longest line that is handed to programs as a whole. */
const longestExcerpt = 1000;

/** Adds excerpts and pages. */
export function withExcerpts(findings: readonly Finding[]): readonly Shown[] {
  const texts = new Map<string, string | undefined>();
  const secret = new Set(findings.filter(({ code }) => code === "SECRET_IN_PLAN").map(({ file, line }) => `${line} ${file}`));
  return findings.map((finding) => {
    const { file, line } = finding;
    if (!texts.has(file)) texts.set(file, textOf(file));
    const found = secret.has(`${line} ${file}`) ? undefined : lineAt(texts.get(file) ?? "", line);
    return {
      ...finding,
      file: shown(resolve(file)),
      ...(found === undefined || found.trim() === "" ? {} : { excerpt: found }),
      page: pageOf(finding.code),
    };
  });
}

/**
 * Lines for a terminal of so many columns: each finding with its place, its line with a caret, and how to read more. What stands
 * above already is left out: the line of a finding at the same place, the code that has occurred.
 */
export function forPeople(findings: readonly Shown[], style: Style, columns: number): readonly string[] {
  const told = new Set<string>();
  return findings.flatMap((finding, i) => {
    const { level, code, message, file, line, column } = finding;
    const before = findings[i - 1];
    const place = line === 0 ? file : `${file}:${line}:${column}`;
    const paint = level === "error" ? style.red : style.yellow;
    const lines = [`${style.bold(clean(place))}: ${paint(level)} ${clean(code)}: ${cleanLines(message)}`];
    const same = before?.file === file && before.line === line && before.column === column;
    if (finding.excerpt !== undefined && !same) {
      const gutter = `  ${line} │ `;
      const { text, caret } = excerpt(finding.excerpt, column, Math.max(40, columns - gutter.length));
      const empty = `${" ".repeat(gutter.length - 2)}│ `;
      lines.push(`${style.dim(gutter)}${text}`, `${style.dim(empty)}${" ".repeat(caret)}${paint("^")}`);
    }
    if (!told.has(code)) lines.push(style.dim(`  more: onex check --explain ${clean(code)}`));
    told.add(code);
    // A file's findings stand together; another file begins after an empty line.
    return before !== undefined && before.file !== file ? ["", ...lines] : lines;
  });
}

/** One array of objects, in a fixed order of keys; a long line is cut. */
export function forPrograms(findings: readonly Shown[]): readonly object[] {
  return findings.map(({ level, code, message, file, line, column, excerpt, page }) => ({
    level,
    code,
    message,
    file,
    line,
    column,
    ...(excerpt === undefined ? {} : { excerpt: excerpt.slice(0, longestExcerpt) }),
    page,
  }));
}

/** GitHub's workflow commands: annotations at the lines of a pull request. There a path is one of the repository, at `root`. */
export function forGitHub(findings: readonly Shown[], root: string = process.env.GITHUB_WORKSPACE || process.cwd()): readonly string[] {
  return findings.map(({ level, code, message, file: near, line, column }) => {
    const path = relative(root, resolve(near));
    const file = path.startsWith("..") || isAbsolute(path) ? near : path;
    const place = line === 0 ? "" : `,line=${line},col=${column}`;
    return `::${level} file=${property(file.replaceAll("\\", "/"))}${place},title=${property(code)}::${data(message)}`;
  });
}

// A break of line is %0A there, and shown as one; what else moves a cursor is escaped as everywhere.
function data(text: string): string {
  return text
    .split(/\r?\n/)
    .map((line) => clean(line).replaceAll("%", "%25"))
    .join("%0A");
}
function property(text: string): string {
  return clean(text).replaceAll("%", "%25").replaceAll(":", "%3A").replaceAll(",", "%2C");
}

function textOf(file: string): string | undefined {
  try {
    const stats = statSync(file);
    return stats.isFile() && stats.size <= readableBytes ? readFileSync(file, "utf8") : undefined;
  } catch {
    return undefined;
  }
}
