import { expect, test } from "vitest";
import { z } from "zod";
import { workflow } from "../../node/workflow.ts";
import { planWorkflow } from "../../plan/workflow.ts";
import { checkNodes } from "./nodes.ts";

const codes = (...nodes: Parameters<typeof checkNodes>[1]) => checkNodes("none.ts", nodes).map(({ level, code }) => `${level} ${code}`);
const input = z.object({});

test("a workflow in code that has no timeout is told of; a contract tells of itself", () => {
  expect(codes(workflow({ name: "endless", input }, function* () {}))).toEqual(["warning TIMEOUT_MISSING"]);
  expect(codes(workflow({ name: "bounded", input, timeout: "1d" }, function* () {}))).toEqual([]);
  const steps = { a: { set: 1 } };
  expect(codes(planWorkflow({ onex: "v1", kind: "workflow", name: "plan", version: "1.0.0", steps }))).toEqual([]);
});
