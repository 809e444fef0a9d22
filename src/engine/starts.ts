/**
 * Starts that wait for a store which does not answer: for a bounded time, and not any number of them.
 *
 * P1 Only silence counts: while the store answers any start, the others are waited for, however long the line is.
 * P2 One that is given up may have been taken. What was asked of the store goes on, and its run is driven when it is there.
 * P3 Once some were given up, no other is begun until the store has answered one that went on.
 */
import { OnexError } from "../core/failure.ts";
import type { Clock } from "./world.ts";

/** So many are kept through a silence, whatever the time that each has. */
const most = 10_000;
/** So long it may say nothing while it, or this process, works through many, ms. */
const pauseMs = 5_000;

interface Waiting {
  readonly since: number;
  giveUp(): void;
}

export interface StartsHost {
  readonly clock: Pick<Clock, "elapsed" | "setTimer">;
  readonly timeoutMs: number;
}

export class Starts {
  readonly #host: StartsHost;
  /** Oldest first. */
  readonly #waiting = new Set<Waiting>();
  /** Asked of the store and not answered, given up or not. */
  #unanswered = 0;
  #answeredAt = Number.NEGATIVE_INFINITY;
  #silent = false;
  #stop: (() => void) | undefined;

  constructor(host: StartsHost) {
    this.#host = host;
  }

  /** What `begin` answers. Throws what it throws; OnexError `START_TIMEOUT`. */
  wait<T>(runId: string, begin: () => Promise<T>): Promise<T> {
    const { clock, timeoutMs } = this.#host;
    const since = clock.elapsed();
    if (this.#silent || (this.#unanswered >= most && since - this.#silentFrom >= pauseMs))
      return Promise.reject(
        new OnexError(
          "START_TIMEOUT",
          `the store does not answer, and ${this.#unanswered} starts wait for it: run "${runId}" was not begun; start it again later`,
        ),
      );
    return new Promise((resolve, reject) => {
      const giveUp = (): void =>
        reject(
          new OnexError(
            "START_TIMEOUT",
            `the store has answered no start for ${timeoutMs} ms: run "${runId}" may be started or not; start it again with that runId, which makes no second run`,
          ),
        );
      const waiting: Waiting = { since, giveUp };
      this.#waiting.add(waiting);
      this.#unanswered++;
      this.#stop ??= clock.setTimer(timeoutMs, () => this.#look());
      const settled = (): void => {
        this.#waiting.delete(waiting);
        if (--this.#unanswered === 0) this.#silent = false;
        if (this.#waiting.size === 0) this.stop();
      };
      begin().finally(settled).then(resolve, reject);
    });
  }

  /** The store has answered a start. Not every start asks it: one may find its run under way here. */
  heard<T>(answer: T): T {
    this.#answeredAt = this.#host.clock.elapsed();
    this.#silent = false;
    return answer;
  }

  /** Since when nobody was answered. */
  get #silentFrom(): number {
    const [oldest] = this.#waiting;
    return Math.max(this.#answeredAt, oldest?.since ?? 0);
  }

  /** Gives up those that have waited for all of the silence (P1). */
  #look(): void {
    this.#stop = undefined;
    const { clock, timeoutMs } = this.#host;
    const now = clock.elapsed();
    for (const waiting of this.#waiting) {
      const leftMs = Math.max(waiting.since, this.#answeredAt) + timeoutMs - now;
      if (leftMs > 0) {
        this.#stop = clock.setTimer(leftMs, () => this.#look());
        return;
      }
      this.#silent = true;
      this.#waiting.delete(waiting);
      waiting.giveUp();
    }
  }

  /** Gives nobody up any more. */
  stop(): void {
    this.#stop?.();
    this.#stop = undefined;
  }
}
