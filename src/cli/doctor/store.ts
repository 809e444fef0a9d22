/** The file of a store, what stands beside it, and the disk below. Nothing is made, changed, or owned. */
import { accessSync, constants, lstatSync, readdirSync, realpathSync, statSync } from "node:fs";
import { basename, dirname, resolve } from "node:path";
import { OnexError } from "../../core/failure.ts";
import { type Depth, type Inspection, inspect } from "../../store/sqlite/inspect.ts";
import { moment, took } from "../output.ts";
import { memoryNote, type StoreUrl } from "../store.ts";
import { runs } from "./contents.ts";
import { checkDisk } from "./disk.ts";
import { type Check, Report } from "./report.ts";
import type { System } from "./system.ts";

/** Above this, SQLite is asked to check the file only with --deep: it reads all of it, a second for some 500 MiB. */
const quickBytes = 512 * 1024 * 1024;
/** Times in a store may be ahead by so much: clocks of two processes differ a little. */
const aheadMs = 2000;

const backup = "put the file back from a backup, or give another path";

export function checkStore(at: StoreUrl, system: System, deep: boolean): Check[] {
  const report = new Report("store");
  if (at.kind === "memory") {
    report.warn("file", memoryNote, "--store sqlite:FILE");
    return report.checks;
  }
  const path = resolve(at.path);
  const real = whole(at, path, report);
  checkDisk(dirname(real ?? path), system, report);
  if (real === undefined) return report.checks;
  beside(real, report);
  let found: Inspection;
  try {
    found = inspect(real, depthOf(real, deep), at.url);
  } catch (error) {
    if (!(error instanceof OnexError)) throw error;
    report.wrong("file", `${error.code}: ${error.message}`, error.code === "STORE_BUSY" ? "try again, or close what holds it" : backup);
    return report.checks;
  }
  file(found, deep, report);
  moved(found, at, report);
  owner(found, system, report);
  key(real, found, system, report);
  runs(found, at, system.now, report);
  ahead(found, system, report);
  return report.checks;
}

/** The real path of a file that is there and can be used; undefined when there is nothing to look into. */
function whole(at: StoreUrl, path: string, report: Report): string | undefined {
  const link = lstatSync(path, { throwIfNoEntry: false });
  const stats = statSync(path, { throwIfNoEntry: false });
  if (!link) {
    if (statSync(`${path}-wal`, { throwIfNoEntry: false }))
      report.wrong(
        "file",
        `${at.url} is gone, but its log ${path}-wal is still there`,
        "put the file back beside it; or, if its runs may be lost, remove the log",
      );
    else if (!statSync(dirname(path), { throwIfNoEntry: false }))
      report.wrong("file", `the folder ${dirname(path)} does not exist`, "make it, or give another path");
    else report.fine("file", `${at.url} is not there yet: \`onex run\` makes it`);
    return undefined;
  }
  if (!stats) {
    report.wrong("file", `${path} is a link to a file that does not exist`, "make it point to one, or remove it");
    return undefined;
  }
  const real = realpathSync(path);
  if (link.isSymbolicLink()) report.fine("link", `${path} is a link to ${real}; what belongs to the file stands there`);
  if (!stats.isFile()) {
    report.wrong("file", `${path} is ${stats.isDirectory() ? "a folder" : "no file"}`, "give the path of a file");
    return undefined;
  }
  for (const [what, mode, word] of [
    [real, constants.R_OK, "read"],
    [real, constants.W_OK, "written"],
    [dirname(real), constants.W_OK, "written"],
  ] as const) {
    if (may(what, mode)) continue;
    report.wrong("file", `${what} cannot be ${word} by this user`, `chown or chmod it; SQLite writes files beside it too`);
    return undefined;
  }
  return real;
}

function may(path: string, mode: number): boolean {
  try {
    accessSync(path, mode);
    return true;
  } catch {
    return false;
  }
}

function depthOf(path: string, deep: boolean): Depth {
  if (deep) return "full";
  return statSync(path).size > quickBytes ? "none" : "quick";
}

/** What a crash, or another program, left beside the file. */
function beside(path: string, report: Report): void {
  const name = basename(path);
  const left = readdirSync(dirname(path)).filter((other) => other.startsWith(`${name}-new-`) || other.startsWith(`${name}-key-new-`));
  if (left.length > 0)
    report.warn(
      "beside it",
      `drafts of a process that was killed: ${left.join(", ")}`,
      `remove them when no onex is being started: rm ${left.join(" ")}`,
    );
  if (statSync(`${path}-journal`, { throwIfNoEntry: false }))
    report.warn(
      "beside it",
      `${name}-journal is there, which onex never makes: another program wrote into the file`,
      "do not remove it; close that program, and open the file once with `onex ls`",
    );
}

function file({ schema, journal, synchronous, damage }: Inspection, deep: boolean, report: Report): void {
  if (schema.file < schema.known) report.fine("schema", `${schema.file}; this onex brings it to ${schema.known} when it opens the file`);
  else report.fine("schema", `${schema.file}, as this onex knows it`);
  if (journal !== "wal")
    report.warn(
      "journal",
      "the write-ahead log is off, which onex never does: another program changed the file",
      "nothing to do: onex turns it on again when it opens the file; keep other programs out of it",
    );
  else if (synchronous !== 2)
    report.wrong("journal", `synchronous stays at ${synchronous} and must be 2 (FULL)`, "use another build of SQLite");
  else report.fine("journal", "write-ahead log, synchronous FULL (read back)");
  if (damage === undefined) report.fine("integrity", "not checked, since the file is large: --deep does");
  else if (damage.length > 0) report.wrong("integrity", `SQLite finds damage: ${damage.join("; ")}`, backup);
  else report.fine("integrity", deep ? "ok (integrity_check)" : "ok (quick_check; --deep checks indexes too)");
}

function moved({ promotion, locked }: Inspection, at: StoreUrl, report: Report): void {
  if (promotion === undefined) return;
  const { state, url } = promotion;
  if (state === "promoted")
    report.warn(
      "moved",
      `its runs were moved to ${url} and go on there; what follows is how they stood then`,
      `give that URL, with its user, as --store or in ONEX_STORE`,
    );
  else if (locked) report.fine("moved", `its runs are being moved to ${url} now; nothing is written here any more`);
  else
    report.wrong(
      "moved",
      `moving its runs to ${url} was broken off: nobody drives them, neither here nor there`,
      `onex promote ${at.url} ${url} goes on with it (name the user in the URL); with --abort they go on in the file`,
    );
}

function owner({ owner: last, locked, counts }: Inspection, { isAlive }: System, report: Report): void {
  const open = openRuns(counts);
  if (locked) {
    report.fine("owner", last ? `process ${last.pid} owns it` : "a process is taking it now");
    return;
  }
  if (!last) {
    report.fine("owner", "nobody");
    return;
  }
  const how = isAlive(last.pid)
    ? `process ${last.pid} has its lock no more, though a process of that number runs`
    : `process ${last.pid} ended without letting go`;
  if (open === 0) report.fine("owner", `nobody: ${how}`);
  else
    report.warn(
      "owner",
      `nobody drives ${open} open ${open === 1 ? "run" : "runs"}: ${how}`,
      "start a process: onex work MODULE|FILE; it takes the file at once",
    );
}

function key(path: string, { hasSealed }: Inspection, { env }: System, report: Report): void {
  const stats = statSync(`${path}-key`, { throwIfNoEntry: false });
  if (stats && process.platform !== "win32" && (stats.mode & 0o077) !== 0)
    report.wrong(
      "key",
      `${basename(path)}-key can be read by others (mode ${(stats.mode & 0o777).toString(8).padStart(4, "0")})`,
      `chmod 600 ${path}-key`,
    );
  else if (stats) report.fine("key", `${basename(path)}-key is there, for this user alone`);
  else if (hasSealed && !env.ONEX_SECRET_KEY)
    report.wrong(
      "key",
      "secrets are sealed in it, and their key is not there",
      `put ${basename(path)}-key back beside it, or set ONEX_SECRET_KEY`,
    );
  else if (hasSealed) report.fine("key", "secrets are sealed with ONEX_SECRET_KEY");
}

function openRuns(counts: Inspection["counts"]): number {
  const { completed: _completed, failed: _failed, cancelled: _cancelled, ...open } = counts;
  return Object.values(open).reduce((sum, count) => sum + count, 0);
}

function ahead({ newest }: Inspection, { now }: System, report: Report): void {
  if (newest !== undefined && newest > now() + aheadMs)
    report.warn(
      "clock",
      `the newest entry is of ${moment(newest)}, ${took(newest - now())} from now: this clock is behind, or was set back`,
      "set the clock of this machine right (NTP): until then, times of runs are late by as much",
    );
}
