/** The API as it was agreed on, where it is at hand: its examples compile against the built package, unchanged. */
import { execFile } from "node:child_process";
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { promisify } from "node:util";
import { expect, test } from "vitest";

const run = promisify(execFile);
const root = resolve(import.meta.dirname, "..");
const agreed = resolve(root, "../shared/api");
const skipped = existsSync(agreed) ? "" : ` (SKIPPED: ${agreed} is not here)`;

/** What the compiler says of these files of the agreed API. */
async function compiled(names: readonly string[]): Promise<string> {
  const folder = mkdtempSync(join(tmpdir(), "onex-usage-"));
  try {
    mkdirSync(join(folder, "node_modules"));
    symlinkSync(root, join(folder, "node_modules/onex"));
    for (const name of ["zod", "@types"]) symlinkSync(join(root, "node_modules", name), join(folder, "node_modules", name));
    for (const name of names) writeFileSync(join(folder, name), readFileSync(join(agreed, name), "utf8"));
    writeFileSync(join(folder, "package.json"), JSON.stringify({ type: "module" }));
    const compilerOptions = {
      target: "es2023",
      module: "nodenext",
      strict: true,
      exactOptionalPropertyTypes: true,
      noEmit: true,
      allowImportingTsExtensions: true,
      types: ["node"],
      skipLibCheck: false,
    };
    writeFileSync(join(folder, "tsconfig.json"), JSON.stringify({ compilerOptions, files: names }));
    const tsc = join(root, "node_modules/typescript/bin/tsc");
    const { stdout } = await run(process.execPath, [tsc, "-p", folder]).catch((error: { stdout: string }) => error);
    return stdout;
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

test.skipIf(skipped !== "")(`the agreed usage compiles unchanged${skipped}`, async () => {
  expect(await compiled(["usage.ts"])).toBe("");
});

test.skipIf(skipped !== "")(`the agreed usage of streams and hosts compiles unchanged${skipped}`, async () => {
  expect(await compiled(["usage.ts", "usage-streams-hosts.ts"])).toBe("");
});
