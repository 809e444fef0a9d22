/** All that is read about runs. */
import type { MailRow, OpenStore, RunRow, TurnRow } from "../store.ts";
import { bigints, texts } from "./arrays.ts";
import type { Line } from "./line.ts";
import { mailRow, runColumns, runRow, turnColumns, turnRow } from "./rows.ts";
import type { Statements } from "./sql.ts";
import { decodeText, encodeText } from "./text.ts";

export class Reads {
  readonly #sql: Statements;

  constructor(statements: Statements) {
    this.#sql = statements;
  }

  async run(line: Line, id: string): Promise<RunRow | undefined> {
    const [row] = await this.#sql.run(line, `SELECT ${runColumns} FROM @.runs WHERE id = $1`, encodeText(id));
    return row && runRow(row);
  }

  async byNo(line: Line, runNo: number): Promise<RunRow | undefined> {
    const [row] = await this.#sql.run(line, `SELECT ${runColumns} FROM @.runs WHERE run_no = $1`, runNo);
    return row && runRow(row);
  }

  async list(line: Line, { status, workflow, limit, before }: Parameters<OpenStore["list"]>[0]): Promise<readonly RunRow[]> {
    const values: (string | number)[] = [];
    const add = (value: string | number): string => `$${values.push(value)}`;
    const wheres: string[] = [];
    // The index leaves out what most runs are in the end; those are found soon without one.
    if (status !== undefined)
      wheres.push(status === "completed" ? "status = 'completed'" : `status <> 'completed' AND status = ${add(status)}`);
    if (workflow !== undefined) wheres.push(`workflow = ${add(encodeText(workflow))}`);
    if (before !== undefined) wheres.push(`(created_at, run_no) < (SELECT created_at, run_no FROM @.runs WHERE run_no = ${add(before)})`);
    const where = wheres.length === 0 ? "" : `WHERE ${wheres.join(" AND ")}`;
    const most = limit === undefined ? "" : `LIMIT ${add(limit)}`;
    const rows = await this.#sql.run(
      line,
      `SELECT ${runColumns} FROM @.runs ${where} ORDER BY created_at DESC, run_no DESC ${most}`,
      ...values,
    );
    return rows.map(runRow);
  }

  async turns(line: Line, runNo: number, from = 0, limit?: number): Promise<readonly TurnRow[]> {
    const rows = await this.#sql.run(
      line,
      `SELECT ${turnColumns} FROM @.turns WHERE run_no = $1 AND turn >= $2 ORDER BY turn LIMIT $3`,
      runNo,
      from,
      limit ?? null,
    );
    return withBlobs(line, this.#sql, runNo, rows.map(turnRow));
  }

  async tail(line: Line, runNo: number): Promise<TurnRow | undefined> {
    const rows = await this.#sql.run(line, `SELECT ${turnColumns} FROM @.turns WHERE run_no = $1 ORDER BY turn DESC LIMIT 1`, runNo);
    const [turn] = await withBlobs(line, this.#sql, runNo, rows.map(turnRow));
    return turn;
  }

  async blob(line: Line, runNo: number, hash: string): Promise<string | undefined> {
    const [row] = await this.#sql.run(line, "SELECT text FROM @.blobs WHERE run_no = $1 AND hash = $2", runNo, encodeText(hash));
    return row && decodeText(row.text as string);
  }

  async inbox(line: Line, runNo: number, after: number): Promise<readonly MailRow[]> {
    const text = "SELECT seq, message_id, kind, body FROM @.inbox WHERE run_no = $1 AND seq > $2 ORDER BY seq";
    return (await this.#sql.run(line, text, runNo, after)).map(mailRow);
  }

  async mailed(line: Line, leaseNo: number): Promise<readonly number[]> {
    const text = "SELECT run_no FROM @.runs WHERE lease_no = $1 AND lease_no IS NOT NULL AND mail_put > mail_got ORDER BY run_no";
    return (await this.#sql.run(line, text, leaseNo)).map((row) => row.run_no as number);
  }

  async state(line: Line, reducer: string, key: string): Promise<string | undefined> {
    const text = "SELECT state FROM @.states WHERE reducer = $1 AND key = $2";
    const [row] = await this.#sql.run(line, text, encodeText(reducer), encodeText(key));
    return (row?.state ?? undefined) as string | undefined;
  }

  async definition(line: Line, hash: string): Promise<string | undefined> {
    const [row] = await this.#sql.run(line, "SELECT text FROM @.definitions WHERE hash = $1", encodeText(hash));
    return row && decodeText(row.text as string);
  }

  async define(line: Line, hash: string, text: string): Promise<void> {
    await this.#sql.run(
      line,
      "INSERT INTO @.definitions (hash, text) VALUES ($1, $2) ON CONFLICT DO NOTHING",
      encodeText(hash),
      encodeText(text),
    );
  }
}

/** The hash of a value that stands apart is looked for in the text, and asked for: most turns have none. */
export async function withBlobs<T extends Pick<TurnRow, "facts">>(
  line: Line,
  statements: Statements,
  runNo: number,
  turns: readonly T[],
): Promise<readonly (T & Pick<TurnRow, "blobs">)[]> {
  const hashes = new Map(turns.map((turn) => [turn, hashesIn(turn.facts)]));
  const wanted = new Set([...hashes.values()].flat());
  if (wanted.size === 0) return turns;
  const rows = await statements.run(
    line,
    "SELECT hash, text FROM @.blobs WHERE run_no = ANY($1::bigint[]) AND hash = ANY($2::text[])",
    bigints([runNo]),
    texts([...wanted].map(encodeText)),
  );
  const found = new Map(rows.map((row) => [decodeText(row.hash as string), decodeText(row.text as string)]));
  return turns.map((turn) => {
    const blobs = (hashes.get(turn) ?? []).flatMap((hash) => {
      const text = found.get(hash);
      return text === undefined ? [] : [{ hash, text }];
    });
    return blobs.length === 0 ? turn : { ...turn, blobs };
  });
}

/** Hashes in the `blobs` of facts; what a user's value of that name holds is none, and found nowhere. */
function hashesIn(facts: string): readonly string[] {
  if (!facts.includes('"blobs"')) return [];
  const found = new Set<string>();
  for (const fact of JSON.parse(facts) as readonly { readonly blobs?: Readonly<Record<string, unknown>> }[])
    for (const hash of Object.values(fact.blobs ?? {})) if (typeof hash === "string") found.add(hash);
  return [...found];
}
