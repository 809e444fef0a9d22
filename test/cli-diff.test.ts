/** `onex diff` and `onex migrate` beside a process that drives the runs; both as they are built, called in this process. */
import { mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { z } from "zod";
import { diff } from "../dist/cli/commands/diff.js";
import { migrate } from "../dist/cli/commands/migrate.js";
import type { Orchestrator } from "../src/engine/api.ts";
import { createOrchestrator } from "../src/engine/create.ts";
import type { AnyNode } from "../src/node/contract.ts";
import { effect } from "../src/node/effect.ts";
import { loadWorkflow } from "../src/plan/load.ts";
import { sqlite } from "../src/store/sqlite/sqlite.ts";

const root = fileURLToPath(new URL("..", import.meta.url));
const act = effect({ name: "act", input: z.any(), idempotent: true, irreversible: "a list" }, async () => null);
const silent = (): void => {};
const log = { debug: silent, info: silent, warn: silent, error: silent };

let folder = "";
let out = "";
let said = "";
let orchestrator: Orchestrator | undefined;
const at = (file: string): string => join(folder, file);

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "onex-diff-"));
  mkdirSync(at("node_modules"));
  symlinkSync(root, at("node_modules/onex"));
  writeFileSync(
    at("nodes.mjs"),
    `import { effect } from "onex";
const any = { "~standard": { version: 1, vendor: "t", validate: (value) => ({ value }) } };
export const act = effect({ name: "act", input: any, idempotent: true, irreversible: "a list" }, async () => null);\n`,
  );
  contract("old", "1.0.0", "a", "b");
  contract("tail", "1.1.0", "a", "c");
  contract("head", "1.2.0", "x", "b");
  [out, said] = ["", ""];
  vi.spyOn(process.stdout, "write").mockImplementation((text) => {
    out += text;
    return true;
  });
  vi.spyOn(process.stderr, "write").mockImplementation((text) => {
    said += text;
    return true;
  });
});
afterEach(async () => {
  vi.restoreAllMocks();
  await orchestrator?.close();
  orchestrator = undefined;
  rmSync(folder, { recursive: true, force: true });
});

function contract(name: string, version: string, first: string, second: string): void {
  const steps = `  ${first}: { effect: act }\n  w: { wait: go, needs: [${first}] }\n  ${second}: { effect: act, needs: [w] }\n`;
  writeFileSync(
    at(`${name}.yaml`),
    `onex: v1\nkind: workflow\nname: flow\nversion: ${version}\ntimeout: 1d\nsignals: { go: {} }\nsteps:\n${steps}`,
  );
}
const where = () => ({ nodes: [at("nodes.mjs")], store: `sqlite:${at("test.db")}` });

/** Runs of old.yaml that wait. */
async function waiting(...ids: readonly string[]): Promise<void> {
  const old = await loadWorkflow(at("old.yaml"));
  const made = createOrchestrator({ store: sqlite(at("test.db")), nodes: [old, act] as readonly AnyNode[], log });
  orchestrator = made;
  for (const runId of ids) await made.start(old as never, {} as never, { runId });
  await made.idle();
}

test("runs under way are judged, moved and told apart, beside the process that drives them", async () => {
  await waiting("r1", "r2");
  expect(await diff(at("old.yaml"), at("head.yaml"), where())).toBe(0);
  expect(out).toContain("~ step a: renamed to x");
  expect(out).toContain("2 must finish on the definition that they have");
  expect(out).toMatch(/step "a" was done \(action.dispatched\)/);
  out = "";

  expect(await migrate(at("old.yaml"), at("tail.yaml"), { ...where(), dryRun: true })).toBe(0);
  expect(out).toContain("2 safe to move");
  expect((await orchestrator?.run("r1").status())?.version).toBe("1.0.0");
  out = "";

  expect(await migrate(at("old.yaml"), at("tail.yaml"), { ...where(), run: ["r1"], json: true })).toBe(0);
  expect(JSON.parse(out)).toMatchObject({ safe: ["r1"], asked: ["r1"], moved: ["r1"], refused: [], waiting: [] });
  expect((await orchestrator?.run("r1").status())?.version).toBe("1.1.0");
  out = "";

  await diff(at("old.yaml"), at("tail.yaml"), { ...where(), json: true });
  expect(JSON.parse(out).runs).toEqual({
    old: { safe: ["r2"], finish: [], decide: [] },
    other: { safe: [], finish: [], decide: [] },
    moved: ["r1"],
  });
  out = "";
  // Pinned to a definition that is neither: it is found in the store.
  await diff(at("old.yaml"), at("head.yaml"), { ...where(), json: true });
  expect(JSON.parse(out).runs).toMatchObject({ old: { finish: [{ ids: ["r2"] }] }, other: { finish: [{ ids: ["r1"] }] } });

  await orchestrator?.run("r1").signal("go", null);
  await orchestrator?.run("r1").result();
  await expect(migrate(at("old.yaml"), at("tail.yaml"), { ...where(), run: ["r1"] })).rejects.toMatchObject({ code: "RUN_ENDED" });
});

test("without a process that drives them, the message waits, and the command says so", async () => {
  await waiting("r1");
  await orchestrator?.close();
  expect(await migrate(at("old.yaml"), at("tail.yaml"), where())).toBe(0);
  expect(out).toContain("asked, and not answered yet: 1");
  expect(said).toContain("no process drives the runs");
  await waiting();
  await orchestrator?.idle();
  expect((await orchestrator?.run("r1").status())?.version).toBe("1.1.0");
});

test("each fate says what to do, and one definition moves nothing to itself", async () => {
  await waiting("r1", "r2", "r3", "r4");
  contract("late", "1.3.0", "a", "b");
  writeFileSync(at("late.yaml"), `${readFileSync(at("late.yaml"), "utf8")}  audit: { effect: act, needs: [a] }\n`);
  expect(await migrate(at("old.yaml"), at("late.yaml"), where())).toBe(0);
  expect(out).toContain("4 need a decision");
  for (const command of [/^ {2}onex show r\d --store /m, /^ {2}onex cancel r\d --store /m, /^ {2}onex run .*late\.yaml --nodes /m])
    expect(said).toMatch(command);
  expect(said).toContain("--json lists every run");
  said = "";
  await diff(at("old.yaml"), at("head.yaml"), where());
  expect(said).toContain("must finish: nothing is to be done");
  [out, said] = ["", ""];
  expect(await migrate(at("old.yaml"), at("old.yaml"), where())).toBe(0);
  expect(said).toContain("are the same definition; nothing can be moved");
  expect(out).toContain("old.yaml already: 4");
});

test("what the process that drives them lacks is said once, with what to start", async () => {
  await waiting("r1", "r2");
  writeFileSync(
    at("more.mjs"),
    `import { effect } from "onex";
export { act } from "./nodes.mjs";
const any = { "~standard": { version: 1, vendor: "t", validate: (value) => ({ value }) } };
export const fresh = effect({ name: "fresh", input: any, idempotent: true, irreversible: "a list" }, async () => null);\n`,
  );
  contract("lacking", "1.4.0", "a", "b");
  writeFileSync(at("lacking.yaml"), readFileSync(at("lacking.yaml"), "utf8").replace("b: { effect: act", "b: { effect: fresh"));
  expect(await migrate(at("old.yaml"), at("lacking.yaml"), { ...where(), nodes: [at("more.mjs")] })).toBe(1);
  expect(out.match(/NODE_UNKNOWN/g)).toHaveLength(1);
  expect(out).toMatch(/not moved: 2: r\d, r\d\n/);
  expect(said).toMatch(/it lacks what the new definition calls.*\n {2}onex work .*lacking\.yaml --nodes .*more\.mjs/);
});

test("Ctrl-C: nobody is asked any more", async () => {
  await waiting("r1", "r2");
  await orchestrator?.close();
  const before = process.listenerCount("SIGINT");
  const press = (event: string | symbol) => {
    if (event === "SIGINT") queueMicrotask(() => process.emit("SIGINT"));
  };
  process.once("newListener", press);
  expect(await migrate(at("old.yaml"), at("tail.yaml"), where())).toBe(130);
  expect(said).toContain("stopped: no run was asked");
  expect(process.listenerCount("SIGINT")).toBe(before);
  await waiting();
  await orchestrator?.idle();
  expect((await orchestrator?.run("r1").status())?.version).toBe("1.0.0");
});

test("what is typed wrong is said", async () => {
  writeFileSync(at("other.yaml"), "onex: v1\nkind: workflow\nname: other\nversion: 1.0.0\ntimeout: 1d\nsteps:\n  a: { set: 1 }\n");
  await expect(migrate(at("old.yaml"), at("other.yaml"), where())).rejects.toMatchObject({ code: "MIGRATION_INVALID" });
  await expect(migrate(at("old.yaml"), at("tail.yaml"), { store: where().store })).rejects.toThrow(/--nodes/);
  await expect(migrate(at("old.yaml"), at("tail.yaml"), { ...where(), store: "memory:" })).rejects.toMatchObject({ code: "USAGE" });
  await expect(diff(at("old.yaml"), at("nodes.mjs"), {})).rejects.toMatchObject({ code: "WORKFLOW_UNKNOWN" });
  expect(await diff(at("old.yaml"), at("old.yaml"), { exitCode: true })).toBe(0);
  expect(said).toContain("no difference in meaning");
  expect(await diff(at("old.yaml"), at("tail.yaml"), { exitCode: true })).toBe(1);
});

test("nodes of two modules are compared by their contracts", async () => {
  const more = `import { effect } from "onex";
const any = { "~standard": { version: 1, vendor: "t", validate: (value) => ({ value }) } };
export const act = effect({ name: "act", input: any, idempotent: true, timeout: "20s", irreversible: "a list" }, async () => null);
export const look = effect({ name: "look", input: any, readonly: true }, async () => null);\n`;
  writeFileSync(at("more.mjs"), more);
  expect(await diff(at("nodes.mjs"), at("more.mjs"), {})).toBe(0);
  expect(out.trim().split("\n")).toEqual(["~ effect act: timeout none → 20s  [runs under way]", "+ effect look: 1.0.0  [nobody]"]);
  expect(said).toContain("no steps to compare");
});
