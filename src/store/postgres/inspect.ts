/** A look at a database that changes nothing: no tables are made, no lease is taken. */
import type { RunStatus } from "../../core/fact.ts";
import { loadDriver } from "./driver.ts";
import { DatabaseError, failed } from "./errors.ts";
import { configOf, inSchema, Line, type Row } from "./line.ts";
import { schemaVersion, versionOf } from "./migrations.ts";
import { decodeText } from "./text.ts";
import { checkSchema, nameOf } from "./url.ts";

export interface PostgresInspection {
  readonly name: string;
  /** "15.18". */
  readonly server: string;
  readonly settings: Readonly<Record<"fsync" | "synchronous_commit" | "full_page_writes" | "max_connections", string>>;
  /** Connections that are open now, of all programs. */
  readonly connections: number;
  /** `found` is 0 where there are no tables yet. */
  readonly schema: { readonly found: number; readonly known: number };
  /** Bytes of the tables of onex with their indexes. */
  readonly bytes: number;
  /** Processes whose lease is live. */
  readonly owners: readonly { readonly pid: number; readonly host: string; readonly runs: number }[];
  readonly counts: Readonly<Partial<Record<RunStatus, number>>>;
  /** Runs that have not ended, and wait for code that a process did not have. */
  readonly blocked: readonly { readonly workflow: string; readonly version: string; readonly code: string; readonly count: number }[];
  readonly oldestPending: { readonly id: string; readonly createdAt: number } | undefined;
}

/** Throws OnexError `STORE_FAILED`, `STORE_FOREIGN`, `STORE_DRIVER_MISSING`, `STORE_URL_INVALID`. */
export async function inspect(url: string, schema = "onex", timeoutMs = 10_000): Promise<PostgresInspection> {
  const name = nameOf(url);
  checkSchema(schema);
  // Nothing is written, whatever happens here.
  const line = new Line({
    driver: await loadDriver(),
    config: configOf(url, timeoutMs),
    greeting: "SET default_transaction_read_only = on",
  });
  try {
    return await look(line, schema, name);
  } catch (error) {
    throw error instanceof DatabaseError ? failed(name, error) : error;
  } finally {
    await line.end();
  }
}

async function look(line: Line, schema: string, name: string): Promise<PostgresInspection> {
  const rows = (text: string): Promise<readonly Row[]> => line.query(inSchema(schema, text));
  const [server] = await rows(
    `SELECT current_setting('server_version') AS server, current_setting('fsync') AS fsync, current_setting('synchronous_commit') AS synchronous_commit,
       current_setting('full_page_writes') AS full_page_writes, current_setting('max_connections') AS max_connections,
       (SELECT count(*) FROM pg_stat_activity WHERE backend_type = 'client backend') AS connections`,
  );
  const { version } = await versionOf(line, schema, name);
  const { fsync, synchronous_commit, full_page_writes, max_connections } = server as PostgresInspection["settings"];
  const found = {
    name,
    server: String(server?.server).split(" ")[0] ?? "",
    settings: { fsync, synchronous_commit, full_page_writes, max_connections },
    connections: server?.connections as number,
    schema: { found: version, known: schemaVersion },
  };
  if (version === 0) return { ...found, bytes: 0, owners: [], counts: {}, blocked: [], oldestPending: undefined };
  const [size] = await line.query({
    text: `SELECT coalesce(sum(pg_total_relation_size(c.oid)), 0) AS bytes FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
           WHERE n.nspname = $1 AND c.relkind = 'r'`,
    values: [schema],
  });
  const owners = await rows(
    `SELECT pid, host, (SELECT count(*) FROM @.runs r WHERE r.lease_no = l.lease_no) AS runs FROM @.leases l
     WHERE state = 'live' AND expires_at > clock_timestamp() ORDER BY lease_no`,
  );
  const counts = await rows("SELECT status, count(*) AS count FROM @.runs GROUP BY status");
  const blocked = await rows(
    `SELECT workflow, version, blocked AS code, count(*) AS count FROM @.runs WHERE blocked IS NOT NULL AND ended_at IS NULL
     GROUP BY 1, 2, 3 ORDER BY 4 DESC`,
  );
  const [pending] = await rows("SELECT id, created_at FROM @.runs WHERE status = 'pending' ORDER BY created_at, run_no LIMIT 1");
  return {
    ...found,
    bytes: size?.bytes as number,
    owners: owners.map((row) => ({ pid: row.pid as number, host: row.host as string, runs: row.runs as number })),
    counts: Object.fromEntries(counts.map((row) => [row.status, row.count])) as PostgresInspection["counts"],
    blocked: blocked.map((row) => ({
      workflow: decodeText(row.workflow as string),
      version: decodeText(row.version as string),
      code: row.code as string,
      count: row.count as number,
    })),
    oldestPending: pending && { id: decodeText(pending.id as string), createdAt: pending.created_at as number },
  };
}
