/**
 * The file whose runs are moved. Who has it open here keeps the owner's lock, so nobody else drives its runs or moves them.
 * Once it is marked nothing in it changes, and it can be read in many steps.
 */
import { existsSync, realpathSync } from "node:fs";
import { resolve } from "node:path";
import { OnexError } from "../../core/failure.ts";
import { connect } from "../sqlite/connection.ts";
import { type Database, loadDriver, type Row, type Value } from "../sqlite/driver.ts";
import { busyError, failed, isBusy } from "../sqlite/errors.ts";
import { checkFile } from "../sqlite/file.ts";
import { secretKeys } from "../sqlite/key.ts";
import { OwnerLock } from "../sqlite/owner.ts";
import { clearMark, type Mark, parseMark, setMark } from "../sqlite/promoted.ts";
import { others, parts, runs, type Table } from "./tables.ts";

const busyMs = 5_000;

export interface Chunk {
  readonly rows: readonly Row[];
  /** Where the next one begins; `undefined`: there is no more. */
  readonly next: Value | undefined;
}

export class Source {
  readonly name: string;
  readonly path: string;
  readonly #db: Database;
  readonly #lock: OwnerLock | undefined;

  private constructor(name: string, path: string, db: Database, lock: OwnerLock | undefined) {
    this.name = name;
    this.path = path;
    this.#db = db;
    this.#lock = lock;
  }

  /** Takes the owner's lock. Throws OnexError `STORE_MISSING`, `STORE_FOREIGN`, `STORE_BUSY`, `STORE_FAILED`. */
  static take(file: string): Source {
    return Source.#open(file, true);
  }

  /** To look at it beside its owner. Throws OnexError as `take`. */
  static look(file: string): Source {
    return Source.#open(file, false);
  }

  static #open(file: string, owning: boolean): Source {
    const name = `sqlite:${file}`;
    const driver = loadDriver();
    if (!existsSync(resolve(file))) throw new OnexError("STORE_MISSING", `${name}: there is no such file; correct the path`);
    checkFile(driver, resolve(file), name);
    const path = realpathSync(resolve(file));
    let lock: OwnerLock | undefined;
    try {
      if (owning) {
        lock = OwnerLock.tryTake(driver, `${path}-owner`);
        if (lock === undefined) throw driven(name, ownerOf(driver(path, { readOnly: true })));
      }
      return new Source(name, path, connect(driver, path, name, busyMs), lock);
    } catch (error) {
      lock?.free();
      throw isBusy(error) ? busyError(name, busyMs) : failed(name, error);
    }
  }

  /** The name that the file has for ever. */
  get id(): string {
    return this.#meta("store") ?? "";
  }

  get mark(): Mark | undefined {
    const text = this.#meta("promotion");
    return text === undefined ? undefined : parseMark(text);
  }

  /** From now on nobody writes to it; what an owner that died had begun is anyone's. */
  setMark(mark: Mark): void {
    this.#transact(() => {
      clearMark(this.#db);
      this.#db.exec(`UPDATE leases SET state = 'lapsed' WHERE state = 'live';
        UPDATE runs SET lease_no = NULL, wake_at = CASE WHEN blocked IS NULL THEN 0 ELSE wake_at END WHERE ended_at IS NULL AND lease_no IS NOT NULL`);
      setMark(this.#db, mark);
    });
  }

  /** The file is as any other again. */
  clearMark(): void {
    this.#transact(() => clearMark(this.#db));
  }

  /** Which process drives its runs, as far as it says. */
  get owner(): number | undefined {
    const pid = this.#db.prepare("SELECT pid FROM leases WHERE state = 'live'").get()?.pid;
    return pid === undefined ? undefined : Number(pid);
  }

  count(table: Table): number {
    return Number(this.#db.prepare(`SELECT count(*) AS n FROM ${table.name}`).get()?.n);
  }

  statuses(): readonly { readonly status: string; readonly runs: number }[] {
    return this.#all("SELECT status, count(*) AS runs FROM runs GROUP BY status ORDER BY status") as never;
  }

  /** Rows after `after`, at most `limit`, and fewer where they are long. */
  chunk(table: Table, after: Value | undefined, limit: number, bytes: number): Chunk {
    const { name, cursor, long } = table;
    const from = after ?? (cursor === "rowid" ? -1 : "");
    const size = long.map((column) => `coalesce(octet_length(${column}), 0)`).join(" + ") || "0";
    const heads = this.#all(
      `SELECT ${cursor} AS at, ${size} AS bytes FROM ${name} WHERE ${cursor} > ? ORDER BY ${cursor} LIMIT ?`,
      from,
      limit,
    );
    let count = 0;
    // A row that is longer than that goes alone.
    for (let sum = 0; count < heads.length; count++) {
      sum += Number(heads[count]?.bytes);
      if (count > 0 && sum > bytes) break;
    }
    const last = heads[count - 1]?.at;
    if (last === undefined) return { rows: [], next: undefined };
    const whole = count === heads.length && heads.length < limit;
    const rows = this.#all(
      `SELECT ${cursor === "rowid" ? "rowid AS at, " : "id AS at, "}* FROM ${name} WHERE ${cursor} > ? AND ${cursor} <= ? ORDER BY ${cursor}`,
      from,
      last,
    );
    return { rows, next: whole ? undefined : last };
  }

  /** Rows of a run, by their key. */
  *of(table: Table, runNo: number): Generator<Row> {
    const [key] = table.key;
    const page = 200;
    for (let after: Value = table.name === "blobs" ? "" : -1; ; ) {
      const rows = this.#all(`SELECT * FROM ${table.name} WHERE run_no = ? AND ${key} > ? ORDER BY ${key} LIMIT ${page}`, runNo, after);
      yield* rows;
      if (rows.length < page) return;
      after = rows.at(-1)?.[String(key)] as Value;
    }
  }

  /** Names of the keys that seal something in it. */
  keysUsed(): ReadonlySet<string> {
    const found = new Set<string>();
    for (const table of [...parts, ...others])
      for (const column of table.long)
        for (const text of this.#sealed(table, column))
          for (const [, name] of text.matchAll(/"\$sealed":"~?([0-9a-f]{8})\./g)) if (name !== undefined) found.add(name);
    return found;
  }

  *#sealed({ name }: Table, column: string): Generator<string> {
    const page = 50;
    for (let after: Value = -1; ; ) {
      const rows = this.#all(
        `SELECT rowid AS at, ${column} AS text FROM ${name} WHERE rowid > ? AND instr(${column}, '"$sealed":"') > 0 ORDER BY rowid LIMIT ${page}`,
        after,
      );
      for (const row of rows) yield String(row.text);
      if (rows.length < page) return;
      after = rows.at(-1)?.at as Value;
    }
  }

  /** The lines of the key file beside it. */
  keys(): string | undefined {
    return secretKeys(`${this.path}-key`, false);
  }

  close(): void {
    try {
      this.#db.exec("PRAGMA wal_checkpoint(PASSIVE)");
    } finally {
      this.#db.close();
      this.#lock?.free();
    }
  }

  #meta(key: string): string | undefined {
    return this.#db.prepare("SELECT value FROM meta WHERE key = ?").get(key)?.value as string | undefined;
  }

  #all(sql: string, ...values: Value[]): Row[] {
    return this.#db.prepare(sql).all(...values);
  }

  #transact(work: () => void): void {
    try {
      this.#db.exec("BEGIN IMMEDIATE");
      try {
        work();
        this.#db.exec("COMMIT");
      } catch (error) {
        if (this.#db.isTransaction) this.#db.exec("ROLLBACK");
        throw error;
      }
    } catch (error) {
      throw isBusy(error) ? busyError(this.name, busyMs) : failed(this.name, error);
    }
  }
}

/** What can be moved, all tables of a file. */
export const tables: readonly Table[] = [runs, ...parts, ...others];

function ownerOf(db: Database): number | undefined {
  try {
    const pid = db.prepare("SELECT pid FROM leases WHERE state = 'live'").get()?.pid;
    return pid === undefined ? undefined : Number(pid);
  } finally {
    db.close();
  }
}

function driven(name: string, pid: number | undefined): OnexError {
  const who = pid === undefined ? "another process" : `process ${pid}`;
  return new OnexError("STORE_BUSY", `${name}: ${who} drives its runs, or moves them; stop it first, then try again`);
}
