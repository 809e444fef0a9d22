import { expect, test } from "vitest";
import { parseSubcontract } from "./subcontract.ts";

const head = "onex: v1\nkind: input-subcontract\nname: order\nversion: 1.0.0\nmodel: ../models/input.ts#Input\n";

test("a subcontract is read", () => {
  expect(parseSubcontract(`${head}schema: { type: object }\nexamples:\n  - { name: small, data: { id: 1 } }\n`, "input.yaml")).toEqual({
    kind: "input-subcontract",
    name: "order",
    version: "1.0.0",
    model: "../models/input.ts#Input",
    schema: { type: "object" },
    examples: [{ name: "small", data: { id: 1 } }],
  });
  expect(parseSubcontract(`${head}schema: true\n`, "input.yaml").examples).toEqual([]);
});

test.each([
  ["- a list", "1:1 PLAN_INVALID a subcontract is a map"],
  [head, "needs `schema`"],
  [`${head}schema: {}\nexample: []\n`, "7:1 PLAN_INVALID a subcontract has no"],
  [`${head.replace("input-s", "s")}schema: {}\n`, "2:7 PLAN_INVALID kind is"],
  [`${head}schema: {}\nexamples:\n  - { name: small }\n`, "8:5 SUBCONTRACT_INVALID an example needs `data`"],
])("one that is none says where: %j", (text, says) => {
  expect(() => parseSubcontract(text, "input.yaml")).toThrow(says);
});
