/** `onex migrate OLD NEW`: asks for the runs that are safe to move to go on with the new definition. */
import { setTimeout as pause } from "node:timers/promises";
import type { FactOf } from "../../core/fact.ts";
import { OnexError } from "../../core/failure.ts";
import { isPin, pinned } from "../../core/pin.ts";
import type { Engine } from "../../engine/engine.ts";
import type { Side as Bound } from "../../engine/migrate.ts";
import type { WorkflowContract } from "../../node/contract.ts";
import type { RunRow } from "../../store/store.ts";
import { type Client, withClient } from "../client.ts";
import { fateLines, nextLines, some, type Typed } from "../diff/lines.ts";
import { engineOf, fatesOf, type Judged, judgeRow, pinOf, underWay } from "../diff/runs.ts";
import { boundTo, sideOf } from "../diff/sides.ts";
import { type ExitCode, exit } from "../exit.ts";
import { clean, cleanLines, print, printJson, styleOf } from "../output.ts";
import { workCommand } from "../session.ts";
import { memoryNote, storeUrl } from "../store.ts";

export interface MigrateOptions {
  readonly nodes?: readonly string[];
  readonly store?: string;
  readonly dryRun?: boolean;
  readonly run?: readonly string[];
  readonly json?: boolean;
}

/** How long a process that drives the runs may take to answer. */
const patienceMs = 30_000;
const pollMs = 50;
/** After so many messages the store is left alone for a moment, ms. */
const asksAtOnce = 16;
const breathMs = 30;

export async function migrate(oldTarget: string, newTarget: string, options: MigrateOptions): Promise<ExitCode> {
  const nodes = options.nodes ?? [];
  const [old, now] = [await sideOf(oldTarget, nodes, true), await sideOf(newTarget, nodes, true)];
  const [from, to] = [boundTo(old), boundTo(now)];
  if (from.contract.name !== to.contract.name)
    throw new OnexError(
      "MIGRATION_INVALID",
      `${oldTarget} is the workflow ${from.contract.name} and ${newTarget} is ${to.contract.name}: runs move between definitions of one workflow`,
    );
  const at = storeUrl(options.store);
  if (at.kind === "memory") throw new OnexError("USAGE", `no run can be moved in memory: ${memoryNote}`);
  const typed: Typed = { old: oldTarget, now: newTarget, nodes, at };
  if (isPin(pinOf(from.contract), pinOf(to.contract))) process.stderr.write(`${oneDefinition(typed, to.contract)}\n`);
  // Ctrl-C: nobody is asked any more, and what was done is told; the second one ends it at once.
  const stop = new AbortController();
  const interrupt = () => stop.abort();
  process.once("SIGINT", interrupt);
  try {
    return await withClient(at, (client) => migrateIn(client, typed, from, to, now.workflow as never, options, stop.signal));
  } finally {
    process.off("SIGINT", interrupt);
  }
}

/** Both sides are the same: there is nothing to move. */
function oneDefinition({ old, now }: Typed, { name, version, plan }: WorkflowContract): string {
  const why = plan ? "the same definition" : `${name}@${version} in code: what changed needs another version`;
  return `${clean(old)} and ${clean(now)} are ${why}; nothing can be moved from one to the other`;
}

async function migrateIn(
  client: Client,
  typed: Typed,
  from: Bound,
  to: Bound,
  workflow: never,
  options: MigrateOptions,
  stop: AbortSignal,
): Promise<ExitCode> {
  const { at } = typed;
  const engine = engineOf(client.orchestrator);
  const all: Judged[] = [];
  for await (const row of options.run ? named(engine, options.run, from.contract.name) : underWay(engine, from.contract.name)) {
    if (stop.aborted) break;
    const one = await judgeRow(engine, row, from, to);
    if (one) all.push(one);
  }
  const left = all.filter(({ on }) => on !== "new");
  const fates = fatesOf(left);
  const already = all.filter(({ on }) => on === "new").map(({ id }) => id);
  const asked: string[] = [];
  if (!options.dryRun)
    for (const [i, id] of fates.safe.entries()) {
      if (stop.aborted) break;
      if (await ask(client, id, workflow)) asked.push(id);
      // The process that drives them writes to the same file: it gets its turn.
      if (i % asksAtOnce === asksAtOnce - 1) await pause(breathMs);
    }
  const answers = await answersOf(client, engine, asked, pinOf(to.contract), stop);
  if (options.json) printJson({ ...fates, already, asked, ...answers });
  else tell(fates, already, asked, answers, options, typed);
  if (asked.length > 0 && (await client.owners()).length === 0)
    process.stderr.write(
      `no process drives the runs of ${at.url} now; the next one moves them: ${clean(workCommand([typed.now], typed.nodes, at))}\n`,
    );
  if (stop.aborted) {
    const many = asked.length === fates.safe.length ? `all ${asked.length}` : `${asked.length} of ${fates.safe.length}`;
    process.stderr.write(`stopped: ${asked.length === 0 ? "no run was asked" : `${many} were asked, and what was asked stays asked`}\n`);
    return exit.interrupted;
  }
  // A run that was named and stays is a failure; of all of them some are expected to.
  return answers.refused.length > 0 || (options.run && fates.safe.length < left.length) ? exit.failed : exit.done;
}

/** The runs that were named. Throws OnexError `RUN_UNKNOWN`, `RUN_ENDED`, `MIGRATION_INVALID`. */
async function* named(engine: Engine, ids: readonly string[], workflow: string): AsyncIterable<RunRow> {
  for (const id of new Set(ids)) {
    const row = await engine.store.run(id);
    if (!row) throw new OnexError("RUN_UNKNOWN", `there is no run "${id}" in ${engine.store.name}`);
    if (row.workflow !== workflow)
      throw new OnexError("MIGRATION_INVALID", `run ${id} is of the workflow ${row.workflow}, and not of ${workflow}`);
    if (row.endedAt !== undefined) throw new OnexError("RUN_ENDED", `run ${id} has ended: it stays with the definition that it had`);
    yield row;
  }
}

/** Answers false when it has ended meanwhile. */
async function ask({ orchestrator }: Client, id: string, to: never): Promise<boolean> {
  try {
    await orchestrator.run(id).migrate(to);
    return true;
  } catch (error) {
    if (error instanceof OnexError && error.code === "RUN_ENDED") return false;
    throw error;
  }
}

interface Answers {
  readonly moved: readonly string[];
  /** The process that drives them judged otherwise, at the time when it read the message. */
  readonly refused: readonly { readonly id: string; readonly reason: string }[];
  /** Nobody has read the message yet. */
  readonly waiting: readonly string[];
}

/** What the process that drives the runs made of the messages; without one they all wait. */
async function answersOf(
  client: Client,
  engine: Engine,
  asked: readonly string[],
  to: ReturnType<typeof pinOf>,
  stop: AbortSignal,
): Promise<Answers> {
  const moved: string[] = [];
  const refused: { readonly id: string; readonly reason: string }[] = [];
  let waiting = asked;
  const until = Date.now() + patienceMs;
  while (waiting.length > 0 && (await client.owners()).length > 0) {
    const still: string[] = [];
    for (const id of waiting) {
      const answer = await answerOf(engine, id, to);
      if (answer === undefined) still.push(id);
      else if (answer === "") moved.push(id);
      else refused.push({ id, reason: answer });
    }
    waiting = still;
    if (waiting.length === 0 || stop.aborted || Date.now() > until) break;
    await pause(pollMs);
  }
  return { moved, refused, waiting };
}

/** "": it was moved; a reason: it was not; undefined: it was not asked yet. */
async function answerOf(engine: Engine, id: string, to: ReturnType<typeof pinOf>): Promise<string | undefined> {
  const row = await engine.store.run(id);
  if (!row) return "it is gone";
  // Its log is read when there may be an answer in it.
  const unread = row.endedAt === undefined && row.mailGot < row.mailPut;
  if (unread && row.version !== to.version) return undefined;
  const facts = (await engine.store.turns(row.runNo)).flatMap((turn) => engine.decode(row.runNo, turn));
  if (isPin(pinned(facts), to)) return "";
  if (row.endedAt !== undefined) return "it ended before it was asked";
  if (unread) return undefined;
  return facts.findLast((fact): fact is FactOf<"migration.refused"> => fact.type === "migration.refused")?.message ?? undefined;
}

function tell(
  fates: ReturnType<typeof fatesOf>,
  already: readonly string[],
  asked: readonly string[],
  answers: Answers,
  options: MigrateOptions,
  typed: Typed,
): void {
  const style = styleOf(process.stdout);
  for (const line of fateLines("runs under way", fates, style)) print(line);
  if (already.length > 0) print(`on ${clean(typed.now)} already: ${already.length}`);
  if (fates.safe.length + fates.finish.length + fates.decide.length + already.length === 0) print("no run of this workflow is under way");
  const next = nextLines(fates, typed, true);
  if (next.length > 0) process.stderr.write(`${next.join("\n")}\n`);
  if (options.dryRun)
    return void process.stderr.write(`a dry run: nothing was asked of anybody; without --dry-run ${fates.safe.length} would be moved\n`);
  if (asked.length === 0) return;
  if (answers.moved.length > 0) print(style.green(`moved: ${answers.moved.length}`));
  const reasons = new Map<string, string[]>();
  for (const { id, reason } of answers.refused) reasons.set(reason, [...(reasons.get(reason) ?? []), id]);
  for (const [reason, ids] of reasons)
    print(`${style.red(`not moved: ${ids.length}`)}: ${some(ids)}\n    the process that drives them says: ${cleanLines(reason, "    ")}`);
  if ([...reasons.keys()].some((reason) => /NODE_UNKNOWN|does not hold/.test(reason)))
    process.stderr.write(
      `it lacks what the new definition calls: stop it, start it anew with those nodes, and migrate again\n  ${clean(workCommand([typed.now], typed.nodes, typed.at))}\n`,
    );
  if (answers.waiting.length > 0)
    print(`asked, and not answered yet: ${answers.waiting.length}; \`onex show RUN\` tells what becomes of each`);
}
