import { expect, test } from "vitest";
import { type Action, actionIdOf, actionOf, type Origin, type Work } from "./action.ts";
import { sha256 } from "./system.ts";

const keyOf = (step: string) => sha256(`run\0${step}`).slice(0, 32);
const origin: Origin = {
  runId: "run",
  correlationId: "corr",
  leaseId: "lease",
  epoch: 3,
  started: undefined,
  keyOf,
  actionIdOf: (step, attempt) => actionIdOf(sha256, keyOf(step), attempt),
};
const work: Work = {
  step: "a/charge",
  attempt: 1,
  delivery: 1,
  callee: { kind: "effect", name: "charge", version: "2.1.0" },
  input: { amount: 1 },
  timeoutMs: 1_000,
  priority: 100,
  resume: undefined,
};
const make = (change: Partial<Work> = {}): Action => actionOf(origin, { ...work, ...change }, 5, 1_005);

test("every delivery of an attempt has one actionId, every attempt another, and all attempts one key", () => {
  const first = make();
  const again = make({ delivery: 2 });
  const retry = make({ attempt: 2 });
  const other = make({ step: "b/charge" });
  expect(again.actionId).toBe(first.actionId);
  expect(retry.actionId).not.toBe(first.actionId);
  expect(retry.idempotencyKey).toBe(first.idempotencyKey);
  expect(other.actionId).not.toBe(first.actionId);
  expect(other.idempotencyKey).not.toBe(first.idempotencyKey);
  // A step and an attempt cannot be mistaken for another step.
  expect(make({ step: "a/charge\u00001" }).actionId).not.toBe(first.actionId);
});

test("equal arguments give equal actions, with all that a far side asks", () => {
  expect(make()).toEqual(make());
  expect(make()).toEqual({
    actionId: origin.actionIdOf("a/charge", 1),
    idempotencyKey: keyOf("a/charge"),
    kind: "effect",
    node: "charge",
    version: "2.1.0",
    runId: "run",
    step: "a/charge",
    attempt: 1,
    delivery: 1,
    leaseId: "lease",
    epoch: 3,
    correlationId: "corr",
    priority: 100,
    timeoutMs: 1_000,
    notAfter: 1_005,
    createdAt: 5,
    dependencies: [],
    payload: { amount: 1 },
    metadata: { workflowType: "", workflowVersion: "" },
  });
});

test("an undo says what it takes back", () => {
  expect(make({ step: "a/charge~undo/refund" }).undoes).toBe(keyOf("a/charge"));
  expect(make().undoes).toBeUndefined();
});
