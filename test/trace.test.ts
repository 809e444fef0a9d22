import { spawn } from "node:child_process";
import { existsSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import type { Fact } from "onex";
import { afterAll, describe, expect, test } from "vitest";
import type { Line } from "../examples/trace/journal.ts";
import { account } from "../examples/trace/report.ts";

const program = fileURLToPath(new URL("../.tmp/examples/trace/trace.js", import.meta.url));
if (!existsSync(program)) throw new Error(`${program} is missing: run "npm run build" first`);
const traces = fileURLToPath(new URL("../../shared/traces/", import.meta.url));
const present = existsSync(traces);
if (!present) console.warn(`SKIPPED: no recorded traces in ${traces}; only generated graphs are run`);

const dir = mkdtempSync(join(tmpdir(), "onex-trace-test-"));
afterAll(() => rmSync(dir, { recursive: true, force: true }));

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
interface Shown {
  readonly code: number | null;
  readonly text: string;
  readonly figures: Figures | undefined;
}

function trace(...args: readonly string[]): Promise<Shown> {
  return new Promise((resolve, reject) => {
    const child = spawn(process.execPath, [program, ...args], { stdio: ["ignore", "pipe", "pipe"] });
    let out = "";
    let errors = "";
    child.stdout.setEncoding("utf8").on("data", (part: string) => {
      out += part;
    });
    child.stderr.setEncoding("utf8").on("data", (part: string) => {
      errors += part;
    });
    child.once("error", reject);
    child.once("close", (code) => {
      const last = out.trimEnd().split("\n").at(-1) ?? "";
      resolve({ code, text: out + errors, figures: last.startsWith("{") ? (JSON.parse(last) as Figures) : undefined });
    });
  });
}

interface Task {
  readonly id: string;
  readonly deps: readonly string[];
  readonly runtimeMs: number;
}
function write(name: string, content: string | readonly Task[]): string {
  const path = join(dir, name);
  writeFileSync(path, typeof content === "string" ? content : JSON.stringify({ tasks: content }));
  return path;
}

/** Layers of random width; every task depends on up to four of the layer before, and the ids are not identifiers. */
function generated(count: number): Task[] {
  let state = 1;
  const draw = (below: number) => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return Math.floor((state / 4_294_967_296) * below);
  };
  const tasks: Task[] = [];
  let before: string[] = [];
  while (tasks.length < count) {
    const layer: string[] = [];
    for (let left = Math.min(1 + draw(40), count - tasks.length); left > 0; left--) {
      const id = `task ${tasks.length}-${"é"}`;
      const deps = before.length === 0 ? [] : [...new Set(Array.from({ length: 1 + draw(4) }, () => before[draw(before.length)] ?? ""))];
      tasks.push({ id, deps, runtimeMs: draw(5_000) });
      layer.push(id);
    }
    before = layer;
  }
  return tasks;
}

describe("trace", () => {
  test("a generated graph of 1,000 tasks", async () => {
    const { code, text, figures } = await trace(write("generated.json", generated(1_000)), "--json");
    expect(figures, text).toMatchObject({ tasks: 1_000, exactlyOnce: true, ordered: true, startedTwice: 0, lowerBoundMs: 0, restartMs: 0 });
    expect(Object.keys(figures ?? {})).toEqual([
      "tasks",
      "exactlyOnce",
      "ordered",
      "startedTwice",
      "makespanMs",
      "lowerBoundMs",
      "overheadUsPerTask",
      "restartMs",
      "commitsPerTask",
      "peakRssMiB",
    ]);
    expect(figures?.commitsPerTask).toBeGreaterThan(0);
    expect(code).toBe(0);
  });

  test("a generated graph whose bodies sleep, killed in the middle", async () => {
    const { code, text, figures } = await trace(
      write("killed.json", generated(300)),
      "--body",
      "sleep",
      "--target-ms",
      "1500",
      "--kill-at",
      "50",
      "--json",
    );
    expect(figures, text).toMatchObject({ tasks: 300, exactlyOnce: true, ordered: true, lowerBoundMs: 1_500 });
    expect(figures?.startedTwice).toBeGreaterThan(0);
    expect(figures?.restartMs).toBeGreaterThan(0);
    expect(code).toBe(0);
  });

  for (const name of present ? readdirSync(traces).filter((file) => file.endsWith(".dag.json")) : []) {
    test(`${name}, killed at 30 and at 70 percent`, async () => {
      for (const percent of ["30", "70"]) {
        const { code, text, figures } = await trace(join(traces, name), "--kill-at", percent, "--json");
        expect(figures, text).toMatchObject({ exactlyOnce: true, ordered: true });
        expect(figures?.restartMs, text).toBeGreaterThan(0);
        expect(code, text).toBe(0);
      }
    });
  }
  if (!present) test.skip("the recorded traces are not here", () => {});

  test("bad input is refused with exit code 2 and a sentence", async () => {
    const task = (id: string, ...deps: string[]): Task => ({ id, deps, runtimeMs: 1 });
    const good = write("good.json", [task("a")]);
    const cases: readonly (readonly [args: readonly string[], says: string])[] = [
      [[join(dir, "nowhere.json")], "cannot read"],
      [[write("text.json", "tasks: []")], "is not JSON"],
      [[write("shape.json", '{"tasks":[{"id":"a"}]}')], "is not a task graph: tasks.0.deps"],
      [[write("empty.json", [])], "is not a task graph: tasks"],
      [[write("twice.json", [task("a"), task("a")])], 'two tasks have the id "a"'],
      [[write("unknown.json", [task("a", "b")])], 'task "a" depends on "b", which is not in the file'],
      [[write("cycle.json", [task("a"), task("b", "a", "d"), task("c", "b"), task("d", "c")])], "has a cycle; 3 tasks wait for each other"],
      [[write("self.json", [task("a", "a")])], "has a cycle"],
      [[good, "--body", "work"], "--body is noop or sleep"],
      [[good, "--workers", "0"], "--workers is a whole number"],
      [[good, "--kill-at", "100"], "--kill-at is a whole number"],
      [[good, "--speed", "9"], "usage: trace"],
      [[], "usage: trace"],
    ];
    const shown = await Promise.all(cases.map(([args]) => trace(...args)));
    for (const [i, [, says]] of cases.entries()) {
      expect(shown[i]?.text).toContain(says);
      expect(shown[i]?.code, shown[i]?.text).toBe(2);
    }
  });
});

describe("account", () => {
  const graph = [
    { id: "a", deps: [], runtimeMs: 0 },
    { id: "b", deps: ["a"], runtimeMs: 0 },
  ];
  const line = (edge: Line["edge"], task: string, epoch: number): Line => ({ edge, task, epoch, attempt: 1, at: 0 });
  const taken = (epoch: number): Fact => ({ type: "lease.acquired", leaseId: "l", epoch, at: 0 });
  const recorded = (step: string): Fact => ({ type: "action.completed", step, attempt: 1, output: {}, at: 0 });
  const of = (lines: readonly Line[], facts: readonly Fact[]) =>
    account({ graph, lines, facts, stepOf: new Map(graph.map(({ id }) => [id, id])) });
  const plain = [line("start", "a", 1), line("end", "a", 1), line("start", "b", 1), line("end", "b", 1)];

  test("a run without a kill", () => {
    expect(of(plain, [taken(1), recorded("a"), recorded("b")])).toEqual({ tasks: 2, exactlyOnce: true, ordered: true, startedTwice: 0 });
  });
  test("a body that ran but was not recorded may run again after the kill", () => {
    expect(of([...plain, line("start", "b", 2), line("end", "b", 2)], [taken(1), recorded("a"), taken(2), recorded("b")])).toEqual({
      tasks: 2,
      exactlyOnce: true,
      ordered: true,
      startedTwice: 1,
    });
  });
  test.each([
    ["a task without a result", plain, [taken(1), recorded("a")]],
    ["a task with two results", plain, [taken(1), recorded("a"), recorded("b"), recorded("b")]],
    ["a result without a body", plain.slice(0, 2), [taken(1), recorded("a"), recorded("b")]],
    ["a start after the result was recorded", [...plain, line("start", "a", 2)], [taken(1), recorded("a"), taken(2), recorded("b")]],
    ["two starts under one owner", [...plain, line("start", "b", 1)], [taken(1), recorded("a"), recorded("b")]],
  ] satisfies [string, Line[], Fact[]][])("%s is not exactly once", (_what, lines, facts) => {
    expect(of(lines, facts).exactlyOnce).toBe(false);
  });
  test("a task that began before its dependency had ended is out of order", () => {
    const lines = [line("start", "a", 1), line("start", "b", 1), line("end", "a", 1), line("end", "b", 1)];
    expect(of(lines, [taken(1), recorded("a"), recorded("b")])).toMatchObject({ exactlyOnce: true, ordered: false });
  });
});
