/**
 * Removing runs that have ended. One call is one transaction: a crash leaves whole runs.
 *
 * U1 A run goes with everything that is its own, and leaves its id in `pruned` while starts with it may be repeated.
 * U2 A transaction ends soon, since the owner waits for it: after `maxRows` rows it takes no further run.
 */
import type { RunStatus } from "../../core/fact.ts";
import { keepIdsMs, type Pruned, type PruneGroup, type PruneOptions, type RunRow } from "../store.ts";
import type { Database, Statement } from "./driver.ts";
import { prepareAll } from "./prepare.ts";
import { prunedRow } from "./rows.ts";

const maxRows = 500;

export class Prunes {
  readonly #statements: Readonly<Record<keyof typeof texts, Statement>>;

  constructor(db: Database) {
    this.#statements = prepareAll(db, texts);
  }

  /** What would go. */
  groups(before: number, options: PruneOptions): readonly PruneGroup[] {
    return this.#statements.groups.all(...wanted(before, options)).map((row) => ({
      workflow: row.workflow as string,
      status: row.status as RunStatus,
      runs: Number(row.runs),
      oldest: row.oldest as number,
      newest: row.newest as number,
    }));
  }

  /** Within a transaction. */
  prune(before: number, limit: number, options: PruneOptions, now: number): Pruned {
    const { doomed, bury, forget, ...own } = this.#statements;
    const forgetBefore = now - (options.keepIdsMs ?? keepIdsMs);
    const found = doomed.all(...wanted(before, options), limit + 1);
    let runs = 0;
    let rows = 0;
    let from = options.from ?? 0;
    for (const { run_no, ended_at } of found) {
      if (runs === limit || rows >= maxRows) break;
      const runNo = run_no as number;
      bury.run(runNo, forgetBefore);
      for (const remove of [own.turns, own.blobs, own.inbox, own.row]) rows += Number(remove.run(runNo).changes);
      from = ended_at as number;
      runs++;
    }
    const forgotten = Number(forget.run(forgetBefore, maxRows).changes);
    return { runs, more: runs < found.length || forgotten === maxRows, from };
  }

  pruned(id: string): RunRow | undefined {
    const row = this.#statements.pruned.get(id);
    return row && prunedRow(row);
  }
}

function wanted(before: number, { statuses, workflow, from }: PruneOptions): [number, number, string | null, string | null] {
  return [from ?? 0, before, statuses === undefined ? null : JSON.stringify(statuses), workflow ?? null];
}

/**
 * Who may still need a run goes up from it: its parent, in the round that started it, and forks of either. Nobody on the way
 * may be under way.
 */
const removable = `FROM runs AS r WHERE ended_at >= ?1 AND ended_at < ?2
  AND (?3 IS NULL OR status IN (SELECT value FROM json_each(?3))) AND (?4 IS NULL OR workflow = ?4)
  AND NOT EXISTS (
    WITH RECURSIVE up (id, parent, at, ended_at) AS (
      SELECT r.id, r.parent, r.created_at, r.ended_at
      UNION
      SELECT n.id, n.parent, n.created_at, n.ended_at FROM up JOIN runs AS n
        ON (n.id = up.parent AND n.created_at <= up.at) OR n.origin = up.id OR n.origin = up.parent
    )
    SELECT 1 FROM up WHERE up.ended_at IS NULL)`;

const texts = {
  groups: `SELECT workflow, status, count(*) AS runs, min(ended_at) AS oldest, max(ended_at) AS newest ${removable}
    GROUP BY workflow, status ORDER BY workflow, status`,
  doomed: `SELECT run_no, ended_at ${removable} ORDER BY ended_at, run_no LIMIT ?5`,
  bury: `INSERT OR REPLACE INTO pruned (id, run_no, workflow, version, digest, status, priority, created_at, ended_at, parent)
    SELECT id, run_no, workflow, version, digest, status, priority, created_at, ended_at, parent FROM runs WHERE run_no = ? AND ended_at >= ?`,
  turns: "DELETE FROM turns WHERE run_no = ?",
  blobs: "DELETE FROM blobs WHERE run_no = ?",
  inbox: "DELETE FROM inbox WHERE run_no = ?",
  row: "DELETE FROM runs WHERE run_no = ?",
  forget: "DELETE FROM pruned WHERE id IN (SELECT id FROM pruned WHERE ended_at < ? ORDER BY ended_at LIMIT ?)",
  pruned: "SELECT * FROM pruned WHERE id = ?",
};
