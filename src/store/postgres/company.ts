/** What is made with a turn, by statements that may be repeated: values that stand apart, and runs with their first turn. */
import type { Blob, FirstTurn, NewRun, RunRow } from "../store.ts";
import { bigints, ints, texts } from "./arrays.ts";
import { Again } from "./errors.ts";
import type { Line } from "./line.ts";
import { isFree, Prunes } from "./prune.ts";
import { runColumns, runRow, runValues } from "./rows.ts";
import type { Statements } from "./sql.ts";
import { decodeText, encodeText } from "./text.ts";

export interface Born {
  readonly runNo: number;
  readonly run: NewRun;
  readonly first: FirstTurn;
}

export async function addBlobs(line: Line, statements: Statements, blobs: readonly (Blob & { readonly runNo: number })[]): Promise<void> {
  if (blobs.length === 0) return;
  await statements.run(
    line,
    `INSERT INTO @.blobs (run_no, hash, text) SELECT * FROM unnest($1::bigint[], $2::text[], $3::text[]) ON CONFLICT DO NOTHING`,
    bigints(blobs.map((blob) => blob.runNo)),
    texts(blobs.map((blob) => encodeText(blob.hash))),
    texts(blobs.map((blob) => encodeText(blob.text))),
  );
}

/** Answers the numbers of those whose id was free. */
export async function addRuns(
  line: Line,
  statements: Statements,
  born: readonly Born[],
  status: "running" | "pending",
  leaseNo: number | null,
): Promise<ReadonlySet<number>> {
  if (born.length === 0) return new Set();
  const sorted = [...born].sort((a, b) => (a.run.id < b.run.id ? -1 : 1));
  const rows = await statements.run(line, birth, ...birthValues(sorted, status, leaseNo));
  const made = new Set(rows.map((row) => row.run_no as number));
  const blobs = sorted
    .filter((one) => made.has(one.runNo))
    .flatMap(({ runNo, first }) => (first.blobs ?? []).map((blob) => ({ runNo, ...blob })));
  await addBlobs(line, statements, blobs);
  return made;
}

function birthValues(born: readonly Born[], status: "running" | "pending", leaseNo: number | null): readonly unknown[] {
  const runs = born.map((one) => one.run);
  const text = (value: string | undefined): string | null => (value === undefined ? null : encodeText(value));
  const queuedAt = (run: NewRun): number | null => (leaseNo === null ? (run.queuedAt ?? null) : null);
  return [
    leaseNo,
    status,
    ...runValues(born.map(({ run, runNo }) => ({ ...run, runNo }))),
    bigints(runs.map(queuedAt)),
    bigints(runs.map((run) => (leaseNo !== null ? null : queuedAt(run) === null ? 0 : (run.wakeAt ?? null)))),
    bigints(born.map((one) => one.first.epoch)),
    ints(born.map((one) => one.first.next)),
    texts(born.map((one) => one.first.facts)),
    texts(runs.map((run) => text(run.origin))),
  ];
}

/** Rows and first turns; `admitted_at` is set for those that never were in the queue. */
const born = `WITH s AS MATERIALIZED (SELECT * FROM unnest($3::bigint[], $4::text[], $5::text[], $6::text[], $7::text[], $8::bigint[], $9::bigint[],
    $10::text[], $11::text[], $12::text[], $13::bigint[], $14::bigint[], $15::bigint[], $16::int[], $17::text[], $18::text[])
  AS s(run_no, id, workflow, version, digest, priority, created_at, parent, concurrency, rate, queued_at, wake_at, epoch, next, facts, origin)),
made AS (
  INSERT INTO @.runs (run_no, id, workflow, version, digest, priority, created_at, parent, concurrency, rate, queued_at, wake_at,
    origin, status, lease_no, admitted_at)
  SELECT run_no, id, workflow, version, digest, priority, created_at, parent, concurrency, rate, queued_at, wake_at,
    origin, $2, $1::int, CASE WHEN $1::int IS NOT NULL THEN created_at END
  FROM s WHERE ${isFree("s.id")} ORDER BY id ON CONFLICT DO NOTHING RETURNING ${runColumns}),
first AS (
  INSERT INTO @.turns (run_no, turn, epoch, pos, next, at, final, lease_no, facts)
  SELECT run_no, 0, epoch, 0, next, created_at, false, $1::int, facts FROM s WHERE (run_no IN (SELECT run_no FROM made)) IS TRUE)`;
const birth = `${born} SELECT run_no FROM made`;
const start = `${born},
kept AS (
  INSERT INTO @.blobs (run_no, hash, text) SELECT made.run_no, b.hash, b.text FROM made, unnest($21::text[], $22::text[]) AS b(hash, text))
SELECT ${runColumns}, pg_notify($19, $20) FROM made`;

/** One statement, and the notification in it: whoever drives it hears of it with the commit, and of its number if it may be taken at once. */
export async function startRun(line: Line, statements: Statements, born: Born, channel: string, sender: string): Promise<RunRow> {
  const blobs = born.first.blobs ?? [];
  const { queuedAt, at, concurrency, rate } = born.run;
  const isFree = queuedAt !== undefined && queuedAt <= at && concurrency === undefined && rate === undefined;
  const [made] = await statements.run(
    line,
    start,
    ...birthValues([born], "pending", null),
    ...[channel, isFree ? `:${sender}:${born.runNo}` : `:${sender}`],
    texts(blobs.map((blob) => encodeText(blob.hash))),
    texts(blobs.map((blob) => encodeText(blob.text))),
  );
  if (made) return runRow(made);
  const [row] = await statements.run(line, `SELECT ${runColumns} FROM @.runs WHERE id = $1`, encodeText(born.run.id));
  const was = row ? runRow(row) : await new Prunes(statements).pruned(line, born.run.id);
  if (!was) throw new Again(`the run ${born.run.id} was there, and is not any more`);
  return was;
}

/** Gives the id of an ended run, and the mail it has not read, to a new run. */
export async function succeed(line: Line, statements: Statements, ended: number, born: Born, leaseNo: number): Promise<void> {
  let old = `${born.run.id}~${ended}`;
  for (;;) {
    const [taken] = await statements.run(line, "SELECT 1 AS one FROM @.runs WHERE id = $1", encodeText(old));
    if (!taken) break;
    old += "~";
  }
  await statements.run(line, "UPDATE @.runs SET id = $2 WHERE run_no = $1", ended, encodeText(old));
  const made = await addRuns(line, statements, [born], "running", leaseNo);
  if (!made.has(born.runNo)) throw new Again(`the id ${decodeText(born.run.id)} was taken while it was handed on`);
  await statements.run(
    line,
    `UPDATE @.runs r SET mail_put = e.mail_put, mail_got = e.mail_got FROM @.runs e WHERE r.run_no = $1 AND e.run_no = $2`,
    born.runNo,
    ended,
  );
  await statements.run(
    line,
    `UPDATE @.inbox SET run_no = $1 WHERE run_no = $2 AND seq > (SELECT mail_got FROM @.runs WHERE run_no = $2)`,
    born.runNo,
    ended,
  );
}
