/** Where the test programs are that run as processes of their own: with the package in few files, so that they begin quickly. */
import { execFileSync } from "node:child_process";
import { existsSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";
import { runFolder } from "../build.ts";

/** The folder of the programs of `test/faults` or `test/postgres`. With the full figures they run what is in `dist`, file by file. */
export function programsOf(of: "faults" | "postgres"): URL {
  const shared = process.env[runFolder];
  if (shared === undefined || process.env.ONEX_FAULTS === "full") return new URL(`../${of}/programs/`, import.meta.url);
  const place = join(shared, "programs");
  if (!existsSync(place)) execFileSync(process.execPath, [fileURLToPath(new URL("./bundling.mjs", import.meta.url)), place]);
  return pathToFileURL(join(place, "test", of, "programs/"));
}
