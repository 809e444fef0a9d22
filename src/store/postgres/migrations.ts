/**
 * The tables and how they came to be. Each migration is one transaction under a lock: killed anywhere, it has happened or not.
 * `minReader` is the oldest schema version whose code can still work with the tables after it, so that two versions of
 * this package run side by side while a fleet is renewed.
 *
 * V1 A migration that raises `minReader` ends all leases in its transaction, and whoever takes a lease is refused in the same
 *    statement if it knows too little: no owner of before writes a turn into tables that it does not understand.
 */
import { OnexError } from "../../core/failure.ts";
import type { Line } from "./line.ts";
import { inSchema } from "./line.ts";
import { sql as first } from "./migrations/0001.ts";
import { sql as second } from "./migrations/0002.ts";
import { sql as third } from "./migrations/0003.ts";

export interface Migration {
  readonly sql: string;
  readonly minReader: number;
}

/** In order; version n is the n-th. */
export const migrations: readonly Migration[] = [
  { sql: first, minReader: 1 },
  { sql: second, minReader: 2 }, // a reader that knows no kept ids would try a start with one for ever
  { sql: third, minReader: 2 },
];

/** How long one migration may take, ms. */
const patienceMs = 3_600_000;

/** What this package knows. */
export const schemaVersion = migrations.length;

/** Brings the schema up to date. Throws OnexError `STORE_FOREIGN`, DatabaseError. */
export async function migrate(line: Line, schema: string, name: string, known: readonly Migration[] = migrations): Promise<void> {
  for (;;) {
    const found = await versionOf(line, schema, name);
    if (found.version > known.length) {
      if (found.minReader <= known.length) return;
      throw tooNew(name, found, known.length);
    }
    if (found.version === known.length) return;
    await line.transact(() => step(line, schema, name, known));
  }
}

/** The next migration that is missing, if it still is when the lock was got. */
async function step(line: Line, schema: string, name: string, known: readonly Migration[]): Promise<void> {
  // A large table takes its time, and so does waiting for whoever migrates already; a lock on tables in use is not waited for long.
  await line.query("SET LOCAL statement_timeout = 0; SET LOCAL lock_timeout = 0");
  const lock = "SELECT pg_advisory_xact_lock(hashtextextended($1, 0))";
  await line.query({ text: lock, values: [`onex migration ${schema}`], query_timeout: patienceMs });
  await line.query("SET LOCAL lock_timeout = '5s'");
  const { version, minReader } = await versionOf(line, schema, name);
  const next = known[version];
  if (next === undefined) return;
  const ends = version > 0 && next.minReader > minReader;
  // Waits for the turns that are under way, and keeps others from beginning.
  if (ends) await line.query(inSchema(schema, "LOCK TABLE @.leases IN ACCESS EXCLUSIVE MODE"));
  if (version === 0) {
    await line.query(`CREATE SCHEMA IF NOT EXISTS "${schema}"`);
    await line.query(
      inSchema(
        schema,
        `CREATE TABLE @.migrations (version integer PRIMARY KEY, min_reader integer NOT NULL, at timestamptz NOT NULL DEFAULT clock_timestamp())`,
      ),
    );
  }
  await line.query({ text: inSchema(schema, next.sql), query_timeout: patienceMs });
  if (ends) await line.query(inSchema(schema, "UPDATE @.leases SET state = 'lapsed', ended_at = clock_timestamp() WHERE state = 'live'"));
  await line.query({
    text: inSchema(schema, "INSERT INTO @.migrations (version, min_reader) VALUES ($1, $2)"),
    values: [version + 1, next.minReader],
  });
}

interface Found {
  readonly version: number;
  readonly minReader: number;
}

/** A package that knows `known` versions cannot work with what it found. */
export function tooNew(name: string, { version, minReader }: Found, known = schemaVersion): OnexError {
  return new OnexError(
    "STORE_FOREIGN",
    `${name} has schema ${version} of a newer onex, which needs at least ${minReader}; this one knows ${known}: update onex here`,
  );
}

/** 0 where there is nothing yet. Throws OnexError `STORE_FOREIGN`. */
export async function versionOf(line: Line, schema: string, name: string): Promise<Found> {
  const [found] = await line.query({
    text: `SELECT count(*) FILTER (WHERE c.relname = 'migrations') AS ours, count(*) AS tables
           FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace WHERE n.nspname = $1 AND c.relkind IN ('r', 'p', 'v')`,
    values: [schema],
  });
  if (found?.tables === 0) return { version: 0, minReader: 0 };
  const foreign = (why: string): OnexError =>
    new OnexError(
      "STORE_FOREIGN",
      `the schema "${schema}" of ${name} is not one of onex: ${why}; give another, with ?schema= in the URL or the option schema`,
    );
  if (found?.ours === 0) throw foreign("it has other tables");
  const columns = await line.query({
    // The information schema leaves out what this user may not read.
    text: `SELECT attname AS column_name FROM pg_attribute a JOIN pg_class c ON c.oid = a.attrelid JOIN pg_namespace n ON n.oid = c.relnamespace
           WHERE n.nspname = $1 AND c.relname = 'migrations' AND a.attnum > 0 AND NOT a.attisdropped`,
    values: [schema],
  });
  const names = new Set(columns.map((row) => row.column_name));
  if (!names.has("version") || !names.has("min_reader")) throw foreign("its table of migrations is another program's");
  const [row] = await line.query(
    inSchema(schema, "SELECT coalesce(max(version), 0) AS version, coalesce(max(min_reader), 0) AS min_reader FROM @.migrations"),
  );
  return { version: Number(row?.version), minReader: Number(row?.min_reader) };
}
