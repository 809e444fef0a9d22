/**
 * The statement that appends turns: the fence (S1), the lease, new runs and what changes in the rows of others, all in one.
 *
 * T1 The turn before is looked up by a scalar subquery: an index probe, whatever the planner thinks. It never changes, so it
 *    needs no lock; the key of (run, turn) decides races.
 * T2 A run that is made has its row first, and turn 0 only if that row is new.
 * T3 Rows are locked in the order of run numbers, and those of runs that are taken before their turns: two that take the same
 *    runs wait in line.
 * T4 Sent again with the same parameters it writes nothing twice.
 */
import { bigints, bools, ints, texts } from "./arrays.ts";
import { byRun, type Job, startOf } from "./job.ts";
import type { Line } from "./line.ts";
import { isFree } from "./prune.ts";
import { runValues } from "./rows.ts";
import type { Statements } from "./sql.ts";
import { encodeText } from "./text.ts";

/** Appends; answers the numbers of the runs whose turn was accepted. */
export async function writeTurns(line: Line, statements: Statements, jobs: readonly Job[], leaseNo: number): Promise<Set<number>> {
  const sorted = [...jobs].sort(byRun);
  const writes = sorted.map((job) => job.write);
  const starts = sorted.filter((job) => startOf(job) !== undefined);
  const isChanging = ({ row, take, final }: Job["write"]): boolean => row !== undefined || take === true || final;
  const values: unknown[] = [
    leaseNo,
    bigints(sorted.map((job) => job.runNo)),
    ints(writes.map((write) => write.turn)),
    bigints(writes.map((write) => write.after)),
    bigints(writes.map((write) => write.epoch)),
    ints(writes.map((write) => write.pos)),
    ints(writes.map((write) => write.next)),
    bigints(writes.map((write) => write.at)),
    bools(writes.map((write) => write.final)),
    bools(writes.map((write) => write.take === true)),
    texts(sorted.map((job) => job.folded?.facts ?? job.write.facts)),
  ];
  const changes = writes.some(isChanging);
  if (changes)
    values.push(
      bools(writes.map(isChanging)),
      texts(writes.map(({ row, take }) => row?.status ?? (take === true ? "running" : null))),
      ints(writes.map(({ row }) => row?.mailGot ?? 0)),
      bools(writes.map(({ row }) => row?.park !== undefined)),
      bigints(writes.map(({ row }) => (row?.park === undefined || row.park.wakeAt === null ? null : Math.ceil(row.park.wakeAt)))),
      texts(writes.map(({ row }) => (row?.version === undefined ? null : encodeText(row.version)))),
    );
  if (starts.length > 0) {
    const runs = starts.map((job) => ({ ...startOf(job), runNo: job.runNo })) as (NonNullable<ReturnType<typeof startOf>> & {
      runNo: number;
    })[];
    const text = (value: string | undefined): string | null => (value === undefined ? null : encodeText(value));
    values.push(...runValues(runs), texts(runs.map((run) => text(run.origin))));
  }
  const rows = await statements.run(
    line,
    textOf(
      changes,
      starts.length > 0,
      writes.some((write) => write.take === true),
    ),
    ...values,
  );
  return new Set(rows.map((row) => row.run_no as number));
}

const composed = new Map<number, string>();

function textOf(changes: boolean, starts: boolean, takes: boolean): string {
  const key = (changes ? 1 : 0) + (starts ? 2 : 0) + (takes ? 4 : 0);
  let text = composed.get(key);
  if (text === undefined) {
    text = compose(changes, starts, takes);
    composed.set(key, text);
  }
  return text;
}

/** Exported for the tests of its plans. */
export function compose(changes: boolean, starts: boolean, takes: boolean): string {
  const arrays = ["$2::bigint[]", "$3::int[]", "$4::bigint[]", "$5::bigint[]", "$6::int[]", "$7::int[]", "$8::bigint[]"];
  arrays.push("$9::bool[]", "$10::bool[]", "$11::text[]");
  let columns = "run_no, turn, after, epoch, pos, next, at, final, take, facts";
  if (changes) {
    arrays.push("$12::bool[]", "$13::text[]", "$14::int[]", "$15::bool[]", "$16::bigint[]", "$17::text[]");
    columns += ", changes, status, mail_got, park, wake_at, version";
  }
  const parts = [`b AS MATERIALIZED (SELECT * FROM unnest(${arrays.join(", ")}) AS b(${columns}))`];
  if (starts) parts.push(startsText(changes ? 18 : 12, changes));
  if (takes)
    parts.push(`held AS MATERIALIZED (SELECT r.run_no FROM b
      CROSS JOIN LATERAL (SELECT r.run_no FROM @.runs r WHERE r.run_no = b.run_no FOR NO KEY UPDATE) r WHERE b.take)`);
  parts.push(`won AS (
    INSERT INTO @.turns (run_no, turn, epoch, pos, next, at, final, lease_no, facts)
    SELECT run_no, turn, epoch, pos, next, at, final, $1::int, facts FROM b
     WHERE ${takes ? "(SELECT count(*) FROM held) >= 0 AND" : ""} (SELECT state FROM @.leases WHERE lease_no = $1::int) = 'live' AND CASE
       ${starts ? "WHEN turn = 0 THEN (run_no IN (SELECT run_no FROM made)) IS TRUE" : ""}
       WHEN take THEN (SELECT r.lease_no IS NULL FROM @.runs r WHERE r.run_no = b.run_no)
       ELSE (SELECT r.lease_no FROM @.runs r WHERE r.run_no = b.run_no) = $1::int END
     AND (turn = 0 OR (SELECT p.epoch FROM @.turns p
       WHERE p.run_no = b.run_no AND p.turn = b.turn - 1 AND p.next = b.pos AND NOT p.final) = b.after)
    ORDER BY run_no
    ON CONFLICT (run_no, turn) DO NOTHING RETURNING run_no)`);
  if (changes)
    // The number of mail read never goes back, so that a run cannot be due for ever over mail that it has read. Who holds the
    // run changes only where it is said: a lease that has lapsed in the meantime must not get it back.
    parts.push(`changed AS (
    UPDATE @.runs r SET
      status = coalesce(b.status, r.status), version = coalesce(b.version, r.version),
      mail_got = greatest(r.mail_got, b.mail_got),
      lease_no = CASE WHEN b.park OR b.final THEN NULL WHEN b.take THEN $1::int ELSE r.lease_no END,
      put_by = CASE WHEN b.park AND NOT b.final THEN $1::int WHEN b.take OR b.final THEN NULL ELSE r.put_by END,
      claim_until = CASE WHEN b.take OR b.park OR b.final THEN NULL ELSE r.claim_until END,
      wake_at = CASE WHEN b.final THEN NULL
        WHEN b.park THEN CASE WHEN r.mail_put > greatest(r.mail_got, b.mail_got) THEN 0 ELSE b.wake_at END
        WHEN b.take THEN NULL ELSE r.wake_at END,
      queued_at = CASE WHEN b.take OR b.final THEN NULL ELSE r.queued_at END,
      blocked = CASE WHEN b.take THEN NULL ELSE r.blocked END,
      admitted_at = CASE WHEN b.take THEN coalesce(r.admitted_at, b.at) ELSE r.admitted_at END,
      ended_at = CASE WHEN b.final THEN b.at ELSE r.ended_at END
    FROM b WHERE r.run_no = b.run_no AND b.changes AND b.turn > 0 AND (b.run_no IN (SELECT run_no FROM won)) IS TRUE)`);
  return `WITH ${parts.join(",\n  ")}\nSELECT run_no FROM won`;
}

/** A new run is as its first turn leaves it: a statement cannot change a row that it has made. */
function startsText(from: number, changes: boolean): string {
  const types = ["bigint", "text", "text", "text", "text", "bigint", "bigint", "text", "text", "text", "text"];
  const arrays = types.map((type, i) => `$${from + i}::${type}[]`);
  const change = (yes: string, no: string): string => (changes ? yes : no);
  return `s AS MATERIALIZED (SELECT * FROM unnest(${arrays.join(", ")})
      AS s(run_no, id, workflow, version, digest, priority, created_at, parent, concurrency, rate, origin)),
  made AS (
    INSERT INTO @.runs (run_no, id, workflow, version, digest, priority, created_at, parent, concurrency, rate, origin,
      status, mail_got, lease_no, put_by, wake_at, admitted_at, ended_at)
    SELECT s.run_no, s.id, s.workflow, ${change("coalesce(b.version, s.version)", "s.version")}, s.digest, s.priority, s.created_at,
      s.parent, s.concurrency, s.rate, s.origin,
      ${change("coalesce(b.status, 'running')", "'running'")}, ${change("b.mail_got", "0")},
      ${change("CASE WHEN b.park OR b.final THEN NULL ELSE $1::int END", "$1::int")},
      ${change("CASE WHEN b.park AND NOT b.final THEN $1::int END", "NULL::int")},
      ${change("CASE WHEN b.park AND NOT b.final THEN b.wake_at END", "NULL::bigint")}, s.created_at, CASE WHEN b.final THEN b.at END
    FROM s JOIN b USING (run_no)
    WHERE (SELECT state FROM @.leases WHERE lease_no = $1::int) = 'live' AND ${isFree("s.id")}
    ORDER BY s.id ON CONFLICT DO NOTHING RETURNING run_no)`;
}
