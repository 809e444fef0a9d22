/**
 * Tells of saved source files below some folders. Only a file whose content has changed counts: editors save the same text,
 * touch files, and write them twice. Folders that are installed or hidden are left alone, links are not followed.
 */
import { createHash } from "node:crypto";
import { type FSWatcher, lstatSync, readdirSync, readFileSync, watch } from "node:fs";
import { extname, join } from "node:path";

const sources = new Set([".ts", ".mts", ".js", ".mjs", ".cjs", ".json", ".yaml", ".yml"]);
/** A save is often several events: they are one change. */
const settleMs = 60;

export interface Watch {
  close(): void;
}

/** Calls `changed` with the files that were saved, added or removed since the last call. */
export function watchSources(folders: readonly string[], changed: (files: readonly string[]) => void): Watch {
  const watchers = new Map<string, FSWatcher>();
  let known = new Map<string, string>();
  let timer: NodeJS.Timeout | undefined;
  let closed = false;

  const look = (): Map<string, string> => {
    const found = new Map<string, string>();
    const seen = new Set<string>();
    const enter = (folder: string): void => {
      if (seen.has(folder)) return;
      seen.add(folder);
      // Watched before it is read: what is saved in between is told of.
      if (!watchers.has(folder)) attend(folder);
      for (const name of listed(folder)) {
        if (name === "node_modules" || name.startsWith(".")) continue;
        const path = join(folder, name);
        const stats = lstatSync(path, { throwIfNoEntry: false });
        if (stats?.isDirectory()) enter(path);
        else if (stats?.isFile() && sources.has(extname(name))) found.set(path, digest(path));
      }
    };
    for (const folder of folders) enter(folder);
    for (const [folder, watcher] of watchers)
      if (!seen.has(folder)) {
        watcher.close();
        watchers.delete(folder);
      }
    return found;
  };
  const attend = (folder: string): void => {
    try {
      const watcher = watch(folder, { persistent: true }, settle);
      // A folder that was removed: the next look leaves it out.
      watcher.on("error", settle);
      watchers.set(folder, watcher);
    } catch {
      // It was removed before it could be watched.
    }
  };
  const settle = (): void => {
    if (closed) return;
    clearTimeout(timer);
    timer = setTimeout(() => {
      const now = look();
      const saved = [...now].filter(([path, hash]) => known.get(path) !== hash).map(([path]) => path);
      const removed = [...known.keys()].filter((path) => !now.has(path));
      known = now;
      if (saved.length + removed.length > 0) changed([...saved, ...removed].sort());
    }, settleMs);
  };
  known = look();
  return {
    close() {
      closed = true;
      clearTimeout(timer);
      for (const watcher of watchers.values()) watcher.close();
    },
  };
}

function listed(folder: string): readonly string[] {
  try {
    return readdirSync(folder).sort();
  } catch {
    return [];
  }
}

function digest(path: string): string {
  try {
    return createHash("sha256").update(readFileSync(path)).digest("base64");
  } catch {
    // It was removed, or is being replaced: another event follows.
    return "";
  }
}
