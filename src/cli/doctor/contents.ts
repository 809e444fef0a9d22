/** The runs of a store, whatever it is, as the doctor tells of them. */
import type { Inspection } from "../../store/sqlite/inspect.ts";
import { took } from "../output.ts";
import type { StoreUrl } from "../store.ts";
import type { Report } from "./report.ts";

type Runs = Pick<Inspection, "counts" | "oldestPending" | "paused" | "blocked">;

/** `now`: the time of the store, ms since 1970. */
export function runs({ counts, oldestPending, paused, blocked }: Runs, at: StoreUrl, now: () => number, report: Report): void {
  const all = Object.entries(counts).map(([status, count]) => `${count} ${status}`);
  const since = oldestPending ? `; the oldest pending one, ${oldestPending.id}, for ${took(now() - oldestPending.createdAt)}` : "";
  report.fine("runs", all.length === 0 ? "none" : `${all.join(", ")}${since}`);
  for (const { id, code, step } of paused)
    report.warn("paused", `${id}: ${code}${step === undefined ? "" : ` at ${step}`}`, `onex show ${id}${at.flag} says how it goes on`);
  const more = (counts.paused ?? 0) - paused.length;
  if (paused.length > 0 && more > 0) report.warn("paused", `${more} more`, `onex ls --status paused${at.flag}`);
  for (const { workflow, version, count, code } of blocked)
    report.warn(
      "code",
      `${count} ${count === 1 ? "run waits" : "runs wait"} for ${workflow}@${version} (${code})`,
      "start a process that holds this version: onex work MODULE|FILE",
    );
}
