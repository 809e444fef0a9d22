/** What the tests of the PostgreSQL store have in common. */
import { createRequire } from "node:module";
import { skipOnForeignServer, skipWithoutPostgres } from "./binaries.ts";

/** Whether the store cannot be tried here; then it says loudly what is not tested. For `describe.skipIf(skipWithoutStore("…"))`. */
export function skipWithoutStore(what: string): boolean {
  try {
    createRequire(import.meta.url).resolve("onex/postgres");
  } catch {
    process.stderr.write(`\n!! the package has no onex/postgres: NOT TESTED: ${what}\n\n`);
    return true;
  }
  return skipWithoutPostgres(what) || skipOnForeignServer(what);
}
