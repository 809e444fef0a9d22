import { expect, test } from "vitest";
import { kindOfType } from "./names.ts";

test.each([
  ["COMPUTE", "compute"],
  ["EFFECT", "effect"],
  ["REDUCER", "reducer"],
  ["ORCHESTRATOR", "workflow"],
] as const)("the node type %s is a %s, in any case and with _GENERIC", (type, kind) => {
  for (const text of [type, type.toLowerCase(), `${type}_GENERIC`, ` ${type} `]) expect(kindOfType(text)).toBe(kind);
});

test("a type that is known and cannot be called is told from one that is not known", () => {
  expect(kindOfType("PLUGIN")).toBe("custom");
  for (const type of ["effectt", "", "GENERIC", "effect_generic_generic", "constructor", "__proto__"])
    expect(kindOfType(type)).toBeUndefined();
});
