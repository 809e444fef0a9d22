/** `onex ls`: the runs of a store, newest first. */
import type { RunStatus } from "../../core/fact.ts";
import { OnexError } from "../../core/failure.ts";
import type { Place } from "../../store/postgres/glance.ts";
import type { Owner, RunRow } from "../../store/store.ts";
import { withClient } from "../client.ts";
import { type ExitCode, exit } from "../exit.ts";
import { json, moment, print, statusPaint, styleOf, table, took } from "../output.ts";
import { memoryNote, placeOf, storeUrl } from "../store.ts";

export interface LsOptions {
  readonly store?: string;
  readonly status?: RunStatus;
  readonly workflow?: string;
  readonly limit?: string;
  readonly json?: boolean;
}

/** One run as `ls --json` gives it. */
interface Listed {
  readonly runId: string;
  readonly workflow: string;
  readonly version: string;
  readonly status: RunStatus;
  /** Why no process drives it. */
  readonly blocked?: string;
  readonly parent?: string;
  readonly createdAt: number;
  readonly endedAt?: number;
  /** The process that drives it now; only of a store that many may drive. */
  readonly owner?: Owner;
}

export async function ls(options: LsOptions): Promise<ExitCode> {
  const limit = Number(options.limit ?? 50);
  if (!Number.isInteger(limit) || limit < 1) throw new OnexError("USAGE", `--limit ${options.limit}: write a number of runs, from 1`);
  const at = storeUrl(options.store);
  if (at.kind === "memory") {
    process.stderr.write(`${memoryNote}\n`);
    if (options.json) print("[]");
    return exit.done;
  }
  return withClient(at, async ({ orchestrator }) => {
    const { status, workflow } = options;
    const rows = await orchestrator.list({
      limit,
      ...(status === undefined ? {} : { status }),
      ...(workflow === undefined ? {} : { workflow }),
    });
    const drivers = at.database ? await driversOf(placeOf(at.database), rows) : undefined;
    if (options.json) {
      print(
        json(
          rows.map(
            (row): Listed => ({
              runId: row.id,
              workflow: row.workflow,
              version: row.version,
              status: row.status,
              ...(row.blocked === undefined ? {} : { blocked: row.blocked }),
              ...(row.parent === undefined ? {} : { parent: row.parent }),
              createdAt: row.createdAt,
              ...(row.endedAt === undefined ? {} : { endedAt: row.endedAt }),
              ...ownerOf(drivers?.get(row.runNo)),
            }),
          ),
        ),
      );
      return exit.done;
    }
    if (rows.length === 0) {
      process.stderr.write(`no runs in ${at.url}${status === undefined && workflow === undefined ? "" : " that fit"}\n`);
      return exit.done;
    }
    const style = styleOf(process.stdout);
    const cells = rows.map((row) => [
      row.id,
      `${row.workflow}@${row.version}`,
      row.status,
      moment(row.createdAt),
      row.endedAt === undefined ? "" : took(row.endedAt - row.createdAt),
      ...(drivers ? [processOf(drivers.get(row.runNo))] : []),
      [row.blocked, row.parent === undefined ? undefined : `child of ${row.parent}`].filter((note) => note !== undefined).join(", "),
    ]);
    for (const line of table(
      ["RUN", "WORKFLOW", "STATUS", "STARTED", "TOOK", ...(drivers ? ["DRIVEN BY"] : []), ""],
      cells,
      style,
      (column, cell) => (column === 2 ? statusPaint(style, cell) : undefined),
    ))
      print(line);
    if (rows.length === limit) process.stderr.write(`the newest ${limit}; --limit shows more\n`);
    return exit.done;
  });
}

async function driversOf(place: Place, rows: readonly RunRow[]): Promise<ReadonlyMap<number, Required<Owner>>> {
  const glances = await import("../../store/postgres/glance.ts");
  const owned = rows.filter((row) => row.owned).map((row) => row.runNo);
  return owned.length === 0 ? new Map() : glances.driversOf(place, owned);
}

function ownerOf(owner: Owner | undefined): Pick<Listed, "owner"> {
  return owner === undefined ? {} : { owner };
}

function processOf(owner: Required<Owner> | undefined): string {
  return owner === undefined ? "" : `${owner.host} process ${owner.pid}`;
}
