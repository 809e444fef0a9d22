/**
 * Writes this package as it was built, with all that it imports, into few files of a new folder, and the test programs beside it:
 * a program that loads 400 modules takes half a second of a core to begin, one that loads five a fifth.
 */
import { cpSync, mkdirSync, mkdtempSync, renameSync, rmSync, symlinkSync } from "node:fs";
import { createRequire } from "node:module";
import { join } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";

const root = fileURLToPath(new URL("../../", import.meta.url));
const [place = ""] = process.argv.slice(2);

/** What the programs import. The thread of the PostgreSQL store is looked for beside whatever file begins it. */
const doors = ["index", "store/postgres/index", "store/promote/promote", "store/sqlite/driver", "store/sqlite/sqlite"];
const thread = "store/postgres/renewer";

// The bundler is the one that vitest runs on.
const of = (/** @type {string} */ name, /** @type {string} */ from) => createRequire(from).resolve(name);
const vite = of("vite", of("vitest/package.json", join(root, "package.json")));
const { rolldown } = await import(pathToFileURL(of("rolldown", vite)).href);

const folder = mkdtempSync(`${place}-`);
const input = Object.fromEntries([...doors, thread].map((name) => [name, join(root, "dist", `${name}.js`)]));
const built = await rolldown({ input, platform: "node", external: [/^pg$/, /^pg-/], logLevel: "silent" });
await built.write({ dir: join(folder, "dist"), entryFileNames: "[name].js", chunkFileNames: "store/postgres/[name].js" });
mkdirSync(join(folder, "test"));
for (const path of ["package.json", "test/faults/programs", "test/postgres/programs"])
  cpSync(join(root, path), join(folder, path), { recursive: true });
symlinkSync(join(root, "node_modules"), join(folder, "node_modules"), "junction");
try {
  renameSync(folder, place);
} catch {
  // Another test file was as quick, and what it made is as good.
  rmSync(folder, { recursive: true, force: true });
}
