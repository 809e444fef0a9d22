/** Whether a run may go on with another program, by its facts alone. */
import { expect, test } from "vitest";
import type { Fact, FactBody } from "./fact.ts";
import { judge, type Verdict } from "./move.ts";
import { type Callee, Op } from "./operation.ts";
import { Replay } from "./replay.ts";
import { sleepFor, waitSignal } from "./structure.ts";
import { all, race } from "./verbs.ts";

type Body = () => Generator<unknown, unknown, unknown>;

const node = (name: string, more: Partial<Callee> = {}): Callee => ({
  kind: "effect",
  name,
  version: "1.0.0",
  decode: (output) => output,
  decodeInput: (input) => input,
  ...more,
});
const call = (name: string, more: Partial<Callee> = {}, step = name) =>
  new Op({ kind: "call", callee: node(name, more), input: name, options: { step } });
const wait = (step: string, name = "go") => waitSignal(name, (value) => ({ value }), step);

const started: FactBody = { type: "run.started", workflow: "w", version: "1.0.0", input: 1, correlationId: "c", seed: 1, priority: 100 };
const taken: FactBody = { type: "lease.acquired", leaseId: "l", epoch: 1 };
const begun = (step: string): FactBody => ({ type: "action.dispatched", step, attempt: 1, node: step, input: step, notAfter: 9 });
const done = (step: string): FactBody => ({ type: "action.completed", step, attempt: 1, output: 1 });
const awaited = (step: string): FactBody => ({ type: "signal.awaited", step, name: "go" });
const signal: FactBody = { type: "signal.received", seq: 1, name: "go", payload: 1 };

function judged(old: Body, now: Body, ...facts: readonly FactBody[]): Verdict {
  const make = (begin: Body) => () =>
    new Replay({ onFailure: "compensate", begin, finish: () => null }, { runId: "run", keyOf: (step) => step });
  return judge(
    [started, taken, ...facts].map((body) => ({ ...body, at: 0 }) as Fact),
    make(old),
    make(now),
  );
}
const safe = { how: "safe" };

const two: Body = function* () {
  yield call("a");
  yield call("b");
};

test("what is still to come may be anything", () => {
  const other: Body = function* () {
    yield call("a");
    yield call("c");
    yield wait("w");
  };
  expect(judged(two, other)).toEqual(safe);
  expect(judged(two, other, begun("a"))).toEqual(safe);
  expect(judged(two, other, begun("a"), done("a"))).toEqual(safe);
  expect(judged(two, other, begun("a"), done("a"), begun("b"))).toMatchObject({ how: "finish", step: "b" });
});

test("a call in flight that the new program gives up needs a decision", () => {
  const long: Body = function* () {
    yield all([call("a"), sleepFor(60_000, "s")]) as never;
  };
  const raced: Body = function* () {
    yield race({ 0: call("a"), 1: sleepFor(60_000, "s") }) as never;
  };
  const set: FactBody = { type: "timer.set", step: "1/s", due: 60_000, purpose: "sleep" };
  const facts: FactBody[] = [{ ...begun("a"), step: "0/a" } as FactBody, set];
  expect(judged(long, raced, ...facts)).toEqual(safe);
  expect(judged(long, raced, ...facts, { type: "timer.fired", step: "1/s" })).toMatchObject({ how: "decide", step: "0/a" });
});

test("a step that was begun keeps the version of its node", () => {
  const newer: Body = function* () {
    yield call("a", { version: "2.0.0" });
    yield call("b", { version: "2.0.0" });
  };
  expect(judged(two, newer)).toEqual(safe);
  expect(judged(two, newer, begun("a"))).toMatchObject({ how: "finish", reason: expect.stringContaining("a@1.0.0") });
});

test("a signal that was taken is taken by the new program too", () => {
  const waiting: Body = function* () {
    yield wait("w");
    yield call("a");
  };
  const deaf: Body = function* () {
    yield call("a");
  };
  expect(judged(waiting, waiting, signal)).toEqual(safe);
  expect(judged(waiting, deaf, signal)).toMatchObject({ how: "decide", reason: expect.stringContaining("signal") });
  expect(judged(waiting, deaf, awaited("w"))).toMatchObject({ how: "finish", step: "w" });
});

test("a step beside what was done would run late", () => {
  const beside: Body = function* () {
    yield all([call("a"), call("n")]) as never;
    yield call("b");
  };
  const alone: Body = function* () {
    yield all([call("a")]) as never;
    yield call("b");
  };
  expect(judged(alone, beside)).toEqual(safe);
  expect(judged(alone, beside, { ...begun("a"), step: "0/a" } as FactBody)).toMatchObject({ how: "decide", step: "1/n" });
});

test("a program under which the run would fail at once is none to go on with", () => {
  const failing: Body = function* () {
    yield call("a");
    throw new Error("not any more");
  };
  expect(judged(two, failing, begun("a"), done("a"))).toMatchObject({ how: "decide", reason: expect.stringContaining("not any more") });
  expect(judged(two, failing, begun("a"), done("a"), begun("b"))).toMatchObject({
    how: "finish",
    reason: expect.stringContaining("not any more"),
  });
});

test("what was done must be taken back in the same way, to its last step", () => {
  const undoing = (...steps: readonly string[]): Body =>
    function* () {
      yield call("a", {
        undo: function* () {
          for (const step of steps) yield call(step, { irreversible: "an undo" });
        } as never,
      });
      yield call("b");
    };
  const facts = [begun("a"), done("a"), begun("b")];
  expect(judged(undoing("x", "y"), undoing("x", "y"), ...facts)).toEqual(safe);
  expect(judged(undoing("x", "y"), undoing("x", "z"), ...facts)).toMatchObject({ how: "decide", step: "a~undo/y" });
  expect(judged(undoing("x", "y"), undoing("x"), ...facts)).toMatchObject({ how: "decide" });
  // Nothing that was done is concerned.
  expect(judged(undoing("x"), undoing("y"))).toEqual(safe);
});

test("a run that has ended, or does not fit the program that it has, is not moved", () => {
  const ended: FactBody = { type: "run.cancelled", notUndone: [] };
  expect(judged(two, two, { type: "cancel.requested" }, ended)).toEqual({ how: "finish", reason: "it has ended" });
  expect(judged(two, two, begun("z"))).toMatchObject({
    how: "finish",
    reason: expect.stringContaining("does not fit the program that it has"),
  });
});
