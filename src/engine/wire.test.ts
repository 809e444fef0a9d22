import { describe, expect, test } from "vitest";
import type { Json } from "../core/json.ts";
import type { Action } from "./action.ts";
import { type Abort, type Answer, decodeAnswer, decodeMessage, encodeAbort, encodeAction, encodeAnswer, parseJson } from "./wire.ts";

const action: Action = {
  actionId: "id",
  idempotencyKey: "key",
  kind: "effect",
  node: "charge",
  version: "1.0.0",
  runId: "run",
  step: "charge",
  attempt: 2,
  delivery: 1,
  leaseId: "lease",
  epoch: 4,
  correlationId: "corr",
  priority: 100,
  timeoutMs: 30_000,
  notAfter: 100,
  createdAt: 50,
  dependencies: [],
  payload: { text: "a\u0000\ud800" },
  resume: [1],
  undoes: "other",
  metadata: { workflowType: "flow", workflowVersion: "1.0.0", parentRunId: "parent" },
};
const abort: Abort = {
  actionId: "id",
  runId: "run",
  leaseId: "lease",
  epoch: 4,
  notAfter: 100,
  reason: { code: "CANCELLED", message: "" },
};
const parsed = (text: string): Json => parseJson(text, "it", "ACTION_INVALID");
type Loose = { [key: string]: Json };
const changed = (change: (action: Loose) => void): Json => {
  const message = parsed(encodeAction(action)) as { action: Loose };
  change(message.action);
  return message as Json;
};

describe("messages", () => {
  test("come out as they went in", () => {
    expect(decodeMessage(parsed(encodeAction(action)))).toEqual({ action });
    const { resume: _r, undoes: _u, ...plain } = action;
    for (const taken of [0, 7]) expect(decodeMessage(parsed(encodeAction({ ...plain, taken })))).toEqual({ action: { ...plain, taken } });
    const compute: Action = { ...plain, kind: "compute", metadata: { workflowType: "", workflowVersion: "" } };
    expect(decodeMessage(parsed(encodeAction(compute)))).toEqual({ action: compute });
    expect(decodeMessage(parsed(encodeAbort(abort)))).toEqual({ abort });
  });

  test("speak the words of ONEX", () => {
    expect(parsed(encodeAction(action))).toMatchObject({
      onex: 1,
      action: {
        action_id: "id",
        action_type: "EXECUTE_SIDE_EFFECT",
        target_node_type: "EFFECT",
        lease_id: "lease",
        epoch: 4,
        correlation_id: "corr",
        retry_count: 1,
        timeout_ms: 30_000,
      },
    });
  });

  test.each([
    ["compute", "EXECUTE_COMPUTATION", "COMPUTE"],
    ["effect", "EXECUTE_SIDE_EFFECT", "EFFECT"],
    ["reducer", "EXECUTE_AGGREGATION", "REDUCER"],
    ["workflow", "EXECUTE_WORKFLOW", "ORCHESTRATOR"],
  ] as const)("call a %s %s of %s", (kind, action_type, target_node_type) => {
    const message = parsed(encodeAction({ ...action, kind }));
    expect(message).toMatchObject({ action: { action_type, target_node_type } });
    expect(decodeMessage(message)).toMatchObject({ action: { kind } });
  });

  test.each<[string, Json, RegExp]>([
    ["no object", [], /the message: is not a JSON object/],
    ["another version", { onex: 2, abort: {} }, /another version of the protocol/],
    ["nothing to do", { onex: 1 }, /one of `action` and `abort`/],
    ["an unknown member", changed((a) => (a.surprise = 1)), /action: has unknown members: surprise/],
    ["a missing member", changed((a) => delete a.lease_id), /action: has no "lease_id"/],
    ["an empty id", changed((a) => (a.action_id = "")), /"action_id" is not a text/],
    ["an epoch that is no number", changed((a) => (a.epoch = "4")), /"epoch" is not a whole number/],
    ["an item that has no number", changed((a) => (a.taken = 1.5)), /"taken" is not a whole number/],
    ["a negative time", changed((a) => (a.not_after = -1)), /"not_after" is not a number/],
    ["an unknown type", changed((a) => (a.action_type = "EXECUTE_X")), /none of ONEX's/],
    ["types that differ", changed((a) => (a.target_node_type = "COMPUTE")), /does not fit EXECUTE_SIDE_EFFECT/],
    ["a count that differs", changed((a) => (a.retry_count = 7)), /retry_count/],
    [
      "an unknown member of metadata",
      changed((a) => (a.metadata = { ...(a.metadata as Loose), x: 1 })),
      /action.metadata: has unknown members: x/,
    ],
    ["inherited members", JSON.parse('{"onex":1,"action":{"__proto__":{"action_id":"x"}}}'), /has no "action_type"/],
  ])("refuse %s by name", (_, value, message) => {
    expect(() => decodeMessage(value)).toThrow(
      expect.objectContaining({ code: "ACTION_INVALID", message: expect.stringMatching(message) }),
    );
  });
});

describe("answers", () => {
  test.each<Answer>([
    { status: "completed", output: null },
    { status: "yielded", index: 3, item: null },
    { status: "progressed", note: { at: 1 } },
    { status: "aborted" },
    { status: "failed", error: { code: "NO", message: "" }, outcome: "none", final: true },
    { status: "failed", error: { code: "NO", message: "x", details: [1] }, outcome: "unknown", retryAfterMs: 5 },
  ])("come out as they went in: $status", (answer) => {
    expect(decodeAnswer(parsed(encodeAnswer(answer)))).toEqual(answer);
  });

  test.each<[Json, RegExp]>([
    ["text", /is not a JSON object/],
    [{ status: "completed", output: 1 }, /has no "onex"/],
    [{ onex: 1, status: "done" }, /status is "done"/],
    [{ onex: 1, status: "completed" }, /has no "output"/],
    [{ onex: 1, status: "completed", output: 1, more: 1 }, /unknown members: more/],
    [{ onex: 1, status: "yielded", index: -1, item: 1 }, /"index" is not a whole number/],
    [{ onex: 1, status: "yielded", index: 0 }, /has no "item"/],
    [{ onex: 1, status: "failed", error: { code: "X", message: "" }, outcome: "maybe" }, /outcome is "maybe"/],
    [{ onex: 1, status: "failed", error: "X", outcome: "none" }, /the answer's error: is not a JSON object/],
  ])("refuse %j", (value, message) => {
    expect(() => decodeAnswer(value)).toThrow(
      expect.objectContaining({ code: "NODE_ANSWER_INVALID", message: expect.stringMatching(message) }),
    );
  });

  test("what is nested too deep is refused before it is walked", () => {
    expect(parsed("[".repeat(256) + "]".repeat(256))).toBeDefined();
    expect(() => parsed("[".repeat(100_000) + "]".repeat(100_000))).toThrow(expect.objectContaining({ code: "ACTION_INVALID" }));
  });

  test("text that is no JSON is shown", () => {
    expect(() => parseJson("<html>", "the answer", "NODE_ANSWER_INVALID")).toThrow(/the answer is not JSON: "<html>"/);
  });
});
