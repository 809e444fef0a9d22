import { describe, expect, test } from "vitest";
import { retryOf } from "../core/retry.ts";
import { Findings } from "./finding.ts";
import type { Flow } from "./flow.ts";
import { attemptsWithin, callTiming, leastOf, leastOfBlock, mostMs, sayMs, waitsMs } from "./timing.ts";
import { readText } from "./workflow.ts";

function flowOf(steps: string, top = ""): Flow {
  const findings = new Findings("f.yaml");
  const text = `onex: v1\nkind: workflow\nname: t\nversion: 1.0.0\ntimeout: 9d\nsignals: { go: true }\n${top}steps:\n${steps.replaceAll(/^/gm, "  ")}`;
  const read = readText(text, findings, () => undefined);
  if (!read) throw new Error(JSON.stringify(findings.all));
  return read.flow;
}
function stepOf(step: string, top = "") {
  const [first] = flowOf(`a: ${step}`, top).body.steps;
  if (!first) throw new Error("no step");
  return first.body;
}
const s = 1000;
const never = Number.POSITIVE_INFINITY;

describe("the least and the most time of a step", () => {
  test.each([
    ["{ set: 1 }", 0, 0],
    ["{ sleep: 5s }", 5 * s, 5 * s],
    ['{ sleep: "${ input }" }', 0, never],
    ["{ compute: x }", 0, never],
    ["{ effect: x, timeout: 3s }", 0, never],
    ["{ wait: go }", 0, never],
    ["{ wait: go, timeout: 3s }", 0, 3 * s],
    ["{ sleep: 9s, timeout: 3s }", 9 * s, 3 * s],
    ["{ steps: { b: { sleep: 2s }, c: { sleep: 3s } } }", 3 * s, 3 * s],
    ["{ steps: { b: { sleep: 2s }, c: { sleep: 3s, needs: [b] } } }", 5 * s, 5 * s],
    ["{ steps: { b: { sleep: 2s }, c: { sleep: 3s, when: input == 1, needs: [b] }, d: { sleep: 1s, needs: [c] } } }", 3 * s, 6 * s],
    ["{ steps: { b: { sleep: 2s }, c: { sleep: 4s }, d: { sleep: 1s, needs: { any: [b, c] } } } }", 4 * s, 5 * s],
    ["{ steps: { b: { sleep: 2s }, c: { effect: x, needs: [b] } } }", 2 * s, never],
    ["{ steps: { b: { sleep: 2s }, c: { effect: x } }, onError: continue }", 0, never],
    ["{ switch: [{ when: input == 1, sleep: 2s }, { sleep: 3s }] }", 2 * s, 3 * s],
    ["{ switch: [{ when: input == 1, sleep: 2s }] }", 0, 2 * s],
    ["{ race: { b: { sleep: 2s }, c: { wait: go } } }", 0, 2 * s],
    ["{ race: { b: { sleep: 2s }, c: { sleep: 3s } } }", 2 * s, 2 * s],
    ["{ each: input.list, do: { sleep: 2s } }", 0, never],
    ["{ repeat: { sleep: 2s }, until: index == 1, max: 3, every: 1s }", 2 * s, 8 * s],
    ["{ effect: x, onError: { sleep: 4s } }", 0, never],
  ])("%s", (step, leastMs, most) => {
    expect(leastOf(stepOf(step, "input: true\n")).ms).toBe(leastMs);
    expect(mostMs(stepOf(step, "input: true\n"))).toBe(most);
  });

  test("the longest sleep on the longest path", () => {
    const { body } = flowOf("a: { sleep: 2s }\nb: { sleep: 3s, needs: [a] }\nc: { sleep: 4s }");
    expect(leastOfBlock(body)).toEqual({ ms: 5 * s, longestMs: 3 * s });
  });
});

describe("what one call may take", () => {
  const node = { kind: "effect", name: "x", version: "1.0.0", input: undefined, output: undefined } as never;
  const idempotent = { ...(node as object), idempotent: true, timeout: "4s", retry: { maxAttempts: 2, delay: "2s" } } as never;

  test("the step's words win, then the node's, then the file's", () => {
    const step = stepOf("{ effect: x, timeout: 1s }");
    expect(callTiming(step, {}, idempotent)).toMatchObject({ attemptMs: 1 * s, attemptSaid: "step", retrySaid: "node", worstMs: 4 * s });
    expect(callTiming(stepOf("{ effect: x }"), { timeout: "9s" }, idempotent)).toMatchObject({ attemptMs: 4 * s, worstMs: 10 * s });
    const byFile = callTiming(stepOf("{ effect: x }"), { timeout: "9s", retry: { maxAttempts: 3, backoff: "fixed", delay: "1s" } }, node);
    expect(byFile).toMatchObject({ attemptSaid: "file", retrySaid: "file", worstMs: 29 * s });
  });

  test("without a word, what may be repeated is tried three times, and the rest once", () => {
    expect(callTiming(stepOf("{ effect: x, retry: false }"), {}, idempotent)).toMatchObject({ worstMs: 4 * s });
    const readonly = { ...(node as object), readonly: true } as never;
    expect(callTiming(stepOf("{ effect: x }"), {}, readonly)).toMatchObject({ worstMs: 93 * s, retrySaid: "built-in" });
    expect(callTiming(stepOf("{ effect: x }"), {}, node)).toMatchObject({ worstMs: 30 * s });
  });

  test("a budget cuts it: the last attempt begins within, and may use its time", () => {
    const step = stepOf("{ effect: x, timeout: 10s, retry: { maxAttempts: 100, within: 1m } }");
    expect(callTiming(step, {}, undefined)).toMatchObject({ worstMs: 70 * s });
  });

  test("without the node it is known only where the step says both, and of nothing but an effect", () => {
    expect(callTiming(stepOf("{ effect: x, timeout: 10s }"), {}, undefined)).toBeUndefined();
    expect(callTiming(stepOf("{ workflow: x, timeout: 10s, retry: 2 }"), {}, undefined)).toBeUndefined();
  });
});

describe("the waits of a policy", () => {
  test.each([
    [{ maxAttempts: 4, delay: "1s" }, 7],
    [{ maxAttempts: 4, delay: "1s", backoff: "fixed" }, 3],
    [{ maxAttempts: 4, delay: "1s", backoff: "linear" }, 6],
    [{ maxAttempts: 6, delay: "1s", maxDelay: "4s" }, 15],
    [{ maxAttempts: 6, delay: "1s", maxDelay: "3s", backoff: "linear" }, 12],
    [{ maxAttempts: 1 }, 0],
    [{ maxAttempts: 1000, factor: 1, delay: "2s" }, 1998],
  ] as const)("%j", (policy, seconds) => {
    expect(waitsMs(retryOf(policy))).toBe(seconds * s);
  });

  test("how many attempts begin within the budget", () => {
    expect(attemptsWithin(retryOf({ maxAttempts: 5, delay: "10s", within: "30s" }))).toBe(3);
    expect(attemptsWithin(retryOf({ maxAttempts: 5, delay: "10s", within: "5s" }))).toBe(1);
    expect(attemptsWithin(retryOf({ maxAttempts: 5, delay: "10s" }))).toBe(5);
  });
});

test.each([
  [0, "0s"],
  [250, "250ms"],
  [90_000, "1m 30s"],
  [3_600_000, "1h"],
  [86_400_000, "1d"],
  [255_600_000, "2d 23h"],
  [172_800_000, "2d"],
])("%i ms is said as %s", (ms, said) => {
  expect(sayMs(ms)).toBe(said);
});
