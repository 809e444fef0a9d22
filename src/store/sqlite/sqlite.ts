/**
 * The store in one SQLite file. One process owns it and alone appends turns; others read it, start runs and post messages.
 *
 * | file         | what it is                                                                        |
 * | ------------ | --------------------------------------------------------------------------------- |
 * | `FILE`       | the database, in WAL mode (`FILE-wal`, `FILE-shm` stand beside it while it is open) |
 * | `FILE-owner` | empty; the owner keeps an exclusive lock on it                                    |
 * | `FILE-wake`  | one byte; clients write it to wake the owner                                      |
 * | `FILE-key`   | what seals the secrets in `FILE`; there once one was met, and never written again |
 *
 * Not for network drives: their locks cannot be trusted.
 */
import { realpathSync } from "node:fs";
import { resolve } from "node:path";
import { OnexError } from "../../core/failure.ts";
import type { ScheduleStore } from "../schedule-store.ts";
import type {
  Appended,
  Awaitable,
  FirstTurn,
  MailRow,
  Message,
  NewRun,
  OpenStore,
  Posted,
  Pruned,
  PruneGroup,
  PruneOptions,
  RunRow,
  Store,
  StoreHost,
  TurnRow,
  TurnWrite,
} from "../store.ts";
import { appendAll, ownershipLost } from "./append.ts";
import { type Driver, loadDriver } from "./driver.ts";
import { busyError, failed, isBusy } from "./errors.ts";
import { ensureFile } from "./file.ts";
import { secretKeys } from "./key.ts";
import { OwnerLock } from "./owner.ts";
import { promoted } from "./promoted.ts";
import type { Reads } from "./reads.ts";
import type { ScheduleTable } from "./schedules.ts";
import { settle } from "./settle.ts";
import { poke, pollNews, watchPokes } from "./wake.ts";
import { Writer } from "./writer.ts";

export interface SqliteOptions {
  /** Checks every turn against the log before it is written, as stores with many owners must. For tests: it halves the speed. */
  readonly paranoid?: boolean;
}

/** Runs are kept in the SQLite file `path`, which is made if there is none. */
export function sqlite(path: string, options: SqliteOptions = {}): Store {
  return sqliteWith(loadDriver, path, options);
}

/** As `sqlite`, with the driver given. */
export function sqliteWith(load: () => Driver, path: string, options: SqliteOptions = {}): Store {
  return {
    kind: "sqlite",
    open(host) {
      if (path === "" || path.startsWith(":"))
        throw new OnexError("STORE_MISSING", `sqlite(${JSON.stringify(path)}): give the path of a file; to keep nothing, use memory()`);
      const driver = load();
      const name = `sqlite:${path}`;
      const absolute = resolve(path);
      ensureFile(driver, absolute, name);
      // By the real path, so that two ways to the same file meet at the same side files.
      return new SqliteStore(driver, realpathSync(absolute), name, host, options.paranoid === true);
    },
  };
}

class SqliteStore implements OpenStore {
  readonly kind = "sqlite";
  readonly name: string;
  readonly owners = "one";
  readonly writers = 1;
  readonly schedules: ScheduleStore;
  readonly #driver: Driver;
  readonly #path: string;
  readonly #host: StoreHost;
  readonly #paranoid: boolean;
  readonly #writer: Writer;
  readonly #stops = new Set<() => void>();
  /** Wall time at open, less the monotonic time then: a clock that is set while we run moves nothing. */
  readonly #epoch: number;
  #lock: OwnerLock | undefined;
  #leaseNo: number | undefined;

  constructor(driver: Driver, path: string, name: string, host: StoreHost, paranoid: boolean) {
    this.name = name;
    this.#driver = driver;
    this.#path = path;
    this.#host = host;
    this.#paranoid = paranoid;
    this.#epoch = host.now() - performance.now();
    this.#writer = new Writer(driver, path, name, host);
    const mark = this.#read((reads) => reads.promotion());
    if (mark) {
      const { code, message } = promoted(name, mark);
      host.warn(code, message);
    }
    const look = <T>(look: (table: ScheduleTable) => T): T => this.#read((reads) => look(reads.schedules));
    this.schedules = {
      get: (id) => look((table) => table.get(id)),
      list: () => look((table) => table.list()),
      due: (now) => look((table) => table.due(now)),
      next: (after) => look((table) => table.next(after)),
      save: (row, after) =>
        this.#told(
          this.#writer.write(
            (writes) => writes.reads.schedules.save(row, after),
            (reads) => (reads.schedules.get(row.id)?.revision === row.revision ? "present" : "absent"),
          ),
        ),
      remove: (id) => this.#told(this.#writer.write((writes) => writes.reads.schedules.remove(id))),
    };
  }

  get commits(): number {
    return this.#writer.commits;
  }

  now(): number {
    return Math.floor(this.#epoch + performance.now());
  }

  // ── ownership ──

  acquire(leaseId: string): { readonly leaseNo: number } | undefined {
    const mark = this.#read((reads) => reads.promotion());
    if (mark) throw promoted(this.name, mark);
    try {
      this.#lock ??= OwnerLock.tryTake(this.#driver, `${this.#path}-owner`);
    } catch (error) {
      throw failed(`${this.name}-owner`, error);
    }
    if (this.#lock === undefined) return undefined;
    try {
      const leaseNo = this.#writer.atOnce((writes) => writes.takeOver(leaseId));
      this.#leaseNo = leaseNo;
      this.#writer.patient = true;
      return { leaseNo };
    } catch (error) {
      this.#unlock();
      throw error;
    }
  }

  release(): void {
    const leaseNo = this.#leaseNo;
    if (leaseNo === undefined) return;
    try {
      this.#writer.patient = false;
      this.#writer.atOnce((writes) => writes.release(leaseNo));
    } finally {
      // Whatever became of the row: without the lock, the next owner lapses the lease.
      this.#unlock();
    }
  }

  owner(): { readonly leaseId: string; readonly pid: number } | undefined {
    return this.#read((reads) => reads.owner());
  }

  #unlock(): void {
    this.#lock?.free();
    this.#lock = undefined;
    this.#leaseNo = undefined;
    this.#writer.patient = false;
  }

  // ── written by the owner ──

  /** The kernel keeps the lock for as long as this process lives. */
  trusted(): boolean {
    return true;
  }

  append(batch: readonly TurnWrite[]): Awaitable<readonly Appended[]> {
    const leaseNo = this.#mine();
    return this.#writer.write(
      (writes) => appendAll(writes, batch, leaseNo, this.#paranoid),
      (reads, answers) => settle(reads, batch, answers),
    );
  }

  block(runNo: number, code: string): Awaitable<void> {
    this.#mine();
    return this.#writer.write((writes) => writes.block(runNo, code));
  }

  unblock(held: readonly string[]): Awaitable<number> {
    this.#mine();
    return this.#writer.write((writes) => writes.unblock(held));
  }

  #mine(): number {
    if (this.#leaseNo === undefined) throw ownershipLost("this process does not own the store");
    return this.#leaseNo;
  }

  // ── written by anyone ──

  start(run: NewRun, turn: FirstTurn): Awaitable<{ readonly created: boolean; readonly row: RunRow }> {
    return this.#told(this.#writer.write((writes) => writes.start(run, turn)));
  }

  post(message: Message): Awaitable<Posted> {
    return this.#told(this.#writer.write((writes) => writes.post(message)));
  }

  define(hash: string, text: string): Awaitable<void> {
    return this.#writer.write((writes) => writes.define(hash, text));
  }

  /** Wakes the owner, if that is another process: after the commit, or it would find nothing. */
  #told<T>(answer: Awaitable<T>): Awaitable<T> {
    if (this.#leaseNo === undefined) poke(`${this.#path}-wake`);
    return answer;
  }

  // ── reads ──

  run(id: string): RunRow | undefined {
    return this.#read((reads) => reads.run(id));
  }

  byNo(runNo: number): RunRow | undefined {
    return this.#read((reads) => reads.byNo(runNo));
  }

  list(filter: Parameters<OpenStore["list"]>[0]): readonly RunRow[] {
    return this.#read((reads) => reads.list(filter));
  }

  turns(runNo: number, from?: number, limit?: number): readonly TurnRow[] {
    return this.#read((reads) => reads.turns(runNo, from, limit));
  }

  tail(runNo: number): TurnRow | undefined {
    return this.#read((reads) => reads.tail(runNo));
  }

  blob(runNo: number, hash: string): string | undefined {
    return this.#read((reads) => reads.blob(runNo, hash));
  }

  inbox(runNo: number, after: number): readonly MailRow[] {
    return this.#read((reads) => reads.inbox(runNo, after));
  }

  mailed(): readonly number[] {
    const leaseNo = this.#leaseNo;
    return leaseNo === undefined ? [] : this.#read((reads) => reads.mailed(leaseNo));
  }

  state(reducer: string, key: string): string | undefined {
    return this.#read((reads) => reads.state(reducer, key));
  }

  definition(hash: string): string | undefined {
    return this.#read((reads) => reads.definition(hash));
  }

  due(now: number, limit: number, slotless?: boolean): readonly RunRow[] {
    return this.#read((reads) => reads.due(now, limit, slotless));
  }

  sleepers(from: number, to: number, limit: number): readonly { readonly runNo: number; readonly wakeAt: number }[] {
    return this.#read((reads) => reads.sleepers(from, to, limit));
  }

  nextWake(after: number): number | undefined {
    return this.#read((reads) => reads.nextWake(after));
  }

  queued(now: number, limit: number, except: readonly string[]): readonly RunRow[] {
    return this.#read((reads) => reads.queue.queued(now, limit, except));
  }

  queuedCount(now: number): number {
    return this.#read((reads) => reads.queue.queuedCount(now));
  }

  nextQueued(after: number): number | undefined {
    return this.#read((reads) => reads.queue.nextQueued(after));
  }

  underWay(): readonly { readonly concurrency: string; readonly count: number }[] {
    return this.#read((reads) => reads.queue.underWay());
  }

  admissions(after: number): readonly { readonly rate: string; readonly at: number }[] {
    return this.#read((reads) => reads.queue.admissions(after));
  }

  // ── retention ──

  prune(before: number, limit: number, options: PruneOptions = {}): Awaitable<Pruned> {
    return this.#writer.write((writes) => writes.reads.prunes.prune(before, limit, options, this.now()));
  }

  prunable(before: number, options: PruneOptions = {}): readonly PruneGroup[] {
    return this.#read((reads) => reads.prunes.groups(before, options));
  }

  pruned(id: string): RunRow | undefined {
    return this.#read((reads) => reads.prunes.pruned(id));
  }

  #read<T>(look: (reads: Reads) => T): T {
    try {
      return look(this.#writer.reads);
    } catch (error) {
      throw isBusy(error) ? busyError(this.name, 0) : failed(this.name, error);
    }
  }

  // ── secrets ──

  secretKeys(make: boolean): string | undefined {
    try {
      return secretKeys(`${this.#path}-key`, make);
    } catch (error) {
      throw failed(`${this.name}-key`, error);
    }
  }

  // ── news ──

  watch(role: "owner" | "client", listener: () => void): () => void {
    let seen = this.#version();
    const look = (): void => {
      const version = this.#version();
      if (version === undefined || version === seen) return;
      seen = version;
      listener();
    };
    const end = role === "owner" ? watchPokes(`${this.#path}-wake`, this.#host, look) : pollNews(this.#host, look);
    const stop = (): void => {
      if (this.#stops.delete(stop)) end();
    };
    this.#stops.add(stop);
    return stop;
  }

  /** `undefined` when it cannot be read just now: the next look will tell. */
  #version(): number | undefined {
    try {
      return this.#writer.reads.dataVersion();
    } catch {
      return undefined;
    }
  }

  close(): void {
    if (this.#writer.closed) return;
    for (const stop of [...this.#stops]) stop();
    let owned = true;
    try {
      this.release();
      owned = this.owner() !== undefined;
    } catch (error) {
      this.#host.warn(
        "STORE_BUSY",
        `${this.name} could not be released in order (${error instanceof Error ? error.message : error}); the next owner takes it over`,
      );
    } finally {
      // The last to leave makes the file whole; while there is an owner, that is not us.
      this.#writer.close(!owned);
    }
  }
}
