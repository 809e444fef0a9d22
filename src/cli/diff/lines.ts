/** Differences and the fates of runs, as lines to read. */
import type { Change } from "../../plan/diff/change.ts";
import { clean, cleanLines, type Style, shortened } from "../output.ts";
import { quote, type StoreUrl } from "../store.ts";
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

/** OLD and NEW as they were typed, and what stands around them in a command. */
export interface Typed {
  readonly old: string;
  readonly now: string;
  readonly nodes: readonly string[];
  readonly at: StoreUrl;
}

/** What to do about runs of each fate, as commands to type. */
export function nextLines(fates: Fates, { old, now, nodes, at }: Typed, migrates: boolean): string[] {
  const modules = nodes.map((file) => ` --nodes ${quote(file)}`).join("");
  const lines: string[] = [];
  if (fates.safe.length > 0 && !migrates)
    lines.push("safe to move: move them with", `  onex migrate ${quote(old)} ${quote(now)}${modules}${at.flag}`);
  if (fates.finish.length > 0)
    lines.push("must finish: nothing is to be done; they go on as they are, while a process holds the nodes that they call");
  const [one] = fates.decide[0]?.ids ?? [];
  if (one !== undefined)
    lines.push(
      "need a decision: until you make one they go on as they are. Look at one, and then",
      `  onex show ${quote(clean(one))}${at.flag}`,
      "  leave it to end as it is; or ask again when it has come further; or begin it anew on the new definition:",
      `  onex cancel ${quote(clean(one))}${at.flag}    # takes back what it did`,
      `  onex run ${quote(now)}${modules} --input INPUT-JSON${at.flag}`,
    );
  if ([fates.safe, ...fates.finish.map(({ ids }) => ids), ...fates.decide.map(({ ids }) => ids)].some((ids) => ids.length > samples))
    lines.push("--json lists every run");
  return lines;
}

/** The first of them, and how many more. */
export function some(ids: readonly string[]): string {
  const more = ids.length > samples ? ` and ${ids.length - samples} more` : "";
  return `${ids.slice(0, samples).map(clean).join(", ")}${more}`;
}
