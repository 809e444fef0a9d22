/**
 * Templates are files: `templates/KIND/PATH.tmpl`, where path and text hold placeholders such as `{{name}}`. There is no logic
 * in them, and what replaces a placeholder is a name that was checked: what is typed is data, never part of a template.
 */
import { readdirSync, readFileSync } from "node:fs";
import { join, posix, relative, sep } from "node:path";
import { fileURLToPath } from "node:url";
import type { Values } from "./values.ts";

/** A file of the tree that a template makes; the path is relative to the project's folder, with `/`. */
export interface Rendered {
  readonly path: string;
  readonly text: string;
}

const templates = fileURLToPath(new URL("../../../templates", import.meta.url));
const ending = ".tmpl";

/** The tree of a template, by path. Throws Error for a placeholder that there is not: the template is at fault. */
export function render(template: string, values: Omit<Values, "toRoot">): readonly Rendered[] {
  const root = join(templates, template);
  const files = readdirSync(root, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile() && entry.name.endsWith(ending))
    .map((entry) => relative(root, join(entry.parentPath, entry.name)).split(sep).join("/"));
  return files
    .map((file): Rendered => {
      const path = fill(file.slice(0, -ending.length), { ...values, toRoot: "" }, file);
      const toRoot = "../".repeat(path.split("/").length - 1);
      return { path: posix.normalize(path), text: fill(readFileSync(join(root, file), "utf8"), { ...values, toRoot }, file) };
    })
    .sort((a, b) => (a.path < b.path ? -1 : 1));
}

/** `$` and `{{` in a value stay what they are: each placeholder is replaced once. */
function fill(text: string, values: Values, file: string): string {
  return text.replaceAll(/\{\{(\w+)\}\}/g, (_, name: string) => {
    if (!Object.hasOwn(values, name)) throw new Error(`${file}: there is no placeholder {{${name}}}`);
    return values[name as keyof Values];
  });
}
