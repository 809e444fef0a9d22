/**
 * Lines that share work, and the patience of the store: what is tried again, for how long, and what people are told.
 *
 * P1 A work that is tried again must be one that may be done twice: it is told how often it was tried.
 * P2 What passes (a lost connection, a restart, a full disk, a lock) is waited out for ever; what does not is STORE_FAILED.
 */
import { OnexError } from "../../core/failure.ts";
import type { StoreHost } from "../store.ts";
import { Again, DatabaseError, failed } from "./errors.ts";
import { Line, type Link } from "./line.ts";

export type Work<T> = (line: Line, tries: number) => Promise<T>;

const firstMs = 20;
const longestMs = 1000;
/** Tries that follow on a collision without a pause. */
const atOnce = 5;
/** Between two warnings about the same outage, ms. */
const warnMs = 30_000;

/** One for all lines of a store. */
export class Patience {
  readonly name: string;
  readonly #host: StoreHost;
  readonly #waits = new Set<() => void>();
  #warnedAt: number | undefined;
  #closed = false;

  constructor(name: string, host: StoreHost) {
    this.name = name;
    this.#host = host;
  }

  /** Tries until it is done. Throws OnexError, of `work` or `STORE_FAILED`. */
  async insist<T>(line: Line, work: Work<T>): Promise<T> {
    for (let tries = 0; ; tries++) {
      if (this.#closed) throw closedError(this.name);
      try {
        return await work(line, tries);
      } catch (error) {
        const collided = error instanceof Again || (error instanceof DatabaseError && error.isConflict);
        if (collided && tries < atOnce) continue;
        if (error instanceof DatabaseError) {
          if (!error.isTransient) throw failed(this.name, error);
          if (this.#closed) throw closedError(this.name);
          this.#tell(error);
        } else if (!collided) throw error;
        await this.#wait(tries);
      }
    }
  }

  /** Ends all waiting: what was on its way fails with `STORE_FAILED`. */
  close(): void {
    this.#closed = true;
    for (const go of [...this.#waits]) go();
  }

  #tell(error: DatabaseError): void {
    this.trouble(error.state === "" ? error.message : `${error.message} (SQLSTATE ${error.state})`);
  }

  /** The database does not answer as it should. Said once in a while, also when some of the work succeeds: on a full disk it does. */
  trouble(message: string): void {
    const now = performance.now();
    if (this.#warnedAt !== undefined && now - this.#warnedAt < warnMs) return;
    this.#warnedAt = now;
    this.#host.warn("STORE_UNREACHABLE", `${this.name}: ${message}; it is tried again until it answers`);
  }

  #wait(tries: number): Promise<void> {
    const ms = Math.min(longestMs, firstMs * 2 ** Math.min(tries, 10)) * (0.5 + Math.random() / 2);
    return new Promise((resolve) => {
      const go = (): void => {
        cancel();
        this.#waits.delete(go);
        resolve();
      };
      const cancel = this.#host.setTimer(ms, go);
      this.#waits.add(go);
    });
  }
}

export class Pool {
  readonly #patience: Patience;
  readonly #link: Link;
  readonly #size: number;
  readonly #idle: Line[] = [];
  readonly #waiting: ((line: Line) => void)[] = [];
  readonly #lines: Line[] = [];

  constructor(patience: Patience, link: Link, size: number) {
    this.#patience = patience;
    this.#link = link;
    this.#size = size;
  }

  async use<T>(work: Work<T>): Promise<T> {
    const line = await this.#take();
    try {
      return await this.#patience.insist(line, work);
    } finally {
      const next = this.#waiting.shift();
      if (next) next(line);
      else this.#idle.push(line);
    }
  }

  async end(): Promise<void> {
    await Promise.all(this.#lines.map((line) => line.end()));
  }

  #take(): Line | Promise<Line> {
    const idle = this.#idle.pop();
    if (idle) return idle;
    if (this.#lines.length >= this.#size) return new Promise((resolve) => this.#waiting.push(resolve));
    const line = new Line(this.#link);
    this.#lines.push(line);
    return line;
  }
}

export function closedError(name: string): OnexError {
  return new OnexError("STORE_FAILED", `${name} is closed`);
}
