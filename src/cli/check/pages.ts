/** The pages of codes: docs/checks.md has one for each finding, docs/errors.md a row for every code. */
import { readFileSync } from "node:fs";
import { OnexError } from "../../core/failure.ts";
import { didYouMean } from "../../plan/suggest.ts";

const docs = new URL("../../../docs/", import.meta.url);
let sections: ReadonlyMap<string, string> | undefined;

/** Code → its section of docs/checks.md, without the heading. */
export function pages(): ReadonlyMap<string, string> {
  sections ??= new Map(
    readFileSync(new URL("checks.md", docs), "utf8")
      .split(/^## (?=[A-Z][A-Z0-9_]*$)/m)
      .slice(1)
      .map((section) => [section.slice(0, section.indexOf("\n")), section.slice(section.indexOf("\n")).trim()]),
  );
  return sections;
}

/** Where to read about a code, relative to the package. */
export function pageOf(code: string): string {
  return pages().has(code) ? `docs/checks.md#${code.toLowerCase()}` : "docs/errors.md";
}

/** What the documents say about a code, as text for a terminal. Throws OnexError `USAGE` for a code that there is not. */
export function explain(code: string): { readonly title: string; readonly text: string } {
  const wanted = code.toUpperCase();
  const page = pages().get(wanted);
  if (page !== undefined) return { title: wanted, text: plain(page) };
  const rows = new Map(
    readFileSync(new URL("errors.md", docs), "utf8")
      .split("\n")
      .filter((line) => line.startsWith("| `"))
      .map((line) => line.split("|").map((cell) => cell.trim()))
      .map((cells) => [(cells[1] ?? "").replaceAll("`", ""), cells.slice(2, 5)]),
  );
  const row = rows.get(wanted);
  if (row) return { title: wanted, text: `${row[0]}\n\nCause: ${row[1]}\nCure: ${row[2]}` };
  throw new OnexError(
    "USAGE",
    `there is no code "${code}".${didYouMean(wanted, [...pages().keys(), ...rows.keys()]) || " docs/errors.md has them all."}`,
  );
}

/** Markdown without its fences: code is indented instead, and headed by what it shows. */
function plain(markdown: string): string {
  return markdown.replaceAll(/^```\w* ?(\w*)\n([\s\S]*?)^```$/gm, (_, what: string, block: string) => {
    const lines = block.trimEnd().split("\n");
    return [...(what === "" ? [] : [`${what}:`, ""]), ...lines.map((line) => (line === "" ? "" : `    ${line}`))].join("\n");
  });
}
