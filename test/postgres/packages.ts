/** Versions of this package that do not exist yet: as it was built, with migrations of the schema added. */
import { cpSync, mkdirSync, readdirSync, readFileSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";
import type { Migration } from "../../src/store/postgres/migrations.ts";

const root = fileURLToPath(new URL("../../", import.meta.url));

/** Makes the package in a new folder; answers where its test programs are. */
export function newerPackage(folder: string, more: readonly Migration[]): URL {
  mkdirSync(join(folder, "test"), { recursive: true });
  const runs = (path: string) => !/\.(map|d\.ts|tsbuildinfo)$/.test(path);
  for (const path of ["package.json", "dist", "test/faults/programs", "test/postgres/programs"])
    cpSync(join(root, path), join(folder, path), { recursive: true, filter: runs });
  // The maps stay where they are, and nobody is to look for them.
  for (const name of readdirSync(join(folder, "dist"), { recursive: true, encoding: "utf8" })) {
    const path = join(folder, "dist", name);
    if (name.endsWith(".js")) writeFileSync(path, readFileSync(path, "utf8").replace(/^\/\/# sourceMappingURL=.*$/m, ""));
  }
  symlinkSync(join(root, "node_modules"), join(folder, "node_modules"), "junction");
  const path = join(folder, "dist/store/postgres/migrations.js");
  const text = readFileSync(path, "utf8");
  const end = text.indexOf("\n];", text.indexOf("export const migrations = ["));
  if (end < 0) throw new Error(`there is no list of migrations in ${path}`);
  const added = more.map((one) => `\n    ${JSON.stringify(one)},`).join("");
  writeFileSync(path, text.slice(0, end) + added + text.slice(end));
  return pathToFileURL(join(folder, "test/postgres/programs/"));
}
