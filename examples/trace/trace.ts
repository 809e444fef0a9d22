/**
 * Runs a task graph as one workflow and compares what ran with what was recorded.
 * Exit code 0 when every task was recorded exactly once and in order, 1 when not, 2 for bad input.
 */
import { spawn } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import type { Fact } from "onex";
import { BadInput, type Graph, lowerBoundMs, readGraph, scaled } from "./graph.ts";
import { runId, stepNames } from "./plan.ts";
import { account, restartMs } from "./report.ts";
import type { News } from "./worker.ts";

const usage = `usage: trace FILE.dag.json [--body noop|sleep] [--workers K] [--target-ms MS] [--kill-at PERCENT] [--json]
  --body       what a task does: nothing (then the lower bound is 0), or sleep for its runtime; default noop
  --workers    tasks at once; default 16
  --target-ms  scales all runtimes by one factor so that the lower bound becomes MS; default 10000 (only for sleep)
  --kill-at    kill the process when that percentage of tasks is recorded, and start it again
  --json       print the figures as one object, on the last line`;

interface Options {
  /** Scaled; without runtimes when the bodies do nothing. */
  readonly graph: Graph;
  readonly workers: number;
  /** Tasks to be recorded before the kill. */
  readonly killAfter: number | undefined;
  readonly json: boolean;
}
interface Figures {
  readonly tasks: number;
  readonly exactlyOnce: boolean;
  readonly ordered: boolean;
  readonly startedTwice: number;
  readonly makespanMs: number;
  readonly lowerBoundMs: number;
  readonly overheadUsPerTask: number;
  readonly restartMs: number;
  readonly commitsPerTask: number;
  readonly peakRssMiB: number;
}

try {
  const options = readArguments();
  const figures = await run(options);
  for (const [name, value] of Object.entries(figures)) console.log(`  ${name.padEnd(20)}${String(value).padStart(10)}`);
  if (options.json) console.log(JSON.stringify(figures));
  process.exitCode = figures.exactlyOnce && figures.ordered ? 0 : 1;
} catch (error) {
  const bad = error instanceof BadInput;
  process.stderr.write(bad ? `trace: ${error.message}\n` : `trace: ${error instanceof Error ? error.stack : String(error)}\n`);
  process.exitCode = bad ? 2 : 1;
}

async function run({ graph, workers, killAfter }: Options): Promise<Figures> {
  // What was typed is read before anything large is loaded: a mistake in it is told at once.
  const { readJournal } = await import("./journal.ts");
  const dir = mkdtempSync(join(tmpdir(), "onex-trace-"));
  const paths = { graph: join(dir, "graph.json"), db: join(dir, "trace.db"), journal: join(dir, "journal.jsonl") };
  try {
    writeFileSync(paths.graph, JSON.stringify({ tasks: graph }));
    const args = ["--graph", paths.graph, "--db", paths.db, "--journal", paths.journal, "--workers", String(workers)];
    const news = await work(killAfter === undefined ? args : [...args, "--kill-after", String(killAfter)]);
    const killedAt = news.find(({ event }) => event === "dying")?.at;
    if (killedAt !== undefined) news.push(...(await work(args)));
    else if (killAfter !== undefined) process.stderr.write("trace: the run was over before the kill\n");

    const facts = await factsOf(paths.db);
    const begun = news[0]?.at ?? 0;
    const done = news.at(-1)?.at ?? 0;
    const pausedMs = restartMs(facts, killedAt);
    const makespanMs = done - begun - pausedMs;
    const boundMs = lowerBoundMs(graph, workers);
    const usages = news.filter((item) => item.event !== "begun");
    const commits = usages.reduce((sum, item) => sum + item.commits, 0);
    return {
      ...account({ graph, lines: readJournal(paths.journal), facts, stepOf: stepNames(graph) }),
      makespanMs,
      lowerBoundMs: Math.round(boundMs),
      overheadUsPerTask: Math.round(((makespanMs - boundMs) * 1_000) / graph.length),
      restartMs: pausedMs,
      commitsPerTask: Math.round((commits * 100) / graph.length) / 100,
      peakRssMiB: Math.max(...usages.map(({ rssMiB }) => rssMiB)),
    };
  } finally {
    rmSync(dir, { recursive: true, force: true });
  }
}

/** Runs a worker to its end, which may be a SIGKILL that it announced. */
async function work(args: readonly string[]): Promise<News[]> {
  const path = fileURLToPath(new URL("./worker.js", import.meta.url));
  const child = spawn(process.execPath, [path, ...args], { stdio: ["pipe", "pipe", "inherit"] });
  const news: News[] = [];
  createInterface({ input: child.stdout }).on("line", (line) => news.push(JSON.parse(line) as News));
  const exit = await new Promise<number | string>((resolve) => child.once("close", (code, signal) => resolve(signal ?? code ?? 1)));
  const last = news.at(-1)?.event;
  if (last === "done" || (last === "dying" && exit === "SIGKILL")) return news;
  throw new Error(`the worker ended with ${exit}`);
}

async function factsOf(db: string): Promise<readonly Fact[]> {
  const { createOrchestrator, sqlite } = await import("onex");
  const reader = createOrchestrator({ store: sqlite(db), nodes: [] });
  try {
    return await reader.run(runId).facts();
  } finally {
    await reader.close();
  }
}

/** Throws BadInput. */
function readArguments(): Options {
  const { values, positionals } = parsed();
  const [path, ...more] = positionals;
  if (path === undefined || more.length > 0) throw new BadInput(`one file is needed\n\n${usage}`);
  if (values.body !== "noop" && values.body !== "sleep") throw new BadInput(`--body is noop or sleep, not "${values.body}"`);
  const workers = number(values.workers, "--workers", 1, 10_000);
  const targetMs = number(values["target-ms"], "--target-ms", 1, 86_400_000);
  const killAt = values["kill-at"] === undefined ? undefined : number(values["kill-at"], "--kill-at", 1, 99);
  const graph = scaled(readGraph(path), workers, values.body === "sleep" ? targetMs : 0);
  return { graph, workers, killAfter: killAt === undefined ? undefined : Math.ceil((graph.length * killAt) / 100), json: values.json };
}

function parsed() {
  try {
    return parseArgs({
      allowPositionals: true,
      options: {
        body: { type: "string", default: "noop" },
        workers: { type: "string", default: "16" },
        "target-ms": { type: "string", default: "10000" },
        "kill-at": { type: "string" },
        json: { type: "boolean", default: false },
      },
    });
  } catch (error) {
    throw new BadInput(`${(error as Error).message}\n\n${usage}`);
  }
}

function number(text: string, name: string, least: number, most: number): number {
  const value = Number(text);
  if (Number.isInteger(value) && value >= least && value <= most) return value;
  throw new BadInput(`${name} is a whole number from ${least} to ${most}, not "${text}"`);
}
