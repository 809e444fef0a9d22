/** Differences and the fates of runs, as lines to read. */
import type { Change } from "../../plan/diff/change.ts";
import { clean, cleanLines, type Style, shortened } from "../output.ts";
import type { Fates, Group } from "./runs.ts";

const samples = 3;

/** One line a change; whom it concerns stands behind it. */
export function changeLine({ mark, what, detail, concerns }: Change, style: Style, width: number): string {
  const paint = { "+": style.green, "-": style.red, "~": style.yellow }[mark];
  const whom = concerns.length === 0 ? "nobody" : concerns.map((one) => (one === "runs" ? "runs under way" : one)).join(", ");
  const said = detail === "" ? "" : `: ${shortened(clean(detail), Math.max(40, width - what.length - whom.length - 8))}`;
  return `${paint(mark)} ${clean(what)}${said}  ${style.dim(`[${whom}]`)}`;
}

/** How many are safe, must finish or need a decision; nothing when there are none. */
export function fateLines(title: string, fates: Fates, style: Style): string[] {
  const count = (groups: readonly Group[]) => groups.reduce((sum, { ids }) => sum + ids.length, 0);
  const total = fates.safe.length + count(fates.finish) + count(fates.decide);
  if (total === 0) return [];
  const out = [`${title}: ${total} ${total === 1 ? "run" : "runs"}`];
  if (fates.safe.length > 0) out.push(`  ${style.green(`${fates.safe.length} safe to move`)}: ${some(fates.safe)}`);
  const told = (groups: readonly Group[], words: string) => {
    if (groups.length === 0) return;
    out.push(`  ${count(groups)} ${words}`);
    for (const { reason, ids } of groups) out.push(`    ${ids.length}: ${cleanLines(reason, "       ")}`, `       ${some(ids)}`);
  };
  told(fates.finish, "must finish on the definition that they have");
  told(fates.decide, "need a decision");
  return out;
}

function some(ids: readonly string[]): string {
  const more = ids.length > samples ? ` and ${ids.length - samples} more` : "";
  return `${ids.slice(0, samples).map(clean).join(", ")}${more}`;
}
