/** A look at a database that changes nothing: no tables are made, no lease is taken. Contents are read in contents.ts. */
import { monotonicMs } from "./clock.ts";
import { type Contents, contentsOf, noContents } from "./contents.ts";
import { loadDriver } from "./driver.ts";
import { DatabaseError } from "./errors.ts";
import { type Asking, glance } from "./glance.ts";
import { configOf, Line, type Link } from "./line.ts";
import { schemaVersion, versionOf } from "./migrations.ts";
import { checkSchema, nameOf } from "./url.ts";

const settings = [
  ...(["fsync", "synchronous_commit", "full_page_writes", "max_connections", "superuser_reserved_connections"] as const),
  ...(["statement_timeout", "idle_session_timeout", "synchronous_standby_names", "autovacuum"] as const),
];

export interface PostgresInspection extends Contents {
  readonly name: string;
  /** "15.18", and as the server numbers it: 150018. */
  readonly server: string;
  readonly serverNumber: number;
  /** Of a question with an empty answer, ms. */
  readonly roundTripMs: number;
  /** How far the database's clock is ahead of this machine's, ms. */
  readonly clockAheadMs: number;
  /** As the server begins a connection of this user with; "" where it knows none of that name. Times are in ms. */
  readonly settings: Readonly<Record<(typeof settings)[number], string>>;
  /** Connections that are open now, of all programs. */
  readonly connections: number;
  /** It takes no writes: a standby. */
  readonly isStandby: boolean;
  readonly standbys: readonly { readonly name: string; readonly state: string; readonly sync: string }[];
  /** `found` is 0 where there are no tables yet; `minReader` is the oldest version that can read them. */
  readonly schema: { readonly found: number; readonly known: number; readonly minReader: number };
  /** What this user may not do and must, in words. */
  readonly missingRights: readonly string[];
  /** Whether a notification came back; undefined when it was not tried. */
  readonly listens: boolean | undefined;
}

/** How long a notification may take, ms. */
const noticeMs = 3_000;
const tries = 5;

/**
 * `now` is the clock of this machine, ms since 1970; `listenUrl` where notices are heard. Throws OnexError `STORE_FAILED`, `STORE_FOREIGN`, `STORE_DRIVER_MISSING`,
 * `STORE_URL_INVALID`.
 */
export async function inspect(
  url: string,
  schema = "onex",
  timeoutMs = 10_000,
  now = Date.now,
  listenUrl = url,
): Promise<PostgresInspection> {
  const name = nameOf(url);
  checkSchema(schema);
  return glance({ url, schema, timeoutMs }, async (ask, line) => {
    const server = await serverOf(ask, now);
    const { version, minReader } = await versionOf(line, schema, name);
    const missingRights = await missing(ask, schema, version);
    const found = { name, ...server, schema: { found: version, known: schemaVersion, minReader }, missingRights };
    const listens = server.isStandby ? undefined : await canListen(url, listenUrl, timeoutMs);
    // An older schema has not all the columns yet, and a newer one may have others.
    const isReadable = version >= schemaVersion && minReader <= schemaVersion && missingRights.length === 0;
    return { ...found, listens, ...(isReadable ? await contentsOf(ask, line, schema) : noContents) };
  });
}

type Server = Omit<PostgresInspection, keyof Contents | "name" | "schema" | "missingRights" | "listens">;

async function serverOf(ask: Asking, now: () => number): Promise<Server> {
  let roundTripMs = Number.POSITIVE_INFINITY;
  let clockAheadMs = 0;
  for (let i = 0; i < tries; i++) {
    const sent = monotonicMs();
    const [row] = await ask("SELECT extract(epoch FROM clock_timestamp()) * 1000 AS now");
    const way = monotonicMs() - sent;
    if (way < roundTripMs) clockAheadMs = Number(row?.now) - (now() - way / 2);
    roundTripMs = Math.min(roundTripMs, way);
  }
  const [row] = await ask(
    `SELECT current_setting('server_version') AS version, current_setting('server_version_num')::int AS number, pg_is_in_recovery() AS standby,
       (SELECT count(*) FROM pg_stat_activity WHERE backend_type = 'client backend') AS connections`,
  );
  const read = await ask("SELECT name, reset_val FROM pg_settings WHERE name::text = ANY(string_to_array($1, ','))", settings.join(","));
  const values = new Map(read.map(({ name, reset_val }) => [name, String(reset_val ?? "")]));
  const standbys = await ask(
    "SELECT application_name, coalesce(state, '') AS state, coalesce(sync_state, '') AS sync FROM pg_stat_replication",
  );
  return {
    server: String(row?.version).split(" ")[0] ?? "",
    serverNumber: row?.number as number,
    roundTripMs,
    clockAheadMs,
    settings: Object.fromEntries(settings.map((setting) => [setting, values.get(setting) ?? ""])) as Server["settings"],
    connections: row?.connections as number,
    isStandby: row?.standby === true,
    standbys: standbys.map((one) => ({ name: String(one.application_name), state: String(one.state), sync: String(one.sync) })),
  };
}

/** Without tables the right to make them, with tables the right to use them. */
async function missing(ask: Asking, schema: string, version: number): Promise<readonly string[]> {
  const [rights] = await ask(
    `SELECT current_user AS name, current_database() AS database, has_database_privilege(current_database(), 'CREATE') AS makes,
       to_regnamespace($1) IS NOT NULL AS there,
       coalesce((SELECT has_schema_privilege(oid, 'USAGE') FROM pg_namespace WHERE nspname = $2), false) AS uses,
       coalesce((SELECT has_schema_privilege(oid, 'CREATE') FROM pg_namespace WHERE nspname = $2), false) AS fills`,
    `"${schema}"`,
    schema,
  );
  const user = `${rights?.name}`;
  if (version === 0) {
    if (rights?.there === true) return rights.fills === true ? [] : [`${user} may not make tables in the schema ${schema}`];
    return rights?.makes === true ? [] : [`${user} may not make a schema in the database ${rights?.database}`];
  }
  if (rights?.uses !== true) return [`${user} may not use the schema ${schema}`];
  const tables = await ask(
    `SELECT c.relname AS name FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
     WHERE n.nspname = $1 AND c.relkind = 'r' AND c.relname <> 'migrations'
       AND NOT (has_table_privilege(c.oid, 'SELECT') AND has_table_privilege(c.oid, 'INSERT')
         AND has_table_privilege(c.oid, 'UPDATE') AND has_table_privilege(c.oid, 'DELETE')) ORDER BY 1`,
    schema,
  );
  return tables.length === 0
    ? []
    : [`${user} may not read and write ${tables.map((table) => table.name).join(", ")} in the schema ${schema}`];
}

/** Whether a connection hears of what another one tells: through a pooler that hands connections round, it does not. */
async function canListen(url: string, listenUrl: string, timeoutMs: number): Promise<boolean> {
  const driver = await loadDriver();
  const link = (to: string): Link => ({ driver, config: configOf(to, timeoutMs), greeting: "SELECT 1" });
  const channel = `onex_look_${process.pid}`;
  let heard = (): void => {};
  const notice = new Promise<boolean>((resolve) => {
    heard = () => resolve(true);
  });
  const [listener, teller] = [new Line(link(listenUrl), heard), new Line(link(url))];
  let timer: NodeJS.Timeout | undefined;
  try {
    await listener.query(`LISTEN ${channel}`);
    await teller.query(`NOTIFY ${channel}`);
    const late = new Promise<boolean>((resolve) => {
      timer = setTimeout(() => resolve(false), noticeMs);
    });
    return await Promise.race([notice, late]);
  } catch (error) {
    if (error instanceof DatabaseError) return false;
    throw error;
  } finally {
    clearTimeout(timer);
    // The connection that listened may be another one's next, behind a pooler.
    await listener.query(`UNLISTEN ${channel}`).catch(() => {});
    await Promise.all([listener.end(), teller.end()]);
  }
}
