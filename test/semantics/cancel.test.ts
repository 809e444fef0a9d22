/** Cancellation is the generator's return (API rule 10). */
import { describe, expect, test } from "vitest";
import { all, attempt, compute, race, sleep } from "../../src/index.ts";
import { anything, Gate, Ledger, play } from "./kit.ts";

describe("cancel", () => {
  test("ends the run as cancelled with its reason, and takes back what it did", async () => {
    const { act, lines } = new Ledger();
    const { t, run, view } = await play(function* () {
      yield* act("a");
      yield* sleep("1h");
      yield* act("never");
    });
    await run.cancel("the customer left");
    await t.advance("1s");
    expect(lines).toEqual(["a", "undo a"]);
    expect(await view()).toMatchObject({ status: "cancelled" });
    await expect(run.result()).rejects.toMatchObject({ name: "RunCancelled", code: "RUN_CANCELLED", reason: "the customer left" });
  });

  test("`finally` runs as cleanup and is not undone; `catch` does not see it", async () => {
    const { act, lines } = new Ledger();
    const caught: unknown[] = [];
    const { t, run, view } = await play(function* () {
      try {
        yield* act("a");
        yield* sleep("1h");
      } catch (error) {
        caught.push(error);
      } finally {
        yield* act("cleanup");
      }
      return "swallowed";
    });
    await run.cancel();
    await t.advance("1s");
    expect(caught).toEqual([]);
    expect(lines).toEqual(["a", "cleanup", "undo a"]);
    expect((await view()).status).toBe("cancelled");
  });

  test("branches in `finally` are cleanup as well", async () => {
    const { act, lines } = new Ledger();
    const { t, run, view } = await play(function* () {
      try {
        yield* sleep("1h");
      } finally {
        yield* all([act("x"), act("y")]);
        yield* attempt(act("z"));
      }
    });
    await run.cancel();
    await t.advance("1s");
    expect(lines).toEqual(["x", "y", "z"]);
    expect((await view()).status).toBe("cancelled");
  });

  test.each(["returns", "throws"])("the outcome stays cancelled when `finally` %s", async (how) => {
    const { t, run, view } = await play(function* () {
      try {
        yield* sleep("1h");
      } finally {
        yield* sleep("1s");
        // biome-ignore lint/correctness/noUnsafeFinally: what a user may write
        if (how === "throws") throw new Error("in finally");
        // biome-ignore lint/correctness/noUnsafeFinally: what a user may write
        return "from finally";
      }
    });
    await run.cancel();
    await t.advance("1m");
    expect(await view()).toMatchObject({ status: "cancelled" });
  });

  test("cleanup is cut after 60 s", async () => {
    const ledger = new Ledger();
    const { t, run, view } = await play(function* () {
      try {
        yield* sleep("1h");
      } finally {
        yield* sleep("30s");
        yield* ledger.final("first");
        yield* sleep("31s");
        yield* ledger.final("too late");
      }
    });
    await run.cancel();
    await t.advance("59s");
    expect((await view()).endedAt).toBeUndefined();
    await t.advance("1s");
    expect(ledger.lines).toEqual(["first"]);
    expect(await view()).toMatchObject({ status: "cancelled" });
  });

  test("each cleanup has its own 60 s: that of a branch an hour ago does not count", async () => {
    function* cleaningUp(ms: "1s" | "24h") {
      try {
        yield* sleep("24h");
      } finally {
        yield* sleep(ms);
      }
    }
    const { t, view, log } = await play(function* () {
      yield* race({ quick: sleep("1s"), slow: cleaningUp("1s") });
      yield* sleep("1h");
      yield* race({ quick: sleep("1s"), slow: cleaningUp("24h") });
      return "done";
    });
    await t.advance("1h");
    expect(await log()).not.toContain("timer.fired ~cleanup");
    await t.advance("2m");
    expect(await view()).toMatchObject({ status: "completed", output: "done" });
  });

  test("a branch inside a cleanup that is cut does not clean up in its turn", async () => {
    const ledger = new Ledger();
    const { t, run, view } = await play(function* () {
      try {
        yield* sleep("24h");
      } finally {
        yield* all([
          (function* () {
            try {
              yield* sleep("24h");
            } finally {
              yield* sleep("24h");
              yield* ledger.final("too late");
            }
          })(),
        ]);
      }
    });
    await run.cancel();
    await t.advance("61s");
    expect(await view()).toMatchObject({ status: "cancelled" });
    expect(ledger.lines).toEqual([]);
  });

  test("waits for a call in flight that obeys its abort, and takes it back as unknown", async () => {
    const ledger = new Ledger();
    ledger.manners.a = "obey";
    const { t, run, view } = await play(function* () {
      yield* ledger.act("a");
    });
    await run.cancel();
    await t.advance("0ms");
    expect(ledger.lines).toEqual(["a", "undo a?"]);
    expect((await view()).status).toBe("cancelled");
  });

  test("a call that ignores the abort is given up after 5 s, its outcome unknown; its late answer changes nothing", async () => {
    const ledger = new Ledger();
    const gate = new Gate();
    ledger.manners.a = gate;
    const { t, run, view } = await play(function* () {
      yield* ledger.act("a");
    });
    await run.cancel();
    await t.advance("4900ms");
    expect(ledger.lines).toEqual(["a"]);
    await t.advance("100ms");
    expect(ledger.lines).toEqual(["a", "undo a?"]);
    const facts = (await run.facts()).length;
    gate.open();
    await t.advance("1m");
    expect((await run.facts()).length).toBe(facts);
    expect((await view()).status).toBe("cancelled");
  });

  test("an effect that was never sent since its branch lost in the same turn did not happen", async () => {
    const ledger = new Ledger();
    const here = compute({ name: "here", input: anything }, () => 1);
    const { view } = await play(function* () {
      const { winner } = yield* race({ sent: ledger.act("a"), here: here(1) });
      return winner;
    });
    expect(await view()).toMatchObject({ status: "completed", output: "here" });
    expect(ledger.lines).toEqual([]);
  });

  test("during compensation it is recorded and ignored", async () => {
    const ledger = new Ledger();
    const gate = new Gate();
    ledger.manners["undo a"] = gate;
    const { t, run, view, log } = await play(function* () {
      yield* ledger.act("a");
      throw new Error("broken");
    });
    await run.cancel();
    gate.open();
    await t.advance("1s");
    expect(await log()).toContain("cancel.requested");
    expect(await view()).toMatchObject({ status: "failed", error: { code: "WORKFLOW_THREW" } });
  });

  test("after a crash the cancelled call is taken back as unknown", async () => {
    const ledger = new Ledger();
    ledger.manners.a = ["deaf", "ok"];
    const { t, run, view } = await play(function* () {
      yield* ledger.act("a");
    });
    await run.cancel();
    await t.advance("1s");
    await t.crash();
    await t.advance("1m");
    expect(ledger.lines).toEqual(["a", "undo a?"]);
    expect((await view()).status).toBe("cancelled");
  });

  test("a second cancel and one of an ended run are told apart", async () => {
    const { t, run } = await play(function* () {
      yield* sleep("1h");
    });
    await run.cancel();
    await t.advance("1s");
    await expect(run.cancel()).rejects.toMatchObject({ code: "RUN_ENDED" });
  });
});
