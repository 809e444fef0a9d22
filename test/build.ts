/** Builds the package and the examples once, before the tests that run them; and makes a folder for what the whole run shares. */
import { execFileSync } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

/** The environment variable that names the folder of the run: the test files are processes of their own. */
export const runFolder = "ONEX_TEST_FOLDER";

export default function build(): () => void {
  execFileSync(process.execPath, ["node_modules/typescript/bin/tsc", "-b"], { stdio: "inherit" });
  const folder = mkdtempSync(join(tmpdir(), "onex-tests-"));
  process.env[runFolder] = folder;
  return () => rmSync(folder, { recursive: true, force: true });
}
