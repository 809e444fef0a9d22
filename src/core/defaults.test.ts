/** Defaults come from the log of the run alone. */
import { expect, test } from "vitest";
import { decide } from "./decide.ts";
import type { RunDefaults } from "./defaults.ts";
import type { Fact, FactBody } from "./fact.ts";
import type { Json } from "./json.ts";
import { type Callee, type CallOptions, Op } from "./operation.ts";
import type { Program } from "./replay.ts";
import { each } from "./verbs.ts";

const charge: Callee = { kind: "effect", name: "charge", version: "1.0.0", idempotent: true, decode: (x) => x, decodeInput: (x) => x };
const call = (options: CallOptions = {}, callee = charge) => new Op<unknown>({ kind: "call", callee, input: null, options });

function wants(body: () => Generator<unknown, unknown, unknown>, defaults: RunDefaults | undefined, ...more: FactBody[]) {
  const program: Program = { onFailure: undefined, begin: body, finish: (value) => (value ?? null) as Json };
  const started: FactBody = {
    type: "run.started",
    workflow: "w",
    version: "1.0.0",
    input: null,
    correlationId: "c",
    seed: 1,
    priority: 100,
    ...(defaults ? { defaults } : {}),
  };
  const facts = [started, { type: "lease.acquired", leaseId: "l", epoch: 1 }, ...more].map((fact) => ({ ...fact, at: 0 }) as Fact);
  return decide(program, facts, { runId: "run", keyOf: (step) => step });
}
const failing: FactBody[] = [
  { type: "action.dispatched", step: "charge", attempt: 1, node: "charge", input: null, notAfter: 1 },
  { type: "action.failed", step: "charge", attempt: 1, error: { code: "X", message: "x" }, outcome: "none" },
];
const one = (options: CallOptions = {}, callee = charge) =>
  function* () {
    yield call(options, callee);
  };

test("the time of an attempt: the step's word, then the node's, the file's, the run's, the built-in one", () => {
  const pinned: RunDefaults = { stepTimeout: "7s" };
  const timeout = (body: ReturnType<typeof one>, defaults?: RunDefaults) => wants(body, defaults)[0];
  const file = { defaults: { timeout: "3s" } } as const;
  const node: Callee = { ...charge, timeout: "2s" };
  expect(timeout(one({ timeout: "1s", ...file }, node), pinned)).toMatchObject({ timeoutMs: 1_000 });
  expect(timeout(one(file, node), pinned)).toMatchObject({ timeoutMs: 2_000 });
  expect(timeout(one(file), pinned)).toMatchObject({ timeoutMs: 3_000 });
  expect(timeout(one(), pinned)).toMatchObject({ timeoutMs: 7_000 });
  expect(timeout(one())).toMatchObject({ timeoutMs: 30_000 });
});

test("retries likewise, and only of what may be sent again", () => {
  const again = (body: ReturnType<typeof one>, defaults?: RunDefaults) => {
    const [wish] = wants(body, defaults, ...failing);
    return wish?.type === "record" && wish.fact.type === "timer.set" ? wish.fact.due : wish?.type === "record" ? wish.fact.type : wish;
  };
  const pinned: RunDefaults = { retry: { delay: "5s", jitter: "none" } };
  const said = { retry: { delay: "1s", jitter: "none" } } as const;
  expect(again(one(said), pinned)).toBe(1_000);
  expect(again(one({}, { ...charge, ...said, retry: { ...said.retry, delay: "2s" } }), pinned)).toBe(2_000);
  expect(again(one({ defaults: { retry: { ...said.retry, delay: "3s" } } }), pinned)).toBe(3_000);
  expect(again(one(), pinned)).toBe(5_000);
  expect(again(one(), { retry: { maxAttempts: 1 } })).toBe("step.failed");
  expect(again(one({}, { ...charge, idempotent: false }), pinned)).toBe("step.failed");
  expect(again(one())).toBeLessThan(1_000);
});

test("branches of an each at once", () => {
  const body = function* () {
    yield* each(Array.from({ length: 20 }), () => call() as never);
  };
  expect(wants(body, { concurrency: 3 })).toHaveLength(3);
  expect(wants(body, undefined)).toHaveLength(10);
});

test("what a failed run does", () => {
  const body = function* () {
    yield call({}, { ...charge, undo: () => call() });
    throw new Error("no");
  };
  const done: FactBody[] = [failing[0] as FactBody, { type: "action.completed", step: "charge", attempt: 1, output: 1 }];
  const first = (defaults?: RunDefaults) => {
    const [wish] = wants(body, defaults, ...done);
    return wish?.type === "record" || wish?.type === "finish" ? wish.fact.type : wish?.type;
  };
  expect(first({ onFailure: "stop" })).toBe("run.failed");
  expect(first({ onFailure: "compensate" })).toBe("run.compensating");
  expect(first()).toBe("run.compensating");
});

test("past its calls a run wants its end, and no call more", () => {
  const body = function* () {
    yield call({ step: "a" });
    yield call({ step: "b" });
  };
  const a = { step: "a", attempt: 1 };
  const done: FactBody[] = [
    { type: "action.dispatched", ...a, node: "charge", input: null, notAfter: 1 },
    { type: "action.completed", ...a, output: 1 },
  ];
  expect(wants(body, { maxActions: 2 }, ...done)).toMatchObject([{ type: "dispatch", step: "b" }]);
  expect(wants(body, { maxActions: 1, onFailure: "stop" }, ...done)).toMatchObject([
    { type: "finish", fact: { error: { code: "ACTIONS_EXHAUSTED" } } },
  ]);
});
