/** `onex schedules`: the schedules of a store, by id. */
import type { ScheduleView } from "../../engine/schedules.ts";
import { withClient } from "../client.ts";
import { type ExitCode, exit } from "../exit.ts";
import { clean, json, moment, print, styleOf, table } from "../output.ts";
import { memoryNote, storeUrl } from "../store.ts";

export interface SchedulesOptions {
  readonly store?: string;
  readonly json?: boolean;
}

export async function schedules(options: SchedulesOptions): Promise<ExitCode> {
  const at = storeUrl(options.store);
  if (at.kind === "memory") {
    process.stderr.write(`${memoryNote}\n`);
    if (options.json) print("[]");
    return exit.done;
  }
  return withClient(at, async ({ orchestrator }) => {
    const rows = await orchestrator.schedules.list();
    if (options.json) print(json(rows));
    else if (rows.length === 0)
      process.stderr.write(`no schedules in ${at.url}: a program makes them, with orchestrator.schedules.put({ id, workflow, cron })\n`);
    else
      for (const line of table(
        ["SCHEDULE", "WORKFLOW", "CRON", "NEXT", "LAST", ""],
        rows.map(cells),
        styleOf(process.stdout),
        () => undefined,
      ))
        print(line);
    return exit.done;
  });
}

function cells(row: ScheduleView): string[] {
  const notes = [
    row.paused ? "paused" : undefined,
    row.waiting === undefined ? undefined : "one waits",
    row.skipped === 0 ? undefined : `${row.skipped} skipped`,
    row.error && `${row.error.code}: ${row.error.message}`,
  ];
  return [
    row.id,
    row.workflow,
    `${row.cron} ${row.timezone}`,
    row.nextAt === undefined ? "" : moment(row.nextAt),
    row.last === undefined ? "" : moment(row.last.at),
    notes
      .filter((note) => note !== undefined)
      .map(clean)
      .join(", "),
  ];
}
