import { expect, test } from "vitest";
import { parseWorkflow, planWorkflow, restoreFlow, restoreWorkflow } from "./workflow.ts";

const head = "onex: v1\nkind: workflow\nname: w\nversion: 1.0.0\ntimeout: 1h\nsteps:\n";
const stored = (text: string, data = false) => JSON.stringify({ file: "w.yaml", text, schemas: {}, data });

test("what a run is pinned to is read again, with its hash", () => {
  for (const { contract } of [
    parseWorkflow(`${head}  a: { set: 1 }`, "w.yaml"),
    planWorkflow({ onex: "v1", kind: "workflow", name: "w", version: "1.0.0", steps: { a: { set: 1 } } }),
  ]) {
    const again = restoreWorkflow(contract.plan?.definition ?? "").contract;
    expect(again.plan?.hash).toBe(contract.plan?.hash);
    expect(again.plan?.definition).toBe(contract.plan?.definition);
  }
});

test("a check that has learnt more since then keeps no run from going on; what cannot be read does", () => {
  const mistyped = `${head}  a: { set: "\${ 1 + true }" }`;
  expect(() => parseWorkflow(mistyped, "w.yaml")).toThrow(expect.objectContaining({ code: "CONTRACT_INVALID" }));
  expect(restoreWorkflow(stored(mistyped)).contract.name).toBe("w");
  expect(restoreFlow(stored(mistyped)).body.steps.map(({ name }) => name)).toEqual(["a"]);
  for (const unreadable of [`${head}  a: { sett: 1 }`, "{"])
    expect(() => restoreWorkflow(stored(unreadable))).toThrow(expect.objectContaining({ code: "CONTRACT_INVALID" }));
});
