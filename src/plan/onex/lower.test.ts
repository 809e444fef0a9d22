import { describe, expect, test } from "vitest";
import { z } from "zod";
import type { Json } from "../../core/json.ts";
import { effect } from "../../node/effect.ts";
import { testOrchestrator } from "../../testing/index.ts";
import type { Plan } from "../plan.ts";
import { planWorkflow } from "../workflow.ts";
import { lower } from "./lower.ts";
import type { OnexStep, Rules } from "./model.ts";

const place = { line: 1, column: 1 };
const rules: Rules = {
  mode: "parallel",
  onFailure: "stop",
  concurrency: 100,
  batchSize: undefined,
  timeoutMs: 86_400_000,
  stepTimeoutMs: undefined,
  retry: undefined,
  minPercent: 0,
};
const step = (name: string, dependsOn: readonly string[] = []): OnexStep => ({
  ...{ id: name, name, place, kind: "effect", reference: "tick", referencePlace: place, description: undefined, dependsOn, config: {} },
  ...{ timeoutMs: undefined, retries: undefined, onFailure: undefined, enabled: true, skipOnFailure: false, priority: undefined },
  ...{ branch: undefined, streams: false },
});
const lowered = (steps: readonly OnexStep[], more: Partial<Rules> = {}) =>
  lower({ name: "many", version: "1.0.0", description: undefined, place, rules: { ...rules, ...more }, steps }, "stop")
    .plan as unknown as Plan;

describe("ten thousand steps", () => {
  const count = 10_000;
  const names = Array.from({ length: count }, (_, i) => `s${i}`);
  const chain = names.map((name, i) => step(name, i === 0 ? [] : [`s${i - 1}`]));
  const wave = [...names.map((name) => step(name)), step("end")];

  test.each<[string, readonly OnexStep[], Partial<Rules>]>([
    ["in one chain", chain, {}],
    ["in one wave", wave, {}],
    ["in one wave, each of which may fail", wave, { onFailure: "continue" }],
  ])(
    "%s run",
    async (_, steps, more) => {
      let calls = 0;
      const tick = effect({ name: "tick", input: z.any(), readonly: true }, async () => {
        calls++;
        return null;
      });
      const flow = planWorkflow(lowered(steps, more));
      const t = testOrchestrator({ nodes: [flow, tick] });
      const run = await t.start(flow, {});
      await t.advance("1s");
      const output = (await run.result()) as { readonly steps: { readonly [name: string]: Json }; readonly errors: readonly Json[] };
      expect(calls).toBe(steps.length);
      expect(Object.keys(output.steps).length).toBe(steps.length);
      expect(output.errors).toEqual([]);
      await t.close();
    },
    120_000,
  );
});

test("edges stay proportional to steps: a wave waits for one thing", () => {
  const first = Array.from({ length: 50 }, (_, i) => step(`a${i}`));
  const second = Array.from({ length: 50 }, (_, i) => step(`b${i}`, [`a${i}`]));
  const { steps } = lowered([...first, ...second]);
  const needs = Object.values(steps).map((each) => (Array.isArray(each.needs) ? each.needs.length : 0));
  expect(needs.reduce((sum, length) => sum + length, 0)).toBe(100);
});

test("names that the plan needs for itself give way to those of steps", () => {
  const { steps } = lowered([step("_all_settled"), step("b"), step("c", ["b"])]);
  expect(Object.keys(steps)).toEqual(["_all_settled", "b", "_all_settled_2", "c"]);
});
