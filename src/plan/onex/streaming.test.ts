import { describe, expect, test } from "vitest";
import type { Plan } from "../plan.ts";
import { lower } from "./lower.ts";
import type { OnexStep, Rules } from "./model.ts";
import { joined, streamProblem, takings } from "./streaming.ts";

const place = { line: 1, column: 1 };
const step = (name: string, dependsOn: readonly string[] = [], more: Partial<OnexStep> = {}): OnexStep => ({
  ...{ id: name, name, place, kind: "effect", reference: `do-${name}`, referencePlace: place, description: undefined, dependsOn },
  ...{ config: {}, timeoutMs: undefined, retries: undefined, onFailure: undefined, enabled: true, skipOnFailure: false },
  ...{ priority: undefined, branch: undefined, streams: false, ...more },
});
const stream = (name: string, dependsOn: readonly string[] = [], more: Partial<OnexStep> = {}) =>
  step(name, dependsOn, { streams: true, ...more });
const rules: Rules = {
  ...{ mode: "streaming", onFailure: "stop", concurrency: 4, batchSize: undefined, timeoutMs: 60_000 },
  ...{ stepTimeoutMs: undefined, retry: undefined, minPercent: 0 },
};
const lowered = (...steps: readonly OnexStep[]) =>
  lower({ name: "flow", version: "1.0.0", description: undefined, place, rules, steps }, "stop").plan as unknown as Plan;

describe("a stream and its taker", () => {
  test("are one step, which waits for what both depend on", () => {
    const steps = [step("a"), step("b"), stream("rows", ["a"]), step("load", ["rows", "b"])];
    const taken = takings(steps);
    expect([...taken].map(([taker, taking]) => [taker, taking.stream.name])).toEqual([["load", "rows"]]);
    expect(joined(steps, taken).map(({ name, dependsOn }) => [name, dependsOn])).toEqual([
      ["a", []],
      ["b", []],
      ["load", ["a", "b"]],
    ]);
  });

  test("become `each`: the taker's call is done for each item", () => {
    const { steps, output } = lowered(
      step("a"),
      stream("rows", ["a"], { timeoutMs: 5000, retries: 2 }),
      step("load", ["rows"], { timeoutMs: 7000 }),
    );
    expect(Object.keys(steps)).toEqual(["a", "load"]);
    expect(steps.load).toEqual({
      each: {
        effect: "do-rows",
        with: { config: {}, input: "${ input }", a: "${ a }" },
        timeout: "5000ms",
        retry: expect.objectContaining({ maxAttempts: 3 }),
      },
      do: { effect: "do-load", with: { config: {}, input: "${ input }", rows: "${ item }" }, timeout: "7000ms" },
    });
    expect(output).toEqual({ steps: { a: "${ a }", rows: null, load: "${ load }" }, skipped: [], errors: [] });
  });

  test("without streams nothing is changed", () => {
    const steps = [step("a"), step("b", ["a"])];
    expect(joined(steps, takings(steps))).toEqual(steps);
  });
});

describe("what cannot be a stream", () => {
  const rows = stream("rows");
  const judging = { type: "if_success", of: "rows", place } as const;
  test.each<[string, OnexStep, readonly OnexStep[]]>([
    ["it is a compute; only an effect", stream("rows", [], { kind: "compute" }), [step("b", ["rows"])]],
    ["no step depends on it", rows, []],
    ['"b" and "c" depend on it', rows, [step("b", ["rows"]), step("c", ["rows"])]],
    ['"b", which takes it, is a stream itself', rows, [stream("b", ["rows"]), step("c", ["b"])]],
    ['"b", which takes it, takes "more" too', rows, [stream("more"), step("b", ["rows", "more"])]],
    ['the condition of "c" asks what became of it', rows, [step("b", ["rows"]), step("c", [], { branch: judging })]],
    ["its condition, its priority", stream("rows", [], { priority: 1 }), [step("b", ["rows"])]],
    ["its condition, its priority", stream("rows", [], { onFailure: "continue" }), [step("b", ["rows"])]],
  ])("%s", (words, first, others) => {
    expect(streamProblem(first, [first, ...others])).toContain(words);
  });
  test("one taker, an effect: nothing is wrong", () => {
    expect(streamProblem(rows, [rows, step("b", ["rows"])])).toBeUndefined();
  });
});
