/** The table of schedules. */
import type { ScheduleRow } from "../schedule-store.ts";
import type { Line, Row } from "./line.ts";
import type { Statements } from "./sql.ts";
import { decodeText, encodeText } from "./text.ts";

const columns = "id, revision, next_at, spec, state";

export class ScheduleTable {
  readonly #sql: Statements;

  constructor(statements: Statements) {
    this.#sql = statements;
  }

  async get(line: Line, id: string): Promise<ScheduleRow | undefined> {
    const [row] = await this.#sql.run(line, `SELECT ${columns} FROM @.schedules WHERE id = $1`, encodeText(id));
    return row && scheduleRow(row);
  }

  async list(line: Line): Promise<readonly ScheduleRow[]> {
    return (await this.#sql.run(line, `SELECT ${columns} FROM @.schedules ORDER BY id`)).map(scheduleRow);
  }

  async due(line: Line, now: number): Promise<readonly ScheduleRow[]> {
    const text = `SELECT ${columns} FROM @.schedules WHERE next_at IS NOT NULL AND next_at <= $1 ORDER BY next_at, id`;
    return (await this.#sql.run(line, text, now)).map(scheduleRow);
  }

  async next(line: Line, after: number): Promise<number | undefined> {
    const text = "SELECT next_at FROM @.schedules WHERE next_at IS NOT NULL AND next_at > $1 ORDER BY next_at LIMIT 1";
    const [row] = await this.#sql.run(line, text, after);
    return row?.next_at as number | undefined;
  }

  async save(line: Line, row: ScheduleRow, after: string | undefined): Promise<boolean> {
    const { id, revision, nextAt = null, spec, state } = row;
    const values = [encodeText(id), encodeText(revision), nextAt, encodeText(spec), encodeText(state)];
    const done =
      after === undefined
        ? await this.#sql.run(
            line,
            `INSERT INTO @.schedules (${columns}) VALUES ($1, $2, $3, $4, $5) ON CONFLICT (id) DO NOTHING RETURNING id`,
            ...values,
          )
        : await this.#sql.run(
            line,
            "UPDATE @.schedules SET revision = $2, next_at = $3, spec = $4, state = $5 WHERE id = $1 AND revision = $6 RETURNING id",
            ...values,
            encodeText(after),
          );
    // A revision is never used twice: if it stands there, an earlier try has written it.
    return done.length === 1 || (await this.get(line, id))?.revision === revision;
  }

  async remove(line: Line, id: string): Promise<boolean> {
    return (await this.#sql.run(line, "DELETE FROM @.schedules WHERE id = $1 RETURNING id", encodeText(id))).length === 1;
  }
}

function scheduleRow(row: Row): ScheduleRow {
  return {
    id: decodeText(row.id as string),
    revision: decodeText(row.revision as string),
    nextAt: (row.next_at ?? undefined) as number | undefined,
    spec: decodeText(row.spec as string),
    state: decodeText(row.state as string),
  };
}
