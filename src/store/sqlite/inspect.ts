/**
 * A look at a file that changes nothing: no byte of it or of its log, no ownership. It works beside the process that owns
 * the file, but not within it. Of a file whose owner was killed, SQLite may make `FILE-shm` anew, the index of the log.
 */
import { closeSync, existsSync, openSync, readSync } from "node:fs";
import { pathToFileURL } from "node:url";
import type { RunStatus } from "../../core/fact.ts";
import { view } from "../../core/view.ts";
import { decodeFacts } from "../codec.ts";
import { type Database, type Driver, loadDriver } from "./driver.ts";
import { busyError, failed, isBusy, isDamaged } from "./errors.ts";
import { checkFile } from "./file.ts";
import type { Mark } from "./promoted.ts";
import { Reads } from "./reads.ts";
import { numberOf, schemaVersion } from "./schema.ts";

/** Runs that are named, of each kind. */
const namedRuns = 5;
/** Turns at the end of the log in which sealed secrets are looked for. */
const sealedIn = 1000;
/** How long the file may be locked, ms. */
const busyMs = 1000;

export interface Inspection {
  readonly schema: { readonly file: number; readonly known: number };
  /** As the head of the file says; "delete" stands for every mode but the write-ahead log. */
  readonly journal: "wal" | "delete";
  /** As SQLite reads it back after it was set: 2 is FULL. */
  readonly synchronous: number;
  /** Complaints of SQLite about the file; undefined when it was not asked. */
  readonly damage: readonly string[] | undefined;
  readonly counts: Readonly<Partial<Record<RunStatus, number>>>;
  /** Runs that have not ended, and wait for code that no process had so far. */
  readonly blocked: readonly { readonly workflow: string; readonly version: string; readonly code: string; readonly count: number }[];
  readonly oldestPending: { readonly id: string; readonly createdAt: number } | undefined;
  readonly paused: readonly { readonly id: string; readonly code: string; readonly step?: string }[];
  /** The latest time that anything was written, ms since 1970; undefined in an empty store. */
  readonly newest: number | undefined;
  /** Of the lease that was not given back. */
  readonly owner: { readonly pid: number } | undefined;
  /** Whether a process keeps the owner's lock now. */
  readonly locked: boolean;
  readonly hasSealed: boolean;
  /** Of a file whose runs are moved to a database, or were. */
  readonly promotion: Mark | undefined;
}

export type Depth = "none" | "quick" | "full";

/**
 * Looks at a file that exists. `depth` says how thoroughly SQLite checks it; both kinds read all of it.
 * Throws OnexError `STORE_FOREIGN`, `STORE_BUSY`, `STORE_FAILED`, `STORE_DRIVER_MISSING`.
 */
export function inspect(path: string, depth: Depth, name = `sqlite:${path}`): Inspection {
  const driver = loadDriver();
  for (;;) {
    const wasOpen = existsSync(`${path}-wal`);
    try {
      checkFile(quiet(driver), path, name);
      const found = { ...look(quiet(driver), path, depth), locked: isLocked(driver, `${path}-owner`) };
      // It was opened by somebody in the meantime, who wrote under our eyes: look again, with locks now.
      if (wasOpen || !existsSync(`${path}-wal`)) return found;
    } catch (error) {
      if (wasOpen || !existsSync(`${path}-wal`)) throw isBusy(error) ? busyError(name, busyMs) : failed(name, error);
    }
  }
}

/** Opens a file that nobody has open without locks: with them, SQLite would make its log and the index of that. */
function quiet(driver: Driver): Driver {
  return (path) => driver(existsSync(`${path}-wal`) ? path : `${pathToFileURL(path).href}?immutable=1`, { readOnly: true });
}

function look(driver: Driver, path: string, depth: Depth): Omit<Inspection, "locked"> {
  // Before it is opened: closing a file drops all locks that the process holds on it.
  const journal = journalOf(path);
  const db = driver(path, { readOnly: true });
  try {
    db.exec(`PRAGMA busy_timeout = ${busyMs}; PRAGMA synchronous = 2`);
    const schema = numberOf(db, "user_version");
    const facts = {
      schema: { file: schema, known: schemaVersion },
      journal,
      synchronous: numberOf(db, "synchronous"),
      damage: depth === "none" ? undefined : damageOf(db, depth),
    };
    // An older file has not all the columns yet, and a broken one cannot be counted.
    if (schema < schemaVersion || (facts.damage?.length ?? 0) > 0) return { ...facts, ...nothing };
    return { ...facts, ...contentsOf(db) };
  } finally {
    db.close();
  }
}

const nothing = {
  counts: {},
  blocked: [],
  oldestPending: undefined,
  paused: [],
  newest: undefined,
  owner: undefined,
  hasSealed: false,
  promotion: undefined,
};

function contentsOf(db: Database): Omit<Inspection, "locked" | "schema" | "journal" | "synchronous" | "damage"> {
  const reads = new Reads(db);
  const rows = (sql: string, ...values: (string | number)[]) => db.prepare(sql).all(...values);
  const [newest] = rows(
    "SELECT max((SELECT max(at) FROM (SELECT at FROM turns ORDER BY id DESC LIMIT 100)), coalesce((SELECT max(created_at) FROM (SELECT created_at FROM runs ORDER BY run_no DESC LIMIT 100)), 0)) AS at",
  );
  const [pending] = rows("SELECT id, created_at FROM runs WHERE status = 'pending' ORDER BY run_no LIMIT 1");
  const owner = reads.owner();
  return {
    counts: Object.fromEntries(
      rows("SELECT status, count(*) AS count FROM runs GROUP BY status").map((row) => [row.status, row.count]),
    ) as Inspection["counts"],
    blocked: rows(
      "SELECT workflow, version, blocked AS code, count(*) AS count FROM runs WHERE blocked IS NOT NULL AND ended_at IS NULL GROUP BY 1, 2, 3 ORDER BY 4 DESC",
    ) as unknown as Inspection["blocked"],
    oldestPending: pending && { id: String(pending.id), createdAt: Number(pending.created_at) },
    paused: reads.list({ status: "paused", limit: namedRuns }).map(({ id, runNo }) => ({ id, ...whyPaused(reads, id, runNo) })),
    newest: newest?.at == null ? undefined : Number(newest.at),
    owner: owner && { pid: owner.pid },
    hasSealed:
      rows(`SELECT 1 FROM (SELECT facts FROM turns ORDER BY id DESC LIMIT ${sealedIn}) WHERE instr(facts, '"$sealed"') > 0 LIMIT 1`)
        .length > 0,
    promotion: reads.promotion(),
  };
}

function whyPaused(reads: Reads, id: string, runNo: number): { readonly code: string; readonly step?: string } {
  const facts = reads.turns(runNo).flatMap(({ facts }) => decodeFacts(facts, (hash) => reads.blob(runNo, hash)));
  const { paused } = view(id, facts);
  return paused ? { code: paused.code, ...(paused.step === undefined ? {} : { step: paused.step }) } : { code: "" };
}

function damageOf(db: Database, depth: "quick" | "full"): string[] {
  const pragma = depth === "quick" ? "quick_check" : "integrity_check";
  try {
    const rows = db.prepare(`PRAGMA ${pragma}(5)`).all();
    return rows.map((row) => String(Object.values(row)[0])).filter((line) => line !== "ok");
  } catch (error) {
    // So broken that the check itself cannot go on.
    if (isDamaged(error) && error instanceof Error) return [error.message];
    throw error;
  }
}

/** Bytes 18 and 19 of the head: 2 is the write-ahead log. A connection without locks would not say. */
function journalOf(path: string): "wal" | "delete" {
  const fd = openSync(path, "r");
  try {
    const head = Buffer.alloc(20);
    readSync(fd, head, 0, head.length, 0);
    return head[18] === 2 && head[19] === 2 ? "wal" : "delete";
  } finally {
    closeSync(fd);
  }
}

/** A reader cannot enter while the owner keeps its lock. It stays for an instant, and an owner that comes just then tries again. */
function isLocked(driver: Driver, path: string): boolean {
  if (!existsSync(path)) return false;
  const db = driver(path, { readOnly: true });
  try {
    db.exec("PRAGMA busy_timeout = 0; SELECT count(*) FROM sqlite_schema");
    return false;
  } catch (error) {
    if (isBusy(error)) return true;
    throw error;
  } finally {
    db.close();
  }
}
