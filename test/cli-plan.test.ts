/** `onex plan` and `onex graph` as they are built, called in this process: files, the folder of a generated node, and runs. */
import { mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, afterEach, beforeAll, beforeEach, expect, test, vi } from "vitest";
import { z } from "zod";
import { graph } from "../dist/cli/commands/graph.js";
import { plan } from "../dist/cli/commands/plan.js";
import { render } from "../src/cli/new/render.ts";
import { valuesOf } from "../src/cli/new/values.ts";
import { createOrchestrator } from "../src/engine/create.ts";
import { effect } from "../src/node/effect.ts";
import { workflow } from "../src/node/workflow.ts";
import { loadWorkflow } from "../src/plan/load.ts";
import { sqlite } from "../src/store/sqlite/sqlite.ts";

const root = fileURLToPath(new URL("..", import.meta.url));
const folder = mkdtempSync(join(tmpdir(), "onex-plan-"));
const at = (file: string): string => join(folder, file);
const node = "src/acme/nodes/node_shop_order_orchestrator/v1_0_0";
const store = `sqlite:${at("runs.db")}`;
const silent = (): void => {};
const log = { debug: silent, info: silent, warn: silent, error: silent };

function write(path: string, text: string): void {
  mkdirSync(dirname(at(path)), { recursive: true });
  writeFileSync(at(path), text);
}

const contract = (version: string, last: string) =>
  `onex: v1\nkind: workflow\nname: flow\nversion: ${version}\ntimeout: 1d\nsignals: { go: {} }\nsteps:
  a: { effect: act }
  w: { wait: go, needs: [a] }
  ${last}: { effect: act, needs: [w] }\n`;

beforeAll(async () => {
  mkdirSync(at("node_modules"));
  symlinkSync(root, at("node_modules/onex"));
  symlinkSync(join(root, "node_modules/zod"), at("node_modules/zod"));
  write("package.json", JSON.stringify({ type: "module" }));
  const chosen = { project: "acme", domain: "shop", name: "order", version: "1.0.0" };
  for (const { path, text } of render("orchestrator", valuesOf(chosen, "0.1.0"))) write(path, text);
  write("flow.yaml", contract("1.0.0", "b"));
  write("next.yaml", contract("1.1.0", "c"));
  write("code.mjs", "export const nothing = 1;\n");

  const act = effect({ name: "act", input: z.any(), idempotent: true, irreversible: "a list" }, async () => null);
  const code = workflow({ name: "code", input: z.any() }, function* () {
    yield* act({});
    return null;
  });
  const [old, next] = [await loadWorkflow(at("flow.yaml")), await loadWorkflow(at("next.yaml"))];
  const orchestrator = createOrchestrator({ store: sqlite(at("runs.db")), nodes: [old, act, code], log });
  await orchestrator.start(old, {}, { runId: "stays" });
  await orchestrator.start(old, {}, { runId: "moves" });
  await (await orchestrator.start(code, {}, { runId: "coded" })).result();
  await orchestrator.idle();
  await orchestrator.run("moves").migrate(next as never);
  await orchestrator.run("moves").signal("go", null);
  await orchestrator.run("moves").result();
  await orchestrator.close();
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

let out = "";
let said = "";
beforeEach(() => {
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
afterEach(() => {
  vi.restoreAllMocks();
});

const order = `${node}/contracts/order.contract.yaml`;

test.each([node, order, `${node}/manifest.yaml`, `${node}/index.ts`, `${node}/index.ts#order`, "src"])(
  "%s of a generated project means the contract of its node, with its nodes",
  async (target) => {
    expect(await plan(at(target), {})).toBe(0);
    expect(out).toContain("order 1.0.0: 6 steps, at most 16 calls at once, timeout 1d");
    expect(out).toContain("longest way  1h 33s");
    expect(said).toBe("");
    out = "";
    expect(await graph(at(target), {})).toBe(0);
    expect(out).toMatch(/^order 1\.0\.0\n {2}1 {2}price /);
  },
);

test("a plan for programs is one object, and says how many findings there are", async () => {
  await plan(at("flow.yaml"), { json: true });
  expect(JSON.parse(out)).toMatchObject({ file: at("flow.yaml"), name: "flow", unknownNodes: ["act"], findings: expect.any(Number) });
});

test("what has no contract is said", async () => {
  await expect(plan(at("code.mjs"), {})).rejects.toMatchObject({ code: "PLAN_MISSING" });
  await expect(plan(at("none.yaml"), {})).rejects.toMatchObject({ code: "FILE_MISSING" });
  await expect(plan(at(`${node}/index.ts#other`), {})).rejects.toThrow(/no contract of a workflow "other"/);
  write("bad.yaml", "onex: v1\nkind: workflow\nname: bad\nversion: 1.0.0\nsteps: { a: { sett: 1 } }\n");
  await expect(plan(at("bad.yaml"), {})).rejects.toMatchObject({ code: "CONTRACT_INVALID" });
  await expect(graph(at("bad.yaml"), {})).rejects.toMatchObject({ code: "CONTRACT_INVALID" });
});

test("a run is drawn with how far it is, and as the definition that it goes on with", async () => {
  expect(await graph("stays", { store })).toBe(0);
  expect(out).toMatch(/^flow 1\.0\.0 {2}run stays: waiting\n/);
  expect(out).toMatch(/✔ a .*\n.*◷ w .*waiting.*\n.*○ b .*not begun/);
  out = "";
  await graph("moves", { store });
  expect(out).toMatch(/^flow 1\.1\.0 {2}run moves: completed after .*, moved here from 1\.0\.0\n/);
  expect(out).toMatch(/✔ c /);
  expect(out).not.toMatch(/ b /);
  out = "";
  await graph("coded", { store });
  expect(out).toMatch(/^code 1\.0\.0 {2}run coded: completed.*\n {2}1 {2}✔ act {2}effect act {2}completed/);
});

test("a run that is not there, or not where it was looked for", async () => {
  await expect(graph("nobody", { store })).rejects.toThrow(/neither a file nobody nor a run of that id/);
  await expect(graph("nobody", { store, run: true })).rejects.toMatchObject({ code: "RUN_UNKNOWN" });
  await expect(graph("stays", { store: "memory:" })).rejects.toMatchObject({ code: "RUN_UNKNOWN" });
  await expect(graph("stays", { store: `sqlite:${at("none.db")}` })).rejects.toMatchObject({ code: "STORE_MISSING" });
});

test.each([
  ["a.svg", "<svg "],
  ["a.mmd", "flowchart TD\n"],
  ["a.gv", "digraph {\n"],
  ["a.txt", "flow 1.0.0\n"],
])("%s is written as what it is named", async (file, start) => {
  await graph(at("flow.yaml"), { output: at(file) });
  expect(readFileSync(at(file), "utf8").startsWith(start)).toBe(true);
  expect(out).toBe("");
  expect(said).toContain(`written to ${at(file)}`);
});

test("a place that cannot be written to is named", async () => {
  await expect(graph(at("flow.yaml"), { output: at("none/a.svg") })).rejects.toThrow(/none\/a\.svg cannot be written/);
});
