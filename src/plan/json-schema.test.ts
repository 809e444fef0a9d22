import { describe, expect, test } from "vitest";
import type { Json } from "../core/json.ts";
import { check } from "../node/schema.ts";
import { Findings, describe as line, nowhere } from "./finding.ts";
import { Schemas } from "./json-schema.ts";
import { SchemaFiles } from "./schema-files.ts";

function make(schema: Json, files: Record<string, string> = {}) {
  const findings = new Findings("f.yaml");
  const schemas = new Schemas(new SchemaFiles((path) => files[path], findings), findings);
  return { made: schemas.make(schema, "input", nowhere), said: findings.all.map(line) };
}
function verdict(schema: Json, value: Json, files?: Record<string, string>) {
  const { made, said } = make(schema, files);
  return made ? check(made, value, "input") : { refused: said };
}

test.each<[string, Json, Json, unknown]>([
  ["what fits", { type: "object", properties: { a: { type: "string" } } }, { a: "x" }, { value: { a: "x" } }],
  [
    "defaults are filled in",
    { type: "object", properties: { a: { default: 1 }, b: { type: "object", default: {}, properties: { c: { default: [1] } } } } },
    {},
    { value: { a: 1, b: { c: [1] } } },
  ],
  ["what is missing", { type: "object", required: ["a"] }, {}, { problem: "must have required property 'a'" }],
  [
    "where",
    { type: "object", properties: { a: { type: "array", items: { type: "number" } } } },
    { a: [1, "x"] },
    { problem: "a.1: must be number" },
  ],
  [
    "several",
    { type: "object", required: ["a", "b"] },
    {},
    { problem: "must have required property 'a'; must have required property 'b'" },
  ],
  ["more than declared", { type: "object", additionalProperties: false }, { x: 1 }, { problem: 'has a property "x" that is not allowed' }],
  ["one of", { enum: ["a", "b"] }, "c", { problem: 'must be one of "a", "b"' }],
  ["formats", { type: "string", format: "date-time" }, "soon", { problem: 'must match format "date-time"' }],
  ["patterns", { type: "string", pattern: "^a+$" }, "b", { problem: 'must match pattern "^a+$"' }],
  ["prefixItems of 2020-12", { prefixItems: [{ type: "string" }], items: false }, ["a", 1], { problem: "must NOT have more than 1 items" }],
  ["true", true, 1, { value: 1 }],
  [
    "local references",
    { $defs: { n: { type: "number" } }, properties: { a: { $ref: "#/$defs/n" } } },
    { a: "x" },
    { problem: "a: must be number" },
  ],
])("%s", (_, schema, value, expected) => {
  expect(verdict(schema, value)).toEqual(expected);
});

test("what the schema of a subcontract says from its own root is found within it", () => {
  const tree = (reference: string) =>
    `onex: v1\nkind: input-subcontract\nschema:\n  type: object\n  $defs: { name: { type: string } }\n  properties: { name: { $ref: "#/$defs/name" }, child: { $ref: "${reference}" } }\n`;
  const files = { "input.subcontract.yaml": tree("#") };
  const schema = { $ref: "./input.subcontract.yaml#/schema" };
  expect(verdict(schema, { name: "a", child: { name: "b" } }, files)).toHaveProperty("value");
  expect(verdict(schema, { child: { child: { name: 1 } } }, files)).toEqual({ problem: "child.child.name: must be string" });
  expect(make(schema, { "input.subcontract.yaml": tree("#/$defs/other") }).said[0]).toContain("SCHEMA_INVALID");
});

test("the value that was handed in is left as it is", () => {
  const value = {};
  expect(verdict({ properties: { a: { default: 1 } } }, value)).toEqual({ value: { a: 1 } });
  expect(value).toEqual({});
});

test("a pattern that takes others half a minute", () => {
  const began = performance.now();
  expect(verdict({ type: "string", pattern: "^(a+)+$" }, `${"a".repeat(5000)}!`)).toEqual({ problem: 'must match pattern "^(a+)+$"' });
  expect(performance.now() - began).toBeLessThan(60_000);
});

describe("files beside the contract", () => {
  const files = {
    "order.json":
      '{ "$id": "https://example.com/order", "properties": { "line": { "$ref": "parts/line.yaml#/$defs/line" }, "self": { "$ref": "#" } } }',
    "parts/line.yaml": "$defs:\n  line: { type: object, required: [sku], properties: { back: { $ref: ../order.json } } }\n",
    "broken.json": "{",
  };
  test("refer to each other, and to themselves", () => {
    expect(verdict({ $ref: "./order.json" }, { line: { sku: 1, back: { line: {} } } }, files)).toEqual({
      problem: "line.back.line: must have required property 'sku'",
    });
    expect(verdict({ $ref: "./order.json" }, { self: { self: { line: {} } } }, files)).toEqual({
      problem: "self.self.line: must have required property 'sku'",
    });
  });

  test.each([
    ["./nope.json", "$ref: ./nope.json: there is no file nope.json in the contract's folder"],
    ["../up.json", "$ref: ../up.json leaves the contract's folder; copy the schema into it"],
    ["parts/../../up.json", "$ref: parts/../../up.json leaves the contract's folder; copy the schema into it"],
    [
      "/etc/passwd",
      "$ref: /etc/passwd is not a file beside the contract; copy the schema into the contract's folder and write ./name.json",
    ],
    [
      "https://example.com/x.json",
      "$ref: https://example.com/x.json is not a file beside the contract; copy the schema into the contract's folder and write ./name.json",
    ],
  ])("%s", (reference, sentence) => {
    expect(verdict({ $ref: reference }, 1, files)).toEqual({ refused: [`f.yaml SCHEMA_REF_INVALID ${sentence}`] });
  });
  test("that are no JSON", () => {
    expect(make({ $ref: "broken.json" }, files).said[0]).toMatch(/^f.yaml SCHEMA_INVALID broken.json is not JSON: /);
  });
  test("a missing part of one", () => {
    expect(make({ $ref: "order.json#/$defs/gone" }, files).said[0]).toMatch(/SCHEMA_INVALID input is not a JSON Schema/);
  });
});

test("what is no schema", () => {
  expect(make({ type: "objekt" }).said[0]).toMatch(/^f.yaml SCHEMA_INVALID input is not a JSON Schema \(2020-12\): /);
  expect(make({ pattern: "(?=a)" }).said[0]).toMatch(/SCHEMA_INVALID input is not a JSON Schema \(2020-12\): .*linear time/);
});
