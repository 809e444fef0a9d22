/** Step 4: both sides are read again, and must be the same: of each run its row, turns, mail and values, and all rows of the rest. */
import { createHash } from "node:crypto";
import { OnexError } from "../../core/failure.ts";
import { decodeText } from "../postgres/text.ts";
import type { Row, Value } from "../sqlite/driver.ts";
import type { Source } from "./source.ts";
import { others, parts, runs, type Table, textIn, textOf, valuesOf } from "./tables.ts";
import type { Target } from "./target.ts";

/** Runs whose digests are asked for at once. */
const runsAtOnce = 500;
const bytesAtOnce = 4 * 1024 * 1024;

export interface Side {
  readonly rows: number;
  /** SHA-256 of those of the rows, in their order. */
  readonly digest: string;
}

/** Throws OnexError `PROMOTION_DIFFERS`. `told` hears how many runs were compared. */
export async function compare(source: Source, target: Target, told: (runs: number) => void): Promise<void> {
  let compared = 0;
  for (let after: Value | undefined, more = true; more; ) {
    const chunk = source.chunk(runs, after, runsAtOnce, bytesAtOnce);
    more = chunk.next !== undefined;
    after = chunk.next;
    if (chunk.rows.length > 0) await compareRuns(source, target, chunk.rows);
    compared += chunk.rows.length;
    told(compared);
  }
  const [counted] = await target.query(`SELECT count(*) AS n FROM ${target.staged(runs)}`);
  if (counted?.n !== compared) throw differs(source, target, "runs", `${compared} rows here, ${counted?.n} there`);
  for (const table of others) await compareTable(source, target, table);
}

async function compareRuns(source: Source, target: Target, rows: readonly Row[]): Promise<void> {
  const range = [Number(rows[0]?.run_no), Number(rows.at(-1)?.run_no)] as const;
  const theirs = new Map<Table, ReadonlyMap<number, Side>>();
  theirs.set(
    runs,
    await sidesOf(
      target,
      `SELECT t.old_no, 1 AS rows, ${digestIn(runs)} AS digest FROM ${target.staged(runs)} t WHERE t.old_no BETWEEN $1 AND $2`,
      range,
    ),
  );
  for (const table of parts)
    theirs.set(
      table,
      await sidesOf(
        target,
        `SELECT r.old_no, count(*) AS rows, encode(sha256(string_agg(sha256(convert_to(${textIn(table, "t")}, 'UTF8')), ''::bytea ORDER BY t.${table.key[0]})), 'hex') AS digest
         FROM ${target.staged(runs)} r JOIN @.${table.name} t USING (run_no) WHERE r.old_no BETWEEN $1 AND $2 GROUP BY r.old_no`,
        range,
      ),
    );
  for (const row of rows) {
    const runNo = Number(row.run_no);
    for (const table of [runs, ...parts]) {
      const here: Side = table === runs ? { rows: 1, digest: digestOf(table, row).toString("hex") } : sideOf(source, table, runNo);
      const there = theirs.get(table)?.get(runNo) ?? none;
      if (here.rows !== there.rows)
        throw differs(source, target, `run ${row.id}`, `${here.rows} rows of ${table.name} here, ${there.rows} there`);
      if (here.digest !== there.digest) throw differs(source, target, `run ${row.id}`, `its ${table.name} are not the same`);
    }
  }
}

async function sidesOf(target: Target, text: string, range: readonly [number, number]): Promise<ReadonlyMap<number, Side>> {
  const rows = await target.query(text, ...range);
  return new Map(rows.map((row) => [row.old_no as number, { rows: row.rows as number, digest: row.digest as string }]));
}

const none: Side = { rows: 0, digest: "" };

function sideOf(source: Source, table: Table, runNo: number): Side {
  const hash = createHash("sha256");
  let rows = 0;
  for (const row of source.of(table, runNo)) {
    hash.update(digestOf(table, row));
    rows++;
  }
  return rows === 0 ? none : { rows, digest: hash.digest("hex") };
}

/** By their keys: there are few of them, but for states, and each is small. */
async function compareTable(source: Source, target: Target, table: Table): Promise<void> {
  const [counted] = await target.query(`SELECT count(*) AS n FROM ${target.staged(table)}`);
  let rows = 0;
  for (let after: Value | undefined, more = true; more; ) {
    const chunk = source.chunk(table, after, runsAtOnce, bytesAtOnce);
    more = chunk.next !== undefined;
    after = chunk.next;
    rows += chunk.rows.length;
    const here = chunk.rows.map((row) => valuesOf(table, row));
    const keys = table.key.map((name) => table.columns.findIndex((column) => column.name === name));
    const found = await target.query(
      `SELECT b.n, (SELECT ${digestIn(table)} FROM ${target.staged(table)} t WHERE ${table.key.map((name, i) => `t.${name} = b.k${i}`).join(" AND ")}) AS digest
       FROM unnest(${table.key.map((_, i) => `$${i + 1}::text[]`).join(", ")}) WITH ORDINALITY AS b(${table.key.map((_, i) => `k${i}`).join(", ")}, n) ORDER BY b.n`,
      ...keys.map((at) => here.map((values) => values[at])),
    );
    for (const [i, row] of chunk.rows.entries()) {
      if (found[i]?.digest === digestOf(table, row).toString("hex")) continue;
      const key = keys.map((at) => decodeText(String(here[i]?.[at]))).join(", ");
      throw differs(source, target, `${table.name}: ${key}`, found[i]?.digest === null ? "it is not there" : "it is not the same");
    }
  }
  if (counted?.n !== rows) throw differs(source, target, table.name, `${rows} rows here, ${counted?.n} there`);
}

function digestOf(table: Table, row: Row): Buffer {
  return createHash("sha256")
    .update(textOf(valuesOf(table, row)))
    .digest();
}

function digestIn(table: Table): string {
  return `encode(sha256(convert_to(${textIn(table, "t")}, 'UTF8')), 'hex')`;
}

function differs(source: Source, target: Target, what: string, how: string): OnexError {
  return new OnexError(
    "PROMOTION_DIFFERS",
    `what was copied from ${source.name} to ${target.name} is not what it was: ${what}: ${how}. Nothing was released; give the file back with --abort, and begin again`,
  );
}
