/** A run paused by hand begins nothing new until it is resumed; what comes meanwhile is kept. */
import { describe, expect, test } from "vitest";
import { all, Fatal, race, type Steps, signal, sleep, workflow } from "../../src/index.ts";
import { anything, Gate, Ledger, play } from "./kit.ts";

const go = signal({ name: "go", payload: anything });

describe("pause", () => {
  test("a call in flight ends and is recorded, the next one waits for `resume`", async () => {
    const ledger = new Ledger();
    const gate = new Gate();
    ledger.manners.a = gate;
    const { t, run, view, log } = await play(function* () {
      yield* ledger.act("a");
      yield* ledger.act("b");
      return "done";
    });
    await run.pause({ reason: "the bank is down" });
    await t.advance("1s");
    expect(await view()).toMatchObject({ status: "paused", paused: { code: "PAUSED", message: "the bank is down" } });
    gate.open();
    await t.advance("1h");
    expect(ledger.lines).toEqual(["a"]);
    expect(await log()).toContain("action.completed act");
    expect(await view()).toMatchObject({ status: "paused" });
    await run.resume();
    await t.advance("1s");
    expect(ledger.lines).toEqual(["a", "b"]);
    expect(await view()).toMatchObject({ status: "completed", output: "done" });
    expect((await view()).paused).toBeUndefined();
  });

  test("twice is one pause, and it survives a crash", async () => {
    const { act, lines } = new Ledger();
    const { t, run, view, facts } = await play(function* () {
      yield* sleep("1m");
      yield* act("a");
    });
    await run.pause();
    await run.pause();
    await t.advance("1s");
    await run.pause();
    await t.crash();
    await t.advance("1h");
    expect((await facts()).filter(({ type }) => type === "run.paused")).toHaveLength(1);
    expect(await view()).toMatchObject({ status: "paused", paused: { message: "paused by hand" } });
    expect(lines).toEqual([]);
    await run.resume();
    await t.advance("0ms");
    expect(lines).toEqual(["a"]);
  });

  test("a crash with a call in flight: it is sent again only after `resume`", async () => {
    const ledger = new Ledger();
    ledger.manners.a = [new Gate(), "ok"];
    const { t, run, view } = await play(function* () {
      return yield* ledger.again("a");
    });
    await run.pause();
    await t.crash();
    await t.advance("1h");
    expect(ledger.lines).toEqual(["a"]);
    await run.resume();
    await t.advance("1s");
    expect(ledger.lines).toEqual(["a", "a"]);
    expect(await view()).toMatchObject({ status: "completed", output: { id: "a" } });
  });

  test("signals and timers that come are kept, and take effect after `resume`", async () => {
    const { act, lines } = new Ledger();
    const { t, run, view } = await play(function* () {
      const [payload] = yield* all([
        (function* (): Steps<unknown> {
          const got = yield* go.wait();
          yield* act("answered");
          return got;
        })(),
        (function* () {
          yield* sleep("1m");
          yield* act("woke");
        })(),
      ]);
      return payload;
    });
    await run.pause();
    await t.advance("1s");
    await run.signal(go, 7);
    await t.advance("2h");
    expect(lines).toEqual([]);
    expect((await view()).status).toBe("paused");
    await run.resume();
    await t.advance("1s");
    expect(lines.sort()).toEqual(["answered", "woke"]);
    expect((await view()).output).toBe(7);
  });

  test("a retry that is due waits too", async () => {
    const ledger = new Ledger();
    ledger.manners.a = ["throw", "ok"];
    const { t, run, view } = await play(function* () {
      return yield* ledger.again("a");
    });
    await run.pause();
    await t.advance("1h");
    expect(ledger.lines).toEqual(["a"]);
    await run.resume();
    await t.advance("1s");
    expect(ledger.lines).toEqual(["a", "a"]);
    expect((await view()).status).toBe("completed");
  });

  test("costs no memory once its calls have ended, children or not; children go on", async () => {
    const { act, lines } = new Ledger();
    const child = workflow({ name: "child", input: anything }, function* () {
      yield* sleep("1m");
      yield* act("child");
      return "grown";
    });
    const { t, run, view } = await play(function* () {
      const grown = yield* child(1);
      yield* act("parent");
      return grown;
    });
    await run.pause();
    await t.advance("1s");
    await t.idle();
    expect((await t.list({ status: "paused" })).map(({ id, owned }) => [id, owned])).toEqual([["run", false]]);
    await t.advance("1h");
    expect(lines).toEqual(["child"]);
    expect((await t.run("run/child").status()).status).toBe("completed");
    await run.resume();
    await t.advance("1s");
    expect(lines).toEqual(["child", "parent"]);
    expect((await view()).output).toBe("grown");
  });

  test("a cancel lifts it: what was done is taken back", async () => {
    const { act, lines } = new Ledger();
    const { t, run, view } = await play(function* () {
      yield* act("a");
      yield* sleep("1h");
    });
    await run.pause();
    await t.advance("1s");
    await run.cancel("enough");
    await t.advance("1s");
    expect(lines).toEqual(["a", "undo a"]);
    expect(await view()).toMatchObject({ status: "cancelled", notUndone: [] });
  });

  test("a cancel while a call is in flight aborts it", async () => {
    const ledger = new Ledger();
    ledger.manners.a = "obey";
    const { t, run, view } = await play(function* () {
      yield* ledger.act("a");
    });
    await run.pause();
    await t.advance("1s");
    await run.cancel();
    await t.advance("1s");
    expect(ledger.lines).toEqual(["a", "undo a?"]);
    expect((await view()).status).toBe("cancelled");
  });

  test("holds back undos too", async () => {
    const ledger = new Ledger();
    const gate = new Gate();
    ledger.manners.b = gate;
    const { t, run, view } = await play(function* () {
      yield* ledger.act("a");
      yield* ledger.look("b");
      throw new Fatal("BROKEN");
    });
    await run.pause();
    gate.open();
    await t.advance("1h");
    expect(ledger.lines).toEqual(["a", "b"]);
    await run.resume();
    await t.advance("1s");
    expect(ledger.lines).toEqual(["a", "b", "undo a"]);
    expect((await view()).status).toBe("failed");
  });

  test("the run's timeout takes effect after `resume`", async () => {
    const { act, lines } = new Ledger();
    const { t, run, view } = await play(
      function* () {
        yield* act("a");
        yield* go.wait();
      },
      { timeout: "1m" },
    );
    await run.pause();
    await t.advance("1h");
    expect((await view()).status).toBe("paused");
    await run.resume();
    await t.advance("1s");
    expect(lines).toEqual(["a", "undo a"]);
    expect(await view()).toMatchObject({ status: "failed", error: { code: "RUN_TIMEOUT" } });
  });

  test("beside a step in doubt: settling the step does not resume the run, and resuming the run does not settle the step", async () => {
    const ledger = new Ledger();
    ledger.manners.a = [new Gate(), "ok"];
    const { t, run, view } = await play(function* () {
      yield* ledger.act("a");
      yield* ledger.act("b");
    });
    await t.crash();
    await t.advance("1s");
    expect((await view()).paused).toMatchObject({ code: "IN_DOUBT", step: "act" });
    await run.pause();
    await t.advance("1s");
    expect((await view()).paused).toMatchObject({ code: "PAUSED" });
    await run.resume();
    await t.advance("1s");
    expect((await view()).paused).toMatchObject({ code: "IN_DOUBT", step: "act" });
    await run.pause();
    await run.resume({ step: "act", output: { id: "a" } });
    await t.advance("1s");
    expect(ledger.lines).toEqual(["a"]);
    expect((await view()).paused).toMatchObject({ code: "PAUSED" });
    await run.resume();
    await t.advance("1s");
    expect(ledger.lines).toEqual(["a", "b"]);
    expect((await view()).status).toBe("completed");
  });

  test("a race that is decided meanwhile stays decided", async () => {
    const ledger = new Ledger();
    const { t, run, view } = await play(function* () {
      const { winner } = yield* race({ answer: go.wait(), late: sleep("1m") });
      yield* ledger.act(winner);
    });
    await run.pause();
    await run.signal(go, 1);
    await t.advance("1h");
    await t.crash();
    await t.advance("1h");
    await run.resume();
    await t.advance("1s");
    expect(ledger.lines).toEqual(["answer"]);
    expect((await view()).status).toBe("completed");
  });

  test("an ended run is RUN_ENDED, an unknown one RUN_UNKNOWN", async () => {
    const { t, run } = await play(function* () {
      yield* sleep("1s");
    });
    await t.advance("2s");
    await expect(run.pause()).rejects.toMatchObject({ code: "RUN_ENDED" });
    await expect(t.run("nobody").pause()).rejects.toMatchObject({ code: "RUN_UNKNOWN" });
  });
});
