/** What pause, resume, fork, retry, schedules and a later start say, and the exit codes they end with. */
import { spawn } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, expect, test } from "vitest";
import { z } from "zod";
import { createOrchestrator, effect, Fatal, signal, sqlite, workflow } from "../src/index.ts";
import { typed } from "./typed.ts";

const main = fileURLToPath(new URL("../dist/cli/main.js", import.meta.url));
const folder = mkdtempSync(join(tmpdir(), "onex-cli-"));
const onex = (...args: string[]) => typed(folder, args);

/** What a command has said on stderr when it has said `text`; it is stopped then. */
async function onexUntil(text: string, ...args: string[]): Promise<string> {
  const child = spawn(process.execPath, [main, ...args], { cwd: folder, env: { PATH: process.env.PATH } });
  let said = "";
  for await (const chunk of child.stderr.setEncoding("utf8")) {
    said += chunk as string;
    if (said.includes(text)) child.kill("SIGKILL");
  }
  return said;
}

/** A store with a run that failed, one that completed, one that waits, and one that begins later; nobody drives it. */
beforeAll(async () => {
  const act = effect({ name: "act", input: z.any(), readonly: true }, async (bad) => {
    if (bad) throw new Fatal("REFUSED");
    return 1;
  });
  const go = signal({ name: "go", payload: z.string() });
  const flow = workflow({ name: "flow", input: z.any() }, function* (bad) {
    return yield* act(bad);
  });
  const waits = workflow({ name: "waits", input: z.any() }, function* () {
    return yield* go.wait();
  });
  const o = createOrchestrator({ store: sqlite(join(folder, "onex.db")), nodes: [flow, waits] });
  await (await o.start(flow, true, { runId: "bad" })).result().catch(() => {});
  await (await o.start(flow, false, { runId: "good" })).result();
  await o.start(waits, null, { runId: "waits" });
  await o.start(waits, null, { runId: "later", startAt: Date.UTC(2099, 0, 1) });
  await o.idle();
  await o.close();
  writeFileSync(join(folder, "hello.yaml"), "onex: v1\nkind: workflow\nname: hello\nversion: 1.0.0\nsteps: { a: { set: 1 } }\n");
});
afterAll(() => rmSync(folder, { recursive: true }));

test.each<[string, number, string]>([
  ["pause bad", 1, "RUN_ENDED: run bad has ended: it takes no pause any more"],
  ["pause", 2, "missing required argument 'run'"],
  ["pause waits --reason", 2, "argument missing"],
  ["pause waits --why x", 2, "unknown option '--why'"],
  ["pause waits --store memory:", 1, "RUN_UNKNOWN: there is no run waits: memory: is empty"],
  ["pause waits --store sqlite:none.db", 70, "STORE_MISSING: there is no store at sqlite:none.db"],
  ["resume good", 1, "RUN_ENDED: run good has ended: it takes no resume any more"],
  [
    "resume waits",
    1,
    "RUN_NOT_PAUSED: run waits is not paused, it is waiting: there is nothing to resume (a pause that was just asked for",
  ],
  ["resume waits --retry", 2, "USAGE: --retry settles a step: name it with --step"],
  ["resume waits --step a --retry --fail", 2, "not --retry and --fail"],
  ["fork", 2, "missing required argument 'run'"],
  ["fork good --step act", 2, "unknown option '--step'"],
  ["fork good --from nope", 1, 'FORK_IMPOSSIBLE: run good cannot be forked there: it has no step "nope"; it has "act"'],
  ["fork good --from act --input {", 2, "INPUT_NOT_JSON: --input:1:2"],
  ["fork good --run-id bad", 2, 'RUN_ID_CONFLICT: the run id "bad" is taken by another run'],
  ["fork waits", 1, "RUN_NOT_ENDED: run waits is under way"],
  ["fork good --store memory:", 1, "RUN_UNKNOWN"],
  ["retry good", 1, "FORK_IMPOSSIBLE: run good cannot be forked there: it completed: nothing of it failed"],
  ["retry waits", 1, "RUN_NOT_ENDED: run waits is under way"],
  ["retry bad --input 1", 2, "unknown option '--input'"],
  ["schedules nightly", 2, "too many arguments"],
  ["schedules --store sqlite:none.db", 70, "STORE_MISSING"],
])("onex %s: %i, %s", async (line, code, words) => {
  const { stdout, ...said } = await onex(...line.split(" "));
  expect(said).toMatchObject({ code, stderr: expect.stringContaining(words) });
  expect(stdout).toBe("");
});

test("the same fork or retry twice is the same run", async () => {
  for (const how of [
    ["fork", "good", "--from", "act", "--run-id", "good-2"],
    ["retry", "bad", "--run-id", "bad-2"],
  ]) {
    const first = await onex(...how);
    expect(first).toMatchObject({ code: 0, stdout: `${how.at(-1)}\n` });
    expect(first.stderr).toContain("no process drives the runs of sqlite:onex.db now");
    expect(await onex(...how)).toMatchObject({ code: 0, stdout: `${how.at(-1)}\n` });
  }
});

test("a run that begins later says when", async () => {
  expect((await onex("show", "later")).stdout).toMatch(/status +pending[\s\S]*begins +2099-01-01 00:00:00Z/);
  expect((await onex("show", "waits")).stdout).not.toContain("begins");
  const begun = await onexUntil("it begins at 2099-01-01", "run", "hello.yaml", "--at", "2099-01-01T00:00Z");
  expect(begun).toContain("in a process that drives runs then");
  const { code, stdout } = await onex("run", "hello.yaml", "--at", "2020-01-01T00:00Z");
  expect([code, stdout]).toEqual([0, "1\n"]);
});

test("--help of each command has its arguments, options and an example", async () => {
  for (const [command, ...words] of [
    ["pause", "<run>", "--reason <text>", "onex pause order-7"],
    ["resume", "<run>", "--step <step>", "--output <json>", "onex resume order-7 --step charge-card --retry"],
    ["fork", "<run>", "--from <step>", "--input <json>", "--run-id <id>", "onex fork order-7 --from charge-card"],
    ["retry", "<run>", "--from <step>", "--run-id <id>", "onex retry order-7"],
    ["schedules", "--json", "onex schedules --json"],
    ["run", "--at <time>", "--priority <n>"],
  ] as const) {
    const { code, stdout, stderr } = await onex(command, "--help");
    expect([code, stderr]).toEqual([0, ""]);
    for (const word of words) expect(stdout).toContain(word);
  }
});
