import {
  chmodSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join, relative } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { z } from "zod";
import { effect } from "../../node/effect.ts";
import { signal } from "../../node/signal.ts";
import { workflow } from "../../node/workflow.ts";
import type { Finding } from "../../plan/finding.ts";
import type { Exported } from "../load.ts";
import { type Manifest, manifestIn } from "../manifest.ts";
import { checkDrift, writeSubcontracts } from "./drift.ts";

let folder = "";
let node = "";
/** What the modules of the node export, by path below its folder. */
let modules: Record<string, Exported> = {};
const importer = async (file: string): Promise<Exported> => modules[relative(node, file)] ?? {};

const input = z.object({ id: z.string().min(1), count: z.number().default(1), size: z.enum(["s", "m"]).optional() });
const output = z.object({ total: z.number().default(0) });
const config = z.object({ retries: z.int().min(0).max(9).optional() });
const approval = signal({ name: "approval", payload: z.object({ by: z.string() }) });
const pay = effect({ name: "pay", input: z.object({}), readonly: true }, async () => ({}));
const order = workflow({ name: "order", version: "1.0.0", input }, function* () {
  yield* approval.wait();
  return yield* pay({});
});

const schema = (lines: string) => lines.replace(/^/gm, "  ");
const inputSchema = `type: object
properties:
  id: { type: string, minLength: 1 }
  count: { default: 1, type: number }
  size: { type: string, enum: [s, m] }
required: [id]`;
const subcontract = (kind: string, model: string, lines: string, examples = "") =>
  `# yaml-language-server: $schema=../schema.json
onex: v1
kind: ${kind}-subcontract
name: order
version: 1.0.0
model: ${model}
schema:
${schema(lines)}
${examples}`;
const examples = `examples:
  - name: small # kept
    data: { id: a }
`;
const contract = `onex: v1
kind: workflow
name: order
version: 1.0.0
timeout: 1h
input: { $ref: ./input.subcontract.yaml#/schema }
signals:
  approval: { type: object, properties: { by: { type: string } }, required: [by] }
steps:
  answer: { wait: approval }
`;
const entry = `import { effect, signal, workflow } from "onex";
const approval = signal({ name: "approval", payload: {} });
function* ask() { return yield* approval.wait(); }
export const order = workflow({ name: "order" }, function* () { yield* ask(); });
`;

function write(path: string, text: string): string {
  const file = join(node, path);
  mkdirSync(dirname(file), { recursive: true });
  writeFileSync(file, text);
  return file;
}
const read = (path: string) => readFileSync(join(node, path), "utf8");

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "onex-drift-"));
  node = join(folder, "project/src/node");
  mkdirSync(node, { recursive: true });
  writeFileSync(join(folder, "project/package.json"), "{}");
  write(
    "manifest.yaml",
    "onex: v1\nkind: orchestrator\nname: order\ndomain: shop\nversion: 1.0.0\nentry: index.ts\ncontracts: [contracts/order.contract.yaml]\n",
  );
  write("index.ts", entry);
  for (const path of ["models/input.ts", "models/output.ts", "config.ts"]) write(path, "");
  write("contracts/order.contract.yaml", contract);
  write("contracts/input.subcontract.yaml", subcontract("input", "../models/input.ts#Input", inputSchema, examples));
  write(
    "contracts/output.subcontract.yaml",
    subcontract(
      "output",
      "../models/output.ts#Output",
      "additionalProperties: false\nrequired: [total]\nproperties: { total: { type: number, default: 0 } }\ntype: object",
    ),
  );
  write(
    "contracts/config.subcontract.yaml",
    subcontract("config", "../config.ts#Config", "type: object\nproperties: { retries: { type: integer, minimum: 0, maximum: 9 } }"),
  );
  modules = {
    "models/input.ts": { Input: input },
    "models/output.ts": { Output: output },
    "config.ts": { Config: config },
    "index.ts": { order, approval },
  };
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

const manifest = (): Manifest => manifestIn(node) as Manifest;
async function found(): Promise<string[]> {
  return (await checkDrift(manifest(), importer)).map(shown);
}
function shown({ file, line, column, code, message }: Finding): string {
  return `${relative(join(node, "contracts"), file)}:${line}:${column} ${code} ${message.replace(/; `onex schema .*/, "")}`;
}
function edit(path: string, from: string, to: string): void {
  const text = read(path);
  expect(text).toContain(from);
  write(path, text.replace(from, to));
}
const inputFile = "contracts/input.subcontract.yaml";
const contractFile = "contracts/order.contract.yaml";

test("contracts that say what the code says: nothing, in whatever order", async () => {
  expect(await found()).toEqual([]);
});

describe("a subcontract that drifted", () => {
  test.each([
    [
      "another type",
      "type: string, minLength",
      "type: number, minLength",
      '10:17 SUBCONTRACT_DRIFT schema.properties.id.type is "number" here, and "string" in ../models/input.ts#Input',
    ],
    [
      "another bound",
      "minLength: 1",
      "minLength: 2",
      "10:36 SUBCONTRACT_DRIFT schema.properties.id.minLength is 2 here, and 1 in ../models/input.ts#Input",
    ],
    [
      "a missing bound",
      ", minLength: 1",
      "",
      "10:5 SUBCONTRACT_DRIFT schema.properties.id.minLength is missing: it is in ../models/input.ts#Input (1)",
    ],
    [
      "an extra property",
      "    size:",
      "    extra: { type: string }\n    size:",
      "12:5 SUBCONTRACT_DRIFT schema.properties.extra is not in ../models/input.ts#Input",
    ],
    [
      "a missing property",
      "    count: { default: 1, type: number }\n",
      "",
      "9:3 SUBCONTRACT_DRIFT schema.properties.count is missing: it is in ../models/input.ts#Input",
    ],
    [
      "not required any more",
      "required: [id]",
      "required: []",
      '13:3 SUBCONTRACT_DRIFT schema.required has no "id", which is in ../models/input.ts#Input',
    ],
    [
      "required now",
      "required: [id]",
      "required: [size, id]",
      '13:14 SUBCONTRACT_DRIFT schema.required has "size", which is not in ../models/input.ts#Input',
    ],
    [
      "another choice",
      "[s, m]",
      "[m, s, l]",
      '12:40 SUBCONTRACT_DRIFT schema.properties.size.enum has "l", which is not in ../models/input.ts#Input',
    ],
    [
      "another default",
      "default: 1",
      "default: 2",
      "11:23 SUBCONTRACT_DRIFT schema.properties.count.default is 2 here, and 1 in ../models/input.ts#Input",
    ],
  ])("%s", async (_, from, to, expected) => {
    edit(inputFile, from, to);
    expect((await found()).filter((line) => line.includes("_DRIFT"))).toEqual([`input.subcontract.yaml:${expected}`]);
  });

  test("says what writes it anew", async () => {
    edit(inputFile, "minLength: 1", "minLength: 2");
    expect((await checkDrift(manifest(), importer))[0]?.message).toMatch(/; `onex schema .*node --write` writes it anew$/);
  });

  test("of the output is compared with what comes out of the model", async () => {
    edit("contracts/output.subcontract.yaml", "  required: [total]\n", "");
    expect(await found()).toEqual([
      'output.subcontract.yaml:7:1 SUBCONTRACT_DRIFT schema.required is missing: it is in ../models/output.ts#Output (["total"])',
    ]);
  });

  test("in hundreds of places is cut", async () => {
    modules["models/input.ts"] = { Input: z.object(Object.fromEntries(Array.from({ length: 50 }, (_, i) => [`p${i}`, z.string()]))) };
    const drift = (await found()).filter((line) => line.includes("SUBCONTRACT_DRIFT"));
    expect(drift).toHaveLength(21);
    expect(drift.some((line) => / more differences$/.test(line))).toBe(true);
  });
});

describe("a subcontract with another fault", () => {
  test.each([
    ["another name", "name: order", "name: orders", '4:7 MANIFEST_MISMATCH name is "orders" here, and "order" in '],
    ["another version", "version: 1.0.0", "version: 1.0.1", '5:10 MANIFEST_MISMATCH version is "1.0.1" here, and "1.0.0" in '],
    [
      "no such export",
      "#Input",
      "#Inputt",
      '6:8 SUBCONTRACT_INVALID model: ../models/input.ts exports no "Inputt"; it exports Input. Did you mean "Input"?',
    ],
    ["no such module", "models/input.ts#", "models/inputs.ts#", "6:8 SUBCONTRACT_INVALID model: there is no file "],
    [
      "out of the project",
      "../models/",
      "../../../../models/",
      "6:8 SUBCONTRACT_INVALID model: ../../../../models/input.ts leads out of the project",
    ],
    [
      "an absolute path",
      "../models/",
      "/models/",
      '6:8 SUBCONTRACT_INVALID model: "/models/input.ts" must be a path relative to this file',
    ],
    ["a URL", "../models/input.ts", "data:text/javascript,1", '6:8 SUBCONTRACT_INVALID model: "data:text/javascript,1" must be a path'],
    ["no export", "#Input", "", '6:8 SUBCONTRACT_INVALID model: "../models/input.ts" is no model; write MODULE#EXPORT'],
    ["an unknown kind", "input-subcontract", "input", "3:7 PLAN_INVALID kind is "],
    ["an unknown key", "onex: v1", "onex: v1\nmodell: x", '3:1 PLAN_INVALID a subcontract has no "modell". Did you mean "model"?'],
    [
      "an example that the schema refuses",
      "data: { id: a }",
      "data: { id: 1 }",
      '16:11 EXAMPLE_INVALID the example "small" does not fit the schema: id: must be string',
    ],
  ])("%s", async (_, from, to, expected) => {
    edit(inputFile, from, to);
    const lines = (await found()).filter((line) => line.startsWith("input.sub"));
    expect(lines).toHaveLength(1);
    expect(lines[0]).toContain(`input.subcontract.yaml:${expected}`);
  });

  test("a model that is no schema, or describes nothing", async () => {
    modules["models/input.ts"] = { Input: { parse: () => 1 } };
    expect((await found())[0]).toContain("6:8 SUBCONTRACT_INVALID model: Input of ../models/input.ts is no schema of Standard Schema");
    modules["models/input.ts"] = { Input: z.object({ at: z.date() }) };
    expect((await found())[0]).toContain("6:8 SUBCONTRACT_INVALID model: ../models/input.ts#Input: it has no JSON Schema: ");
    modules["models/input.ts"] = { Input: { "~standard": { version: 1, vendor: "x", validate: (value: unknown) => ({ value }) } } };
    expect((await found())[0]).toContain("it does not describe itself as JSON Schema");
  });

  test("an example that only the model refuses", async () => {
    modules["models/input.ts"] = { Input: input.refine(({ id }) => id !== "a", "not a") };
    expect(await found()).toEqual(['input.subcontract.yaml:16:11 EXAMPLE_INVALID the example "small" does not fit the model: not a']);
  });

  test("a model behind a link that leads out of the project", async () => {
    mkdirSync(join(folder, "elsewhere"));
    writeFileSync(join(folder, "elsewhere/input.ts"), "");
    symlinkSync(join(folder, "elsewhere"), join(node, "linked"));
    edit(inputFile, "../models/", "../linked/");
    expect((await found())[0]).toContain("../linked/input.ts is a link that leads out of the project");
  });
});

describe("a contract and its workflow in code", () => {
  test("in another version", async () => {
    edit(contractFile, "version: 1.0.0", "version: 1.2.0");
    expect((await found())[0]).toMatch(
      /^order\.contract\.yaml:4:10 CONTRACT_DRIFT version is "1\.2\.0" here, and .*index\.ts has the workflow "order" in 1\.0\.0/,
    );
  });

  test("under another name", async () => {
    edit(contractFile, "name: order", "name: orders");
    const findings = await checkDrift(manifest(), importer);
    expect(findings.map(({ level, code, line, column }) => [level, code, line, column])).toEqual([["warning", "CONTRACT_DRIFT", 3, 7]]);
    expect(findings[0]?.message).toContain('exports no workflow "orders"; it has order. Did you mean "order"?');
  });

  test("with another input, in the contract itself", async () => {
    edit(
      contractFile,
      "{ $ref: ./input.subcontract.yaml#/schema }",
      "{ type: object, properties: { id: { type: number, minLength: 1 } }, required: [id] }",
    );
    expect(await found()).toEqual([
      'order.contract.yaml:6:24 CONTRACT_DRIFT input.properties.count is missing: it is in the workflow "order" in code',
      'order.contract.yaml:6:24 CONTRACT_DRIFT input.properties.size is missing: it is in the workflow "order" in code',
      'order.contract.yaml:6:50 CONTRACT_DRIFT input.properties.id.type is "number" here, and "string" in the workflow "order" in code',
    ]);
  });

  test("with another input than the subcontract that it refers to", async () => {
    modules["index.ts"] = {
      approval,
      order: workflow({ name: "order", input: z.object({ id: z.string().min(1) }) }, function* () {
        return yield* pay({});
      }),
    };
    expect(await found()).toEqual([
      'order.contract.yaml:6:8 CONTRACT_DRIFT `input` is not that of the workflow "order" in code: properties.count is not in the workflow "order" in code; properties.size is not in the workflow "order" in code',
    ]);
  });

  test("what drifted in the subcontract is not said again", async () => {
    edit(inputFile, "default: 1", "default: 2");
    expect(await found()).toHaveLength(1);
  });

  test("with no input in the contract", async () => {
    edit(contractFile, "input: { $ref: ./input.subcontract.yaml#/schema }\n", "");
    expect((await found())[0]).toContain('CONTRACT_DRIFT the contract says no `input`, and the workflow "order" in code has one');
  });

  test("with other signals", async () => {
    edit(contractFile, "  approval: {", "  approvals: {");
    edit(contractFile, "wait: approval", "wait: approvals");
    expect(await found()).toEqual([
      'order.contract.yaml:1:1 CONTRACT_DRIFT the workflow "order" in code waits for the signal "approval", which `signals` does not declare',
      'order.contract.yaml:8:14 CONTRACT_DRIFT the signal "approvals" is declared here, and the workflow "order" in code waits for no signal of that name. Did you mean "approval"?',
    ]);
  });

  test("with a signal of another payload", async () => {
    edit(contractFile, "{ by: { type: string } }", "{ by: { type: number } }");
    expect((await found())[0]).toContain(
      'CONTRACT_DRIFT `signals.approval` is not that of the signal "approval" in code: properties.by.type is "number" here',
    );
  });

  test("a workflow whose signals the text does not tell is left alone", async () => {
    write("index.ts", entry.replace('name: "approval"', "name: process.env.X"));
    edit(contractFile, "wait: approval", "wait: approval");
    expect(await found()).toEqual([]);
  });
});

test("a file that no one lists, and one that is not there", async () => {
  write("contracts/old.contract.yaml", contract);
  write("contracts/shared.yaml", "type: object");
  edit(contractFile, "timeout: 1h", "timeout: 1h\nconfig: { $ref: ./shared.yaml }");
  const listed = { ...manifest(), contracts: [join(node, contractFile), join(node, "contracts/gone.yaml")] };
  expect((await checkDrift(listed, importer)).map(({ code, file }) => [code, relative(node, file)])).toEqual([
    ["MANIFEST_INVALID", "manifest.yaml"],
    ["CONTRACT_UNLISTED", "contracts/old.contract.yaml"],
  ]);
});

describe("writing anew", () => {
  test("nothing where nothing drifted", async () => {
    const before = read(inputFile);
    expect(await writeSubcontracts(node, importer)).toEqual([]);
    expect(read(inputFile)).toBe(before);
  });

  test("what drifted, in its usual order, with comments and examples", async () => {
    write(
      inputFile,
      "# yaml-language-server: $schema=../schema.json\nkind: input-subcontract\nonex: v1\nversion: 0.9.0\nname: order\nexamples:\n  - name: small # kept\n    data: { id: a }\nmodel: ../models/input.ts#Input\n",
    );
    chmodSync(join(node, inputFile), 0o640);
    expect(await writeSubcontracts(join(folder, "project"), importer)).toEqual([join(node, inputFile)]);
    expect(read(inputFile)).toBe(`# yaml-language-server: $schema=../schema.json
onex: v1
kind: input-subcontract
name: order
version: 1.0.0
model: ../models/input.ts#Input
schema:
  $schema: https://json-schema.org/draft/2020-12/schema
  type: object
  properties:
    id:
      type: string
      minLength: 1
    count:
      default: 1
      type: number
    size:
      type: string
      enum:
        - s
        - m
  required:
    - id
examples:
  - name: small # kept
    data: { id: a }
`);
    expect(statSync(join(node, inputFile)).mode & 0o777).toBe(0o640);
    expect(readdirSync(join(node, "contracts"))).toHaveLength(4);
    expect(await found()).toEqual([]);
    expect(await writeSubcontracts(node, importer)).toEqual([]);
  });

  test("all or nothing", async () => {
    edit(inputFile, "minLength: 1", "minLength: 2");
    edit("contracts/output.subcontract.yaml", "#Output", "#Gone");
    const before = read(inputFile);
    await expect(writeSubcontracts(node, importer)).rejects.toThrow(
      /output\.subcontract\.yaml:6:8 SUBCONTRACT_INVALID model: .* exports no "Gone"/,
    );
    expect(read(inputFile)).toBe(before);
  });

  test("not through a link", async () => {
    const target = join(folder, "target.yaml");
    writeFileSync(target, read(inputFile).replace("minLength: 1", "minLength: 2"));
    rmSync(join(node, inputFile));
    symlinkSync(target, join(node, inputFile));
    await expect(writeSubcontracts(node, importer)).rejects.toThrow(/SUBCONTRACT_INVALID the file is a link/);
    expect(readFileSync(target, "utf8")).toContain("minLength: 2");
  });

  test("nor into a folder that is one", async () => {
    const target = join(folder, "elsewhere");
    edit(inputFile, "minLength: 1", "minLength: 2");
    renameSync(join(node, "contracts"), target);
    symlinkSync(target, join(node, "contracts"));
    await expect(writeSubcontracts(node, importer)).rejects.toThrow(/SUBCONTRACT_INVALID the folder is a link/);
    expect(readFileSync(join(target, "input.subcontract.yaml"), "utf8")).toContain("minLength: 2");
  });
});
