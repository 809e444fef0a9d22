/** A stream without an engine: facts in, wishes out. */
import { describe, expect, test } from "vitest";
import type { Command } from "../command.ts";
import { decide, fold } from "../decide.ts";
import type { Fact, FactBody } from "../fact.ts";
import type { Json } from "../json.ts";
import { type Callee, Op, type Steps, type Stream } from "../operation.ts";
import type { Program } from "../replay.ts";
import { each, sleep } from "../verbs.ts";

const same = (value: Json): unknown => value;
const rows: Callee = {
  kind: "effect",
  name: "rows",
  version: "1.0.0",
  readonly: true,
  retry: { delay: "1s", jitter: "none" },
  decode: same,
  decodeInput: same,
  decodeItem: same,
};
const call = () => new Op({ kind: "call", callee: rows, input: null, options: {} }) as unknown as Stream<number>;
const program = (body: () => Steps<unknown>): Program => ({ onFailure: "compensate", begin: body, finish: (value) => value as Json });
const options = { runId: "run", keyOf: same as (step: string) => string };
const started: FactBody = { type: "run.started", workflow: "w", version: "1.0.0", input: 1, correlationId: "c", seed: 1, priority: 100 };
const lease = (epoch: number): FactBody => ({ type: "lease.acquired", leaseId: "l", epoch });
const log = (...bodies: FactBody[]): Fact[] => [started, lease(1), ...bodies].map((body, i) => ({ ...body, at: 1_000 * i }) as Fact);
const brief = (commands: readonly Command[]) =>
  commands.map((command) =>
    command.type === "pull" ? `pull ${command.index}` : "step" in command ? `${command.type} ${command.step}` : command.type,
  );

const dispatched = (attempt = 1): FactBody => ({
  type: "action.dispatched",
  step: "rows",
  attempt,
  node: "rows",
  input: null,
  notAfter: 9,
});
const item = (index: number, attempt = 1): FactBody => ({ type: "action.item", step: "rows", attempt, index, item: 10 * index });
const ended = (items: number, attempt = 1): FactBody => ({ type: "action.completed", step: "rows", attempt, output: { items } });
const failed: FactBody = {
  type: "action.failed",
  step: "rows",
  attempt: 1,
  error: { code: "X", message: "x" },
  outcome: "unknown",
};

const collect = function* (): Steps<unknown> {
  return yield* call();
};
/** Two branches at once, each of which sleeps. */
const consume = function* (): Steps<unknown> {
  return yield* each(call(), () => sleep("1s"), { concurrency: 2 });
};
const wants = (body: () => Steps<unknown>, ...facts: FactBody[]) => brief(decide(program(body), log(...facts), options));

describe("what is asked of the call", () => {
  test("one item after the other, and the end", () => {
    expect(wants(collect)).toEqual(["dispatch rows"]);
    expect(wants(collect, dispatched())).toEqual(["deliver rows", "pull 0"]);
    expect(wants(collect, dispatched(), item(0))).toEqual(["deliver rows", "pull 1"]);
    const end = decide(program(collect), log(dispatched(), item(0), item(1), ended(2)), options);
    expect(end).toMatchObject([{ type: "finish", fact: { type: "run.completed", output: [0, 10] } }]);
  });

  test("nothing while there is no room", () => {
    expect(wants(consume, dispatched(), item(0))).toEqual(["deliver rows", "pull 1", "record"]);
    expect(wants(consume, dispatched(), item(0), item(1))).toEqual(["deliver rows", "record", "record"]);
  });

  test("a new owner asks its call for the item that is not recorded", () => {
    const replay = fold(program(collect), log(dispatched(), item(0)), options);
    replay.take();
    replay.apply({ ...lease(2), at: 9_000 } as Fact);
    expect(brief(replay.take())).toEqual(["deliver rows", "pull 1"]);
  });

  test("a new attempt goes on behind what is recorded; nothing is asked between the two", () => {
    const [timer] = decide(program(collect), log(dispatched(), item(0), failed), options);
    const facts: FactBody[] = [dispatched(), item(0), failed, (timer as { fact: FactBody }).fact];
    expect(wants(collect, ...facts)).toEqual(["arm rows@1"]);
    expect(wants(collect, ...facts, { type: "timer.fired", step: "rows@1" }, dispatched(2))).toEqual(["deliver rows", "pull 1"]);
  });

  test("nothing of a call that is aborted, nor of one that has ended when its last branches end", () => {
    expect(wants(collect, dispatched(), item(0), { type: "cancel.requested" })).toEqual(["deliver rows", "abort rows"]);
    const replay = fold(program(consume), log(dispatched(), item(0), ended(1)), options);
    const [record] = replay.open();
    replay.apply({ ...(record as { fact: FactBody }).fact, at: 5_000 } as Fact);
    replay.apply({ type: "timer.fired", step: "0/sleep", at: 6_000 });
    expect(brief(replay.open())).toEqual(["finish"]);
  });

  test("in doubt, as the node says", () => {
    const asked = (inDoubt: "fail" | "pause") => {
      const callee: Callee = { ...rows, inDoubt };
      const body = function* (): Steps<unknown> {
        return yield* new Op({ kind: "call", callee, input: null, options: {} });
      };
      return decide(program(body), log(dispatched(), item(0), lease(2)), options);
    };
    expect(asked("pause")).toMatchObject([{ type: "record", fact: { type: "run.paused", code: "IN_DOUBT" } }]);
    expect(asked("fail")).toMatchObject([{ type: "record", fact: { type: "step.failed" } }, { type: "finish" }]);
  });
});

describe("what comes", () => {
  test("only the item that was asked for is expected", () => {
    const replay = fold(program(collect), log(dispatched(), item(0)), options);
    expect(replay.expects(item(1))).toBe(true);
    expect(replay.expects(item(0))).toBe(false);
    expect(replay.expects(item(2))).toBe(false);
    expect(replay.expects(item(1, 2))).toBe(false);
    replay.apply({ type: "cancel.requested", at: 9_000 });
    expect(replay.expects(item(1))).toBe(false);
    const full = fold(program(consume), log(dispatched(), item(0), item(1)), options);
    expect(full.expects(item(2))).toBe(false);
  });

  test.each<[string, FactBody[]]>([
    ["an item that was taken before", [dispatched(), item(0), item(0)]],
    ["one that is ahead", [dispatched(), item(1)]],
    ["one of another attempt", [dispatched(), item(0, 2)]],
    ["one that nobody sent for", [item(0)]],
  ])("%s in a log is HISTORY_MISMATCH", (_what, facts) => {
    expect(() => wants(collect, ...facts)).toThrow(expect.objectContaining({ code: "HISTORY_MISMATCH" }));
  });

  test("an item for an effect that is no stream", () => {
    const { decodeItem: _, ...plain } = rows;
    const body = function* (): Steps<unknown> {
      return yield* new Op({ kind: "call", callee: plain, input: null, options: {} });
    };
    expect(() => wants(body, dispatched(), item(0))).toThrow(expect.objectContaining({ code: "HISTORY_MISMATCH" }));
  });

  test("an end that does not count what is recorded fails the step", () => {
    expect(decide(program(collect), log(dispatched(), item(0), ended(7)), options)).toMatchObject([
      { type: "finish", fact: { type: "run.failed", error: { code: "OUTPUT_INVALID" } } },
    ]);
  });
});
