/** Where a node is defined, as far as the sources tell: in the module that exports it, or in one that this imports. */
import { readFileSync, statSync } from "node:fs";
import { dirname, join } from "node:path";
import type { Place } from "../../plan/finding.ts";

export interface NamedAt extends Place {
  readonly file: string;
}

/** So many modules are looked at. */
const most = 300;

/** Finds definitions among `file` and the modules that it imports by relative paths, nearest first; each is read once. */
export function definitionsIn(file: string): (name: string) => NamedAt {
  let sources: ReadonlyMap<string, string> | undefined;
  return (name) => {
    sources ??= reachable(file);
    // The name of a node is kebab-case: nothing in it means more to a pattern than itself.
    const pattern = new RegExp(`\\bname:\\s*["'\`]${name}["'\`]`);
    for (const [at, source] of sources) {
      const found = source.search(pattern);
      if (found < 0) continue;
      const before = source.slice(0, found);
      return { file: at, line: before.split("\n").length, column: found - before.lastIndexOf("\n") };
    }
    return { file, line: 0, column: 0 };
  };
}

function reachable(file: string): ReadonlyMap<string, string> {
  const found = new Map<string, string>();
  const wanted = [file];
  for (let next = wanted.shift(); next !== undefined && found.size < most; next = wanted.shift()) {
    if (found.has(next) || statSync(next, { throwIfNoEntry: false })?.isFile() !== true) continue;
    const source = readFileSync(next, "utf8");
    found.set(next, source);
    for (const [, path = ""] of source.matchAll(/\b(?:from|import)\s*\(?\s*["'](\.{1,2}\/[^"'\n]+)["']/g))
      wanted.push(join(dirname(next), path));
  }
  return found;
}
