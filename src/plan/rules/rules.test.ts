import { describe, expect, test } from "vitest";
import { z } from "zod";
import { effect } from "../../node/effect.ts";
import { Registry } from "../../node/registry.ts";
import { checkFlow } from "../check.ts";
import { Findings, describe as line } from "../finding.ts";
import { readText } from "../workflow.ts";

const call = effect({ name: "call", input: z.any(), idempotent: true, irreversible: "test" }, async () => null);
const book = effect({ name: "book", input: z.any(), idempotent: true }, async () => null);
/** Steps begin in line 7, two columns in. */
function said(steps: string, top = "timeout: 1d\n"): string[] {
  const findings = new Findings("f.yaml");
  const text = `onex: v1\nkind: workflow\nname: t\nversion: 1.0.0\n${top}steps:\n${steps.replaceAll(/^/gm, "  ")}`;
  const read = readText(text, findings, () => undefined);
  if (!read) throw new Error(JSON.stringify(findings.all));
  findings.all.length = 0;
  checkFlow(read, new Registry([call, book]), findings);
  return findings.sorted().map((finding) => line(finding).replace("f.yaml:", ""));
}

describe("the sentences", () => {
  test.each([
    [
      "a: { effect: call, timeout: 2d }",
      '7:31 TIMEOUT_BEYOND the timeout of the step "a" is 2d, longer than the run\'s timeout (1d), which ends it first; shorten it, or lengthen that one',
    ],
    [
      "a: { timeout: 1m, race: { b: { sleep: 2m }, c: { effect: call } } }",
      '7:41 TIMEOUT_CERTAIN the branch "b" of the step "a" sleeps for 2m, longer than the timeout of the step "a" (1m), so it never ends by itself; shorten it, or lengthen the timeout',
    ],
    [
      "a:\n  switch:\n    - { when: input == 1, set: 1 }\n    - { when: input != 1, set: 2 }\n    - { set: 3 }",
      '11:9 STEP_UNREACHABLE case 3 of the step "a" is never taken: one of the cases 1 and 2 always holds; take it out',
    ],
    [
      "a: { each: input, do: { timeout: 5m, steps: { b: { effect: call }, c: { sleep: 6m, needs: [b] } } } }",
      '7:82 TIMEOUT_CERTAIN the step "c" sleeps for 6m, longer than the timeout of the `do` of the step "a" (5m), so it never ends by itself; shorten it, or lengthen the timeout',
    ],
  ])("%s", (steps, sentence) => {
    expect(said(steps)).toContain(sentence);
  });
});

describe("what is not said", () => {
  test.each<[string, string, string?]>([
    ["an undo has no deadline", "a: { effect: book, undo: { steps: { b: { sleep: 9d }, c: { effect: call, timeout: 2d, needs: [b] } } } }"],
    ["the built-in figures were written by nobody", "a: { effect: call }", "timeout: 1m\n"],
    ["a step that is skipped where it would fail", "a: { when: input == 1, fail: { code: NO } }\nb: { needs: [a], set: 1 }"],
    ["a failure that is caught", "a: { fail: { code: NO }, onError: continue }\nb: { needs: [a], set: 1 }"],
    ["a failure that something stands in for", "a: { fail: { code: NO }, onError: { set: 2 } }\nb: { needs: [a], set: 1 }"],
    ["a member that is skipped succeeds", "a: { when: input == 1, fail: { code: NO } }\nb: { needs: { any: [a] }, set: 1 }"],
    ["a race of which one branch may win", "a: { race: { b: { fail: { code: NO }, onError: continue }, c: { set: 1 } } }"],
    ["a loop that a number ends", "a: { repeat: { effect: call }, until: index == 4, max: 5 }"],
    ["a longer sleep beside a shorter timeout elsewhere", "a: { sleep: 2h }\nb: { timeout: 1h, steps: { c: { effect: call } } }"],
    [
      "an error handler may sleep longer than what it stands in for",
      "a: { timeout: 1m, steps: { b: { effect: call } }, onError: { sleep: 1h } }",
    ],
  ])("%s", (_, steps, top) => {
    expect(said(steps, top)).toEqual([]);
  });

  test("what the file says for all steps is told once", () => {
    const top = "timeout: 2m\ndefaults: { timeout: 1m, retry: { maxAttempts: 3 } }\n";
    const steps = Array.from({ length: 5 }, (_, i) => `s${i}: { effect: call }`).join("\n");
    expect(said(steps, top).map((text) => text.split(" ", 2).join(" "))).toEqual(["6:33 RETRY_BEYOND"]);
  });

  test("a timeout is held against the tightest one around it", () => {
    expect(said("a: { timeout: 2d, steps: { b: { effect: call, timeout: 3d } } }").map((text) => text.split(" ", 2).join(" "))).toEqual([
      "7:17 TIMEOUT_BEYOND",
      "7:58 TIMEOUT_BEYOND",
    ]);
  });
});

test("a thousand steps, each of which may be tried a thousand times, are judged step by step", () => {
  const wide = (count: number) =>
    Array.from(
      { length: count },
      (_, i) => `s${i}: { effect: call, ${i > 0 ? `needs: [s${i - 1}], ` : ""}retry: { maxAttempts: 1000 } }`,
    ).join("\n");
  const time = (count: number) => {
    const began = performance.now();
    said(wide(count));
    return performance.now() - began;
  };
  time(100);
  expect(time(1000)).toBeLessThan(60_000);
});

describe("an ONEX contract", () => {
  const onex = (node: string, rules: string) => {
    const findings = new Findings("f.yaml");
    const text = `node_type: ORCHESTRATOR_GENERIC
contract_version: { major: 1, minor: 0, patch: 0 }
workflow_coordination:
  execution_mode: conditional
  workflow_definition:
    workflow_metadata: { workflow_name: load, workflow_version: "1.0.0" }
    execution_graph:
      nodes:
        - { node_id: first, node_type: EFFECT_GENERIC, target_node_type: call }
        - { node_id: load, node_type: EFFECT_GENERIC, target_node_type: call, depends_on: [first], ${node} }
    coordination_rules: { ${rules} }
`;
    const read = readText(text, findings, () => undefined);
    if (read) checkFlow(read, new Registry([call]), findings);
    return findings.sorted().map(({ line: row, column, code }) => `${row}:${column} ${code}`);
  };

  test("is told of times, at the step that they are of", () => {
    expect(onex("timeout_ms: 90000", "timeout_ms: 60000, step_timeout_ms: 10000")).toContain("10:11 TIMEOUT_BEYOND");
    expect(onex("timeout_ms: 20000, retry_count: 4", "timeout_ms: 60000")).toContain("10:11 RETRY_BEYOND");
  });

  test("is not told what nobody wrote in it: its defaults stand in several sections, its plan was made", () => {
    expect(onex("continue_on_error: true", "timeout_ms: 60000, max_retries: 5, retry_backoff_ms: 1000")).toEqual([]);
    expect(onex("condition: 'true'", "timeout_ms: 60000")).toEqual([]);
  });
});
