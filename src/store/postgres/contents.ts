/** What stands in the tables, for those who look after them. */
import type { RunStatus } from "../../core/fact.ts";
import { view } from "../../core/view.ts";
import { decodeFacts } from "../codec.ts";
import type { Asking } from "./glance.ts";
import type { Line, Row } from "./line.ts";
import { Reads } from "./reads.ts";
import { Statements } from "./sql.ts";
import { decodeText } from "./text.ts";

/** Runs that are named, of each kind. */
const namedRuns = 5;
/** After so long somebody should have taken a run that is due, ms. */
const overdueMs = 10_000;
/** Of so many of the newest runs, sealed secrets are looked for. */
const sealedIn = 200;

export interface LeaseView {
  readonly host: string;
  readonly pid: number;
  readonly leaseId: string;
  /** When it was taken, ms since 1970. */
  readonly since: number;
  /** Runs that it owns. */
  readonly runs: number;
}

export interface Contents {
  /** Processes whose lease is live, the oldest first. */
  readonly owners: readonly LeaseView[];
  /** Leases that have run out and still own runs. */
  readonly lapsed: readonly LeaseView[];
  readonly counts: Readonly<Partial<Record<RunStatus, number>>>;
  /** Runs that have not ended, and wait for code that a process did not have. */
  readonly blocked: readonly { readonly workflow: string; readonly version: string; readonly code: string; readonly count: number }[];
  readonly oldestPending: { readonly id: string; readonly createdAt: number } | undefined;
  /** Runs that are due for longer than 10 s, and nobody has them; `since` of the first one, 0 where its owner is gone. */
  readonly overdue: { readonly count: number; readonly id: string; readonly since: number } | undefined;
  readonly paused: readonly { readonly id: string; readonly code: string; readonly step?: string }[];
  /** Bytes of the tables of onex with their indexes. */
  readonly bytes: number;
  /** Rows of tables that change much, as the server last counted them. */
  readonly tables: readonly { readonly name: string; readonly rows: number; readonly dead: number }[];
  readonly hasSealed: boolean;
}

export const noContents: Contents = {
  ...{ owners: [], lapsed: [], counts: {}, blocked: [], oldestPending: undefined, overdue: undefined, paused: [] },
  ...{ bytes: 0, tables: [], hasSealed: false },
};

const lease = `host, pid, lease_id, extract(epoch FROM started_at) * 1000 AS since,
  (SELECT count(*) FROM @.runs r WHERE r.lease_no = l.lease_no) AS runs`;
const overdue = `lease_no IS NULL AND ended_at IS NULL AND blocked IS NULL AND wake_at IS NOT NULL
  AND wake_at < extract(epoch FROM clock_timestamp()) * 1000 - ${overdueMs}`;

export async function contentsOf(ask: Asking, line: Line, schema: string): Promise<Contents> {
  const owners = await ask(`SELECT ${lease} FROM @.leases l WHERE state = 'live' AND expires_at > clock_timestamp() ORDER BY lease_no`);
  const dead = await ask(
    `SELECT ${lease} FROM @.leases l WHERE NOT (state = 'live' AND expires_at > clock_timestamp()) AND NOT freed ORDER BY lease_no`,
  );
  const counts = await ask("SELECT status, count(*) AS count FROM @.runs GROUP BY status");
  const blocked = await ask(
    `SELECT workflow, version, blocked AS code, count(*) AS count FROM @.runs WHERE blocked IS NOT NULL AND ended_at IS NULL
     GROUP BY 1, 2, 3 ORDER BY 4 DESC`,
  );
  const [pending] = await ask("SELECT id, created_at FROM @.runs WHERE status = 'pending' ORDER BY created_at, run_no LIMIT 1");
  // What an owner has just let go of has the time 0: with others there it is taken soon.
  const late = owners.length === 0 ? overdue : `${overdue} AND wake_at > 0`;
  const [waiting] = await ask(
    `SELECT id, wake_at, (SELECT count(*) FROM @.runs WHERE ${late}) AS count FROM @.runs WHERE ${late} ORDER BY wake_at, run_no LIMIT 1`,
  );
  const [size] = await ask(
    `SELECT coalesce(sum(pg_total_relation_size(c.oid)), 0) AS bytes FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
     WHERE n.nspname = $1 AND c.relkind = 'r'`,
    schema,
  );
  const tables = await ask(
    "SELECT relname, n_live_tup, n_dead_tup FROM pg_stat_user_tables WHERE schemaname = $1 AND relname IN ('runs', 'leases', 'inbox', 'states') ORDER BY 1",
    schema,
  );
  const [sealed] = await ask(
    `SELECT 1 AS one FROM @.turns WHERE run_no IN (SELECT run_no FROM @.runs ORDER BY created_at DESC, run_no DESC LIMIT ${sealedIn})
     AND strpos(facts, '"$sealed"') > 0 LIMIT 1`,
  );
  return {
    owners: owners.map(leaseView),
    lapsed: dead.map(leaseView).filter(({ runs }) => runs > 0),
    counts: Object.fromEntries(counts.map((row) => [row.status, row.count])) as Contents["counts"],
    blocked: blocked.map((row) => ({
      workflow: decodeText(row.workflow as string),
      version: decodeText(row.version as string),
      code: row.code as string,
      count: row.count as number,
    })),
    oldestPending: pending && { id: decodeText(pending.id as string), createdAt: pending.created_at as number },
    overdue: waiting && { count: waiting.count as number, id: decodeText(waiting.id as string), since: waiting.wake_at as number },
    paused: await pausedIn(line, schema),
    bytes: size?.bytes as number,
    tables: tables.map((row) => ({ name: row.relname as string, rows: row.n_live_tup as number, dead: row.n_dead_tup as number })),
    hasSealed: sealed !== undefined,
  };
}

function leaseView(row: Row): LeaseView {
  return {
    host: row.host as string,
    pid: row.pid as number,
    leaseId: decodeText(row.lease_id as string),
    since: row.since as number,
    runs: row.runs as number,
  };
}

async function pausedIn(line: Line, schema: string): Promise<Contents["paused"]> {
  const reads = new Reads(new Statements(schema));
  const found: Contents["paused"][number][] = [];
  for (const { id, runNo } of await reads.list(line, { status: "paused", limit: namedRuns })) {
    const turns = await reads.turns(line, runNo);
    const facts = turns.flatMap(({ facts, blobs }) => decodeFacts(facts, (hash) => blobs?.find((blob) => blob.hash === hash)?.text));
    const { paused } = view(id, facts);
    found.push({ id, code: paused?.code ?? "", ...(paused?.step === undefined ? {} : { step: paused.step }) });
  }
  return found;
}
