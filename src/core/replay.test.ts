/** Facts in, wishes out: the core without an engine. */
import { describe, expect, test } from "vitest";
import type { Command } from "./command.ts";
import { decide, fold } from "./decide.ts";
import type { Fact, FactBody } from "./fact.ts";
import type { Json } from "./json.ts";
import { type Callee, Op, type Operation } from "./operation.ts";
import { maxFacts, type Program } from "./replay.ts";
import { all, attempt, now, race, sleep } from "./verbs.ts";

type Work = Generator<unknown, unknown, unknown>;
const node = (kind: Callee["kind"], name: string, more: Partial<Callee> = {}): Callee => ({
  kind,
  name,
  version: "1.0.0",
  decode: (output) => output,
  decodeInput: (input) => input,
  ...more,
});
const call = (callee: Callee, input: unknown = null, options: object = {}): Operation<string> =>
  new Op<string>({ kind: "call", callee, input, options });
const charge = node("effect", "charge", { idempotent: true });
const refund = node("effect", "refund", { irreversible: "is an undo" });
const once = node("effect", "once", { undo: () => call(refund) });
const price = node("compute", "price");

const program = (body: (input: Json) => Work, onFailure: "compensate" | "stop" = "compensate"): Program => ({
  onFailure,
  begin: (started) => body(started.input),
  finish: (returned) => (returned ?? null) as Json,
});
const options = { runId: "run", keyOf: (step: string) => `key of ${step}` };
const started: FactBody = { type: "run.started", workflow: "w", version: "1.0.0", input: 1, correlationId: "c", seed: 1, priority: 100 };
const lease = (epoch: number): FactBody => ({ type: "lease.acquired", leaseId: "l", epoch });
const log = (...bodies: FactBody[]): Fact[] => [started, lease(1), ...bodies].map((body, i) => ({ ...body, at: 1_000 * i }) as Fact);
const wants = (body: (input: Json) => Work, ...facts: FactBody[]) => decide(program(body), log(...facts), options);
/** As `log`, before anybody has taken the run. */
const queued = (...bodies: FactBody[]): Fact[] => [started, ...bodies].map((body, i) => ({ ...body, at: 1_000 * i }) as Fact);
const brief = (commands: readonly Command[]) =>
  commands.map((command) =>
    "step" in command ? `${command.type} ${command.step}` : command.type === "record" ? `record ${command.fact.type}` : command.type,
  );
const error = { code: "X", message: "x" };
const dispatched = (step: string, name: string, attemptNo = 1, input: Json = null): FactBody => ({
  type: "action.dispatched",
  step,
  attempt: attemptNo,
  node: name,
  input,
  notAfter: 9,
});

describe("an effect", () => {
  const one = function* () {
    return yield* call(charge, { amount: 1 });
  };
  test("is asked for, then sent, then done", () => {
    const asked = wants(one);
    expect(asked).toMatchObject([{ type: "dispatch", step: "charge", attempt: 1, input: { amount: 1 }, timeoutMs: 30_000 }]);
    const intent = dispatched("charge", "charge", 1, { amount: 1 });
    expect(wants(one, intent)).toMatchObject([{ type: "deliver", step: "charge", delivery: 1, priority: 100, resume: undefined }]);
    const done: FactBody = { type: "action.completed", step: "charge", attempt: 1, output: "r" };
    expect(wants(one, intent, done)).toMatchObject([{ type: "finish", fact: { type: "run.completed", output: "r" } }]);
  });
  test("fails into a timer, and comes back as the next attempt", () => {
    const facts: FactBody[] = [
      dispatched("charge", "charge", 1, { amount: 1 }),
      { type: "action.failed", step: "charge", attempt: 1, error, outcome: "unknown" },
    ];
    const [timer] = wants(one, ...facts);
    expect(timer).toMatchObject({ type: "record", fact: { type: "timer.set", step: "charge@1", purpose: "retry" } });
    const set = (timer as { fact: FactBody }).fact;
    expect(brief(wants(one, ...facts, set))).toEqual(["arm charge@1"]);
    expect(wants(one, ...facts, set, { type: "timer.fired", step: "charge@1" })).toMatchObject([{ type: "dispatch", attempt: 2 }]);
  });
  test("that was sent before a takeover is sent again, with its last note", () => {
    const facts = [
      dispatched("charge", "charge", 1, { amount: 1 }),
      { type: "action.progressed", step: "charge", attempt: 1, note: 7 } as FactBody,
      lease(2),
    ];
    expect(wants(one, ...facts)).toMatchObject([{ type: "deliver", delivery: 2, resume: 7 }]);
  });
  test("that is not idempotent is paused by a takeover", () => {
    const body = function* () {
      yield* call(once);
    };
    expect(wants(body, dispatched("once", "once"), lease(2))).toMatchObject([
      { type: "record", fact: { type: "run.paused", code: "IN_DOUBT", step: "once" } },
    ]);
  });
});

test("a race withdraws what has lost, and waits for what is in flight", () => {
  const body = function* () {
    return yield* race({ sent: call(once), timer: sleep("1s") });
  };
  const facts: FactBody[] = [
    dispatched("sent/once", "once"),
    { type: "timer.set", step: "timer/sleep", due: 1_000, purpose: "sleep" },
    { type: "timer.fired", step: "timer/sleep" },
  ];
  expect(brief(wants(body, ...facts))).toEqual(["deliver sent/once", "abort sent/once"]);
  const late: FactBody = { type: "action.completed", step: "sent/once", attempt: 1, output: 1 };
  expect(brief(wants(body, ...facts, late))).toEqual(["dispatch sent/once~undo/refund"]);
});

test("an asked compute is waited for while its branch lives, and its answer only once", () => {
  const body = function* () {
    const { winner } = yield* race({ asked: call(price, 2), timer: sleep("1s") });
    yield* sleep("1s");
    return winner;
  };
  const set: FactBody = { type: "timer.set", step: "timer/sleep", due: 1_000, purpose: "sleep" };
  const [wish] = wants(body) as [Command & { type: "compute" }];
  expect(wish).toMatchObject({ type: "compute", step: "asked/price", input: 2 });
  const answer: FactBody = { type: "compute.completed", step: "asked/price", node: "price", digest: wish.digest, output: 4 };
  const failure: FactBody = { type: "compute.failed", step: "asked/price", node: "price", digest: wish.digest, error };
  const replay = fold(program(body), log(set), options);
  expect([answer, failure].map((fact) => replay.expects(fact))).toEqual([true, true]);
  expect(replay.expects({ ...answer, digest: "of another question" })).toBe(false);
  expect(fold(program(body), log(set, answer), options).expects(answer), "it was answered").toBe(false);
  const decided = fold(program(body), log(set, { type: "timer.fired", step: "timer/sleep" }), options);
  expect(
    [answer, failure].map((fact) => decided.expects(fact)),
    "its branch was given up",
  ).toEqual([false, false]);
});

test("wishes keep their order, and a cold fold has the same ones as a warm Replay at every fact", () => {
  const body = function* () {
    const { a, b } = yield* all({ a: call(price, 1), b: call(charge) });
    yield* sleep("1s");
    return [a, b, yield* attempt(call(once))];
  };
  const digest = (wants(body)[0] as { digest: string }).digest;
  const facts = log(
    { type: "compute.completed", step: "a/price", node: "price", digest, output: 5 },
    dispatched("b/charge", "charge"),
    lease(2),
    { type: "action.completed", step: "b/charge", attempt: 1, output: "r" },
    { type: "timer.set", step: "sleep", due: 6_000, purpose: "sleep" },
    { type: "timer.fired", step: "sleep" },
    dispatched("once", "once"),
    { type: "action.failed", step: "once", attempt: 1, error, outcome: "unknown", final: true },
  );
  const warm = fold(program(body), [], options);
  const seen: string[][] = [];
  facts.forEach((fact, i) => {
    warm.apply(fact);
    const cold = decide(program(body), facts.slice(0, i + 1), options);
    expect(brief(cold)).toEqual(brief(warm.open()));
    seen.push(brief(cold));
  });
  expect(seen[1]).toEqual(["compute a/price", "dispatch b/charge"]);
  expect(seen.at(-1)).toEqual(["record step.failed", "dispatch once~undo/refund"]);
});

test("take() gives each wish once; one that was withdrawn meanwhile not at all", () => {
  const body = function* () {
    yield* now();
    yield* sleep("1s");
  };
  const replay = fold(program(body), log(), options);
  expect(brief(replay.take())).toEqual(["value now"]);
  expect(replay.take()).toEqual([]);
  replay.apply({ type: "value.recorded", step: "now", value: 1, at: 2_000 });
  replay.apply({ type: "cancel.requested", at: 2_000 });
  expect(brief(replay.take())).toEqual(["finish"]);
});

describe("a log that does not fit", () => {
  const body = function* () {
    yield* call(price, 1);
  };
  test.each<[string, FactBody, string]>([
    ["a step that is not there", dispatched("charge", "charge"), "charge"],
    ["an answer of another kind", dispatched("price", "price"), "price"],
    ["a timer that was not set", { type: "timer.fired", step: "sleep" }, "sleep"],
    ["an end that is not one", { type: "run.completed", output: 1 }, "run.completed"],
    ["a record that nobody decided", { type: "undo.failed", step: "x", error }, "x"],
  ])("%s is HISTORY_MISMATCH", (_what, fact, step) => {
    expect(() => wants(body, fact)).toThrow(
      expect.objectContaining({ code: "HISTORY_MISMATCH", details: expect.objectContaining({ step }) }),
    );
  });
});

test("late news is not expected, and a run that has ended expects none", () => {
  const body = function* () {
    yield* call(charge);
  };
  const replay = fold(program(body), log(dispatched("charge", "charge")), options);
  const answer = { type: "action.completed", step: "charge", attempt: 1, output: 1 } as const;
  expect(replay.expects(answer)).toBe(true);
  expect(replay.expects({ ...answer, attempt: 2 })).toBe(false);
  expect(replay.expects({ type: "timer.fired", step: "sleep" })).toBe(false);
  replay.apply({ ...answer, at: 9_000 });
  expect(replay.expects(answer)).toBe(false);
  replay.apply({ type: "run.completed", output: null, at: 9_000 });
  expect(replay.expects({ type: "cancel.requested" })).toBe(false);
  expect(replay.open()).toEqual([]);
});

test("keys differ after a restart", () => {
  const keys = [undefined, 1, 2].map((round) =>
    fold(
      program(function* () {}),
      [{ ...started, ...(round ? { round } : {}), at: 0 } as Fact],
      options,
    ).keyOf("a"),
  );
  expect(new Set(keys).size).toBe(3);
  expect(keys[0]).toBe("key of a");
});

test("the limit on facts", () => {
  expect(maxFacts).toBe(50_000);
});

describe("a run that is cancelled before anybody takes it", () => {
  const tidy = function* () {
    try {
      yield* call(charge);
    } finally {
      yield* call(charge);
    }
  };
  const cancel: FactBody = { type: "cancel.requested", reason: "not wanted" };
  const end = { type: "run.cancelled", reason: "not wanted", notUndone: [] } as const;

  test("wishes for its end and nothing else, a `finally` is not run", () => {
    const wishes = decide(program(tidy), queued({ type: "signal.received", seq: 1, name: "s", payload: 1 }, cancel), options);
    expect(wishes).toEqual([{ type: "finish", key: "finish", fact: end }]);
  });

  test("ends with the fact of that wish", () => {
    const replay = fold(program(tidy), queued(cancel, cancel, { ...end }), options);
    expect([replay.final?.type, replay.open(), replay.armed.size]).toEqual(["run.cancelled", [], 0]);
  });

  test("cleans up as usual when somebody has taken it", () => {
    expect(brief(wants(tidy, cancel))).toEqual(["record timer.set", "dispatch charge#2"]);
  });
});
