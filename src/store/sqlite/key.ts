/**
 * The key that seals the secrets of a file, in a file beside it for the user alone: a copy of the database tells no secret.
 * It is made once, whole under its name or not at all, and never written again.
 */
import { randomUUID } from "node:crypto";
import { closeSync, constants, copyFileSync, fsyncSync, linkSync, openSync, readFileSync, rmSync, writeSync } from "node:fs";
import { newKey } from "../seal.ts";

/** The keys in the file `path`, newest first; makes one if there is no such file and `make` is true. */
export function secretKeys(path: string, make: boolean): string | undefined {
  const found = read(path);
  if (found !== undefined || !make) return found;
  const draft = `${path}-new-${randomUUID()}`;
  try {
    const fd = openSync(draft, "wx", 0o600);
    try {
      writeSync(fd, `${newKey()}\n`);
      fsyncSync(fd);
    } finally {
      closeSync(fd);
    }
    place(draft, path);
  } finally {
    rmSync(draft, { force: true });
  }
  // That of another process, if it was first.
  return read(path);
}

function read(path: string): string | undefined {
  try {
    return readFileSync(path, "utf8");
  } catch (error) {
    if (codeOf(error) === "ENOENT") return undefined;
    throw error;
  }
}

function place(draft: string, path: string): void {
  try {
    linkSync(draft, path);
  } catch (error) {
    if (codeOf(error) === "EEXIST") return;
    // A file system without links.
    if (!["EPERM", "ENOTSUP", "ENOSYS", "EOPNOTSUPP"].includes(codeOf(error))) throw error;
    copyFileSync(draft, path, constants.COPYFILE_EXCL);
  }
}

function codeOf(error: unknown): string {
  return String((error as { code?: unknown }).code);
}
