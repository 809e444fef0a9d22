/**
 * The file itself: made only where there is none, and used only if it is ours. A file that is empty, cut short or foreign
 * is never written to: SQLite would take an empty one for a new database, and all runs would be gone without a word.
 */
import { randomUUID } from "node:crypto";
import { closeSync, constants, copyFileSync, existsSync, fsyncSync, linkSync, openSync, rmSync, statSync } from "node:fs";
import { dirname } from "node:path";
import { OnexError } from "../../core/failure.ts";
import { type Driver, readOnce, type Value } from "./driver.ts";
import { busyError, failed, isBusy, isDamaged } from "./errors.ts";
import { applicationId, migrate, schemaVersion } from "./schema.ts";

/** How long a file may be locked at open, ms. */
const openBusyMs = 1000;

/** Makes sure that `path` is a database of ours, making it if there is no such file. `name` is for messages. */
export function ensureFile(driver: Driver, path: string, name: string): void {
  if (statSync(path, { throwIfNoEntry: false }) === undefined) create(driver, path, name);
  checkFile(driver, path, name);
}

/** Throws OnexError `STORE_MISSING`, `STORE_FOREIGN`, `STORE_BUSY`, `STORE_FAILED` unless `path` is a database of ours that this onex knows. */
export function checkFile(driver: Driver, path: string, name: string): void {
  const found = statSync(path, { throwIfNoEntry: false });
  if (found === undefined)
    throw new OnexError("STORE_MISSING", `${name}: the link points to a file that does not exist; make it point to one, or remove it`);
  if (!found.isFile())
    throw foreign(name, `there is a ${found.isDirectory() ? "folder" : "device"} of this name`, "give the path of a file");
  if (found.size === 0) {
    throw foreign(
      name,
      "the file is empty (0 bytes), which a store never is",
      "put the lost file back from a backup; if there were no runs in it, remove it and start again",
    );
  }
  identify(driver, path, name);
}

function identify(driver: Driver, path: string, name: string): void {
  let application: Value | undefined;
  let version: Value | undefined;
  try {
    // Read-only: a foreign database is left as it is, down to its unfinished write-ahead log.
    const db = driver(path, { readOnly: true });
    try {
      db.exec(`PRAGMA busy_timeout = ${openBusyMs}`);
      [application, version] = readOnce(
        db,
        "(SELECT application_id FROM pragma_application_id), (SELECT user_version FROM pragma_user_version)",
      );
    } finally {
      db.close();
    }
  } catch (error) {
    if (isBusy(error)) throw busyError(name, openBusyMs);
    if (isDamaged(error))
      throw foreign(
        name,
        "the file is not a whole SQLite database (cut short, overwritten, or of another program)",
        "put it back from a backup, or give another path",
      );
    throw failed(name, error);
  }
  if (application !== applicationId)
    throw foreign(name, `the file is a SQLite database of another program (application_id ${application})`, "give another path");
  if (Number(version) > schemaVersion) {
    throw foreign(
      name,
      `a newer onex wrote it (schema ${version}; this one knows up to ${schemaVersion})`,
      "use that version or a later one",
    );
  }
}

/** Builds the file under another name and links it into place: nobody ever sees half of it, and nothing is overwritten. */
function create(driver: Driver, path: string, name: string): void {
  const folder = dirname(path);
  if (!existsSync(folder))
    throw new OnexError("STORE_MISSING", `${name}: the folder ${folder} does not exist; create it, or give another path`);
  if (existsSync(`${path}-wal`) && !existsSync(path)) {
    // SQLite would play the old log into the new file.
    throw foreign(
      name,
      `the file is gone, but its log ${path}-wal is still there`,
      "put the file back beside it; or, if its runs may be lost, remove the log",
    );
  }
  const draft = `${path}-new-${randomUUID()}`;
  try {
    closeSync(openSync(draft, "wx", 0o600));
    const db = driver(draft, { readOnly: false });
    try {
      db.exec("PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL");
      migrate(db);
    } finally {
      db.close();
    }
    place(draft, path);
    sync(folder);
  } catch (error) {
    throw failed(name, error);
  } finally {
    for (const end of ["", "-wal", "-shm"]) rmSync(draft + end, { force: true });
  }
}

function place(draft: string, path: string): void {
  try {
    linkSync(draft, path);
  } catch (error) {
    const code = (error as { code?: unknown }).code;
    if (code === "EEXIST") return; // another process made it first, as whole as ours
    if (code !== "EPERM" && code !== "ENOTSUP" && code !== "ENOSYS" && code !== "EOPNOTSUPP") throw error;
    // A file system without links: a crash within this copy leaves a file that is refused, not one that loses runs.
    copyFileSync(draft, path, constants.COPYFILE_EXCL);
  }
}

/** Makes the new name survive a power cut; where folders cannot be synced (Windows), the system does it in its own time. */
function sync(folder: string): void {
  let fd: number | undefined;
  try {
    fd = openSync(folder, "r");
    fsyncSync(fd);
  } catch {
    // Nothing to do: the file is whole, only its name may be lost with the power.
  } finally {
    if (fd !== undefined) closeSync(fd);
  }
}

function foreign(name: string, found: string, todo: string): OnexError {
  return new OnexError("STORE_FOREIGN", `${name}: ${found}; ${todo}. Nothing was changed.`);
}
