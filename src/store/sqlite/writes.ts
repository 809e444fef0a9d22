/** The changes, by statements prepared once; each is called within a transaction. */
import type { Blob, FirstTurn, Message, NewRun, Posted, RowChange, RunRow, TurnWrite } from "../store.ts";
import type { Database, Statement } from "./driver.ts";
import { prepareAll } from "./prepare.ts";
import { type Reads, stateKey } from "./reads.ts";

export class Writes {
  readonly reads: Reads;
  /** The one statement of the hot path. */
  readonly insertTurn: Statement;
  readonly #statements: Readonly<Record<keyof typeof texts, Statement>>;

  constructor(db: Database, reads: Reads) {
    this.reads = reads;
    this.#statements = prepareAll(db, texts);
    this.insertTurn = db.prepare("INSERT INTO turns (run_no, turn, epoch, pos, next, at, final, facts) VALUES (?, ?, ?, ?, ?, ?, ?, ?)");
  }

  // ── ownership ──

  /** Lapses every other lease, frees their runs, and makes a new lease. */
  takeOver(leaseId: string): number {
    this.#statements.lapse.run();
    this.#statements.orphan.run();
    return Number(this.#statements.lease.run(leaseId, process.pid).lastInsertRowid);
  }

  release(leaseNo: number): void {
    // Only a lease that is still live has runs to give up: those of a lapsed one may be another's by now.
    if (Number(this.#statements.release.run(leaseNo).changes) === 1) this.#statements.orphan.run();
  }

  // ── runs ──

  /** The row of a new run; `undefined` when the id exists, or is that of a run that was pruned. */
  addRun(run: NewRun, status: string, leaseNo: number | undefined): number | undefined {
    const { id, workflow, version, digest, priority, at, parent = null, concurrency = null, rate = null, origin = null } = run;
    const queuedAt = leaseNo === undefined ? (run.queuedAt ?? null) : null;
    const wakeAt = leaseNo === undefined ? (queuedAt === null ? 0 : (run.wakeAt ?? null)) : null;
    const admittedAt = leaseNo === undefined ? null : at;
    const row = [id, workflow, version, digest, status, priority, at, leaseNo ?? null, wakeAt, parent];
    const done = this.#statements.addRun.run(...row, queuedAt, concurrency, rate, admittedAt, origin);
    return Number(done.changes) === 0 ? undefined : Number(done.lastInsertRowid);
  }

  /** A new run with its first turn. */
  begin(run: NewRun, first: FirstTurn, status: string, leaseNo: number | undefined): number | undefined {
    const runNo = this.addRun(run, status, leaseNo);
    if (runNo === undefined) return undefined;
    this.insertTurn.run(runNo, 0, first.epoch, 0, first.next, run.at, 0, first.facts);
    this.keep(runNo, first.blobs);
    return runNo;
  }

  start(run: NewRun, first: FirstTurn): { readonly created: boolean; readonly row: RunRow } {
    const created = this.begin(run, first, "pending", undefined) !== undefined;
    return { created, row: this.existing(run.id) };
  }

  /** Why `addRun` made none: the run of this id as it is, or was. */
  existing(id: string): RunRow {
    return (this.reads.run(id) ?? this.reads.prunes.pruned(id)) as RunRow;
  }

  /** The row's share of a turn. */
  change(runNo: number, write: TurnWrite, leaseNo: number): void {
    const { row } = write;
    if (write.take === true) this.#statements.take.run(leaseNo, write.at, runNo);
    if (row?.version !== undefined) this.#statements.version.run(row.version, runNo);
    if (write.final) this.#statements.end.run(row?.status ?? null, row?.mailGot ?? 0, write.at, runNo);
    else if (row?.park !== undefined) this.#park(runNo, row, row.park.wakeAt);
    else if (row !== undefined) this.#statements.status.run(row.status, row.mailGot, runNo);
  }

  #park(runNo: number, row: RowChange, wakeAt: number | null): void {
    this.#statements.park.run(row.status, row.mailGot, row.mailGot, wakeAt === null ? null : Math.ceil(wakeAt), runNo);
  }

  /** Gives the id of an ended run, and the mail it has not read, to a new run. */
  succeed(ended: number, run: NewRun, first: FirstTurn, leaseNo: number): number | undefined {
    let id = `${run.id}~${ended}`;
    while (this.reads.run(id) !== undefined) id += "~";
    this.#statements.rename.run(id, ended);
    const runNo = this.begin(run, first, "running", leaseNo);
    if (runNo === undefined) return undefined;
    this.#statements.inherit.run(ended, ended, runNo);
    this.#statements.moveMail.run(runNo, ended, runNo);
    return runNo;
  }

  block(runNo: number, code: string): void {
    this.#statements.block.run(code, runNo);
  }

  unblock(held: readonly string[]): number {
    return Number(this.#statements.unblock.run(JSON.stringify(held)).changes);
  }

  // ── the rest ──

  post(message: Message): Posted {
    const run = this.#statements.target.get(message.runId);
    if (run === undefined) return { status: "unknown" };
    const runNo = run.run_no as number;
    const before = this.#statements.mail.get(runNo, message.messageId);
    if (before !== undefined) return { status: "duplicate", seq: before.seq as number };
    if (run.ended_at !== null) return { status: "ended" };
    const seq = (run.mail_put as number) + 1;
    this.#statements.numbered.run(seq, message.kind, runNo);
    this.#statements.addMail.run(runNo, seq, message.messageId, message.kind, message.body);
    return { status: "posted", seq };
  }

  keep(runNo: number, blobs: readonly Blob[] | undefined): void {
    if (blobs !== undefined) for (const { hash, text } of blobs) this.#statements.addBlob.run(runNo, hash, text);
  }

  setState(reducer: string, key: string, state: string): void {
    this.#statements.setState.run(reducer, stateKey(key), state);
  }

  define(hash: string, text: string): void {
    this.#statements.define.run(hash, text);
  }
}

const texts = {
  lapse: "UPDATE leases SET state = 'lapsed' WHERE state = 'live'",
  orphan: "UPDATE runs SET lease_no = NULL, wake_at = 0 WHERE ended_at IS NULL AND blocked IS NULL AND lease_no IS NOT NULL",
  lease: "INSERT INTO leases (lease_id, pid, state) VALUES (?, ?, 'live')",
  release: "UPDATE leases SET state = 'released' WHERE lease_no = ? AND state = 'live'",
  addRun: `INSERT INTO runs (id, workflow, version, digest, status, priority, created_at, lease_no, wake_at, parent,
      queued_at, concurrency, rate, admitted_at, origin)
    SELECT ?1, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ? WHERE NOT EXISTS (SELECT 1 FROM pruned WHERE id = ?1) ON CONFLICT (id) DO NOTHING`,
  take: `UPDATE runs SET status = 'running', lease_no = ?, wake_at = NULL, blocked = NULL, queued_at = NULL,
    admitted_at = coalesce(admitted_at, ?) WHERE run_no = ?`,
  // The number of mail read never goes back, so that a run cannot be due for ever over mail that it has read.
  status: "UPDATE runs SET status = ?, mail_got = max(mail_got, ?) WHERE run_no = ?",
  version: "UPDATE runs SET version = ? WHERE run_no = ?",
  end: "UPDATE runs SET status = coalesce(?, status), mail_got = max(mail_got, ?), ended_at = ?, lease_no = NULL, wake_at = NULL WHERE run_no = ?",
  // S4: mail that no turn has read yet makes the run due at once.
  park: `UPDATE runs SET status = ?, mail_got = max(mail_got, ?), lease_no = NULL,
    wake_at = CASE WHEN mail_put > max(mail_got, ?) THEN 0 ELSE ? END WHERE run_no = ?`,
  rename: "UPDATE runs SET id = ? WHERE run_no = ?",
  inherit: `UPDATE runs SET mail_put = (SELECT mail_put FROM runs WHERE run_no = ?), mail_got = (SELECT mail_got FROM runs WHERE run_no = ?)
    WHERE run_no = ?`,
  moveMail: "UPDATE inbox SET run_no = ? WHERE run_no = ? AND seq > (SELECT mail_got FROM runs WHERE run_no = ?)",
  block: "UPDATE runs SET blocked = ? WHERE run_no = ? AND lease_no IS NULL AND ended_at IS NULL",
  unblock: `UPDATE runs SET blocked = NULL, wake_at = CASE WHEN queued_at IS NULL THEN 0 ELSE wake_at END
    WHERE blocked IS NOT NULL AND workflow || '@' || version IN (SELECT value FROM json_each(?))`,
  target: "SELECT run_no, ended_at, mail_put FROM runs WHERE id = ?",
  mail: "SELECT seq FROM inbox WHERE run_no = ? AND message_id = ?",
  // A run in the queue waits for its turn, whatever comes: a cancel alone wakes it.
  numbered: `UPDATE runs SET mail_put = ?,
    wake_at = CASE WHEN lease_no IS NULL AND (queued_at IS NULL OR ? = 'cancel') THEN 0 ELSE wake_at END WHERE run_no = ?`,
  addMail: "INSERT INTO inbox (run_no, seq, message_id, kind, body) VALUES (?, ?, ?, ?, ?)",
  addBlob: "INSERT INTO blobs (run_no, hash, text) VALUES (?, ?, ?) ON CONFLICT (run_no, hash) DO NOTHING",
  setState: "INSERT INTO states (reducer, key, state) VALUES (?, ?, ?) ON CONFLICT (reducer, key) DO UPDATE SET state = excluded.state",
  define: "INSERT INTO definitions (hash, text) VALUES (?, ?) ON CONFLICT (hash) DO NOTHING",
};
