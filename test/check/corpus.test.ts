/**
 * What `onex check` says, and where: contracts that are wrong, each with the findings that it must have, at line and
 * column, and contracts that are right, with none. The expectations stand in the contract, as comments at its end:
 *
 *     # expect error STEP_CYCLE 12:5
 *
 * `# config {"region":"eu"}` is the configuration that it is checked with.
 */
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { describe, expect, test } from "vitest";
import type { Json } from "../../src/core/json.ts";
import { Registry } from "../../src/node/registry.ts";
import { checkFile } from "../../src/plan/load.ts";
import * as nodes from "./nodes.ts";
import * as shop from "./shop-nodes.ts";

const registry = new Registry([...Object.values(nodes), ...Object.values(shop)]);

const shared = fileURLToPath(new URL("../../../shared/", import.meta.url));

function contracts(folder: string): { readonly name: string; readonly file: string; readonly expected: readonly string[] }[] {
  const path = join(import.meta.dirname, folder);
  return readdirSync(path)
    .filter((name) => name.endsWith(".yaml"))
    .map((name) => {
      const file = join(path, name);
      const expected = [...readFileSync(file, "utf8").matchAll(/^# expect (.+)$/gm)].map(([, line = ""]) => line);
      return { name, file, expected };
    });
}

async function found(file: string): Promise<readonly string[]> {
  const [, config] = /^# config (.+)$/m.exec(readFileSync(file, "utf8")) ?? [];
  const findings = await checkFile(file, registry, config === undefined ? {} : { config: JSON.parse(config) as Json });
  return findings.map(({ level, code, line, column }) => `${level} ${code} ${line}:${column}`);
}

describe("a wrong contract", () => {
  test.each(contracts("wrong"))("$name", async ({ file, expected }) => {
    expect(expected.length).toBeGreaterThan(0);
    expect(await found(file)).toEqual(expected);
  });
});

test("every code of a finding about a contract stands in a wrong one", () => {
  const plan = fileURLToPath(new URL("../../src/plan/", import.meta.url));
  const said = new Map<string, string>();
  for (const name of readdirSync(plan, { recursive: true, encoding: "utf8" }).sort()) {
    // A subcontract is no contract of a workflow.
    if (!name.endsWith(".ts") || name.endsWith(".test.ts") || name === "subcontract.ts") continue;
    for (const code of codesIn(readFileSync(join(plan, name), "utf8"))) said.set(code, name);
  }
  expect(said.size, "the scanner finds codes").toBeGreaterThan(30);
  const shown = new Set(contracts("wrong").flatMap(({ expected }) => expected.map((line) => line.split(" ")[1])));
  expect(
    [...said].filter(([code]) => !shown.has(code)),
    "write a contract in test/check/wrong for each",
  ).toEqual([]);
});

/** What a source complains of: `error("CODE"`, `warn("CODE"`, `new CelMistake("CODE"`, or the code of a weakness. */
function codesIn(source: string): string[] {
  return [...source.matchAll(/(?:\b(?:error|warn)\(|\bnew CelMistake\(|\bcode: (?="REFERENCE_))\s*"([A-Z][A-Z_]+)"/g)].map(
    ([, code = ""]) => code,
  );
}

describe.skipIf(!existsSync(shared))("what the contracts of others say today (skipped when ../shared is absent)", () => {
  test.each([
    ["api/yaml/1-order.yaml", []],
    ["api/yaml/2-etl.yaml", []],
    ["api/yaml/3-branches.yaml", []],
    ["api/yaml/4-nested.yaml", []],
    ["api/yaml/5-pipeline.yaml", []],
    ["contracts/compliance_orchestrator.yaml", ["3 warning ONEX_IGNORED"]],
    ["contracts/compliance_workflow.yaml", ["2 warning ONEX_IGNORED"]],
    ["contracts/node_cross_repo_validation_orchestrator.yaml", ["3 warning ONEX_IGNORED"]],
    ["contracts/orchestrator_data_pipeline.yaml", ["7 warning ONEX_IGNORED"]],
    ["contracts/reducer_metrics_aggregator.yaml", ["18 warning ONEX_IGNORED"]],
    ["contracts/runtime_orchestrator.yaml", ["2 warning ONEX_ENVIRONMENT", "11 warning ONEX_IGNORED"]],
  ])("%s", async (name, codes) => {
    const findings = await checkFile(join(shared, name));
    const count = new Map<string, number>();
    for (const { level, code } of findings) count.set(`${level} ${code}`, (count.get(`${level} ${code}`) ?? 0) + 1);
    expect([...count].sort().map(([what, times]) => `${times} ${what}`)).toEqual(codes);
  });
});

describe("a right contract", () => {
  test.each(contracts("right"))("$name", async ({ file, expected }) => {
    expect(expected).toEqual([]);
    expect(await found(file)).toEqual([]);
  });
});
