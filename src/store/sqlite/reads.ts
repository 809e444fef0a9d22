/** All that is read, by statements prepared once. Every read is drained at once, so it never holds up a checkpoint. */
import type { MailRow, OpenStore, RunRow, TurnRow } from "../store.ts";
import type { Database, Row, Statement } from "./driver.ts";
import { prepareAll } from "./prepare.ts";
import { type Mark, parseMark } from "./promoted.ts";
import { Prunes } from "./prune.ts";
import { QueueReads } from "./queue.ts";
import { mailRow, runColumns, runRow, turnColumns, turnRow } from "./rows.ts";
import { ScheduleTable } from "./schedules.ts";

/** Runs that wait for a time, in the words of the index `runs_open`. */
const sleeping = "FROM runs WHERE ended_at IS NULL AND blocked IS NULL AND lease_no IS NULL";

export class Reads {
  readonly queue: QueueReads;
  readonly schedules: ScheduleTable;
  readonly #db: Database;
  #prunes: Prunes | undefined;
  readonly #lists = new Map<string, Statement>();
  readonly #statements: Readonly<Record<keyof typeof texts, Statement>>;

  constructor(db: Database) {
    this.#db = db;
    this.#statements = prepareAll(db, texts);
    this.queue = new QueueReads(db);
    this.schedules = new ScheduleTable(db);
  }

  /** Prepared when it is first asked for: most processes never remove a run. */
  get prunes(): Prunes {
    this.#prunes ??= new Prunes(this.#db);
    return this.#prunes;
  }

  run(id: string): RunRow | undefined {
    return maybe(this.#statements.run.get(id), runRow);
  }

  byNo(runNo: number): RunRow | undefined {
    return maybe(this.#statements.byNo.get(runNo), runRow);
  }

  list(filter: Parameters<OpenStore["list"]>[0]): readonly RunRow[] {
    const { status, workflow, before, limit = -1 } = filter;
    const values: (string | number)[] = [];
    let where = "";
    const add = (condition: string, value: string | number | undefined): void => {
      if (value === undefined) return;
      where += `${where === "" ? "WHERE" : " AND"} ${condition}`;
      values.push(value);
    };
    // The index leaves out what most runs are in the end; those are found soon without one.
    add(status === "completed" ? "status = ?" : "status <> 'completed' AND status = ?", status);
    add("workflow = ?", workflow);
    add("run_no < ?", before);
    let statement = this.#lists.get(where);
    if (statement === undefined) {
      statement = this.#db.prepare(`SELECT ${runColumns} FROM runs ${where} ORDER BY run_no DESC LIMIT ?`);
      this.#lists.set(where, statement);
    }
    return statement.all(...values, limit).map(runRow);
  }

  turns(runNo: number, from = 0, limit = -1): readonly TurnRow[] {
    return this.#statements.turns.all(runNo, from, limit).map(turnRow);
  }

  tail(runNo: number): TurnRow | undefined {
    return maybe(this.#statements.tail.get(runNo), turnRow);
  }

  turn(runNo: number, turn: number): TurnRow | undefined {
    return maybe(this.#statements.turn.get(runNo, turn), turnRow);
  }

  blob(runNo: number, hash: string): string | undefined {
    return text(this.#statements.blob.get(runNo, hash), "text");
  }

  inbox(runNo: number, after: number): readonly MailRow[] {
    return this.#statements.inbox.all(runNo, after).map(mailRow);
  }

  mailed(leaseNo: number): readonly number[] {
    return this.#statements.mailed.all(leaseNo).map((row) => row.run_no as number);
  }

  state(reducer: string, key: string): string | undefined {
    return text(this.#statements.state.get(reducer, stateKey(key)), "state");
  }

  definition(hash: string): string | undefined {
    return text(this.#statements.definition.get(hash), "text");
  }

  due(now: number, limit: number, slotless = false): readonly RunRow[] {
    return this.#statements[slotless ? "dueSlotless" : "due"].all(now, limit).map(runRow);
  }

  sleepers(from: number, to: number, limit: number): readonly { readonly runNo: number; readonly wakeAt: number }[] {
    return this.#statements.sleepers.all(from, to, limit).map((row) => ({ runNo: row.run_no as number, wakeAt: row.wake_at as number }));
  }

  nextWake(after: number): number | undefined {
    return (this.#statements.nextWake.get(after)?.wake_at ?? undefined) as number | undefined;
  }

  owner(): { readonly leaseId: string; readonly pid: number } | undefined {
    return maybe(this.#statements.owner.get(), (row) => ({ leaseId: row.lease_id as string, pid: row.pid as number }));
  }

  /** Set once its runs are moved elsewhere. */
  promotion(): Mark | undefined {
    return maybe(this.#statements.promotion.get(), (row) => parseMark(row.value as string));
  }

  isLive(leaseNo: number): boolean {
    return this.#statements.isLive.get(leaseNo) !== undefined;
  }

  /** Changes when another connection has committed, never by commits of this one. */
  dataVersion(): number {
    return Number(this.#statements.dataVersion.get()?.data_version);
  }
}

const texts = {
  run: `SELECT ${runColumns} FROM runs WHERE id = ?`,
  byNo: `SELECT ${runColumns} FROM runs WHERE run_no = ?`,
  turns: `SELECT ${turnColumns} FROM turns WHERE run_no = ? AND turn >= ? ORDER BY turn LIMIT ?`,
  tail: `SELECT ${turnColumns} FROM turns WHERE run_no = ? ORDER BY turn DESC LIMIT 1`,
  turn: `SELECT ${turnColumns} FROM turns WHERE run_no = ? AND turn = ?`,
  blob: "SELECT text FROM blobs WHERE run_no = ? AND hash = ?",
  inbox: "SELECT seq, message_id, kind, body FROM inbox WHERE run_no = ? AND seq > ? ORDER BY seq",
  mailed: "SELECT run_no FROM runs WHERE lease_no = ? AND mail_put > mail_got ORDER BY run_no",
  state: "SELECT state FROM states WHERE reducer = ? AND key = ?",
  definition: "SELECT text FROM definitions WHERE hash = ?",
  due: `SELECT ${runColumns} ${sleeping} AND wake_at <= ? ORDER BY wake_at, priority, run_no LIMIT ?`,
  dueSlotless: `SELECT ${runColumns} ${sleeping} AND (parent IS NOT NULL OR queued_at IS NOT NULL) AND wake_at <= ?
    ORDER BY wake_at, priority, run_no LIMIT ?`,
  sleepers: `SELECT run_no, wake_at ${sleeping} AND wake_at > ? AND wake_at <= ? ORDER BY wake_at, priority, run_no LIMIT ?`,
  nextWake: `SELECT wake_at ${sleeping} AND wake_at > ? ORDER BY wake_at LIMIT 1`,
  owner: "SELECT lease_id, pid FROM leases WHERE state = 'live'",
  promotion: "SELECT value FROM meta WHERE key = 'promotion'",
  isLive: "SELECT 1 FROM leases WHERE lease_no = ? AND state = 'live'",
  dataVersion: "PRAGMA data_version",
};

/** A reducer's key as it is kept: it may be any string, and SQLite would cut it at a NUL and change a lone surrogate. */
export function stateKey(key: string): string {
  return JSON.stringify(key);
}

function text(row: Row | undefined, column: string): string | undefined {
  return row?.[column] as string | undefined;
}

function maybe<T>(row: Row | undefined, make: (row: Row) => T): T | undefined {
  return row === undefined ? undefined : make(row);
}
