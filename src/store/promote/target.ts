/**
 * The database that runs are moved into.
 *
 * D1 What others would see (runs, states, schedules, definitions, kept ids) stands in tables of the promotion until it is done.
 *    Turns, mail and values go to their place at once: without the row of their run nobody can find them.
 * D2 Every transaction begins with the row of the promotion, in the session of this process: of a process that was killed
 *    nothing comes later, and two never work at once.
 */
import { OnexError } from "../../core/failure.ts";
import { bigints, bools, ints, texts } from "../postgres/arrays.ts";
import { monotonicMs, StoreClock } from "../postgres/clock.ts";
import { connect } from "../postgres/connect.ts";
import { loadDriver } from "../postgres/driver.ts";
import { DatabaseError, failed } from "../postgres/errors.ts";
import { configOf, inSchema, Line, type Link, type Row } from "../postgres/line.ts";
import { versionOf } from "../postgres/migrations.ts";
import { checkSchema, checkUrl, placeOf } from "../postgres/url.ts";
import type { StoreHost } from "../store.ts";
import { type Column, others, runs, type Table } from "./tables.ts";

const connectMs = 10_000;
/** The last step is one statement over all runs. */
const statementMs = 3_600_000;
const greeting = `SET statement_timeout = ${statementMs}; SET lock_timeout = '60s'; SET idle_in_transaction_session_timeout = '60s'; SET jit = off;
SET synchronous_commit = on; SET default_transaction_isolation = 'read committed'; SET client_min_messages = warning;
SET timezone = 'UTC'; SET standard_conforming_strings = on`;
/** Runs whose parts are removed by one statement. */
const removedAtOnce = 500;

export type State = "copying" | "done" | "aborted";

/** What became of a promotion so far. */
export interface Promotion {
  readonly no: number;
  readonly state: State;
  readonly endedAt: number | undefined;
}

export class Target {
  readonly name: string;
  readonly schema: string;
  readonly #line: Line;
  #no = 0;
  #store = "";
  #session = 0;

  /** Whether its tables are there, as far as they matter here; only one that was opened to look may say no. */
  readonly isMade: boolean;

  private constructor(name: string, schema: string, line: Line, isMade: boolean) {
    this.name = name;
    this.schema = schema;
    this.#line = line;
    this.isMade = isMade;
  }

  /** Connects, and makes the tables of the store where there are none. Throws OnexError `STORE_URL_INVALID`, `STORE_FAILED`, `STORE_FOREIGN`. */
  static async open(url: string, schema: string, host: StoreHost): Promise<Target> {
    const { name, link } = await linkTo(url, schema);
    const clock = new StoreClock(host.now(), monotonicMs);
    await connect(link, { name, host, clock, schema, connectTimeoutMs: connectMs });
    return new Target(name, schema, new Line(link), true);
  }

  /** To look at it: nothing is made. Throws OnexError as `open`. */
  static async look(url: string, schema: string): Promise<Target> {
    const { name, link } = await linkTo(url, schema);
    const line = new Line(link);
    try {
      const { version } = await versionOf(line, schema, name);
      return new Target(name, schema, line, version >= 3);
    } catch (error) {
      await line.end();
      if (!(error instanceof DatabaseError) || !error.isTransient) throw failed(name, error);
      throw new OnexError(
        "STORE_FAILED",
        `${name} does not answer: ${error.message}; start the server, or correct host, port and database in the URL`,
        { cause: error },
      );
    }
  }

  async query(text: string, ...values: readonly unknown[]): Promise<readonly Row[]> {
    try {
      return await this.#line.query({ text: inSchema(this.schema, text), values: [...values] });
    } catch (error) {
      throw this.#told(error);
    }
  }

  /** What is known of the file with this name. */
  async find(store: string): Promise<Promotion | undefined> {
    const [row] = await this.query(
      "SELECT no, state, (extract(epoch FROM ended_at) * 1000)::bigint AS ended_at FROM @.promotions WHERE store = $1",
      store,
    );
    return row && { no: row.no as number, state: row.state as State, endedAt: (row.ended_at ?? undefined) as number | undefined };
  }

  /** Step 1: the promotion is known here, and this process is the one that works on it. */
  async begin(store: string, file: string): Promise<Promotion> {
    this.#store = store;
    return this.#transact(async () => {
      const [row] = await this.query(
        `INSERT INTO @.promotions (store, file, state) VALUES ($1, $2, 'copying')
         ON CONFLICT (store) DO UPDATE SET session = @.promotions.session + 1, file = excluded.file RETURNING no, state, session`,
        store,
        file,
      );
      this.#no = row?.no as number;
      this.#session = row?.session as number;
      const state = row?.state as State;
      if (state === "copying") await this.#makeTables();
      return { no: this.#no, state, endedAt: undefined };
    });
  }

  /** After an abort that has removed everything. */
  async beginAgain(): Promise<void> {
    await this.#transact(async () => {
      await this.#mine("aborted", "state = 'copying', progress = '{}', began_at = clock_timestamp(), ended_at = NULL");
      await this.#makeTables();
    });
  }

  /** How far each table was copied. */
  async progress(): Promise<Readonly<Record<string, string | number | null>>> {
    const [row] = await this.query("SELECT progress FROM @.promotions WHERE store = $1", this.#store);
    return JSON.parse(row?.progress as string) as Record<string, string | number | null>;
  }

  /** Step 3: rows of one table, and how far it is now. `numbers`: of the runs in the file, one for each row that has one. */
  async put(
    table: Table,
    rows: readonly (readonly (string | number | null)[])[],
    numbers: readonly number[],
    progress: object,
  ): Promise<void> {
    await this.#transact(async () => {
      await this.#mine("copying", "progress = $3", JSON.stringify(progress));
      if (rows.length === 0) return;
      const columns = table.columns.map(({ name }) => name);
      const arrays = table.columns.map((column, i) =>
        arrayOf(
          column,
          rows.map((row) => row[i] ?? null),
        ),
      );
      const unnest = table.columns.map(({ kind }, i) => `$${i + 2}::${kind}[]`).join(", ");
      const into = table.staged ? this.staged(table) : `@.${table.name}`;
      const numbered = table === runs || table.name === "pruned";
      if (numbered)
        await this.query(
          `INSERT INTO ${into} (run_no, ${columns.join(", ")}${table === runs ? ", old_no" : ""})
         SELECT $${columns.length + 2}::bigint + b.n - 1, ${columns.map((name) => `b.${name}`).join(", ")}${table === runs ? ", b.old_no" : ""}
         FROM unnest($1::bigint[], ${unnest}) WITH ORDINALITY AS b(old_no, ${columns.join(", ")}, n) ON CONFLICT DO NOTHING`,
          bigints(numbers),
          ...arrays,
          await this.#block(rows.length),
        );
      else if (table.staged)
        await this.query(
          `INSERT INTO ${into} (${columns.join(", ")}) SELECT ${columns.map((name) => `b.${name}`).join(", ")}
         FROM unnest($1::bigint[], ${unnest}) AS b(old_no, ${columns.join(", ")}) ON CONFLICT DO NOTHING`,
          bigints(numbers),
          ...arrays,
        );
      else
        await this.query(
          `INSERT INTO ${into} (run_no, ${columns.join(", ")}) SELECT r.run_no, ${columns.map((name) => `b.${name}`).join(", ")}
         FROM unnest($1::bigint[], ${unnest}) AS b(old_no, ${columns.join(", ")}) JOIN ${this.staged(runs)} r USING (old_no) ON CONFLICT DO NOTHING`,
          bigints(numbers),
          ...arrays,
        );
    });
  }

  /** The table of the promotion that stands for one of the store. */
  staged(table: Table): string {
    return `@.promotion_${this.#no}_${table.name}`;
  }

  /** Step 5: all of it is seen at once, and the file is done with. The point of no return. */
  async finish(): Promise<void> {
    await this.#transact(async () => {
      await this.#mine("copying", "state = 'done', ended_at = clock_timestamp()");
      for (const table of [runs, ...others]) {
        const names = table.columns.map(({ name }) => name);
        if (table === runs || table.name === "pruned") names.unshift("run_no");
        const known =
          table.name === "states"
            ? "ON CONFLICT (reducer, key) DO UPDATE SET state = excluded.state WHERE @.states.state IS NULL"
            : table.name === "definitions" || table.name === "pruned"
              ? "ON CONFLICT DO NOTHING"
              : "";
        const staged = this.staged(table);
        // Who has a key of a reducer and no state yet is about to fold: it waits for us, or we for it.
        await this.query(
          `INSERT INTO @.${table.name} (${names.join(", ")}) SELECT ${names.join(", ")} FROM ${staged} ORDER BY ${table.key.join(", ")} ${known}`,
        );
      }
      await this.#dropTables();
      await this.query("SELECT pg_notify($1, ':freed')", `${this.schema}_work`);
    });
  }

  /** From here on it cannot be finished any more; what was copied is removed by `clear`. */
  async abort(): Promise<void> {
    await this.#transact(() => this.#mine("copying", "state = 'aborted', ended_at = clock_timestamp()"));
  }

  /** Removes what was copied, of a promotion that was aborted. */
  async clear(): Promise<void> {
    for (let more = await this.#hasTables(); more; ) {
      more = await this.#transact(async () => {
        await this.#mine("aborted", "progress = '{}'");
        const rows = await this.query(
          `DELETE FROM ${this.staged(runs)} WHERE old_no = ANY(ARRAY(SELECT old_no FROM ${this.staged(runs)} ORDER BY old_no LIMIT ${removedAtOnce})) RETURNING run_no`,
        );
        const numbers = bigints(rows.map((row) => row.run_no as number));
        for (const table of ["turns", "inbox", "blobs"])
          await this.query(`DELETE FROM @.${table} WHERE run_no = ANY($1::bigint[])`, numbers);
        if (rows.length === 0) await this.#dropTables();
        return rows.length > 0;
      });
    }
  }

  close(): Promise<void> {
    return this.#line.end();
  }

  /** Run numbers that nobody else gets: the first of so many. */
  async #block(count: number): Promise<number> {
    if (count > blockSize) throw new Error(`${count} numbers are more than a block of the sequence`);
    const [row] = await this.query("SELECT nextval('@.run_numbers') AS no");
    return row?.no as number;
  }

  /** D2 */
  async #mine(state: State, change: string, ...values: readonly unknown[]): Promise<void> {
    const rows = await this.query(
      `UPDATE @.promotions SET ${change} WHERE store = $1 AND session = $2 AND state = '${state}' RETURNING 1 AS one`,
      this.#store,
      this.#session,
      ...values,
    );
    if (rows.length === 0)
      throw new OnexError("STORE_BUSY", `${this.name}: another process has gone on with this promotion; nothing was changed here`);
  }

  async #makeTables(): Promise<void> {
    for (const table of [runs, ...others]) {
      await this.query(
        `CREATE TABLE IF NOT EXISTS ${this.staged(table)} (LIKE @.${table.name} INCLUDING DEFAULTS, PRIMARY KEY (${table.key.join(", ")}))`,
      );
      if (table === runs) await this.query(`ALTER TABLE ${this.staged(runs)} ADD COLUMN IF NOT EXISTS old_no bigint NOT NULL UNIQUE`);
    }
  }

  async #dropTables(): Promise<void> {
    for (const table of [runs, ...others]) await this.query(`DROP TABLE IF EXISTS ${this.staged(table)}`);
  }

  async #hasTables(): Promise<boolean> {
    const [row] = await this.query("SELECT to_regclass($1) IS NOT NULL AS there", inSchema(this.schema, this.staged(runs)));
    return row?.there === true;
  }

  async #transact<T>(work: () => Promise<T>): Promise<T> {
    try {
      return await this.#line.transact(work);
    } catch (error) {
      throw this.#told(error);
    }
  }

  #told(error: unknown): unknown {
    if (!(error instanceof DatabaseError)) return error;
    if (!error.isTransient) return failed(this.name, error);
    return new OnexError(
      "STORE_FAILED",
      `${this.name}: ${error.message}; nothing is lost: the same command goes on where this one stopped`,
      {
        cause: error,
      },
    );
  }
}

async function linkTo(url: string, schema: string): Promise<{ readonly name: string; readonly link: Link }> {
  checkUrl(url);
  checkSchema(schema);
  const config = { ...configOf(url, connectMs), query_timeout: statementMs, application_name: "onex promote" };
  return { name: placeOf(url, schema), link: { driver: await loadDriver(), config, greeting } };
}

/** What the sequence of run numbers counts by. */
export const blockSize = 1000;

function arrayOf({ kind }: Column, values: readonly (string | number | null)[]): Buffer {
  if (kind === "text") return texts(values as readonly (string | null)[]);
  if (kind === "boolean") return bools(values.map((value) => value === 1));
  return (kind === "bigint" ? bigints : ints)(values as readonly (number | null)[]);
}
