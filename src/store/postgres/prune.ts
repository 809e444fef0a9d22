/**
 * Removing runs that have ended. One call is one statement: a crash leaves whole runs, and those of two processes never wait
 * for each other.
 *
 * U1 A run goes with everything that is its own, and leaves its id in `pruned` while starts with it may be repeated.
 * U2 Only rows of ended runs are locked, which no turn and no message changes; after `maxRows` turns it takes no further run.
 * U3 What is removed is named by arrays, so that every table is entered through its key, whatever the planner thinks.
 */
import type { RunStatus } from "../../core/fact.ts";
import { keepIdsMs, type Pruned, type PruneGroup, type PruneOptions, type RunRow } from "../store.ts";
import { texts } from "./arrays.ts";
import type { Line } from "./line.ts";
import { prunedRow } from "./rows.ts";
import type { Statements } from "./sql.ts";
import { decodeText, encodeText } from "./text.ts";

const maxRows = 2_000;

/** Whether no run of that id was removed, for the statement that would make one. */
export const isFree = (id: string): string => `(SELECT p.id FROM @.pruned p WHERE p.id = ${id}) IS NULL`;

export class Prunes {
  readonly #sql: Statements;

  constructor(statements: Statements) {
    this.#sql = statements;
  }

  /** What would go. */
  async groups(line: Line, before: number, options: PruneOptions): Promise<readonly PruneGroup[]> {
    const rows = await this.#sql.run(line, groups, ...wanted(before, options));
    return rows.map((row) => ({
      workflow: decodeText(row.workflow as string),
      status: row.status as RunStatus,
      runs: row.runs as number,
      oldest: row.oldest as number,
      newest: row.newest as number,
    }));
  }

  async prune(line: Line, before: number, limit: number, options: PruneOptions, now: number): Promise<Pruned> {
    const forgetBefore = Math.floor(now - (options.keepIdsMs ?? keepIdsMs));
    const [row] = await this.#sql.run(line, prune, ...wanted(before, options), limit, forgetBefore);
    const runs = Number(row?.runs);
    return { runs, more: runs < Number(row?.found) || row?.forgotten === maxRows, from: Number(row?.last ?? options.from ?? 0) };
  }

  async pruned(line: Line, id: string): Promise<RunRow | undefined> {
    return (await this.pruneds(line, [encodeText(id)]))[0];
  }

  /** By ids as the store keeps them. */
  async pruneds(line: Line, ids: readonly string[]): Promise<readonly RunRow[]> {
    return (await this.#sql.run(line, "SELECT * FROM @.pruned WHERE id = ANY($1::text[])", texts(ids))).map(prunedRow);
  }
}

function wanted(before: number, { statuses, workflow, from }: PruneOptions): readonly unknown[] {
  return [
    from ?? 0,
    Math.ceil(before),
    statuses === undefined ? null : texts(statuses),
    workflow === undefined ? null : encodeText(workflow),
  ];
}

/**
 * Who may still need a run goes up from it: its parent, in the round that started it, and forks of either. Nobody on the way
 * may be under way.
 */
const removable = `FROM @.runs r WHERE r.ended_at >= $1 AND r.ended_at < $2
  AND ($3::text[] IS NULL OR r.status = ANY($3::text[])) AND ($4::text IS NULL OR r.workflow = $4)
  AND NOT EXISTS (
    WITH RECURSIVE up (id, parent, at, ended_at) AS (
      SELECT r.id, r.parent, r.created_at, r.ended_at
      UNION
      SELECT n.id, n.parent, n.created_at, n.ended_at FROM up CROSS JOIN LATERAL (
        SELECT p.* FROM @.runs p WHERE p.id = up.parent AND p.created_at <= up.at
        UNION ALL SELECT f.* FROM @.runs f WHERE f.origin = up.id
        UNION ALL SELECT f.* FROM @.runs f WHERE f.origin = up.parent) n
    )
    SELECT 1 FROM up WHERE up.ended_at IS NULL)`;

const groups = `SELECT r.workflow, r.status, count(*) AS runs, min(r.ended_at) AS oldest, max(r.ended_at) AS newest ${removable}
  GROUP BY r.workflow, r.status ORDER BY r.workflow, r.status`;

const those = "ANY((SELECT numbers FROM doomed)::bigint[])";
const kept = "id, run_no, workflow, version, digest, status, priority, created_at, ended_at, parent";

const prune = `WITH c AS MATERIALIZED (
    SELECT r.run_no, r.ended_at ${removable} ORDER BY r.ended_at, r.run_no LIMIT $5::bigint + 1 FOR UPDATE OF r SKIP LOCKED),
  sized AS MATERIALIZED (
    SELECT run_no, ended_at, row_number() OVER w AS n, sum(turns) OVER w - turns AS rows FROM (
      SELECT c.run_no, c.ended_at, coalesce((SELECT t.turn + 1 FROM @.turns t WHERE t.run_no = c.run_no ORDER BY t.turn DESC LIMIT 1), 0) AS turns
      FROM c) s WINDOW w AS (ORDER BY ended_at, run_no)),
  doomed AS MATERIALIZED (
    SELECT array_agg(run_no) AS numbers, count(*) AS runs, max(ended_at) AS last FROM sized WHERE n <= $5::bigint AND rows < ${maxRows}),
  buried AS (
    INSERT INTO @.pruned (${kept}) SELECT ${kept} FROM @.runs WHERE run_no = ${those} AND ended_at >= $6
    ON CONFLICT (id) DO UPDATE SET run_no = excluded.run_no, workflow = excluded.workflow, version = excluded.version,
      digest = excluded.digest, status = excluded.status, priority = excluded.priority, created_at = excluded.created_at,
      ended_at = excluded.ended_at, parent = excluded.parent),
  t AS (DELETE FROM @.turns WHERE run_no = ${those}),
  b AS (DELETE FROM @.blobs WHERE run_no = ${those}),
  i AS (DELETE FROM @.inbox WHERE run_no = ${those}),
  o AS (DELETE FROM @.runs WHERE run_no = ${those}),
  forgotten AS (DELETE FROM @.pruned WHERE id = ANY(ARRAY(
    SELECT id FROM @.pruned WHERE ended_at < $6 ORDER BY ended_at LIMIT ${maxRows} FOR UPDATE SKIP LOCKED)) RETURNING 1)
  SELECT runs, last, (SELECT count(*) FROM c) AS found, (SELECT count(*) FROM forgotten) AS forgotten FROM doomed`;
