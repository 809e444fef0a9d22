/** Short looks at a database, each on a connection of its own. Nothing is made, changed, or owned. */
import type { Owner } from "../store.ts";
import { advised } from "./advice.ts";
import { bigints } from "./arrays.ts";
import { loadDriver } from "./driver.ts";
import { DatabaseError } from "./errors.ts";
import { configOf, inSchema, Line, type Row } from "./line.ts";
import { decodeText } from "./text.ts";
import { nameOf } from "./url.ts";

/** Where to look. */
export interface Place {
  readonly url: string;
  readonly schema: string;
  /** How long the connection may take, ms. */
  readonly timeoutMs: number;
}

/** Asks in SQL, `@.` being the schema. */
export type Asking = (text: string, ...values: readonly unknown[]) => Promise<readonly Row[]>;

/** Throws OnexError `STORE_FAILED`, `STORE_DRIVER_MISSING`, and what `use` throws. */
export async function glance<T>({ url, schema, timeoutMs }: Place, use: (ask: Asking, line: Line) => Promise<T>): Promise<T> {
  // One transaction, which ends with the connection: behind a pooler nothing of it stays.
  const greeting = "BEGIN READ ONLY; SET LOCAL statement_timeout = '10s'; SET LOCAL timezone = 'UTC'";
  const line = new Line({ driver: await loadDriver(), config: configOf(url, timeoutMs), greeting });
  try {
    return await use((text, ...values) => line.query({ text: inSchema(schema, text), values: [...values] }), line);
  } catch (error) {
    throw error instanceof DatabaseError ? advised(nameOf(url), error) : error;
  } finally {
    await line.end();
  }
}

/** Whether the schema has tables of onex, of whatever version. */
export function hasTables(place: Place): Promise<boolean> {
  return glance(place, async (ask) => {
    const [found] = await ask("SELECT to_regclass($1) IS NOT NULL AS there", `"${place.schema}".migrations`);
    return found?.there === true;
  });
}

/** The processes whose lease is live, the oldest first. */
export function liveOwners(place: Place): Promise<readonly Required<Owner>[]> {
  return glance(place, async (ask) => {
    const rows = await ask(
      "SELECT lease_id, pid, host FROM @.leases WHERE state = 'live' AND expires_at > clock_timestamp() ORDER BY lease_no",
    );
    return rows.map(ownerRow);
  });
}

/** Who drives runs, by their numbers; those that nobody drives are left out. */
export function driversOf(place: Place, runNos: readonly number[]): Promise<ReadonlyMap<number, Required<Owner>>> {
  return glance(place, async (ask) => {
    const rows = await ask(
      `SELECT run_no, lease_id, pid, host FROM @.runs JOIN @.leases USING (lease_no)
       WHERE run_no = ANY($1::bigint[]) AND state = 'live' AND expires_at > clock_timestamp()`,
      bigints(runNos),
    );
    return new Map(rows.map((row) => [row.run_no as number, ownerRow(row)]));
  });
}

function ownerRow(row: Row): Required<Owner> {
  return { leaseId: decodeText(row.lease_id as string), pid: row.pid as number, host: row.host as string };
}
