/** One connection with every setting made explicit, and read back: a default that differs between builds loses runs. */
import { OnexError } from "../../core/failure.ts";
import type { Database, Driver } from "./driver.ts";
import { migrate, numberOf, schemaVersion } from "./schema.ts";

/** Pages of 4 KiB that the log may hold before it is copied into the file: 4 MiB. */
const checkpointFrames = 1024;
/** At this many the log is warned about: 64 MiB. */
const alarmFrames = 16_384;

const settings: readonly (readonly [pragma: string, value: number])[] = [
  ["synchronous", 2], // FULL: an acknowledged commit survives a power cut
  ["foreign_keys", 1],
  ["trusted_schema", 0],
  ["wal_autocheckpoint", 0], // between flushes instead, not within somebody's commit
  ["cache_size", -16_000],
  ...(process.platform === "darwin"
    ? ([
        ["fullfsync", 1],
        ["checkpoint_fullfsync", 1],
      ] as const)
    : []),
];

export function connect(driver: Driver, path: string, name: string, busyMs: number): Database {
  const db = driver(path, { readOnly: false });
  try {
    setBusy(db, busyMs);
    const mode = db.prepare("PRAGMA journal_mode = WAL").get()?.journal_mode;
    if (mode !== "wal")
      throw new OnexError(
        "STORE_FAILED",
        `${name}: SQLite refuses its write-ahead log here (journal_mode is ${mode}); is it on a network drive? Use a local disk`,
      );
    for (const [pragma, value] of settings) {
      db.exec(`PRAGMA ${pragma} = ${value}`);
      const got = numberOf(db, pragma);
      if (got !== value)
        throw new OnexError("STORE_FAILED", `${name}: PRAGMA ${pragma} stays at ${got}, but must be ${value}; use another build of SQLite`);
    }
    if (numberOf(db, "user_version") < schemaVersion) migrate(db);
    return db;
  } catch (error) {
    db.close();
    throw error;
  }
}

export function setBusy(db: Database, ms: number): void {
  db.exec(`PRAGMA busy_timeout = ${ms}`);
}

/** Copies the write-ahead log into the file when it has grown: between flushes, never making anybody wait. */
export class Checkpoints {
  readonly #db: Database;
  readonly #size: ReturnType<Database["prepare"]>;
  readonly #copy: ReturnType<Database["prepare"]>;
  #limit = checkpointFrames;
  #warned = false;

  constructor(db: Database) {
    this.#db = db;
    this.#size = db.prepare("PRAGMA wal_checkpoint(NOOP)");
    this.#copy = db.prepare("PRAGMA wal_checkpoint(PASSIVE)");
  }

  /** Called after a commit. */
  passive(warn: (code: string, message: string) => void): void {
    const frames = Number(this.#size.get()?.log ?? 0);
    if (frames < this.#limit) return;
    const done = this.#copy.get();
    // What a reader still needs cannot be copied now: try again when as much has come on top, not at every commit.
    this.#limit = done?.checkpointed === done?.log ? checkpointFrames : frames + checkpointFrames;
    if (frames < alarmFrames) this.#warned = false;
    else if (!this.#warned) {
      this.#warned = true;
      warn("STORE_BUSY", "the write-ahead log has grown past 64 MiB because another process keeps reading; close what has the file open");
    }
  }

  /** Called at the end: the file alone is whole then, unless somebody else still reads it. */
  truncate(): void {
    this.#db.exec("PRAGMA wal_checkpoint(TRUNCATE)");
  }
}
