/** Contracts of ONEX on the command line, with the built `dist/cli/main.js` where the process is the point. */
import { execFile } from "node:child_process";
import { existsSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, describe, expect, test, vi } from "vitest";
import { check } from "../../src/cli/commands/check.ts";

vi.setConfig({ testTimeout: 120_000 });
const main = fileURLToPath(new URL("../../dist/cli/main.js", import.meta.url));
const nodes = fileURLToPath(new URL("./nodes.ts", import.meta.url));
const shared = fileURLToPath(new URL("../../../shared/contracts/", import.meta.url));
const there = existsSync(shared);
if (!there) console.warn(`${shared} is not there: what runs its contracts is skipped`);

const folder = mkdtempSync(join(tmpdir(), "onex-contracts-"));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

function onex(...args: readonly string[]): Promise<{ readonly code: number; readonly stdout: string; readonly stderr: string }> {
  return new Promise((resolve) => {
    execFile(process.execPath, [main, ...args], { cwd: folder, env: { ...process.env, NO_COLOR: "1" } }, (error, stdout, stderr) =>
      resolve({ code: typeof error?.code === "number" ? error.code : error ? -1 : 0, stdout, stderr }),
    );
  });
}

describe.skipIf(!there)("the shared contracts", () => {
  test("run: the data pipeline", async () => {
    const { code, stdout, stderr } = await onex("run", `${shared}orchestrator_data_pipeline.yaml`, "--nodes", nodes, "--store", "memory:");
    expect(code, stderr).toBe(0);
    expect(JSON.parse(stdout)).toMatchObject({
      steps: { quality_check: { good: true }, send_notification: { sent: "pipeline_completion" } },
      errors: [],
    });
  });
  test("run: the data pipeline again, its reducer a contract too: a state machine needs a trigger", async () => {
    const { code, stderr } = await onex(
      ...["run", `${shared}orchestrator_data_pipeline.yaml`, "--store", "memory:"],
      ...["--nodes", `${shared}reducer_metrics_aggregator.yaml`, "--nodes", nodes],
    );
    // Two reducers of one name and two versions: the newest counts, and it is the contract's.
    expect(code).toBe(1);
    expect(stderr).toContain("aggregate_metrics: failed");
    expect(stderr).toContain("ONEX_NO_TRANSITION: metrics-aggregator: the event has no trigger");
  });
  test.each([
    ["compliance_orchestrator", 3],
    ["compliance_workflow", 2],
    ["node_cross_repo_validation_orchestrator", 3],
    ["orchestrator_data_pipeline", 7],
    ["reducer_metrics_aggregator", 18],
    ["runtime_orchestrator", 13],
  ])("check: %s has %i warnings and no error", async (name, count) => {
    // In this process: what a process says and how it ends is shown below.
    let printed = "";
    const stdout = vi.spyOn(process.stdout, "write").mockImplementation((text) => {
      printed += text;
      return true;
    });
    const stderr = vi.spyOn(process.stderr, "write").mockReturnValue(true);
    const code = await check([`${shared}${name}.yaml`], { format: "github" }).finally(() => {
      stdout.mockRestore();
      stderr.mockRestore();
    });
    expect(code).toBe(0);
    expect(printed.trim().split("\n").length).toBe(count);
    expect(printed).not.toContain("::error");
  });
  test("check with nodes: one that is not there is named at its line", async () => {
    const { code, stdout } = await onex("check", `${shared}runtime_orchestrator.yaml`, "--nodes", nodes);
    expect(code).toBe(65);
    expect(stdout).toMatch(/runtime_orchestrator\.yaml:90:29: error NODE_UNKNOWN: there is no effect "contract-loader"/);
  });
});

test("check: an error is 65, with its place", async () => {
  writeFileSync(join(folder, "bad.yaml"), "node_type: orchestrator\nexecution_graph:\n  nodes:\n    - { node_id: a, node_type: PLUGIN }\n");
  const { code, stdout } = await onex("check", "bad.yaml");
  expect(code).toBe(65);
  expect(stdout).toMatch(
    /^bad\.yaml:4:21: error ONEX_UNSUPPORTED: node_type: "PLUGIN" is none of compute, effect, reducer and orchestrator/,
  );
});

test("--nodes takes of YAML files only the contract of a reducer", async () => {
  writeFileSync(join(folder, "flow.yaml"), "node_type: orchestrator\n");
  const { code, stderr } = await onex("run", "flow.yaml", "--nodes", "flow.yaml", "--store", "memory:");
  expect(code).toBe(65);
  expect(stderr).toContain("MODULE_INVALID: --nodes flow.yaml: name the module that exports the nodes, or the ONEX contract of a reducer");
});
