/** The table of schedules, by statements prepared once. */
import type { ScheduleRow } from "../schedule-store.ts";
import type { Database, Row, Statement } from "./driver.ts";
import { prepareAll } from "./prepare.ts";

export class ScheduleTable {
  readonly #statements: Readonly<Record<keyof typeof texts, Statement>>;

  constructor(db: Database) {
    this.#statements = prepareAll(db, texts);
  }

  get(id: string): ScheduleRow | undefined {
    const row = this.#statements.get.get(id);
    return row === undefined ? undefined : scheduleRow(row);
  }

  list(): readonly ScheduleRow[] {
    return this.#statements.list.all().map(scheduleRow);
  }

  due(now: number): readonly ScheduleRow[] {
    return this.#statements.due.all(now).map(scheduleRow);
  }

  next(after: number): number | undefined {
    return (this.#statements.next.get(after)?.next_at ?? undefined) as number | undefined;
  }

  /** Within a transaction. */
  save(row: ScheduleRow, after: string | undefined): boolean {
    const { id, revision, nextAt = null, spec, state } = row;
    const done =
      after === undefined
        ? this.#statements.add.run(id, revision, nextAt, spec, state)
        : this.#statements.change.run(revision, nextAt, spec, state, id, after);
    return Number(done.changes) === 1;
  }

  /** Within a transaction. */
  remove(id: string): boolean {
    return Number(this.#statements.remove.run(id).changes) === 1;
  }
}

const columns = "id, revision, next_at, spec, state";
const texts = {
  get: `SELECT ${columns} FROM schedules WHERE id = ?`,
  list: `SELECT ${columns} FROM schedules ORDER BY id`,
  due: `SELECT ${columns} FROM schedules WHERE next_at IS NOT NULL AND next_at <= ? ORDER BY next_at, id`,
  next: "SELECT next_at FROM schedules WHERE next_at IS NOT NULL AND next_at > ? ORDER BY next_at LIMIT 1",
  add: "INSERT INTO schedules (id, revision, next_at, spec, state) VALUES (?, ?, ?, ?, ?) ON CONFLICT (id) DO NOTHING",
  change: "UPDATE schedules SET revision = ?, next_at = ?, spec = ?, state = ? WHERE id = ? AND revision = ?",
  remove: "DELETE FROM schedules WHERE id = ?",
};

function scheduleRow(row: Row): ScheduleRow {
  return {
    id: row.id as string,
    revision: row.revision as string,
    nextAt: (row.next_at ?? undefined) as number | undefined,
    spec: row.spec as string,
    state: row.state as string,
  };
}
