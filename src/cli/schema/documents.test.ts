import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { Ajv } from "ajv";
import { Ajv2020 } from "ajv/dist/2020.js";
import { afterAll, describe, expect, test } from "vitest";
import { stringify } from "yaml";
import { manifestIn } from "../manifest.ts";
import { documents, schemaText } from "./documents.ts";

const root = fileURLToPath(new URL("../../..", import.meta.url));
const names = Object.keys(documents) as (keyof typeof documents)[];
const folder = mkdtempSync(join(tmpdir(), "onex-documents-"));
afterAll(() => rmSync(folder, { recursive: true }));

/** Whether a document fits, by the editors' draft and by the newest. */
function takes(name: keyof typeof documents, data: unknown): boolean {
  const { $schema: _, ...bare } = documents[name];
  const options = { strict: true, strictTypes: false, strictRequired: false } as const;
  const answers = [new Ajv(options).validate(documents[name], data), new Ajv2020(options).validate(bare, data)];
  expect(answers[0]).toBe(answers[1]);
  return answers[0] === true;
}
const renamed = (data: object, from: string, to: string) =>
  Object.fromEntries(Object.entries(data).map(([key, value]) => [key === from ? to : key, value]));

test.each(names)("schemas/%s.schema.json is what the code says: node scripts/schemas.js writes it", (name) => {
  expect(readFileSync(join(root, `schemas/${name}.schema.json`), "utf8")).toBe(schemaText(name));
});

describe("a manifest", () => {
  const manifest = {
    onex: "v1",
    kind: "orchestrator",
    name: "order",
    domain: "shop",
    version: "1.0.0",
    entry: "index.ts",
    contracts: ["c.yaml"],
  };
  const read = (data: object): boolean => {
    mkdirSync(folder, { recursive: true });
    for (const file of ["index.ts", "c.yaml"]) writeFileSync(join(folder, file), "");
    writeFileSync(join(folder, "manifest.yaml"), stringify(data));
    try {
      return manifestIn(folder) !== undefined;
    } catch {
      return false;
    }
  };

  test("fits where it can be read", () => {
    for (const kind of ["orchestrator", "compute", "effect", "reducer"]) {
      expect([takes("manifest", { ...manifest, kind }), read({ ...manifest, kind })]).toEqual([true, true]);
    }
  });
  test.each(Object.keys(manifest))("does not fit where %s is mistyped or missing, as it cannot be read there", (key) => {
    const mistyped = renamed(manifest, key, `${key}x`);
    expect([takes("manifest", mistyped), read(mistyped)]).toEqual([false, false]);
    const { [key]: _, ...without } = manifest as Record<string, unknown>;
    expect(takes("manifest", without)).toBe(read(without));
  });
  test.each(Object.keys(manifest))("does not fit where %s is a number", (key) => {
    expect([takes("manifest", { ...manifest, [key]: 7 }), read({ ...manifest, [key]: 7 })]).toEqual([false, false]);
  });
});

describe("a subcontract", () => {
  const subcontract = {
    onex: "v1",
    kind: "input-subcontract",
    name: "order",
    version: "1.0.0",
    model: "../models/input.ts#Input",
    schema: { type: "object" },
    examples: [{ name: "small", data: { amount: 1 } }],
  };
  test("fits, with or without examples", () => {
    expect(takes("subcontract", subcontract)).toBe(true);
    const { examples: _, ...without } = subcontract;
    expect(takes("subcontract", without)).toBe(true);
  });
  test.each(Object.keys(subcontract))("does not fit where %s is mistyped", (key) => {
    expect(takes("subcontract", renamed(subcontract, key, `${key}x`))).toBe(false);
  });
  test.each([
    ["kind", "input"],
    ["model", "models/input.ts"],
    ["model", "/models/input.ts#Input"],
    ["version", "1"],
    ["schema", "object"],
    ["examples", [{ data: 1 }]],
    ["examples", [{ name: "a", data: 1, note: "" }]],
  ])("does not fit where %s is %j", (key, value) => {
    expect(takes("subcontract", { ...subcontract, [key]: value })).toBe(false);
  });
});
