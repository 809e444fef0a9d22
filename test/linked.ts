/**
 * What `npm install` leaves in a project, without npm: onex stands below a folder `node_modules` with what it depends on beside it,
 * and so vitest takes it as it is, instead of transforming it module by module as it does with sources. All else is linked to what
 * is installed here.
 */
import { copyFileSync, linkSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, renameSync, symlinkSync } from "node:fs";
import { dirname, join, resolve } from "node:path";
import { runFolder } from "./build.ts";

const root = resolve(import.meta.dirname, "..");

/** Makes `node_modules` in a folder, with onex and these packages. */
export function linkPackages(folder: string, names: readonly string[]): void {
  const modules = join(folder, "node_modules");
  mkdirSync(modules);
  symlinkSync(builtOnex(), join(modules, "onex"));
  for (const name of names) link(name, modules);
}

function link(name: string, modules: string): void {
  mkdirSync(dirname(join(modules, name)), { recursive: true });
  symlinkSync(join(root, "node_modules", name), join(modules, name));
}

/** The package as it is built, once for a whole run of the tests; its path. */
function builtOnex(): string {
  const shared = process.env[runFolder] ?? "";
  const modules = join(shared, "linked/node_modules");
  try {
    // Two test files may make it at once: each for itself, and the first to move it into place is as good as the other.
    if (!readdirSync(shared).includes("linked")) renameSync(made(mkdtempSync(join(shared, "linked-"))), join(shared, "linked"));
  } catch (error) {
    if (!["ENOTEMPTY", "EEXIST"].includes((error as NodeJS.ErrnoException).code ?? "")) throw error;
  }
  return join(modules, "onex");
}

function made(folder: string): string {
  const { dependencies, optionalDependencies } = JSON.parse(readFileSync(join(root, "package.json"), "utf8")) as {
    readonly dependencies: object;
    readonly optionalDependencies: object;
  };
  const modules = join(folder, "node_modules");
  for (const name of Object.keys({ ...dependencies, ...optionalDependencies })) link(name, modules);
  const built = readdirSync(join(root, "dist"), { recursive: true, encoding: "utf8" }).filter((file) => /\.(?:js|d\.ts)$/.test(file));
  for (const file of ["package.json", ...built.map((name) => join("dist", name))]) same(join(root, file), join(modules, "onex", file));
  return folder;
}

/** One file under two names; where they stand on two disks, two files. */
function same(from: string, to: string): void {
  mkdirSync(dirname(to), { recursive: true });
  try {
    linkSync(from, to);
  } catch {
    copyFileSync(from, to);
  }
}
