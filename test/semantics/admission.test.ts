/** At most so many root runs are driven; the others wait in the queue, by priority and age. */
import { describe, expect, test } from "vitest";
import { z } from "zod";
import { all, restart, type Steps, signal, sleep, workflow } from "../../src/index.ts";
import { anything, Ledger } from "./kit.ts";
import { stage, type Tested, tested } from "./stage.ts";

const statuses = async (t: Tested) => Object.fromEntries((await t.list()).map(({ id, status }) => [id, status]).reverse());

describe("maxConcurrentWorkflows", () => {
  test("a start without a slot is pending, and taken when one is free: lower priority first, then the older", async () => {
    const { flow, order, open } = stage();
    const t = tested({ nodes: [flow], maxConcurrentWorkflows: 1 });
    await t.start(flow, "a", { runId: "a" });
    await t.start(flow, "late", { runId: "late", priority: 200 });
    await t.start(flow, "b", { runId: "b" });
    await t.start(flow, "c", { runId: "c" });
    await t.start(flow, "first", { runId: "first", priority: 1 });
    await t.advance("1s");
    expect(await statuses(t)).toEqual({ a: "running", late: "pending", b: "pending", c: "pending", first: "pending" });
    expect((await t.run("b").status()).status).toBe("pending");
    for (const id of ["a", "first", "b", "c", "late"]) {
      open(id);
      await t.advance("1s");
    }
    expect(order).toEqual(["a", "first", "b", "c", "late"]);
    expect(await t.run("late").result()).toBe("late");
  });

  test("the queue outlives a crash, in its order; runs that were driven go first", async () => {
    const { flow, order, open } = stage();
    const t = tested({ nodes: [flow], maxConcurrentWorkflows: 1 });
    await t.start(flow, "a", { runId: "a", priority: 900 });
    await t.advance("1s");
    await t.start(flow, "b", { runId: "b" });
    await t.start(flow, "first", { runId: "first", priority: 1 });
    await t.crash();
    await t.advance("1s");
    expect(order).toEqual(["a", "a"]);
    for (const id of ["a", "first", "b"]) {
      open(id);
      await t.advance("1s");
    }
    expect(order).toEqual(["a", "a", "first", "b"]);
  });

  test("a run that sleeps holds no slot, and needs one when it wakes, before those that are queued", async () => {
    const { flow, work, order, open } = stage();
    const sleeper = workflow({ name: "sleeper", input: z.string() }, function* (id) {
      yield* sleep("1h");
      yield* work(id);
    });
    const t = tested({ nodes: [flow, sleeper], maxConcurrentWorkflows: 1 });
    await t.start(sleeper, "s", { runId: "s" });
    await t.advance("1s");
    await t.start(flow, "a", { runId: "a" });
    await t.advance("2h");
    await t.start(flow, "b", { runId: "b", priority: 1 });
    await t.advance("1m");
    expect(order).toEqual(["a"]);
    open("a");
    await t.advance("1m");
    expect(order).toEqual(["a", "s"]);
    open("s");
    await t.advance("1m");
    expect(order).toEqual(["a", "s", "b"]);
  });

  test("mail wakes a run that is put down, and it waits for its slot", async () => {
    const { flow, work, order, open } = stage();
    const go = signal({ name: "go", payload: anything });
    const waits = workflow({ name: "waits", input: z.string() }, function* (id) {
      yield* go.wait();
      yield* work(id);
    });
    const t = tested({ nodes: [flow, waits], maxConcurrentWorkflows: 1 });
    const run = await t.start(waits, "w", { runId: "w" });
    await t.advance("1s");
    await t.start(flow, "a", { runId: "a" });
    await run.signal(go, 1);
    await t.advance("1s");
    expect(order).toEqual(["a"]);
    open("a");
    await t.advance("1s");
    expect(order).toEqual(["a", "w"]);
  });

  test("three levels of children finish in one slot, over a crash and an undo too", async () => {
    const ledger = new Ledger();
    const grandchild = workflow({ name: "grandchild", input: anything }, function* (id: string) {
      yield* ledger.act(id);
      yield* sleep("10m");
      return id;
    });
    const child = workflow({ name: "child", input: anything }, function* (id: string) {
      return (yield* all([grandchild(`${id}1`), grandchild(`${id}2`)])) as unknown;
    });
    const root = workflow({ name: "root", input: anything }, function* (id: string): Steps<unknown> {
      const got = yield* all([child(`${id}1`), child(`${id}2`)]);
      yield* ledger.final(`${id} over`);
      if (id === "b") throw new Error("b fails, and takes its children back");
      return got;
    });
    const t = tested({ nodes: [root], maxConcurrentWorkflows: 1 });
    const runs = await Promise.all(["a", "b", "c"].map((id) => t.start(root, id, { runId: id })));
    await t.advance("5m");
    await t.crash();
    await t.advance("1d");
    const ends = await Promise.all(
      runs.map((run) =>
        run.result().then(
          () => "completed",
          (error: { code: string }) => error.code,
        ),
      ),
    );
    expect(ends).toEqual(["completed", "WORKFLOW_THREW", "completed"]);
    expect(ledger.lines.filter((line) => line.startsWith("undo")).sort()).toEqual(["undo b11", "undo b12", "undo b21", "undo b22"]);
    expect(ledger.lines.filter((line) => line.endsWith("over"))).toEqual(["a over", "b over", "c over"]);
  });

  test("children that are due are taken though many roots that are due wait for slots", async () => {
    const { work, open } = stage();
    const nap = workflow({ name: "nap", input: anything }, function* () {
      yield* sleep("10m");
      return "rested";
    });
    const sleeper = workflow({ name: "sleeper", input: anything }, function* () {
      yield* sleep("5m");
    });
    const parent = workflow({ name: "parent", input: anything }, function* () {
      const rest = yield* nap(null);
      yield* work("p");
      return rest;
    });
    const t = tested({ nodes: [parent, sleeper], maxConcurrentWorkflows: 1 });
    // More than the store is asked for at once sleep first.
    for (let i = 0; i < 250; i++) await t.start(sleeper, i, { runId: `s${i}` });
    await t.advance("1s");
    const run = await t.start(parent, null, { runId: "p" });
    open("p");
    await t.advance("1h");
    expect(await run.result()).toBe("rested");
    expect((await t.list({ status: "completed" })).length).toBe(252);
  });

  test("an id that is queued is the same run, and conflicts as any other", async () => {
    const { flow, open } = stage();
    const t = tested({ nodes: [flow], maxConcurrentWorkflows: 1 });
    await t.start(flow, "a");
    const both = await Promise.all([t.start(flow, "b", { runId: "b" }), t.start(flow, "b", { runId: "b" })]);
    expect(both.map(({ runId }) => runId)).toEqual(["b", "b"]);
    await expect(t.start(flow, "other", { runId: "b" })).rejects.toMatchObject({ code: "RUN_ID_CONFLICT" });
    for (const id of ["a", "b"]) open(id);
    await t.advance("1s");
    expect(await t.list()).toHaveLength(2);
  });

  test("a queued run is cancelled at once, with nothing of it run, while the slot is taken", async () => {
    const { flow, work, order } = stage();
    const tidy = workflow({ name: "tidy", input: z.string() }, function* (id) {
      try {
        yield* work(id);
      } finally {
        yield* work(`${id} cleanup`);
      }
    });
    const t = tested({ nodes: [flow, tidy], maxConcurrentWorkflows: 1 });
    await t.start(flow, "a", { runId: "a" });
    const run = await t.start(tidy, "b", { runId: "b" });
    const result = run.result().catch((error: { code: string; message: string }) => error);
    await run.signal("hello", 1);
    await run.cancel("not wanted");
    await t.advance("1s");
    expect(await result).toMatchObject({ code: "RUN_CANCELLED", message: expect.stringContaining("not wanted") });
    expect((await run.facts()).map(({ type }) => type)).toEqual(["run.started", "signal.received", "cancel.requested", "run.cancelled"]);
    expect(await run.status()).toMatchObject({ status: "cancelled", steps: [] });
    expect(order).toEqual(["a"]);
    await expect(run.cancel()).rejects.toMatchObject({ code: "RUN_ENDED" });
  });

  test("signals that come while it is queued are there when it begins", async () => {
    const { flow, open } = stage();
    const go = signal({ name: "go", payload: anything });
    const waits = workflow({ name: "waits", input: anything }, function* () {
      return yield* go.wait();
    });
    const t = tested({ nodes: [flow, waits], maxConcurrentWorkflows: 1 });
    await t.start(flow, "a");
    const run = await t.start(waits, null);
    await run.signal(go, "early");
    await t.advance("1s");
    expect((await run.status()).status).toBe("pending");
    open("a");
    await t.advance("1s");
    expect(await run.result()).toBe("early");
  });

  test("restart keeps the slot", async () => {
    const { flow, work, order, open } = stage();
    const again = workflow({ name: "again", input: z.number() }, function* (n): Steps<unknown> {
      yield* work(`round ${n}`);
      if (n < 3) return yield* restart(n + 1);
      return n;
    });
    const t = tested({ nodes: [flow, again], maxConcurrentWorkflows: 1 });
    for (const n of [1, 2, 3]) open(`round ${n}`);
    const run = await t.start(again, 1, { runId: "again" });
    await t.start(flow, "b", { runId: "b" });
    await t.advance("1s");
    expect(order).toEqual(["round 1", "round 2", "round 3", "b"]);
    expect(await run.result()).toBe(3);
  });
});

describe("whenFull: refuse", () => {
  test("a start without a slot is ADMISSION_REFUSED, and nothing is stored", async () => {
    const { flow, open } = stage();
    const t = tested({ nodes: [flow], maxConcurrentWorkflows: 1, whenFull: "refuse" });
    const a = await t.start(flow, "a", { runId: "a" });
    await expect(t.start(flow, "b", { runId: "b" })).rejects.toMatchObject({ code: "ADMISSION_REFUSED" });
    await expect(t.process({ workflowType: "flow" as never, workflowContext: "c" as never })).rejects.toMatchObject({
      code: "ADMISSION_REFUSED",
    });
    expect((await t.start(flow, "a", { runId: "a" })).runId).toBe("a");
    expect(await t.list()).toHaveLength(1);
    open("a");
    open("b");
    expect(await a.result()).toBe("a");
    expect(await (await t.start(flow, "b", { runId: "b" })).result()).toBe("b");
  });
});

test.each([0, 1.5, -1, Number.NaN])("maxConcurrentWorkflows %s is OPTION_INVALID", (max) => {
  expect(() => tested({ nodes: [], maxConcurrentWorkflows: max })).toThrow(expect.objectContaining({ code: "OPTION_INVALID" }));
});
test("whenFull of another word, and a startTimeoutMs out of its range, are OPTION_INVALID", () => {
  for (const startTimeoutMs of [0, -1, Number.NaN, 3_600_001])
    expect(() => tested({ nodes: [], startTimeoutMs })).toThrow(expect.objectContaining({ code: "OPTION_INVALID" }));
  expect(() => tested({ nodes: [], maxConcurrentWorkflows: 1, whenFull: "drop" as never })).toThrow(
    expect.objectContaining({ code: "OPTION_INVALID" }),
  );
});
