/** The API as it was agreed on, where it is at hand: its example compiles against the built package, unchanged. */
import { execFile } from "node:child_process";
import { copyFileSync, existsSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { promisify } from "node:util";
import { expect, test } from "vitest";

const run = promisify(execFile);
const root = resolve(import.meta.dirname, "..");
const agreed = resolve(root, "../shared/api/usage.ts");

test.skipIf(!existsSync(agreed))(
  `the agreed usage compiles unchanged${existsSync(agreed) ? "" : ` (SKIPPED: ${agreed} is not here)`}`,
  async () => {
    const folder = mkdtempSync(join(tmpdir(), "onex-usage-"));
    try {
      mkdirSync(join(folder, "node_modules"));
      symlinkSync(root, join(folder, "node_modules/onex"));
      for (const name of ["zod", "@types"]) symlinkSync(join(root, "node_modules", name), join(folder, "node_modules", name));
      copyFileSync(agreed, join(folder, "usage.ts"));
      writeFileSync(join(folder, "package.json"), JSON.stringify({ type: "module" }));
      const compilerOptions = {
        target: "es2023",
        module: "nodenext",
        strict: true,
        exactOptionalPropertyTypes: true,
        noEmit: true,
        types: ["node"],
        skipLibCheck: false,
      };
      writeFileSync(join(folder, "tsconfig.json"), JSON.stringify({ compilerOptions, files: ["usage.ts"] }));
      const tsc = join(root, "node_modules/typescript/bin/tsc");
      const { stdout } = await run(process.execPath, [tsc, "-p", folder]).catch((error: { stdout: string }) => error);
      expect(stdout).toBe("");
    } finally {
      rmSync(folder, { recursive: true, force: true });
    }
  },
);
