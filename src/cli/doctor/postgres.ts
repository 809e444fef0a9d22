/** A PostgreSQL database as the doctor sees it: the server, the rights, the tables, and who drives what. Nothing is made or changed. */
import { OnexError } from "../../core/failure.ts";
import type { PostgresInspection } from "../../store/postgres/inspect.ts";
import { moment, took } from "../output.ts";
import { placeOf, type StoreUrl } from "../store.ts";
import { runs } from "./contents.ts";
import { type Check, Report } from "./report.ts";
import type { System } from "./system.ts";

/** PostgreSQL 13, as the server numbers it. */
const leastServer = 130_000;
/** Connections of one orchestrator: 4 and 2 of its pools, one that listens, one that renews its lease. */
const eachNeeds = 8;
const slowMs = 50;
const offMs = 2_000;
/** A table with so many dead rows, and more of them than live ones, is not cleaned as it should be. */
const manyDead = 20_000;
const shortIdleMs = 60_000;

export async function checkPostgres(at: StoreUrl, system: System): Promise<readonly Check[]> {
  const report = new Report("store");
  if (at.database === undefined) return report.checks;
  const { url, schema, timeoutMs } = placeOf(at.database);
  let found: PostgresInspection;
  try {
    const { inspect } = await import("../../store/postgres/inspect.ts");
    found = await inspect(url, schema, timeoutMs, () => system.now(), at.database.listenUrl);
  } catch (error) {
    if (!(error instanceof OnexError)) throw error;
    const [what, mend] = parted(error.message);
    report.wrong("server", `${error.code}: ${what}`, mend);
    return report.checks;
  }
  return judged(found, at, system);
}

/** What was found, judged. */
export function judged(found: PostgresInspection, at: StoreUrl, system: Pick<System, "now" | "env">): readonly Check[] {
  const report = new Report("store");
  server(found, report);
  if (!tables(found, at, report)) return report.checks;
  owners(found, report);
  key(found, system, report);
  runs(found, at, () => system.now() + found.clockAheadMs, report);
  waiting(found, at, system, report);
  size(found, report);
  return report.checks;
}

/** A message says what happened; behind the last semicolon, what to do. */
function parted(message: string): readonly [what: string, mend: string] {
  const at = message.lastIndexOf("; ");
  return at < 0 ? [message, "correct --store or ONEX_STORE"] : [message.slice(0, at), message.slice(at + 2)];
}

function server(found: PostgresInspection, report: Report): void {
  const { serverNumber, roundTripMs, clockAheadMs, settings, connections, listens, isStandby, standbys } = found;
  if (serverNumber < leastServer) report.wrong("server", `PostgreSQL ${found.server} is too old`, "update it: onex needs 13 or later");
  else report.fine("server", `PostgreSQL ${found.server} (13 or later is needed)`);
  if (isStandby) report.wrong("server", "it is a standby, and takes no writes", "name the primary server in the URL");
  const way = `${roundTripMs < 10 ? roundTripMs.toFixed(1) : Math.round(roundTripMs)} ms there and back`;
  if (roundTripMs > slowMs)
    report.warn("way", `${way}: a run waits for that at each of its turns`, "bring this machine and the database closer together");
  else report.fine("way", way);
  clock(clockAheadMs, report);
  const off = (["fsync", "full_page_writes"] as const).filter((setting) => settings[setting] === "off");
  if (off.length > 0)
    report.wrong(
      "durability",
      `${off.join(" and ")} off: what was acknowledged may be lost in a power cut`,
      "turn it on in postgresql.conf",
    );
  else report.fine("durability", "fsync and full_page_writes on; onex sets synchronous_commit on itself");
  const sync = standbys.filter(({ sync }) => sync === "sync" || sync === "quorum");
  if (settings.synchronous_standby_names !== "" && sync.length === 0)
    report.wrong(
      "replication",
      `synchronous_standby_names is ${settings.synchronous_standby_names}, and no such standby is connected: no commit returns`,
      "start the standby, or take its name out",
    );
  else if (sync.length > 0)
    report.fine("replication", `${sync.map(({ name }) => name).join(", ")}: has each commit before it is acknowledged`);
  else if (standbys.length > 0)
    report.fine("replication", `${standbys.length} asynchronous: when the primary is lost for good, its last commits are too`);
  else report.fine("replication", "none: runs are as safe as the disk of this server and its backups");
  room(found, connections, report);
  if (listens === false)
    report.warn(
      "notices",
      "LISTEN hears nothing: a pooler hands its connections round, so that others learn of starts and signals 100 ms later, not at once",
      "give the URL of the server itself: in ONEX_LISTEN, as --listen, or in a program as listenUrl of postgres()",
    );
  else if (listens) report.fine("notices", "LISTEN hears what another connection tells");
  const idle = Number(settings.idle_session_timeout || 0);
  if (idle > 0 && idle < shortIdleMs)
    report.warn(
      "timeouts",
      `idle_session_timeout is ${took(idle)}: connections that rest are cut, and made anew each time`,
      "raise it for this user: ALTER ROLE … SET idle_session_timeout = 0",
    );
  else
    report.fine(
      "timeouts",
      `idle sessions ${idle === 0 ? "are kept" : `end after ${took(idle)}`}; onex sets its own timeouts of statements`,
    );
}

function clock(aheadMs: number, report: Report): void {
  const off = took(Math.abs(aheadMs));
  if (Math.abs(aheadMs) > offMs)
    report.warn(
      "clock",
      `the database is ${off} ${aheadMs > 0 ? "ahead of" : "behind"} this machine: runs and schedules go by its time, logs of this machine do not`,
      "let a time service keep both (NTP)",
    );
  else report.fine("clock", `${off} apart from this machine's; runs and schedules go by the database's`);
}

function room({ settings, owners }: PostgresInspection, connections: number, report: Report): void {
  const most = Number(settings.max_connections) - Number(settings.superuser_reserved_connections || 0);
  const taken = `${connections} of ${most} connections are open`;
  // What the orchestrators hold already is among those that are open.
  const others = Math.max(0, connections - owners.length * eachNeeds);
  const fits = Math.max(0, Math.floor((most - others) / eachNeeds));
  const more = fits - owners.length;
  const fit = `${taken}; each orchestrator needs up to ${eachNeeds}`;
  if (more < 1)
    report.warn("connections", `${fit}: there is no room for another one`, "raise max_connections, or close what is not needed");
  else report.fine("connections", `${fit}, so there is room for ${more} more`);
}

/** Whether there is something to look into. */
function tables({ schema, missingRights, serverNumber }: PostgresInspection, at: StoreUrl, report: Report): boolean {
  const name = at.database?.schema ?? "";
  for (const right of missingRights)
    report.wrong(
      "rights",
      right,
      schema.found === 0
        ? `its administrator types: CREATE SCHEMA ${name} AUTHORIZATION the user`
        : "its administrator makes the user the owner of these tables, or grants SELECT, INSERT, UPDATE, DELETE",
    );
  if (missingRights.length === 0)
    report.fine("rights", schema.found === 0 ? "this user may make the tables" : "this user may read and write the tables");
  if (schema.found === 0) {
    report.fine("schema", `${name} is not there yet: \`onex run\` makes it`);
    return false;
  }
  if (schema.found > schema.known && schema.minReader > schema.known) {
    report.wrong("schema", `${name} is of a newer onex (${schema.found}; this one knows ${schema.known})`, "update onex here");
    return false;
  }
  if (schema.found > schema.known)
    report.fine("schema", `${schema.found}, of a newer onex, which this one (${schema.known}) can work with`);
  else if (schema.found < schema.known) {
    report.fine(
      "schema",
      `${schema.found}; this onex brings it to ${schema.known} when it opens the store, beside older ones only where that is said in its notes`,
    );
    return false;
  } else report.fine("schema", `${schema.found}, as this onex knows it`);
  return missingRights.length === 0 && serverNumber >= leastServer;
}

function owners({ owners: live, lapsed }: PostgresInspection, report: Report): void {
  const counted = (count: number): string => `${count} ${count === 1 ? "run" : "runs"}`;
  for (const { host, pid, since, runs } of live)
    report.fine("orchestrator", `${host} process ${pid}, since ${moment(since)}, has ${counted(runs)} in hand`);
  for (const { host, pid, runs } of lapsed) {
    const what = `${host} process ${pid} is gone and had ${counted(runs)}`;
    if (live.length > 0) report.fine("orchestrator", `${what}: the others take them now`);
    else report.warn("orchestrator", `${what}: nobody takes them`, "start a process: onex work MODULE|FILE");
  }
  if (live.length === 0 && lapsed.length === 0) report.fine("orchestrator", "none runs now");
}

function key({ hasSealed }: PostgresInspection, { env }: Pick<System, "env">, report: Report): void {
  if (!hasSealed) return;
  if (env.ONEX_SECRET_KEY) report.fine("key", "secrets are sealed; ONEX_SECRET_KEY is set here");
  else
    report.wrong(
      "key",
      "secrets are sealed in it, and their key is not there: a database keeps none",
      "set ONEX_SECRET_KEY to that of the orchestrators, in every process",
    );
}

function waiting(
  { overdue, owners: live, clockAheadMs }: PostgresInspection,
  at: StoreUrl,
  system: Pick<System, "now">,
  report: Report,
): void {
  if (overdue === undefined) return;
  const many = `${overdue.count} ${overdue.count === 1 ? "run is" : "runs are"} due, and nobody has taken ${overdue.count === 1 ? "it" : "them"}`;
  const since = overdue.since === 0 ? "" : `, ${overdue.id} for ${took(system.now() + clockAheadMs - overdue.since)}`;
  if (live.length === 0) report.warn("overdue", `${many}${since}`, `start a process: onex work MODULE|FILE${at.flag}`);
  else
    report.warn(
      "overdue",
      `${many}${since}: the orchestrators are full, or one of them is stuck`,
      "start another one, or look at the log of those that are named above",
    );
}

function size({ bytes, tables: counted, settings }: PostgresInspection, report: Report): void {
  const mib = bytes / 2 ** 20;
  report.fine(
    "size",
    `${mib < 10 ? mib.toFixed(1) : Math.round(mib)} MiB of tables and indexes; \`onex prune\` removes runs that ended long ago`,
  );
  if (settings.autovacuum === "off") report.warn("vacuum", "autovacuum is off: tables grow without end", "turn it on in postgresql.conf");
  for (const { name, rows, dead } of counted)
    if (dead > manyDead && dead > rows)
      report.warn(
        "vacuum",
        `${name} has ${dead} dead rows and ${rows} live ones`,
        "find what keeps autovacuum from it, most often a transaction that was left open (pg_stat_activity)",
      );
}
