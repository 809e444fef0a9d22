/** Files of a project. */
import { lstatSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { OnexError } from "../core/failure.ts";

/** Deeper than any layout; a bound for a folder that was named by mistake, such as `/`. */
const deepest = 12;

/** Every file in a folder and below, by path. What is installed, hidden, or a link is passed over. Throws as `readable` does. */
export function filesUnder(folder: string): readonly string[] {
  const found: string[] = [];
  const look = (at: string, depth: number): void => {
    for (const name of readable(at, () => readdirSync(at)).sort()) {
      if (name === "node_modules" || name.startsWith(".")) continue;
      const path = join(at, name);
      const stats = lstatSync(path, { throwIfNoEntry: false });
      if (stats?.isFile()) found.push(path);
      else if (stats?.isDirectory() && depth < deepest) look(path, depth + 1);
    }
  };
  look(folder, 0);
  return found;
}

/** What `read` gives of a path. Throws OnexError `CONTRACT_NOT_FOUND` where it may not be read: what stands there is not known. */
export function readable<T>(path: string, read: () => T): T {
  try {
    return read();
  } catch (error) {
    throw new OnexError(
      "CONTRACT_NOT_FOUND",
      `${path} cannot be read, so it is not known what it holds: ${(error as Error).message}. Give the right to read it, or name a folder or file beside it`,
      { cause: error },
    );
  }
}
