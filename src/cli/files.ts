/** Files of a project. */
import { lstatSync, readdirSync } from "node:fs";
import { join } from "node:path";

/** Deeper than any layout; a bound for a folder that was named by mistake, such as `/`. */
const deepest = 12;

/** Every file in a folder and below, by path. What is installed, hidden, or a link is passed over. */
export function filesUnder(folder: string): readonly string[] {
  const found: string[] = [];
  const look = (at: string, depth: number): void => {
    for (const name of readdirSync(at).sort()) {
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
