/** `onex run FILE`: starts a run, shows it, and gives its output. */
import { OnexError, sentenceOf } from "../../core/failure.ts";
import type { Json } from "../../core/json.ts";
import type { RunView } from "../../core/view.ts";
import type { Orchestrator, Run } from "../../engine/api.ts";
import { resumeCommands, signalCommand } from "../advice.ts";
import { withExample } from "../example-input.ts";
import { type ExitCode, exit } from "../exit.ts";
import { readJson } from "../input.ts";
import { loadTarget } from "../load.ts";
import { goingOn } from "../orchestrators.ts";
import { clean, cleanLines, moment, printJson, Terminal, took } from "../output.ts";
import { Progress } from "../progress.ts";
import { interrupted, openSession, workCommand } from "../session.ts";
import { quote, type StoreUrl, storeUrl, withListen } from "../store.ts";

export interface RunOptions {
  readonly nodes?: readonly string[];
  readonly input?: string;
  readonly store?: string;
  readonly listen?: string;
  readonly runId?: string;
  readonly at?: string;
  readonly priority?: string;
  readonly json?: boolean;
  readonly verbose?: boolean;
}

const lookMs = 2000;
const page = 500;

export async function run(target: string, options: RunOptions): Promise<ExitCode> {
  const terminal = new Terminal();
  terminal.adoptConsole();
  const at = withListen(storeUrl(options.store), options.listen);
  const startAt = options.at === undefined ? undefined : timeOf(options.at);
  const priority = options.priority === undefined ? undefined : priorityOf(options.priority);
  const input = options.input === undefined ? {} : await readJson(options.input, "--input");
  const { workflow, ...loaded } = await loadTarget(target, options.nodes ?? []);
  const session = await openSession(at, loaded, terminal, options.verbose === true);
  const stop = interrupted(terminal);
  try {
    const started = await session.orchestrator.start(workflow, input, {
      ...(options.runId === undefined ? {} : { runId: options.runId }),
      ...(startAt === undefined ? {} : { startAt }),
      ...(priority === undefined ? {} : { priority }),
    });
    const { name, version } = workflow.contract;
    terminal.say(`${terminal.style.bold("run")} ${clean(started.runId)}  ${name}@${version}  ${at.url}`);
    if (startAt !== undefined && startAt.getTime() > Date.now())
      terminal.say(`it begins at ${moment(startAt.getTime())}, in a process that drives runs then`);
    if (session.orchestrator.role === "client")
      terminal.say(`another process drives the runs of ${at.url}: it gets this one, and this process waits for it`);
    const code = await Promise.race([followed(started, at, terminal, session.orchestrator), stop, session.broken]);
    const shown = await started.status();
    // What was asked for is the output as it is; all else is shown without secrets.
    const view =
      shown.status === "completed" ? { ...shown, output: (await session.orchestrator.run(started.runId).result()) as Json } : shown;
    await session.close();
    if (code !== undefined) tellStopped(view, [target], options.nodes ?? [], at, terminal, await goingOn(at));
    else tell(view, at, terminal);
    if (options.json) printJson(view);
    else if (view.status === "completed" && code === undefined) printJson(view.output ?? null);
    return code ?? codeOf(view);
  } catch (error) {
    await session.close().catch(() => {});
    throw withExample(options.input === undefined ? withoutInput(error) : error, target);
  }
}

/** A workflow that refuses `{}`, which nobody typed. */
function withoutInput(error: unknown): unknown {
  if (!(error instanceof OnexError) || error.code !== "INPUT_INVALID") return error;
  return new OnexError(error.code, `${error.message}\nno input was given: write --input JSON, or --input @FILE`, { cause: error });
}

/** A date alone is midnight UTC, as in JavaScript; a time without a zone is that of this machine. */
function timeOf(text: string): Date {
  const time = new Date(text);
  if (/^\d{4}-\d\d-\d\d/.test(text) && Number.isFinite(time.getTime())) return time;
  throw new OnexError("USAGE", `--at ${quote(text)}: write an ISO time, such as 2030-01-31T06:00Z`);
}

function priorityOf(text: string): number {
  const priority = Number(text);
  if (/^\d+$/.test(text) && priority >= 1 && priority <= 1000) return priority;
  throw new OnexError("USAGE", `--priority ${quote(text)}: write a whole number from 1 (first) to 1000`);
}

/** Resolves when the run has ended or needs a person. */
async function followed(started: Run, at: StoreUrl, terminal: Terminal, orchestrator: Orchestrator): Promise<undefined> {
  const progress = new Progress(terminal, (name) => signalCommand(started.runId, name, at));
  const watch = setInterval(() => void sayBlocked().catch(() => {}), lookMs).unref();
  try {
    let look = false;
    for await (const fact of started.events()) {
      progress.fact(fact);
      look ||= fact.type === "run.paused" || fact.type === "run.resumed";
      if (!look) continue;
      const stands = await pauseStands(orchestrator, started.runId);
      if (stands === true) return;
      look = stands === undefined;
    }
  } finally {
    clearInterval(watch);
    progress.stop();
  }

  /** The process that has the store may not hold the code of the run that it was handed. */
  async function sayBlocked(): Promise<void> {
    if (orchestrator.role === "owner") return;
    const { blocked, workflow, version } = await started.status();
    if (blocked !== "VERSION_MISSING") return;
    clearInterval(watch);
    terminal.say(
      `run ${clean(started.runId)} waits: the process that drives the runs of ${at.url} does not hold the code of ${clean(`${workflow}@${version}`)}; this one takes over when it ends`,
    );
  }
}

/**
 * Whether the run is paused now: a pause in its log may be long past, and a message that settles it may lie unread in its
 * inbox (then undefined: its next fact tells).
 */
async function pauseStands(orchestrator: Orchestrator, runId: string): Promise<boolean | undefined> {
  let before: number | undefined;
  for (;;) {
    const rows = await orchestrator.list({ status: "paused", limit: page, ...(before === undefined ? {} : { before }) });
    const row = rows.find(({ id }) => id === runId);
    if (row) return row.mailPut === row.mailGot ? true : undefined;
    before = rows.at(-1)?.runNo;
    if (rows.length < page) return false;
  }
}

function codeOf(view: RunView): ExitCode {
  return view.status === "completed" ? exit.done : view.status === "paused" ? exit.paused : exit.failed;
}

function tell(view: RunView, at: StoreUrl, terminal: Terminal): void {
  const { green, red, yellow } = terminal.style;
  const time = view.endedAt === undefined ? "" : ` after ${took(view.endedAt - view.startedAt)}`;
  if (view.status === "completed") terminal.say(`${green("completed")}${time}`);
  else if (view.status === "paused" && view.paused) {
    const where = view.paused.step === undefined ? "" : ` at step ${clean(view.paused.step)}`;
    terminal.say(`${yellow("paused")}${where}: ${clean(view.paused.code)}: ${cleanLines(view.paused.message)}`, "to go on:");
    terminal.say(...resumeCommands(view, at).map((command) => `  ${command}`));
  } else {
    const where = view.failedStep === undefined ? "" : ` at step ${clean(view.failedStep)}`;
    const why = view.error === undefined ? "" : `: ${cleanLines(sentenceOf(view.error))}`;
    terminal.say(`${red(view.status)}${where}${time}${why}`);
  }
  if (view.notUndone.length > 0) terminal.say(`${red("not undone")}: ${view.notUndone.map(clean).join(", ")}`);
}

function tellStopped(
  view: RunView,
  files: readonly string[],
  nodes: readonly string[],
  at: StoreUrl,
  terminal: Terminal,
  others: string | undefined,
): void {
  if (view.endedAt !== undefined) terminal.say(`stopped; run ${clean(view.runId)} had ended: ${view.status}`);
  else if (at.kind === "memory")
    terminal.say(`stopped; run ${clean(view.runId)} was kept in memory only and is gone: --store sqlite:FILE keeps runs`);
  else if (others !== undefined) terminal.say(`stopped; run ${clean(view.runId)} is in ${at.url}, and ${others}`);
  else terminal.say(`stopped; run ${clean(view.runId)} is in ${at.url}. To go on:`, `  ${workCommand(files, nodes, at)}`);
}
