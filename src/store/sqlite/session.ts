/** A connection with all its prepared statements, and the shape of a write: begin, work, commit. */
import type { StoreHost } from "../store.ts";
import { Checkpoints, connect, setBusy } from "./connection.ts";
import type { Database, Driver, Statement } from "./driver.ts";
import { Reads } from "./reads.ts";
import { Writes } from "./writes.ts";

/** COMMIT failed: what it would have written may be there or not. `answer` is what the work said. */
export class CommitUnknown extends Error {
  readonly answer: unknown;
  constructor(answer: unknown, cause: unknown) {
    super("COMMIT failed", { cause });
    this.answer = answer;
  }
}

/** How long closing waits for readers, ms. */
const closeMs = 20;

export class Session {
  readonly reads: Reads;
  readonly #writes: Writes;
  readonly #db: Database;
  readonly #begin: Statement;
  readonly #commit: Statement;
  readonly #checkpoints: Checkpoints;

  constructor(driver: Driver, path: string, name: string, busyMs: number) {
    this.#db = connect(driver, path, name, busyMs);
    this.reads = new Reads(this.#db);
    this.#writes = new Writes(this.#db, this.reads);
    this.#begin = this.#db.prepare("BEGIN IMMEDIATE");
    this.#commit = this.#db.prepare("COMMIT");
    this.#checkpoints = new Checkpoints(this.#db);
  }

  /** All of `work` or nothing, in one transaction. */
  transact<T>(work: (writes: Writes) => T): T {
    this.#begin.run();
    let answer: T;
    try {
      answer = work(this.#writes);
    } catch (error) {
      this.#rollback();
      throw error;
    }
    try {
      this.#commit.run();
    } catch (error) {
      this.#rollback();
      throw new CommitUnknown(answer, error);
    }
    return answer;
  }

  /** Ends a transaction that is still open: a full disk, for one, has rolled it back already. */
  #rollback(): void {
    try {
      if (this.#db.isTransaction) this.#db.exec("ROLLBACK");
    } catch {
      // The error that led here says more, and the connection is given up.
    }
  }

  /** How long a statement blocks this process for the lock of another. */
  setBusy(ms: number): void {
    setBusy(this.#db, ms);
  }

  checkpoint(warn: StoreHost["warn"]): void {
    this.#checkpoints.passive(warn);
  }

  /** `whole`: leaves everything in the one file, if nobody else has it open. */
  close(whole: boolean): void {
    try {
      // Closing may leave both to the garbage collector.
      this.#rollback();
      if (whole) {
        this.setBusy(closeMs);
        this.#checkpoints.truncate();
      }
    } finally {
      this.#db.close();
    }
  }
}
