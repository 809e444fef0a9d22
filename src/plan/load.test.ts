import { existsSync, readdirSync } from "node:fs";
import { mkdtemp, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { Registry } from "../node/registry.ts";
import { checkFile, loadWorkflow } from "./load.ts";
import { parseWorkflow } from "./workflow.ts";

const fixtures = new URL("./fixtures/", import.meta.url).pathname;
const minimal = "onex: v1\nkind: workflow\nname: t\nversion: 1.2.3\ntimeout: 1d\nonFailure: stop\n";

async function folder(files: Record<string, string>): Promise<string> {
  const path = await mkdtemp(join(tmpdir(), "onex-plan-"));
  for (const [name, text] of Object.entries(files)) await writeFile(join(path, name), text);
  return path;
}

describe("every fixture", () => {
  test.each(readdirSync(fixtures).filter((name) => name.endsWith(".yaml") && !name.includes(".schema.")))(
    "%s checks clean",
    async (name) => {
      expect(await checkFile(join(fixtures, name))).toEqual([]);
    },
  );
});

const shared = new URL("../../../shared/api/yaml/", import.meta.url).pathname;
describe.skipIf(!existsSync(shared))("the contracts of the grammar (skipped when ../shared is absent)", () => {
  test.each(["1-order", "2-etl", "3-branches", "4-nested", "5-pipeline"])("%s checks clean", async (name) => {
    expect(await checkFile(join(shared, `${name}.yaml`))).toEqual([]);
  });
});

test("a contract is a workflow like any other", async () => {
  const path = await folder({
    "a.yaml": `${minimal}input: { $ref: ./in.json }\nsteps: { a: { set: 1 } }`,
    "in.json": '{ "type": "object", "required": ["x"], "properties": { "y": { "default": 2 } } }',
  });
  const { contract } = await loadWorkflow(join(path, "a.yaml"));
  expect(contract).toMatchObject({
    kind: "workflow",
    name: "t",
    version: "1.2.3",
    timeout: "1d",
    onFailure: "stop",
    plan: { file: join(path, "a.yaml") },
  });
  expect(contract.decodeInput({ x: 1 })).toEqual({ x: 1, y: 2 });
  expect(() => contract.decodeInput({})).toThrow(
    expect.objectContaining({ code: "INPUT_INVALID", message: "workflow t: input: must have required property 'x'" }),
  );
  expect(contract.plan?.signal("x")).toBeUndefined();
  expect(() => contract.plan?.bind(new Registry([]))).not.toThrow();
});

test("its hash changes with its text, with a schema beside it, and with nothing else", async () => {
  const text = `${minimal}input: { $ref: ./in.json }\nsteps: { a: { set: 1 } }`;
  const hash = async (files: Record<string, string>) => (await loadWorkflow(join(await folder(files), "a.yaml"))).contract.plan?.hash;
  const first = await hash({ "a.yaml": text, "in.json": "{}" });
  expect(first).toMatch(/^[0-9a-f]{64}$/);
  expect(await hash({ "a.yaml": text, "in.json": "{}" })).toBe(first);
  expect(await hash({ "a.yaml": `${text}\n`, "in.json": "{}" })).not.toBe(first);
  expect(await hash({ "a.yaml": text, "in.json": '{"type":"object"}' })).not.toBe(first);
});

test("config is checked, filled in and part of the hash", async () => {
  const path = join(
    await folder({
      "a.yaml": `${minimal}config: { type: object, required: [region], properties: { region: { enum: [eu, us] } } }\nsteps: { a: { set: "\${ config.region }" } }`,
    }),
    "a.yaml",
  );
  await expect(loadWorkflow(path)).rejects.toMatchObject({
    code: "CONTRACT_INVALID",
    message: expect.stringContaining("config: must have required property 'region'"),
  });
  expect(await checkFile(path)).toEqual([]);
  expect(await checkFile(path, undefined, { config: {} })).toMatchObject([{ code: "CONFIG_INVALID" }]);
  const eu = await loadWorkflow(path, { config: { region: "eu" } });
  const us = await loadWorkflow(path, { config: { region: "us" } });
  expect(eu.contract.plan?.hash).not.toBe(us.contract.plan?.hash);
});

describe("what cannot be loaded", () => {
  test("no file", async () => {
    await expect(loadWorkflow("/nowhere/a.yaml")).rejects.toMatchObject({
      code: "CONTRACT_NOT_FOUND",
      message: "there is no file /nowhere/a.yaml",
    });
    await expect(checkFile("/nowhere/a.yaml")).rejects.toMatchObject({ code: "CONTRACT_NOT_FOUND" });
  });
  test("a folder", async () => {
    await expect(loadWorkflow(fixtures)).rejects.toMatchObject({
      code: "CONTRACT_NOT_FOUND",
      message: expect.stringMatching(/is a folder; name the contract in it$/),
    });
  });
  test("no text", async () => {
    const path = await mkdtemp(join(tmpdir(), "onex-plan-"));
    await writeFile(join(path, "a.yaml"), Buffer.from([0xff, 0xfe, 0x00]));
    await expect(loadWorkflow(join(path, "a.yaml"))).rejects.toMatchObject({
      code: "CONTRACT_INVALID",
      message: expect.stringMatching(/is not UTF-8 text$/),
    });
  });
  test("several mistakes are one error with all of them", async () => {
    const path = join(await folder({ "a.yaml": `${minimal}steps:\n  a: { compte: x }\n  b: { set: "\${ zzz }" }\n` }), "a.yaml");
    await expect(loadWorkflow(path)).rejects.toMatchObject({
      code: "CONTRACT_INVALID",
      message: `${path} is not a valid contract:\n  ${path}:8:6 PLAN_INVALID the step "a" has no verb; "compte" is not one. Did you mean "compute"?\n  ${path}:9:17 REFERENCE_UNKNOWN there is nothing called "zzz" here. Known here: a, b, input, values, run.`,
      details: [
        { level: "error", code: "PLAN_INVALID", line: 8, column: 6 },
        { level: "error", code: "REFERENCE_UNKNOWN", line: 9, column: 17 },
      ],
    });
  });
  test("a schema behind a link that leads out of the folder", async () => {
    const outside = await folder({ "secret.json": "{}" });
    const path = await folder({ "a.yaml": `${minimal}input: { $ref: ./in.json }\nsteps: { a: { set: 1 } }` });
    await symlink(join(outside, "secret.json"), join(path, "in.json"));
    await expect(loadWorkflow(join(path, "a.yaml"))).rejects.toMatchObject({
      code: "CONTRACT_INVALID",
      message: expect.stringContaining("there is no file in.json in the contract's folder"),
    });
  });
});

test("options that nobody reads, and modes that there are not, are refused", async () => {
  const text = "onex: v1\nkind: workflow\nname: a\nversion: 1.0.0\nsteps: { a: { set: 1 } }";
  const load = (options: object) => parseWorkflow(text, "a.yaml", undefined, options);
  expect(() => load({ mode: "batch" })).toThrow("there is no `mode`; it takes config, executionMode");
  expect(() => load({ executionMode: "fast" })).toThrow(
    'executionMode is "fast": give sequential, parallel, conditional, batch or streaming',
  );
  expect(() => load({ executionMode: "batch" })).toThrow("executionMode is for ONEX contracts, and a.yaml is none");
  expect(() => load({ executionMode: undefined })).not.toThrow();
});
