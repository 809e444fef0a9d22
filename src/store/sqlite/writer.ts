/**
 * The write side of a connection: what happens when the file is locked, full, or does not say whether a commit was made.
 *
 * A patient writer (the owner) must not block its event loop: it waits for a lock a few milliseconds, then yields and comes
 * back. Others block for up to a second and give up. Writes are done in the order in which they were asked for.
 */
import { OnexError } from "../../core/failure.ts";
import type { Awaitable, StoreHost } from "../store.ts";
import type { Driver } from "./driver.ts";
import { busyError, failed, isBusy, isOfDisk } from "./errors.ts";
import type { Reads } from "./reads.ts";
import { CommitUnknown, Session } from "./session.ts";
import type { Settled } from "./settle.ts";
import type { Writes } from "./writes.ts";

const patientMs = 20;
const impatientMs = 1000;
/** Between two tries of a patient writer, ms. */
const yieldMs = 10;

type Settle<T> = (reads: Reads, answer: T) => Settled;

export class Writer {
  commits = 0;
  readonly #driver: Driver;
  readonly #path: string;
  readonly #name: string;
  readonly #host: StoreHost;
  readonly #warn: StoreHost["warn"];
  #session: Session | undefined;
  #patient = false;
  /** Why nothing may be written any more. */
  #failure: OnexError | undefined;
  /** The last of the writes that wait for a lock. */
  #line: Promise<unknown> | undefined;

  constructor(driver: Driver, path: string, name: string, host: StoreHost) {
    this.#driver = driver;
    this.#path = path;
    this.#name = name;
    this.#host = host;
    this.#warn = (code, message) => host.warn(code, `${name}: ${message}`);
    this.#session = this.#open();
  }

  set patient(patient: boolean) {
    this.#patient = patient;
    this.#session?.setBusy(this.#busyMs());
  }

  get closed(): boolean {
    return this.#session === undefined;
  }

  get reads(): Reads {
    return this.#live().reads;
  }

  /** `settle` finds out what became of a commit that failed; without it the work must be one that may be done twice. */
  write<T>(work: (writes: Writes) => T, settle: Settle<T> = () => "absent"): Awaitable<T> {
    if (this.#line !== undefined) return this.#wait(work, settle);
    try {
      return this.#try(work, settle);
    } catch (error) {
      if (!isBusy(error)) throw error;
      if (!this.#patient) throw busyError(this.#name, impatientMs);
      return this.#wait(work, settle);
    }
  }

  /** A write that does not wait for its turn, and gives up after a second. */
  atOnce<T>(work: (writes: Writes) => T): T {
    try {
      this.#live().setBusy(impatientMs);
      return this.#try(work, () => "absent");
    } catch (error) {
      throw isBusy(error) ? busyError(this.#name, impatientMs) : error;
    } finally {
      this.#session?.setBusy(this.#busyMs());
    }
  }

  close(whole: boolean): void {
    const session = this.#session;
    this.#session = undefined;
    session?.close(whole && this.#failure === undefined);
  }

  #try<T>(work: (writes: Writes) => T, settle: Settle<T>): T {
    if (this.#failure !== undefined) throw this.#failure;
    const session = this.#live();
    let answer: T;
    try {
      answer = session.transact(work);
    } catch (error) {
      if (isBusy(error) || error instanceof OnexError) throw error;
      if (!(error instanceof CommitUnknown)) throw isOfDisk(error) ? this.#fail(error) : failed(this.#name, error);
      answer = this.#recover(error, work, settle);
    }
    this.commits++;
    try {
      this.#live().checkpoint(this.#warn);
    } catch (error) {
      // What was written is safe in the log; but a disk that cannot take it over will not take the next write either.
      if (!isBusy(error)) this.#fail(error);
    }
    return answer;
  }

  /** Opens the file anew, since the old connection may not know what it wrote, and asks the file. */
  #recover<T>(unknown: CommitUnknown, work: (writes: Writes) => T, settle: Settle<T>): T {
    try {
      this.#session?.close(false);
      this.#session = this.#open();
    } catch (error) {
      throw this.#fail(error);
    }
    try {
      const answer = unknown.answer as T;
      const found = settle(this.#session.reads, answer);
      if (found === "present") return answer;
      if (found === "absent") return this.#session.transact(work);
    } catch (error) {
      if (isBusy(error) || error instanceof OnexError) throw error;
      throw this.#fail(error instanceof CommitUnknown ? error.cause : error);
    }
    throw this.#fail(unknown.cause);
  }

  #wait<T>(work: (writes: Writes) => T, settle: Settle<T>): Promise<T> {
    const before = this.#line ?? Promise.resolve();
    const mine = before.then(() => this.#insist(work, settle));
    const line = mine
      .catch(() => {}) // told to whoever asked for it
      .then(() => {
        if (this.#line === line) this.#line = undefined;
      });
    this.#line = line;
    return mine;
  }

  async #insist<T>(work: (writes: Writes) => T, settle: Settle<T>): Promise<T> {
    const start = performance.now();
    for (let seconds = 1; ; ) {
      try {
        return this.#try(work, settle);
      } catch (error) {
        if (!isBusy(error)) throw error;
      }
      await new Promise<void>((resolve) => void this.#host.setTimer(yieldMs, resolve));
      if (performance.now() - start < seconds * 1000) continue;
      this.#warn("STORE_BUSY", `another process has kept it locked for ${seconds} s; nothing goes on until it lets go`);
      seconds++;
    }
  }

  #live(): Session {
    if (this.#session === undefined) throw new OnexError("STORE_FAILED", `${this.#name} is closed`);
    return this.#session;
  }

  #open(): Session {
    try {
      return new Session(this.#driver, this.#path, this.#name, this.#busyMs());
    } catch (error) {
      throw isBusy(error) ? busyError(this.#name, this.#busyMs()) : failed(this.#name, error);
    }
  }

  #busyMs(): number {
    return this.#patient ? patientMs : impatientMs;
  }

  /** What the owner has once failed to write stays failed: it must not go on from a state that the file does not have. */
  #fail(error: unknown): OnexError {
    const failure = failed(this.#name, error);
    if (this.#patient) this.#failure = failure;
    return failure;
  }
}
