/** What a fork shares: facts and a step in, a beginning of a log or a reason out. */
import { describe, expect, test } from "vitest";
import type { Fact, FactBody, FactOf, Started } from "./fact.ts";
import { type ForkPoint, pointOf, type Refused, retryPoint, type Shared, shareUntil, survives, takesInput } from "./fork.ts";
import { type Callee, Op } from "./operation.ts";
import { Replay } from "./replay.ts";
import { all, sleep } from "./verbs.ts";

const started: FactBody = { type: "run.started", workflow: "w", version: "1.0.0", input: 1, correlationId: "c", seed: 1, priority: 100 };
const lease = (epoch: number): FactBody => ({ type: "lease.acquired", leaseId: "l", epoch });
const error = { code: "X", message: "x" };
const begun = (step: string, attempt = 1): FactBody => ({ type: "action.dispatched", step, attempt, node: "n", input: null, notAfter: 9 });
const done = (step: string, attempt = 1): FactBody => ({ type: "action.completed", step, attempt, output: step });
const failed = (step: string, attempt = 1): FactBody => ({ type: "action.failed", step, attempt, error, outcome: "unknown" });
const over = (step: string): FactBody => ({ type: "step.failed", step, node: "n", attempts: 1, error });
const timer = (step: string, purpose: "sleep" | "retry" | "timeout" = "sleep"): FactBody => ({ type: "timer.set", step, due: 9, purpose });
const fired = (step: string): FactBody => ({ type: "timer.fired", step });
const child = (step: string): FactBody => ({ type: "child.started", step, runId: `run/${step}`, node: "w", input: null });
const completed: FactBody = { type: "run.completed", output: null };
const ended: FactBody = { type: "run.failed", error, notUndone: [], step: "b" };
const log = (...bodies: FactBody[]): Fact[] => [started, lease(1), ...bodies].map((body, i) => ({ ...body, at: 1_000 * i }) as Fact);

const brief = (facts: readonly Fact[]) => facts.map((fact) => ("step" in fact ? `${fact.type} ${fact.step}` : fact.type));
function share(facts: readonly Fact[], step: string, without: string[] = []): Shared | Refused {
  return shareUntil("run", facts, pointOf(facts, step) as ForkPoint, new Set(without));
}
function shared(facts: readonly Fact[], step: string, without: string[] = []) {
  const got = share(facts, step, without);
  if ("code" in got) throw new Error(got.message);
  return { before: brief(got.before), answers: brief(got.answers), origins: got.origins, owes: got.owes, since: got.since };
}

describe("the fork point", () => {
  const facts = log(
    begun("a"),
    done("a"),
    timer("block~timeout", "timeout"),
    begun("block/b"),
    failed("block/b"),
    timer("block/b@1", "retry"),
  );
  test("is the first fact of the step, or of the block of that path", () => {
    expect(pointOf(facts, "a")).toEqual({ step: "a", position: 2 });
    expect(pointOf(facts, "block")).toEqual({ step: "block", position: 4 });
    expect(pointOf(facts, "block/b")).toEqual({ step: "block/b", position: 5 });
  });
  test("is no clock, no undo, and nothing that never began", () => {
    for (const step of ["block/b@1", "block~timeout", "bloc", "nowhere", "a~undo/back"]) expect(pointOf(facts, step)).toBeUndefined();
  });
  test("takes an input if the step does", () => {
    expect(takesInput(facts, { step: "a", position: 2 })).toBe(true);
    expect(takesInput(facts, { step: "block", position: 4 })).toBe(false);
    expect(takesInput(log(timer("sleep")), { step: "sleep", position: 2 })).toBe(false);
  });
});

describe("what is shared", () => {
  test("is what came before, without leases and pauses of the run", () => {
    const pause: FactBody = { type: "run.paused", code: "PAUSED", message: "m" };
    const facts = log(begun("a"), done("a"), pause, lease(2), { type: "run.resumed" }, begun("b"), done("b"), completed);
    expect(shared(facts, "b")).toEqual({
      before: ["action.dispatched a", "action.completed a", "run.resumed"],
      answers: [],
      origins: [{ runId: "run", round: 0, until: 4 }],
      owes: false,
      since: 6_000,
    });
  });
  test("a lease that put a call in doubt is kept: what followed hangs on it", () => {
    const doubt: FactBody = { type: "run.paused", code: "IN_DOUBT", step: "a", message: "m" };
    const settled: FactBody = { type: "run.resumed", step: "a", as: "output", output: 1 };
    const facts = log(begun("a"), lease(2), doubt, settled, begun("b"), completed);
    expect(shared(facts, "b").before).toEqual(["action.dispatched a", "lease.acquired", "run.paused a", "run.resumed a"]);
  });
  test("and the answers of what was under way, retries included, but nothing that began later", () => {
    const facts = log(
      begun("x"),
      child("c"),
      timer("nap"),
      begun("b"),
      failed("x"),
      timer("x@1", "retry"),
      done("b"),
      begun("later"),
      fired("x@1"),
      begun("x", 2),
      { type: "child.ended", step: "c", runId: "run/c", status: "completed" },
      fired("nap"),
      done("x", 2),
      done("later"),
      completed,
    );
    expect(shared(facts, "b").answers).toEqual([
      "action.failed x",
      "timer.set x@1",
      "timer.fired x@1",
      "action.dispatched x",
      "child.ended c",
      "timer.fired nap",
      "action.completed x",
    ]);
    expect(shared(facts, "b", ["nap"]).answers).not.toContain("timer.fired nap");
    expect(share(facts, "b", ["x"])).toMatchObject({ code: "FORK_STEP_OPEN", step: "x" });
  });
  test("a call that was aborted has no answer to share; one that failed by itself has", () => {
    expect(share(log(begun("x"), begun("b"), over("b"), failed("x"), ended), "b")).toMatchObject({ code: "FORK_STEP_OPEN", step: "x" });
    expect(shared(log(begun("x"), begun("b"), failed("x"), over("x"), ended), "b").answers).toEqual(["action.failed x", "step.failed x"]);
  });
  test("a child that was cancelled, or never answered, has none either", () => {
    const cancelled: FactBody = { type: "child.ended", step: "c", runId: "run/c", status: "cancelled" };
    expect(share(log(child("c"), begun("b"), cancelled, ended), "b")).toMatchObject({ code: "FORK_STEP_OPEN", step: "c" });
    expect(share(log(child("c"), begun("b")), "b")).toMatchObject({ code: "FORK_STEP_OPEN", step: "c" });
  });
  test("a run that failed leaves what it did to the fork, one that completed or is still there does not", () => {
    const facts = [begun("a"), done("a"), begun("b"), failed("b"), over("b")];
    expect(shared(log(...facts, ended), "b").owes).toBe(true);
    expect(shared(log(...facts, completed), "b").owes).toBe(false);
    expect(shared(log(...facts), "b").owes).toBe(false);
  });
});

describe("what was taken back", () => {
  const facts = log(begun("a"), done("a"), begun("b"), failed("b"), over("b"), begun("a~undo/back"), done("a~undo/back"), ended);
  test("after the point cannot be shared", () => {
    expect(share(facts, "b")).toMatchObject({ code: "FORK_UNDONE", step: "a" });
    expect(shared(facts, "a").before).toEqual([]);
  });
  test("before the point is shared as taken back", () => {
    const later = log(begun("a"), done("a"), begun("a~undo/back"), done("a~undo/back"), begun("c"), done("c"), completed);
    expect(shared(later, "c").before).toHaveLength(4);
  });
  test("is not, when its undo failed; a child that was taken back in part is", () => {
    const undone = (code: string): FactBody => ({ type: "undo.failed", step: "a", error: { code, message: "m" } });
    expect(shared([...facts, { ...undone("STUCK"), at: 99_000 } as Fact, ...log(ended).slice(2)], "b").owes).toBe(true);
    expect(share([...facts, { ...undone("NOT_UNDONE"), at: 99_000 } as Fact], "b")).toMatchObject({ code: "FORK_UNDONE" });
  });
  test("by hand is everything that was done", () => {
    const hand = log(begun("a"), done("a"), begun("b"), over("b"), begun("compensate/0~undo/back"), done("compensate/0~undo/back"), ended);
    expect(share(hand, "b")).toMatchObject({ code: "FORK_UNDONE", step: "a" });
  });
});

describe("cleanup", () => {
  test("of a run that was stopped has no past of its own", () => {
    for (const stop of [{ type: "cancel.requested" } as const, fired("~deadline")])
      expect(share(log(begun("a"), done("a"), stop, begun("tidy"), done("tidy"), ended), "tidy")).toMatchObject({
        code: "FORK_IMPOSSIBLE",
      });
  });
});

describe("a retry", () => {
  test("goes on at the step that failed the run, else at the first that failed", () => {
    expect(retryPoint(log(begun("a"), over("a"), begun("b"), over("b"), ended))).toEqual({ step: "b", position: 4 });
    const threw: FactBody = { type: "run.failed", error, notUndone: [] };
    expect(retryPoint(log(begun("x"), done("x"), begun("a"), over("a"), threw))).toEqual({ step: "a", position: 4 });
    expect(retryPoint(log(begun("x"), done("x"), { type: "run.compensating" }, threw))).toEqual({ position: 4 });
  });
  test("goes on where the run stood when it was stopped", () => {
    expect(retryPoint(log(timer("nap"), { type: "cancel.requested" }, { type: "run.cancelled", notUndone: [] }))).toEqual({ position: 3 });
    expect(retryPoint(log(timer("nap"), fired("~deadline"), { ...ended, step: "" }))).toEqual({ position: 3 });
  });
  test("goes on at the step that waits for a person; a run that completed has nothing to retry", () => {
    const doubt: FactBody = { type: "run.paused", code: "IN_DOUBT", step: "a", message: "m" };
    expect(retryPoint(log(begun("a"), lease(2), doubt))).toEqual({ step: "a", position: 2 });
    expect(retryPoint(log(begun("a")))).toMatchObject({ code: "FORK_IMPOSSIBLE" });
    expect(retryPoint(log(completed))).toMatchObject({ code: "FORK_IMPOSSIBLE" });
  });
});

describe("a fork of a fork", () => {
  const origins = [
    { runId: "one", round: 2, until: 3 },
    { runId: "two", round: 0, until: 5 },
  ];
  const forked: FactBody = { type: "run.forked", from: "two", step: "c", position: 7, since: 0, owes: false };
  const facts = [
    { ...started, origins, at: 0 } as Fact,
    ...log(begun("a"), done("a"), begun("b"), done("b"), forked, begun("c"), done("c"), begun("d"), completed).slice(2),
  ];
  test("says of each part whose it is", () => {
    expect(shared(facts, "d").origins).toEqual([
      { runId: "one", round: 2, until: 3 },
      { runId: "two", round: 0, until: 5 },
      { runId: "run", round: 0, until: 8 },
    ]);
    expect(shared(facts, "b").origins).toEqual([{ runId: "one", round: 2, until: 3 }]);
  });
});

describe("whether the point survives the answers", () => {
  const effect = (name: string): Callee => ({
    kind: "effect",
    name: "n",
    version: name,
    readonly: true,
    decode: (output) => output,
    decodeInput: (input) => input,
  });
  const call = (step: string) => new Op({ kind: "call", callee: effect(step), input: null, options: { step, retry: false } });
  const replay = () =>
    new Replay(
      {
        onFailure: "compensate",
        *begin() {
          yield all([call("x"), call("b"), sleep("1m")]) as never;
        },
        finish: () => null,
      },
      { runId: "new", keyOf: (step, runId) => `${runId} ${step}` },
    );
  const facts = (answer: FactBody[]): Fact[] =>
    log(begun("0/x"), { ...(timer("2/sleep") as FactOf<"timer.set">), due: 60_000 }, begun("1/b"), ...answer, completed);
  const verdict = (from: readonly Fact[], step: string, at = 100_000) => {
    const got = share(from, step) as Shared;
    const fresh = replay();
    const forked = { type: "run.forked", from: "run", step, position: 4, since: got.since, owes: false, at } as const;
    const left = survives(fresh, { ...(from[0] as Started), origins: got.origins }, got, forked);
    return { left, fresh };
  };
  test("it does when a branch beside it ends well; the shared step keeps its key, a timer its rest", () => {
    const { left, fresh } = verdict(facts([done("0/x")]), "1/b");
    expect(left).toBeUndefined();
    expect(fresh.open()).toMatchObject([
      { type: "dispatch", step: "1/b" },
      { type: "arm", step: "2/sleep", due: 60_000 + 97_000 },
    ]);
    expect([fresh.keyOf("0/x"), fresh.keyOf("1/b")]).toEqual(["run 0/x", "undefined 1/b"]);
  });
  test("it does not when that branch fails", () => {
    expect(verdict(facts([failed("0/x"), over("0/x")]), "1/b").left).toEqual({ without: "0/x" });
  });
  test("a past that does not fit is a mismatch", () => {
    const strange = log(begun("other"), done("other"), begun("1/b"), completed);
    expect(() => verdict(strange, "1/b")).toThrow(/HISTORY|does not come to a step "other"/);
  });
});
