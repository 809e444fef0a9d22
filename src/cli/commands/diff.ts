/** `onex diff OLD NEW`: what changed in meaning, and with `--store` what becomes of the runs under way. */
import { OnexError } from "../../core/failure.ts";
import { withClient } from "../client.ts";
import { changeLine, fateLines, nextLines } from "../diff/lines.ts";
import { engineOf, type Fates, fatesOf, type Judged, judgeRow, underWay } from "../diff/runs.ts";
import { boundTo, differenceOf, type Side, sideOf } from "../diff/sides.ts";
import { type ExitCode, exit } from "../exit.ts";
import { isYaml, splitName } from "../load.ts";
import { clean, print, printJson, styleOf } from "../output.ts";
import { memoryNote, type StoreUrl, storeUrl } from "../store.ts";

export interface DiffOptions {
  readonly nodes?: readonly string[];
  readonly store?: string;
  readonly json?: boolean;
  readonly exitCode?: boolean;
}

export async function diff(oldTarget: string, newTarget: string, options: DiffOptions): Promise<ExitCode> {
  const nodes = options.nodes ?? [];
  const judging = options.store !== undefined;
  // Two modules are compared node by node; a contract or a name means one workflow on both sides.
  const one = judging || [oldTarget, newTarget].some((target) => isYaml(splitName(target).file) || splitName(target).name !== undefined);
  const [old, now] = [await sideOf(oldTarget, nodes, one), await sideOf(newTarget, nodes, one)];
  const { changes, note } = differenceOf(old, now);
  const at = judging ? storeUrl(options.store) : undefined;
  if (at?.kind === "memory") throw new OnexError("USAGE", `no run can be judged in memory: ${memoryNote}`);
  const runs = at && (await judged(old, now, at));
  if (options.json) printJson({ changes, ...(note === undefined ? {} : { note }), ...(runs ? { runs } : {}) });
  else {
    const style = styleOf(process.stdout);
    for (const change of changes) print(changeLine(change, style, process.stdout.columns || 160));
    if (changes.length === 0)
      process.stderr.write(note === undefined ? "no difference in meaning\n" : "no difference in their contracts\n");
    if (note !== undefined) process.stderr.write(`${note}${judging ? "" : ": what runs under way would do is found out with --store"}\n`);
    if (runs && at) tell(runs, old, now, at, options);
  }
  return options.exitCode && changes.length > 0 ? exit.failed : exit.done;
}

interface Runs {
  readonly old: Fates;
  /** Pinned to another definition of that workflow. */
  readonly other: Fates;
  /** On the new definition already. */
  readonly moved: readonly string[];
}

async function judged(old: Side, now: Side, at: StoreUrl): Promise<Runs> {
  const [from, to] = [boundTo(old), boundTo(now)];
  return withClient(at, async (client) => {
    const engine = engineOf(client.orchestrator);
    const all: Judged[] = [];
    for await (const row of underWay(engine, from.contract.name)) {
      const one = await judgeRow(engine, row, from, to);
      if (one) all.push(one);
    }
    const on = (where: Judged["on"]) => all.filter((one) => one.on === where);
    return { old: fatesOf(on("old")), other: fatesOf(on("other")), moved: on("new").map(({ id }) => id) };
  });
}

function tell(runs: Runs, old: Side, now: Side, at: StoreUrl, options: DiffOptions): void {
  const style = styleOf(process.stdout);
  const lines = [
    ...fateLines(`runs under way on ${clean(old.target)}`, runs.old, style),
    ...fateLines(`runs under way on other definitions of ${clean(old.workflow?.contract.name ?? "")}`, runs.other, style),
    ...(runs.moved.length > 0 ? [`on ${clean(now.target)} already: ${runs.moved.length}`] : []),
  ];
  print("");
  for (const line of lines.length > 0 ? lines : [`no run of ${clean(old.workflow?.contract.name ?? "")} is under way in ${at.url}`])
    print(line);
  const all: Fates = {
    safe: [...runs.old.safe, ...runs.other.safe],
    finish: [...runs.old.finish, ...runs.other.finish],
    decide: [...runs.old.decide, ...runs.other.decide],
  };
  const next = nextLines(all, { old: old.target, now: now.target, nodes: options.nodes ?? [], at }, false);
  if (next.length > 0) process.stderr.write(`\n${next.join("\n")}\n`);
}
