/**
 * Writes a generated tree into a folder, or nothing.
 *
 * 1. Everything is looked at before anything is written; all that is in the way is named at once.
 * 2. No link is followed: each folder on the way from the base to a file is a folder itself, looked at first of all and again
 *    right before each file. The base is what the user named, and may be a link.
 * 3. A new file is created where nothing is (`wx`). One that is overwritten is written beside and moved over the old one, so that
 *    a hard link to the old file keeps its text.
 * 4. When a write fails, what was made is taken back, last first; what could not be is named.
 */
import { closeSync, lstatSync, mkdirSync, openSync, readFileSync, renameSync, rmdirSync, rmSync, type Stats, writeFileSync } from "node:fs";
import { join } from "node:path";
import { OnexError } from "../../core/failure.ts";
import type { Rendered } from "./render.ts";

/** What the files of a tree would meet: paths that are there already. Throws OnexError `PATH_REFUSED` for links and what is no file or folder. */
export function existing(base: string, files: readonly Rendered[]): readonly string[] {
  const refused: string[] = [];
  const found: string[] = [];
  for (const { path } of files) {
    const wrong = wayTo(base, path);
    if (wrong !== undefined) refused.push(wrong);
    else {
      const there = look(join(base, path));
      if (there?.isFile()) found.push(path);
      else if (there) refused.push(`${path} is ${kindOf(there)}, and a file would stand there`);
    }
  }
  if (refused.length > 0) throw new OnexError("PATH_REFUSED", `nothing was written: ${[...new Set(refused)].join("; ")}`);
  return found;
}

/**
 * Writes the files and answers the paths of those that were there. Throws OnexError `PATH_REFUSED`, `FILE_EXISTS` (without
 * `force`), `WRITE_FAILED`; then nothing has changed, or the message says what.
 */
export function writeTree(base: string, files: readonly Rendered[], force: boolean): readonly string[] {
  const there = existing(base, files);
  if (there.length > 0 && !force)
    throw new OnexError(
      "FILE_EXISTS",
      `nothing was written, since there ${there.length === 1 ? "is" : "are"} already:\n${there.join("\n")}\nchoose another name or version, or --force to overwrite ${there.length === 1 ? "it" : "them"}`,
    );
  const undo: { readonly what: string; readonly run: () => void }[] = [];
  try {
    for (const { path, text } of files) {
      for (const folder of foldersOf(path)) makeFolder(join(base, folder), () => undo.push(takenBack(join(base, folder), rmdirSync)));
      const wrong = wayTo(base, path);
      if (wrong !== undefined) throw new Error(wrong);
      const file = join(base, path);
      if (there.includes(path)) {
        const old = readFileSync(file);
        replace(file, text);
        undo.push({ what: file, run: () => replace(file, old) });
      } else {
        create(file, text);
        undo.push(takenBack(file, rmSync));
      }
    }
    return there;
  } catch (error) {
    const left = undo.reverse().flatMap(({ what, run }) => (succeeds(run) ? [] : [what]));
    const state = left.length === 0 ? "what was written before it was taken back" : `what could not be taken back: ${left.join(", ")}`;
    throw new OnexError("WRITE_FAILED", `${(error as Error).message}; ${state}`, { cause: error });
  }
}

/** What is wrong with the way to a file, if something is. */
function wayTo(base: string, path: string): string | undefined {
  const parts = path.split("/");
  if (parts.some((part) => part === "" || part === "." || part === ".." || /[\\:\0]/.test(part))) return `${path} leads out of ${base}`;
  for (const folder of foldersOf(path)) {
    const there = look(join(base, folder));
    if (there === undefined) return undefined;
    if (!there.isDirectory()) return `${folder} is ${kindOf(there)}, and a folder is needed there`;
  }
  return undefined;
}

/** `a/b/c` → `a`, `a/b`. */
function foldersOf(path: string): readonly string[] {
  const parts = path.split("/");
  return parts.slice(1).map((_, i) => parts.slice(0, i + 1).join("/"));
}

/** Throws OnexError `PATH_REFUSED` where nobody may look. */
function look(path: string): Stats | undefined {
  try {
    return lstatSync(path, { throwIfNoEntry: false });
  } catch (error) {
    throw new OnexError("PATH_REFUSED", `nothing was written: ${(error as Error).message}`, { cause: error });
  }
}

function kindOf(stats: Stats): string {
  if (stats.isSymbolicLink()) return "a link, which is not followed";
  return stats.isDirectory() ? "a folder" : stats.isFile() ? "a file" : "neither a file nor a folder";
}

function makeFolder(path: string, made: () => void): void {
  if (look(path) !== undefined) return;
  mkdirSync(path);
  made();
}

/** Creates a file where there is nothing, whole or not at all. */
function create(file: string, text: string | Buffer): void {
  const open = openSync(file, "wx");
  try {
    writeFileSync(open, text);
  } catch (error) {
    rmSync(file, { force: true });
    throw error;
  } finally {
    closeSync(open);
  }
}

function replace(file: string, text: string | Buffer): void {
  const beside = `${file}.new-${process.pid}`;
  create(beside, text);
  try {
    renameSync(beside, file);
  } catch (error) {
    rmSync(beside, { force: true });
    throw error;
  }
}

function takenBack(what: string, remove: (path: string) => void): { readonly what: string; readonly run: () => void } {
  return { what, run: () => remove(what) };
}

function succeeds(run: () => void): boolean {
  try {
    run();
    return true;
  } catch {
    return false;
  }
}
