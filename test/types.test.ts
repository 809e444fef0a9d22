/** Types are tested as types: every test file compiles, and what must be a compile error is one (test/types). */
import { execFile } from "node:child_process";
import { join, resolve } from "node:path";
import { promisify } from "node:util";
import { expect, test } from "vitest";

const root = resolve(import.meta.dirname, "..");

test("the tests compile, and what is refused is refused", async () => {
  const tsc = join(root, "node_modules/typescript/bin/tsc");
  const { stdout } = await promisify(execFile)(process.execPath, [tsc, "-p", join(root, "test")]).catch(
    (error: { stdout: string }) => error,
  );
  expect(stdout).toBe("");
});
