/** `onex prune` beside a process that drives runs; as it is built, called in this process. */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { PassThrough } from "node:stream";
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { z } from "zod";
import { prune } from "../dist/cli/commands/prune.js";
import { show } from "../dist/cli/commands/show.js";
import type { Orchestrator } from "../src/engine/api.ts";
import { createOrchestrator, signal, sqlite, workflow } from "../src/index.ts";

const silent = (): void => {};
const log = { debug: silent, info: silent, warn: silent, error: silent };
const word = signal({ name: "word", payload: z.any() });
const flow = workflow({ name: "flow", input: z.any() }, function* (input: unknown) {
  if (input === "wait") yield* word.wait();
  if (input === "fail") throw new Error("no");
  return input;
});

let folder = "";
let out = "";
let said = "";
let orchestrator: Orchestrator;
const store = (): string => `sqlite:${join(folder, "test.db")}`;

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "onex-prune-"));
  [out, said] = ["", ""];
  vi.spyOn(process.stdout, "write").mockImplementation((text) => {
    out += text;
    return true;
  });
  vi.spyOn(process.stderr, "write").mockImplementation((text) => {
    said += text;
    return true;
  });
  orchestrator = createOrchestrator({ store: sqlite(join(folder, "test.db")), nodes: [flow], log });
});
afterEach(async () => {
  vi.restoreAllMocks();
  await orchestrator.close();
  rmSync(folder, { recursive: true, force: true });
});

async function ran(...inputs: readonly string[]): Promise<void> {
  for (const [i, input] of inputs.entries()) {
    const run = await orchestrator.start(flow, input, { runId: `${input}-${i}` });
    if (input !== "wait") await run.result().catch(silent);
  }
}
/** So many runs have ended before now: the clocks of two processes are a moment apart. */
async function canGo(runs: number): Promise<void> {
  const look = async () => {
    [out, said] = ["", ""];
    expect(await prune({ olderThan: "0s", dryRun: true, json: true, store: store() }, undefined)).toBe(0);
    expect(JSON.parse(out)).toMatchObject({ runs });
  };
  await vi.waitFor(look, { timeout: 60_000 });
}
const ids = async () => (await orchestrator.list()).map(({ id }) => id).reverse();

test("shows what would go, then removes it, and leaves what is under way to the process that drives it", async () => {
  await ran("ok", "wait", "fail", "ok");
  await canGo(3);
  expect(JSON.parse(out)).toMatchObject({
    runs: 3,
    removed: 0,
    groups: [
      { status: "completed", runs: 2 },
      { status: "failed", runs: 1 },
    ],
  });
  expect(said).toContain("3 runs that ended before");
  [out, said] = ["", ""];
  expect(await prune({ olderThan: "0s", status: "failed", dryRun: true, store: store() }, undefined)).toBe(0);
  expect(out).toMatch(/^WORKFLOW +STATUS +RUNS +FIRST ENDED +LAST ENDED\nflow +failed +1 +\d{4}-/);
  expect(said).toContain("nothing was removed: this was --dry-run");
  expect(await ids()).toEqual(["ok-0", "wait-1", "fail-2", "ok-3"]);
  said = "";
  expect(await prune({ olderThan: "0s", yes: true, limit: "2", store: store() }, undefined)).toBe(0);
  expect(said).toContain("2 of them go now, the oldest first");
  expect(said).toContain("removed 2 runs; 1 run is left, and the same command goes on; until 30d after the end");
  expect(await ids()).toEqual(["wait-1", "ok-3"]);
  expect(await prune({ olderThan: "0s", yes: true, store: store() }, undefined)).toBe(0);
  await orchestrator.run("wait-1").signal(word, null);
  expect(await orchestrator.run("wait-1").result()).toBe("wait");
  await expect(show("ok-0", { store: store() })).rejects.toMatchObject({
    code: "RUN_PRUNED",
    message: expect.stringMatching(/^run "ok-0" of flow@1\.0\.0 ended as completed at .* and was pruned/),
  });
  // The same start is answered, and starts nothing.
  await orchestrator.start(flow, "ok", { runId: "ok-0" });
  expect(await ids()).toEqual(["wait-1"]);
});

test("says so when there is nothing to remove", async () => {
  await ran("ok");
  await canGo(1);
  [out, said] = ["", ""];
  expect(await prune({ olderThan: "1d", store: store() }, undefined)).toBe(0);
  expect(await prune({ olderThan: "0s", workflow: "other", store: store() }, undefined)).toBe(0);
  expect(said).toMatch(/there is no run in sqlite:\S+ that ended before .*\nthere is no such run in /);
  expect(out).toBe("");
});

test("removes nothing where nobody can be asked, and in memory there is nothing", async () => {
  await ran("ok");
  await canGo(1);
  await expect(prune({ olderThan: "0s", store: store() }, undefined)).rejects.toMatchObject({
    code: "USAGE",
    message: expect.stringContaining("1 run for good and there is no terminal to ask at: say --yes, or look with --dry-run"),
  });
  await expect(prune({ olderThan: "0s", store: "memory:" }, undefined)).rejects.toMatchObject({ code: "USAGE" });
  expect(await ids()).toEqual(["ok-0"]);
});

test.each([
  { typed: "\r", code: 0, left: ["ok-0"], says: "nothing was removed" },
  { typed: "no\r", code: 0, left: ["ok-0"], says: "nothing was removed" },
  { typed: "\x03", code: 130, left: ["ok-0"], says: "nothing was removed" },
  { typed: "yes\r", code: 0, left: [], says: "removed 1 run" },
])("at a terminal %j is taken", async ({ typed, code, left, says }) => {
  await ran("ok");
  const [input, output] = [new PassThrough(), new PassThrough()];
  let shown = "";
  output.on("data", (chunk: Buffer) => {
    shown += chunk.toString();
    if (shown.endsWith("remove 1 run for good (no): ") || /\(no\): [^\n]*$/.test(shown)) input.write(typed);
  });
  await canGo(1);
  expect(await prune({ olderThan: "0s", store: store() }, { input, output })).toBe(code);
  expect(said).toContain(says);
  expect(await ids()).toEqual(left);
});
