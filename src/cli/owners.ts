/** Who had a run, as lines: the first two and the last five, however many there were. */
import type { OwnerView } from "../core/view.ts";
import { clean, moment, type Style, table, took } from "./output.ts";

const [head, tail] = [2, 5] as const;

/** What became of the last owner, of a run that has not ended. */
export type Now = "has it now" | "put down" | "gone, and nobody has it now";

export function ownerLines(owners: readonly OwnerView[], now: Now, style: Style): string[] {
  const cells = owners.map((owner, i) => [
    String(owner.epoch),
    processOf(owner),
    `…${owner.leaseId.slice(-8)}`,
    owner.taken,
    moment(owner.at),
    untilOf(owner, owners[i + 1], now),
  ]);
  const [title = "", ...rows] = table(["EPOCH", "OWNER", "LEASE", "", "FROM", "UNTIL"], cells, style);
  const left = rows.length - head - tail;
  if (left <= 1) return [title, ...rows];
  return [title, ...rows.slice(0, head), style.dim(`… ${left} more: --json shows all`), ...rows.slice(-tail)];
}

function processOf({ by }: OwnerView): string {
  return by === undefined ? "" : `${clean(by.host)} process ${by.pid}`;
}

function untilOf({ at, until }: OwnerView, next: OwnerView | undefined, now: Now): string {
  if (until === undefined) return now;
  const how = next === undefined ? "ended" : next.taken === "woken" ? "put down" : "its last sign";
  return `${moment(until)}, after ${took(until - at)}: ${how}`;
}
