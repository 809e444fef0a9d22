/**
 * Who takes which run: the due, and the queue.
 *
 * Q1 What is due is set apart for the lease that asked, for a few seconds (`put_by`, `claim_until`): two owners do not both fold it.
 *    It is a courtesy; the fence decides.
 * Q2 What an owner has put down is left to it for its first second, if it lives: it knows the time without looking.
 * Q3 When more is due than can be fair, an owner takes its share, and looks again soon.
 * Q4 What only sets apart need not outlive the server: it does not wait for the disk. A turn that follows does, and takes it along.
 */
import type { AdmitLimits, Admitted, RunRow, Taken, Taking } from "../store.ts";
import { bigints, texts } from "./arrays.ts";
import type { Blocks } from "./blocks.ts";
import type { Line } from "./line.ts";
import { withBlobs } from "./reads.ts";
import { runColumns, runRow, turnColumns, turnRow } from "./rows.ts";
import type { Statements } from "./sql.ts";
import { decodeText, encodeText } from "./text.ts";

/** How long a run is set apart, ms. */
const claimMs = 5_000;
/** How long what was put down is left to who did it, ms. */
const courtesyMs = 1_000;
/** The smallest share, and how many due runs are counted for it. */
const leastShare = 16;
const counted = 2_000;

/** In the words of the indexes. */
const sleeping = "lease_no IS NULL AND ended_at IS NULL AND wake_at IS NOT NULL";
const slotlessOnly = "AND (parent IS NOT NULL OR queued_at IS NOT NULL)";
const nowMs = "(extract(epoch FROM now()) * 1000)::bigint";
/** Q4, for the transaction of its statement. */
const unhurried = "(SELECT set_config('synchronous_commit', 'off', true)) IS NOT NULL";
const unblocked = (names: string, numbers: string): string =>
  `(workflow || '@' || version) <> ALL(${names}::text[]) AND run_no <> ALL(${numbers}::bigint[])`;

function dueText(slotless: boolean): string {
  const free = `(put_by IS NULL OR put_by = $3 OR put_by <> ALL((SELECT all_live FROM live)::int[])
    OR ((wake_at = 0 OR wake_at <= $1 - ${courtesyMs}) AND coalesce(claim_until, 0) < ${nowMs}))`;
  const candidates = `FROM @.runs WHERE ${sleeping} ${slotless ? slotlessOnly : ""} AND wake_at <= $1 AND ${free} AND ${unblocked("$4", "$5")}`;
  return `WITH live AS MATERIALIZED (SELECT array_agg(lease_no) AS all_live, count(*) AS n FROM @.leases WHERE state = 'live'),
    share AS MATERIALIZED (SELECT CASE WHEN (SELECT n FROM live) <= 1 THEN $2::bigint ELSE least($2::bigint, greatest(${leastShare},
      ((SELECT count(*) FROM (SELECT 1 ${candidates} LIMIT ${counted}) AS c) + (SELECT n FROM live) - 1) / (SELECT n FROM live))) END AS n),
    c AS MATERIALIZED (SELECT ${runColumns}, put_by, claim_until ${candidates}
      ORDER BY wake_at, priority, run_no LIMIT (SELECT n FROM share) FOR NO KEY UPDATE SKIP LOCKED),
    u AS (UPDATE @.runs r SET put_by = $3, claim_until = ${nowMs} + ${claimMs} FROM c
      WHERE r.run_no = c.run_no AND (c.put_by = $3 AND c.claim_until > ${nowMs} + ${claimMs / 2}) IS NOT TRUE AND ${unhurried})
    SELECT ${runColumns}, (SELECT n FROM share) AS share FROM c ORDER BY wake_at, priority, run_no`;
}
const due = dueText(false);
const dueSlotless = dueText(true);

/** It leaves the queue, set apart for lease $2 at the time $3. */
const leaves = `queued_at = NULL, wake_at = 0, put_by = $2, claim_until = ${nowMs} + ${claimMs}, admitted_at = coalesce(admitted_at, $3)`;

const take = `WITH k AS MATERIALIZED (SELECT r.*, b.place FROM unnest($1::bigint[]) WITH ORDINALITY AS b(no, place) CROSS JOIN LATERAL (
    SELECT run_no AS no, (queued_at <= $3 AND concurrency IS NULL AND rate IS NULL AND (workflow || '@' || version) = ANY($4::text[])
        AND run_no <> ALL($5::bigint[])) AS fits
      FROM @.runs WHERE run_no = b.no AND queued_at IS NOT NULL AND lease_no IS NULL AND ended_at IS NULL FOR NO KEY UPDATE SKIP LOCKED) AS r),
  u AS (UPDATE @.runs SET ${leaves}
    WHERE run_no = ANY(ARRAY(SELECT no FROM k WHERE fits)) AND ${unhurried} RETURNING ${runColumns})
  SELECT f.*, (SELECT count(*) FROM k WHERE NOT fits) AS unfit FROM (SELECT) AS one LEFT JOIN (
    SELECT ${runColumns}, place, ${turnColumns} FROM u JOIN k ON k.no = u.run_no CROSS JOIN LATERAL (
      SELECT ${turnColumns} FROM @.turns t WHERE t.run_no = u.run_no AND t.turn = 0) AS t) AS f ON true ORDER BY place`;

export class Queue {
  readonly #sql: Statements;
  readonly #blocks: Blocks;
  /** Q3: the last look left something for others, or for the next look. */
  #left = false;

  constructor(statements: Statements, blocks: Blocks) {
    this.#sql = statements;
    this.#blocks = blocks;
  }

  async due(line: Line, now: number, limit: number, slotless: boolean, leaseNo: number | undefined): Promise<readonly RunRow[]> {
    const { names, numbers } = this.#blocks;
    if (leaseNo === undefined) {
      const rows = await this.#sql.run(
        line,
        `SELECT ${runColumns} FROM @.runs WHERE ${sleeping} ${slotless ? slotlessOnly : ""} AND wake_at <= $1 ORDER BY wake_at, priority, run_no LIMIT $2`,
        now,
        limit,
      );
      return rows.map(runRow);
    }
    const rows = await this.#sql.run(line, slotless ? dueSlotless : due, now, limit, leaseNo, texts(names), bigints(numbers));
    this.#left = rows.length > 0 && rows.length < limit && rows.length === rows[0]?.share;
    return rows.map(runRow);
  }

  async sleepers(
    line: Line,
    from: number,
    to: number,
    limit: number,
  ): Promise<readonly { readonly runNo: number; readonly wakeAt: number }[]> {
    const { names, numbers } = this.#blocks;
    const rows = await this.#sql.run(
      line,
      `SELECT run_no, wake_at FROM @.runs WHERE ${sleeping} AND wake_at > $1 AND wake_at <= $2 AND ${unblocked("$4", "$5")}
       ORDER BY wake_at, priority, run_no LIMIT $3`,
      from,
      to,
      limit,
      texts(names),
      bigints(numbers),
    );
    return rows.map((row) => ({ runNo: row.run_no as number, wakeAt: row.wake_at as number }));
  }

  async nextWake(line: Line, after: number): Promise<number | undefined> {
    const { names, numbers } = this.#blocks;
    const [row] = await this.#sql.run(
      line,
      `SELECT wake_at FROM @.runs WHERE ${sleeping} AND wake_at > $1 AND ${unblocked("$2", "$3")} ORDER BY wake_at, priority, run_no LIMIT 1`,
      after,
      texts(names),
      bigints(numbers),
    );
    const found = (row?.wake_at ?? undefined) as number | undefined;
    if (!this.#left) return found;
    this.#left = false;
    return Math.min(found ?? Number.POSITIVE_INFINITY, after + soonMs);
  }

  async queued(line: Line, now: number, limit: number, except: readonly string[]): Promise<readonly RunRow[]> {
    const { names, numbers } = this.#blocks;
    const rows = await this.#sql.run(
      line,
      `SELECT ${runColumns} FROM @.runs WHERE queued_at IS NOT NULL AND queued_at <= $1
         AND coalesce(concurrency, '') <> ALL($3::text[]) AND coalesce(rate, '') <> ALL($3::text[]) AND ${unblocked("$4", "$5")}
       ORDER BY priority, queued_at, run_no LIMIT $2`,
      now,
      limit,
      texts(except.map(encodeText)),
      texts(names),
      bigints(numbers),
    );
    return rows.map(runRow);
  }

  async queuedCount(line: Line, now: number): Promise<number> {
    const { names, numbers } = this.#blocks;
    const text = `SELECT count(*) AS count FROM @.runs WHERE queued_at IS NOT NULL AND queued_at <= $1 AND ${unblocked("$2", "$3")}`;
    const [row] = await this.#sql.run(line, text, now, texts(names), bigints(numbers));
    return row?.count as number;
  }

  async nextQueued(line: Line, after: number): Promise<number | undefined> {
    const { names, numbers } = this.#blocks;
    const text = `SELECT queued_at FROM @.runs WHERE queued_at IS NOT NULL AND queued_at > $1 AND ${unblocked("$2", "$3")} ORDER BY queued_at LIMIT 1`;
    const [row] = await this.#sql.run(line, text, after, texts(names), bigints(numbers));
    return row?.queued_at as number | undefined;
  }

  async underWay(line: Line): Promise<readonly { readonly concurrency: string; readonly count: number }[]> {
    const text = `SELECT concurrency, count(*) AS count FROM @.runs WHERE concurrency IS NOT NULL AND ended_at IS NULL AND queued_at IS NULL GROUP BY concurrency`;
    const rows = await this.#sql.run(line, text);
    return rows.map((row) => ({ concurrency: decodeText(row.concurrency as string), count: row.count as number }));
  }

  async admissions(line: Line, after: number): Promise<readonly { readonly rate: string; readonly at: number }[]> {
    const text = `SELECT rate, admitted_at FROM @.runs WHERE rate IS NOT NULL AND admitted_at IS NOT NULL AND admitted_at > $1 ORDER BY admitted_at`;
    const rows = await this.#sql.run(line, text, after);
    return rows.map((row) => ({ rate: decodeText(row.rate as string), at: row.admitted_at as number }));
  }

  /** Without a limit nobody need be counted: one statement, and whoever is first has them. */
  async take(line: Line, runNos: readonly number[], held: readonly string[], leaseNo: number, now: number): Promise<Taking> {
    const names = texts(held.map(encodeText));
    const rows = await this.#sql.run(line, take, bigints(runNos), leaseNo, now, names, bigints(this.#blocks.numbers));
    const taken: Taken[] = [];
    for (const row of rows) {
      if (row.run_no === null) continue;
      const [first] = await withBlobs(line, this.#sql, row.run_no as number, [turnRow(row)]);
      taken.push({ row: runRow(row), ...(first ? { first } : {}) });
    }
    return { taken, left: Number(rows[0]?.unfit) > 0 };
  }

  /** The same of one run, whose workflow may have had limits when it was started. */
  async #take(line: Line, runNo: number, leaseNo: number, now: number): Promise<boolean> {
    const rows = await this.#sql.run(
      line,
      `UPDATE @.runs SET ${leaves} WHERE run_no = $1 AND queued_at IS NOT NULL AND lease_no IS NULL AND ended_at IS NULL
       RETURNING 1 AS one`,
      runNo,
      leaseNo,
      now,
    );
    return rows.length > 0;
  }

  /** Under a lock for each limit: counting and taking are one, whoever else admits. */
  async admit(line: Line, runNo: number, limits: AdmitLimits, leaseNo: number, now: number): Promise<Admitted> {
    if (limits.concurrency === undefined && limits.rate === undefined && (await this.#take(line, runNo, leaseNo, now)))
      return { admitted: true };
    return line.transact(async () => {
      const [seen] = await this.#sql.run(line, "SELECT concurrency, rate FROM @.runs WHERE run_no = $1", runNo);
      const keys = [seen?.concurrency && `c ${seen.concurrency}`, seen?.rate && `r ${seen.rate}`].filter((key) => typeof key === "string");
      for (const key of keys) await this.#sql.run(line, "SELECT pg_advisory_xact_lock(hashtextextended('@.runs' || $1, 0))", key);
      const [row] = await this.#sql.run(
        line,
        "SELECT concurrency, rate, queued_at, lease_no, ended_at, put_by, claim_until FROM @.runs WHERE run_no = $1 FOR NO KEY UPDATE",
        runNo,
      );
      if (!row || row.ended_at !== null || row.lease_no !== null) return { admitted: false, reason: "gone" };
      // An earlier try whose answer was lost has done it.
      if (row.queued_at === null)
        return row.put_by === leaseNo && Number(row.claim_until) > now ? { admitted: true } : { admitted: false, reason: "gone" };
      if (limits.concurrency !== undefined && row.concurrency !== null) {
        const text = "SELECT count(*) AS count FROM @.runs WHERE concurrency = $1 AND ended_at IS NULL AND queued_at IS NULL";
        const [counted] = await this.#sql.run(line, text, row.concurrency);
        if (Number(counted?.count) >= limits.concurrency) return { admitted: false, reason: "concurrency" };
      }
      if (limits.rate !== undefined && row.rate !== null) {
        const { limit, perMs } = limits.rate;
        const text = `SELECT admitted_at FROM @.runs WHERE rate = $1 AND rate IS NOT NULL AND admitted_at IS NOT NULL AND admitted_at > $2
          ORDER BY admitted_at DESC LIMIT $3`;
        const taken = await this.#sql.run(line, text, row.rate, Math.ceil(now - perMs), limit);
        const oldest = taken.at(-1);
        if (taken.length >= limit && oldest)
          return { admitted: false, reason: "rate", until: Math.ceil(Number(oldest.admitted_at) + perMs) };
      }
      await this.#sql.run(line, `UPDATE @.runs SET ${leaves} WHERE run_no = $1`, runNo, leaseNo, now);
      return { admitted: true };
    });
  }
}

/** How soon an owner looks again for what it has left, ms. */
const soonMs = 25;
