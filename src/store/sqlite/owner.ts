/**
 * Who owns a file: the process that keeps an exclusive lock on the small file beside it. The kernel frees the lock when its
 * holder dies, however it dies, and at no other time: a process that is only stopped or slow stays the owner.
 */
import { closeSync, openSync } from "node:fs";
import type { Database, Driver } from "./driver.ts";
import { isBusy } from "./errors.ts";

export class OwnerLock {
  readonly #db: Database;
  private constructor(db: Database) {
    this.#db = db;
  }

  /** The lock, or `undefined` while another process holds it. Never waits. */
  static tryTake(driver: Driver, path: string): OwnerLock | undefined {
    touch(path);
    const db = driver(path, { readOnly: false });
    try {
      // Nothing is ever written, so no journal file is wanted either.
      db.exec("PRAGMA busy_timeout = 0; PRAGMA journal_mode = MEMORY; BEGIN EXCLUSIVE");
      return new OwnerLock(db);
    } catch (error) {
      db.close();
      if (isBusy(error)) return undefined;
      throw error;
    }
  }

  free(): void {
    this.#db.close();
  }
}

/**
 * Makes an empty file for the user alone, if there is none. One that exists is not opened: closing a file drops all locks
 * that the process holds on it.
 */
export function touch(path: string): void {
  try {
    closeSync(openSync(path, "wx", 0o600));
  } catch (error) {
    if ((error as { code?: unknown }).code !== "EEXIST") throw error;
  }
}
