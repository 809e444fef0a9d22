/** A tree of files as people read it: folders end with `/`, and one that holds only a folder stands on its line. */
interface Folder {
  readonly folders: Map<string, Folder>;
  readonly files: string[];
}

/** Paths with `/`, as lines; `base` is the folder they are in, empty for the current one. */
export function treeLines(paths: readonly string[], base: string): readonly string[] {
  const root: Folder = { folders: new Map(), files: [] };
  for (const path of paths) {
    const parts = path.split("/");
    let folder = root;
    for (const part of parts.slice(0, -1)) {
      const below = folder.folders.get(part) ?? { folders: new Map(), files: [] };
      folder.folders.set(part, below);
      folder = below;
    }
    folder.files.push(parts.at(-1) ?? "");
  }
  return base === "" ? linesOf(root, "") : [`${base}/`, ...linesOf(root, "  ")];
}

function linesOf(folder: Folder, indent: string): readonly string[] {
  const below = [...folder.folders].flatMap(([name, inner]) => {
    let path = name;
    let at = inner;
    for (let [only, ...more] = at.folders; only && more.length === 0 && at.files.length === 0; [only, ...more] = at.folders) {
      path += `/${only[0]}`;
      at = only[1];
    }
    return [`${indent}${path}/`, ...linesOf(at, `${indent}  `)];
  });
  return [...below, ...folder.files.map((file) => `${indent}${file}`)];
}
