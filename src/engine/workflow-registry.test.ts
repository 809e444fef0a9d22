// biome-ignore-all lint/correctness/useYield: a workflow may end at once
import { expect, test } from "vitest";
import { z } from "zod";
import { compute } from "../node/compute.ts";
import { Registry } from "../node/registry.ts";
import { workflow } from "../node/workflow.ts";
import { planWorkflow } from "../plan/workflow.ts";
import { WorkflowRegistry } from "./workflow-registry.ts";

const flow = (version: string) =>
  workflow({ name: "flow", version, input: z.any() }, function* () {
    return version;
  });
const plan = planWorkflow({ onex: "v1", kind: "workflow", name: "plan", version: "1.0.0", steps: { a: { set: 1 } } });
const price = compute({ name: "price", input: z.any() }, () => 1);
const of = (...nodes: ConstructorParameters<typeof Registry>[0]) => new WorkflowRegistry(new Registry(nodes), (text) => `hash of ${text}`);

test("workflows only, and no node of another kind by its name", () => {
  const registry = of(price, plan);
  expect(registry.list().map(({ type }) => type)).toEqual(["plan"]);
  expect(registry.has("price")).toBe(false);
  expect(() => registry.get("price")).toThrow(expect.objectContaining({ code: "WORKFLOW_UNKNOWN" }));
  expect(() => of(price).get("plan")).toThrow(/it holds none/);
});

test("a hash over name, version and text for code, that of the definition for a contract", () => {
  const registry = of(flow("1.0.0"), plan);
  expect(registry.get("flow").hash).toContain("hash of flow\x001.0.0\x00function*");
  expect(registry.get("plan").hash).toBe(plan.contract.plan?.hash);
});

test("a pre-release is not newer than its release", () => {
  const registry = of(flow("2.0.0-beta.1"), flow("2.0.0"), flow("10.0.0"));
  expect(registry.list().map(({ version, latest }) => [version, latest])).toEqual([
    ["10.0.0", true],
    ["2.0.0", false],
    ["2.0.0-beta.1", false],
  ]);
  expect(registry.get("flow", "2").version).toBe("2.0.0");
});
