/**
 * The package as a user gets it: packed, and installed from the tarball into a folder of a project, what it depends on from npm's
 * registry. One pack of each package and one npm cache serve a whole run of the tests, in the folder of `test/build.ts`.
 */
import { execFile, execFileSync } from "node:child_process";
import { mkdirSync, mkdtempSync, readdirSync, renameSync } from "node:fs";
import { join, resolve } from "node:path";
import { promisify } from "node:util";
import { runFolder } from "./build.ts";

const root = resolve(import.meta.dirname, "..");
const run = promisify(execFile);
const shared = (): string => process.env[runFolder] ?? "";

/** The environment of a user's npm: nothing of the npm that runs the tests, and the cache of this run. */
function npmEnv(): NodeJS.ProcessEnv {
  const own = Object.entries(process.env).filter(([name]) => !/^npm_/i.test(name) && !["FORCE_COLOR", "NODE_ENV"].includes(name));
  return { ...Object.fromEntries(own), NO_COLOR: "1", npm_config_cache: join(shared(), "npm-cache"), npm_config_update_notifier: "false" };
}

export interface Ended {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

/** Runs npm in a folder, as a user does; answers also when it fails. */
export async function npm(folder: string, ...args: readonly string[]): Promise<Ended> {
  try {
    return { code: 0, ...(await run("npm", args, { cwd: folder, env: npmEnv(), maxBuffer: 2 ** 26 })) };
  } catch (error) {
    const { code, stdout = "", stderr = "" } = error as { code?: unknown; stdout?: string; stderr?: string };
    return { code: typeof code === "number" ? code : 1, stdout, stderr: stderr === "" ? String(error) : stderr };
  }
}

/** The path of the tarball of onex, or of `create-onex`. Throws Error with what npm said. */
export async function packed(name: "onex" | "create-onex" = "onex"): Promise<string> {
  const folder = join(shared(), "packed", name);
  mkdirSync(folder, { recursive: true });
  const tarball = () => readdirSync(folder).find((file) => file.endsWith(".tgz"));
  if (tarball() === undefined) {
    // Two test files may do so at once: each packs for itself, and the last to move it into place is as good as the first.
    const own = mkdtempSync(join(shared(), "pack-"));
    const from = name === "onex" ? root : join(root, "packages", name);
    // The build is there already; a second one here would write into files that other tests read.
    const { code, stderr } = await npm(from, "pack", "--ignore-scripts", "--pack-destination", own);
    if (code !== 0) throw new Error(`npm pack of ${name}: ${stderr}`);
    for (const file of readdirSync(own)) renameSync(join(own, file), join(folder, file));
  }
  return join(folder, tarball() ?? "");
}

/** `npm install` in a folder, with these packages (names, or paths of tarballs) or what its package.json says. Throws Error with what npm said. */
export async function install(folder: string, packages: readonly string[] = []): Promise<void> {
  const { code, stderr } = await npm(folder, "install", "--ignore-scripts", "--no-audit", "--no-fund", "--prefer-offline", ...packages);
  if (code !== 0) throw new Error(`npm install ${packages.join(" ")}: ${stderr}`);
}

/** Whether npm's registry cannot be reached; then it says loudly what is not tested. For `test.skipIf(skipWithoutNetwork("…"))`. */
export function skipWithoutNetwork(what: string): boolean {
  try {
    execFileSync("npm", ["view", "yaml", "version", "--fetch-retries=0", "--fetch-timeout=10000"], { cwd: root, stdio: "ignore" });
    return false;
  } catch {
    process.stderr.write(`\n!! npm's registry cannot be reached: NOT TESTED: ${what}\n\n`);
    return true;
  }
}
