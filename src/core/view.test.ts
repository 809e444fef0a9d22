import { describe, expect, test } from "vitest";
import type { Fact, FactBody } from "./fact.ts";
import { view } from "./view.ts";

const started: FactBody = {
  type: "run.started",
  workflow: "w",
  version: "1.0.0",
  input: { n: 1 },
  correlationId: "c",
  seed: 1,
  priority: 100,
};
const lease = (epoch: number): FactBody => ({ type: "lease.acquired", leaseId: "l", epoch });
const dispatched: FactBody = { type: "action.dispatched", step: "a", attempt: 1, node: "n", input: 1, notAfter: 9 };
const error = { code: "X", message: "x" };
/** The view of these facts, a second apart. */
const shown = (...bodies: FactBody[]) =>
  view(
    "r",
    bodies.map((body, i) => ({ ...body, at: i * 1_000 }) as Fact),
  );

describe("status", () => {
  test.each<[string, FactBody[]]>([
    ["pending", [started]],
    ["waiting", [started, lease(1)]],
    ["running", [started, lease(1), dispatched]],
    ["waiting", [started, lease(1), { type: "timer.set", step: "sleep", due: 9, purpose: "sleep" }]],
    ["waiting", [started, lease(1), { type: "child.started", step: "c", runId: "x", node: "w", input: 1 }]],
    ["paused", [started, lease(1), dispatched, { type: "run.paused", code: "IN_DOUBT", step: "a", message: "m" }]],
    ["compensating", [started, lease(1), { type: "run.compensating" }]],
    ["completed", [started, lease(1), { type: "run.completed", output: 1 }]],
    ["failed", [started, lease(1), { type: "run.failed", error, notUndone: [] }]],
    ["cancelled", [started, lease(1), { type: "run.cancelled", notUndone: [] }]],
  ])("%s", (status, facts) => {
    expect(shown(...facts).status).toBe(status);
  });
  test("an empty log is pending", () => {
    expect(view("r", [])).toMatchObject({ runId: "r", status: "pending", steps: [] });
  });
});

describe("steps", () => {
  test("a retry waits until it is due", () => {
    const { steps, retries } = shown(
      started,
      dispatched,
      { type: "action.failed", step: "a", attempt: 1, error, outcome: "unknown" },
      { type: "timer.set", step: "a@1", due: 99, purpose: "retry" },
    );
    expect(steps).toMatchObject([{ step: "a", status: "retrying", due: 99, attempts: 1 }]);
    expect(retries).toBe(0);
    expect(shown(started, dispatched, { ...dispatched, attempt: 2 } as FactBody).retries).toBe(1);
  });
  test("a retry that succeeds leaves nothing of the failure before it", () => {
    const again: FactBody[] = [
      started,
      lease(1),
      dispatched,
      { type: "action.failed", step: "a", attempt: 1, error, outcome: "none" },
      { type: "timer.set", step: "a@1", due: 99, purpose: "retry" },
    ];
    const retrying = shown(...again).steps[0];
    expect(retrying).toMatchObject({ status: "retrying", error });
    expect(retrying).not.toHaveProperty("endedAt");
    const running = shown(...again, { ...dispatched, attempt: 2 } as FactBody).steps[0];
    expect(running).toMatchObject({ status: "running", attempts: 2, startedAt: 2_000 });
    expect(running).not.toHaveProperty("endedAt");
    const done = { type: "action.completed", step: "a", attempt: 2, output: 7 } as const;
    expect(shown(...again, { ...dispatched, attempt: 2 } as FactBody, done).steps).toEqual([
      { step: "a", node: "n", kind: "effect", status: "completed", attempts: 2, startedAt: 2_000, endedAt: 6_000, output: 7 },
    ]);
  });
  test("one that failed has its times, its attempts and its error", () => {
    const failed: FactBody = { type: "action.failed", step: "a", attempt: 1, error, outcome: "none", final: true };
    expect(shown(started, lease(1), dispatched).steps).toMatchObject([{ status: "running" }]);
    expect(shown(started, lease(1), dispatched, failed).steps).toEqual([
      { step: "a", node: "n", kind: "effect", status: "failed", attempts: 1, startedAt: 2_000, endedAt: 3_000, error },
    ]);
  });
  test("times, output and what was open at the end", () => {
    const { steps } = shown(
      started,
      dispatched,
      { type: "signal.awaited", step: "s", name: "go" },
      { type: "action.completed", step: "a", attempt: 1, output: 7 },
      { type: "run.cancelled", notUndone: [] },
    );
    expect(steps).toMatchObject([
      { step: "a", status: "completed", startedAt: 1_000, endedAt: 3_000, output: 7 },
      { step: "s", kind: "signal", status: "aborted", endedAt: 4_000 },
    ]);
  });
  test("a rejected payload leaves its wait waiting", () => {
    const wait: FactBody = { type: "signal.awaited", step: "s", name: "go" };
    const came: FactBody = { type: "signal.received", seq: 1, name: "go", payload: "bad" };
    expect(shown(started, wait, came).steps[0]).toMatchObject({ status: "completed", output: "bad" });
    const after = shown(started, wait, came, { type: "signal.rejected", seq: 1, name: "go", error }).steps[0];
    expect(after?.status).toBe("waiting");
    expect(after).not.toHaveProperty("output");
  });
  test("a rejected payload lets its wait take the one that came behind it, but none from before the wait", () => {
    const wait: FactBody = { type: "signal.awaited", step: "s", name: "go" };
    const came = (seq: number, payload: string): FactBody => ({ type: "signal.received", seq, name: "go", payload });
    const rejected: FactBody = { type: "signal.rejected", seq: 2, name: "go", error };
    expect(shown(started, wait, came(2, "bad"), came(3, "good"), rejected).steps[0]).toMatchObject({ status: "completed", output: "good" });
    expect(shown(started, came(1, "read at once"), wait, came(2, "bad"), rejected).steps[0]?.status).toBe("waiting");
  });
});

describe("pauses", () => {
  const pause: FactBody = { type: "run.paused", code: "IN_DOUBT", step: "a", message: "m" };
  test("a step in doubt is settled by name, not by a plain resume", () => {
    expect(shown(started, dispatched, pause, { type: "run.resumed" }).paused).toMatchObject({ step: "a" });
    const settled = shown(started, dispatched, pause, { type: "run.resumed", step: "a", as: "output", output: 3 });
    expect(settled.paused).toBeUndefined();
    expect(settled.steps[0]).toMatchObject({ status: "completed", output: 3 });
  });
  test("an output that did not fit pauses it again, without the output", () => {
    const again = shown(started, dispatched, pause, { type: "run.resumed", step: "a", as: "output", output: 3 }, pause);
    expect(again.steps[0]?.status).toBe("paused");
    expect(again.steps[0]).not.toHaveProperty("output");
  });
  test("a paused run goes on with a plain resume; a cancel gives a paused step up", () => {
    expect(shown(started, lease(1), { type: "run.paused", code: "HISTORY_MISMATCH", message: "m" }, { type: "run.resumed" }).status).toBe(
      "waiting",
    );
    expect(shown(started, lease(1), dispatched, pause, { type: "cancel.requested" }).paused).toBeUndefined();
  });
});

test("what the templates keep of a run is derived from its facts", () => {
  const facts: FactBody[] = [
    started,
    lease(1),
    dispatched,
    { type: "action.failed", step: "a", attempt: 1, error, outcome: "unknown" },
    { ...dispatched, attempt: 2 } as FactBody,
    { type: "action.completed", step: "a", attempt: 2, output: 1 },
    { type: "compute.failed", step: "b", node: "m", digest: "d", error },
    { type: "run.compensating" },
  ];
  expect(shown(...facts)).toMatchObject({ status: "compensating", compensated: false });
  const undo: FactBody = { type: "action.dispatched", step: "a~undo/back", attempt: 1, node: "back", input: 1, notAfter: 99 };
  const undone: FactBody = { type: "action.completed", step: "a~undo/back", attempt: 1, output: null };
  expect(shown(...facts, undo, undone, { type: "run.failed", error, step: "b", notUndone: [] })).toMatchObject({
    runId: "r",
    workflow: "w",
    version: "1.0.0",
    status: "failed",
    input: { n: 1 },
    correlationId: "c",
    retries: 1,
    compensated: true,
    startedAt: 0,
    endedAt: 10_000,
    error,
    failedStep: "b",
    steps: [
      { step: "a", status: "completed", attempts: 2 },
      { step: "b", kind: "compute", status: "failed" },
      { step: "a~undo/back", status: "completed" },
    ],
  });
});

test("takeovers and epoch", () => {
  expect(shown(started, lease(1), lease(2), lease(3))).toMatchObject({ epoch: 3, takeovers: 2 });
});

test("a fork says whose past it shares; what it begins with is its own", () => {
  const forked: FactBody = { type: "run.forked", from: "old", step: "b", position: 2, since: 0, owes: true };
  const view = shown(started, dispatched, { type: "action.completed", step: "a", attempt: 1, output: 2 }, forked);
  expect(view).toMatchObject({ status: "pending", startedAt: 3_000, takeovers: 0, forkedFrom: { runId: "old", step: "b" } });
  expect(view.steps).toMatchObject([{ step: "a", status: "completed" }]);
});
test("a pause by hand is told before that of a step, and a cancel lifts both", () => {
  const doubt: FactBody = { type: "run.paused", code: "IN_DOUBT", step: "a", message: "m" };
  const hand: FactBody = { type: "run.paused", code: "PAUSED", message: "lunch" };
  expect(shown(started, lease(1), dispatched, doubt, hand).paused).toMatchObject({ code: "PAUSED", message: "lunch" });
  expect(shown(started, lease(1), dispatched, doubt, hand, { type: "run.resumed" }).paused).toMatchObject({ code: "IN_DOUBT" });
  expect(shown(started, lease(1), dispatched, doubt, hand, { type: "cancel.requested" }).paused).toBeUndefined();
});

describe("owners", () => {
  const taken = (epoch: number, leaseId: string, pid?: number): FactBody => ({
    type: "lease.acquired",
    leaseId,
    epoch,
    ...(pid === undefined ? {} : { by: { host: "one", pid } }),
  });
  const timer: FactBody = { type: "timer.set", step: "sleep", due: 9, purpose: "sleep" };
  /** Facts with their times. */
  const at = (...facts: readonly (readonly [at: number, body: FactBody])[]) =>
    view(
      "r",
      facts.map(([at, body]) => ({ ...body, at }) as Fact),
    ).owners;

  test("one that began it, put it down, and has it again", () => {
    expect(at([0, started], [0, taken(1, "a", 7)], [1, timer], [9, taken(2, "a", 7)], [9, { type: "timer.fired", step: "sleep" }])).toEqual(
      [
        { epoch: 1, leaseId: "a", taken: "started", at: 0, until: 1, by: { host: "one", pid: 7 } },
        { epoch: 2, leaseId: "a", taken: "woken", at: 9, by: { host: "one", pid: 7 } },
      ],
    );
  });
  test("another one, to which what it waited for has come", () => {
    const woken = at([0, started], [0, taken(1, "a")], [1, timer], [9, taken(2, "b")], [9, { type: "timer.fired", step: "sleep" }]);
    expect(woken).toMatchObject([{ taken: "started" }, { taken: "woken", leaseId: "b" }]);
  });
  test("another one, while a call was under way, or with nothing that wakes", () => {
    const busy = at([0, started], [0, taken(1, "a")], [1, dispatched], [9, taken(2, "b")], [9, { type: "cancel.requested" }]);
    expect(busy).toMatchObject([{ until: 1 }, { taken: "taken over" }]);
    expect(at([0, started], [0, taken(1, "a")], [1, timer], [9, taken(2, "b")])).toMatchObject([{ until: 1 }, { taken: "taken over" }]);
  });
  test("the last one has it until the end", () => {
    expect(at([0, started], [2, taken(1, "a")], [5, { type: "run.completed", output: 1 }])).toEqual([
      { epoch: 1, leaseId: "a", taken: "started", at: 2, until: 5 },
    ]);
  });
  test("of a fork, its own alone", () => {
    const forked: FactBody = { type: "run.forked", from: "x", position: 1, since: 0, owes: false };
    expect(at([0, started], [0, taken(1, "a")], [3, forked], [3, taken(2, "b")])).toEqual([
      { epoch: 2, leaseId: "b", taken: "started", at: 3 },
    ]);
  });
});
