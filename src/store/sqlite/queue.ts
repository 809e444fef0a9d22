/** What is read of the queue, by statements prepared once. */
import type { RunRow } from "../store.ts";
import type { Database, Statement } from "./driver.ts";
import { prepareAll } from "./prepare.ts";
import { runColumns, runRow } from "./rows.ts";

export class QueueReads {
  readonly #statements: Readonly<Record<"queued" | "count" | "next" | "underWay" | "admissions", Statement>>;

  constructor(db: Database) {
    // The plus keeps SQLite from sorting all that waits: the index of the order gives the first few at once.
    this.#statements = prepareAll(db, {
      ...texts,
      queued: `SELECT ${runColumns} ${queue} AND +queued_at <= ?
        AND coalesce(concurrency, '') NOT IN (SELECT value FROM json_each(?)) AND coalesce(rate, '') NOT IN (SELECT value FROM json_each(?))
        ORDER BY priority, queued_at, run_no LIMIT ?`,
    });
  }

  queued(now: number, limit: number, except: readonly string[]): readonly RunRow[] {
    // Most looks find nothing to take: one step in the smaller index says so.
    if (this.#isEmpty(now)) return [];
    const without = JSON.stringify(except);
    return this.#statements.queued.all(now, without, without, limit).map(runRow);
  }
  #isEmpty(now: number): boolean {
    const first = this.nextQueued(-1);
    return first === undefined || first > now;
  }
  queuedCount(now: number): number {
    return Number(this.#statements.count.get(now)?.count);
  }
  nextQueued(after: number): number | undefined {
    return (this.#statements.next.get(after)?.queued_at ?? undefined) as number | undefined;
  }
  underWay(): readonly { readonly concurrency: string; readonly count: number }[] {
    return this.#statements.underWay.all().map((row) => ({ concurrency: row.concurrency as string, count: Number(row.count) }));
  }
  admissions(after: number): readonly { readonly rate: string; readonly at: number }[] {
    return this.#statements.admissions.all(after).map((row) => ({ rate: row.rate as string, at: row.admitted_at as number }));
  }
}

/** In the words of the indexes. */
const queue = "FROM runs WHERE queued_at IS NOT NULL AND blocked IS NULL";

const texts = {
  count: `SELECT count(*) AS count ${queue} AND queued_at <= ?`,
  next: `SELECT queued_at ${queue} AND queued_at > ? ORDER BY queued_at LIMIT 1`,
  underWay: `SELECT concurrency, count(*) AS count FROM runs
    WHERE concurrency IS NOT NULL AND ended_at IS NULL AND queued_at IS NULL GROUP BY concurrency`,
  admissions: "SELECT rate, admitted_at FROM runs WHERE rate IS NOT NULL AND admitted_at > ? ORDER BY admitted_at",
};
