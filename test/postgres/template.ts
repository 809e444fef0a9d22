/** The files of a PostgreSQL server that was never started: made once for a run of the tests, and copied for each server. */
import { execFile } from "node:child_process";
import { randomBytes } from "node:crypto";
import { chmodSync, chownSync, existsSync, mkdirSync, mkdtempSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { basename, dirname, join } from "node:path";
import { promisify } from "node:util";
import { runFolder } from "../build.ts";
import { type Account, type Binaries, program } from "./binaries.ts";

const run = promisify(execFile);

/** Puts the files of a new server into an empty folder of that account; answers the password of its user `postgres`. */
export async function initialize(data: string, binaries: Binaries, account: Account | undefined): Promise<string> {
  const shared = process.env[runFolder];
  // Outside of a run there is nothing to share it with; and not every system has `cp`.
  if (shared === undefined || process.platform === "win32") return make(data, binaries, account);
  // Servers of several versions may be tried in one run.
  const place = join(shared, `postgres-data-${binaries.folder.replaceAll(/[^\w.]+/g, "-")}`);
  if (!existsSync(place)) await makeTemplate(place, binaries, account);
  await run("cp", ["-R", `${join(place, "data")}/.`, data], { ...account, cwd: dirname(data) });
  return readFileSync(join(place, "password"), "utf8");
}

async function makeTemplate(place: string, binaries: Binaries, account: Account | undefined): Promise<void> {
  // Another account is to find its way in.
  if (account) chmodSync(dirname(place), 0o711);
  const own = mkdtempSync(join(dirname(place), `${basename(place)}-`));
  const data = join(own, "data");
  mkdirSync(data, { mode: 0o700 });
  if (account) for (const path of [own, data]) chownSync(path, account.uid, account.gid);
  writeFileSync(join(own, "password"), await make(data, binaries, account), { mode: 0o600 });
  try {
    renameSync(own, place);
  } catch (error) {
    // Two test files may do so at once, and what the first made is as good.
    rmSync(own, { recursive: true, force: true });
    if (!existsSync(place)) throw error;
  }
}

async function make(data: string, binaries: Binaries, account: Account | undefined): Promise<string> {
  const password = randomBytes(12).toString("hex");
  const secret = join(dirname(data), "secret");
  writeFileSync(secret, password, { mode: 0o600 });
  if (account) chownSync(secret, account.uid, account.gid);
  const auth = ["--auth-local=trust", "--auth-host=scram-sha-256", `--pwfile=${secret}`];
  const form = ["--username=postgres", "--encoding=UTF8", "--no-locale", "--no-sync"];
  await run(program(binaries, "initdb"), ["-D", data, ...auth, ...form], { ...account, cwd: dirname(data) });
  rmSync(secret);
  return password;
}
