/** What is undone, and when: API rule 22, line by line. */
import { describe, expect, test } from "vitest";
import { all, attempt, compensate, each, Fatal, race, StepError, sleep } from "../../src/index.ts";
import { Gate, Ledger, play, playOut } from "./kit.ts";

function* broken() {
  yield* sleep("1s");
  throw new Fatal("BROKEN");
}

describe("a scope that fails", () => {
  test("a run that fails takes back all that completed, newest first", async () => {
    const { act, lines } = new Ledger();
    const { view } = await playOut(function* () {
      yield* act("a");
      yield* act("b");
      yield* act("c");
      throw new Fatal("BROKEN");
    });
    expect(lines).toEqual(["a", "b", "c", "undo c", "undo b", "undo a"]);
    expect(await view()).toMatchObject({ status: "failed", error: { code: "BROKEN" }, notUndone: [], compensated: true });
  });

  test("D54: one in which nothing has run owes nothing", async () => {
    const { lines } = new Ledger();
    const { view, facts } = await playOut(function* () {
      yield* sleep("1s");
      throw new Fatal("BROKEN");
    });
    expect(lines).toEqual([]);
    expect(await view()).toMatchObject({ status: "failed", compensated: false, notUndone: [] });
    expect((await facts()).map(({ type }) => type)).not.toContain("action.dispatched");
  });

  test("an unknown outcome is undone too, with `output` undefined", async () => {
    const ledger = new Ledger();
    ledger.manners.b = "throw";
    const { view } = await playOut(function* () {
      yield* ledger.act("a");
      yield* ledger.act("b");
    });
    expect(ledger.lines).toEqual(["a", "b", "undo b?", "undo a"]);
    expect(await view()).toMatchObject({ status: "failed", error: { code: "EFFECT_THREW" }, failedStep: "act#2" });
  });

  test("what `Fatal` refused did not happen, and is not undone", async () => {
    const ledger = new Ledger();
    ledger.manners.b = "fatal";
    await playOut(function* () {
      yield* ledger.act("a");
      yield* ledger.act("b");
    });
    expect(ledger.lines).toEqual(["a", "b", "undo a"]);
  });

  test("an unknown attempt before a `Fatal` one leaves the outcome unknown", async () => {
    const ledger = new Ledger();
    ledger.manners.a = ["throw", "fatal"];
    const { view } = await playOut(function* () {
      yield* ledger.again("a");
    });
    expect(ledger.lines).toEqual(["a", "a", "undo a?"]);
    expect(await view()).toMatchObject({ error: { code: "REFUSED" } });
  });

  test("a failed attempt takes back what completed in it, and nothing that completed before it", async () => {
    const { act, lines } = new Ledger();
    const { view } = await playOut(function* () {
      yield* act("before");
      const tried = yield* attempt(
        (function* () {
          yield* act("in");
          return yield* broken();
        })(),
      );
      yield* act("after");
      return tried.ok ? "ok" : tried.error.code;
    });
    expect(lines).toEqual(["before", "in", "after", "undo in"].sort((a, b) => lines.indexOf(a) - lines.indexOf(b)));
    expect(lines).not.toContain("undo before");
    expect(await view()).toMatchObject({ status: "completed", output: "BROKEN" });
  });

  test("a caught failure takes back nothing that completed before it", async () => {
    const ledger = new Ledger();
    ledger.manners.b = "fatal";
    const { view } = await playOut(function* () {
      yield* ledger.act("a");
      try {
        yield* ledger.act("b");
      } catch (error) {
        if (!(error instanceof StepError)) throw error;
        return error.code;
      }
      return null;
    });
    expect(ledger.lines).toEqual(["a", "b"]);
    expect(await view()).toMatchObject({ status: "completed", output: "REFUSED" });
  });

  test("a failed branch of `all` and those cancelled for it are taken back, one that had succeeded stays with the scope around it", async () => {
    const ledger = new Ledger();
    const { view } = await playOut(function* () {
      const tried = yield* attempt(
        all({
          done: ledger.act("done"),
          open: (function* () {
            yield* ledger.act("open");
            yield* sleep("1h");
          })(),
          bad: (function* () {
            yield* ledger.act("bad");
            yield* broken();
          })(),
        }),
      );
      return tried.ok;
    });
    // The attempt around them failed as well, so what succeeded in it goes too.
    expect(ledger.lines.slice(0, 3)).toEqual(["done", "open", "bad"]);
    expect(ledger.lines.slice(3).sort()).toEqual(["undo bad", "undo done", "undo open"]);
    expect(await view()).toMatchObject({ status: "completed", output: false });
  });

  test("a branch that succeeded is kept when the failure is caught inside the same scope", async () => {
    const { act, lines } = new Ledger();
    await playOut(function* () {
      try {
        yield* all({ done: act("done"), bad: broken() });
      } catch {}
      return null;
    });
    expect(lines).toEqual(["done"]);
  });

  test("a failed item of `each` takes back its own branch", async () => {
    const { act, lines } = new Ledger();
    await playOut(function* () {
      try {
        yield* each(["a", "b"], function* (id) {
          yield* act(id);
          if (id === "b") throw new Fatal("BROKEN");
        });
      } catch {}
      return null;
    });
    expect(lines).toEqual(["a", "b", "undo b"]);
  });
});

describe("a scope that succeeds", () => {
  test("takes nothing back that completed", async () => {
    const { act, lines } = new Ledger();
    await playOut(function* () {
      yield* act("a");
      yield* attempt(act("b"));
      yield* all([act("c")]);
    });
    expect(lines).toEqual(["a", "b", "c"]);
  });

  test("takes an unknown outcome back when the run completes all the same", async () => {
    const ledger = new Ledger();
    ledger.manners.first = "throw";
    const { view } = await playOut(function* () {
      try {
        yield* ledger.act("first");
      } catch {
        yield* ledger.act("second");
      }
      return "paid";
    });
    expect(ledger.lines).toEqual(["first", "second", "undo first?"]);
    expect(await view()).toMatchObject({ status: "completed", output: "paid", notUndone: [] });
  });

  test("takes an unknown outcome in a branch back when the branch closes", async () => {
    const ledger = new Ledger();
    ledger.manners.a = "throw";
    await playOut(function* () {
      yield* all([
        (function* () {
          try {
            yield* ledger.act("a");
          } catch {}
        })(),
      ]);
      yield* sleep("1m");
      yield* ledger.act("later");
    });
    expect(ledger.lines).toEqual(["a", "undo a?", "later"]);
  });

  test("`keep` leaves an unknown outcome as it is", async () => {
    const ledger = new Ledger();
    ledger.manners.a = "throw";
    await playOut(function* () {
      try {
        yield* ledger.act("a", { keep: true });
      } catch {}
      return null;
    });
    expect(ledger.lines).toEqual(["a"]);
  });

  test("`keep` does not hold in a scope that fails", async () => {
    const { act, lines } = new Ledger();
    await playOut(function* () {
      yield* act("a", { keep: true });
      throw new Fatal("BROKEN");
    });
    expect(lines).toEqual(["a", "undo a"]);
  });
});

describe("a loser of a race", () => {
  test("is taken back when it completed all the same", async () => {
    const ledger = new Ledger();
    const gate = new Gate();
    ledger.manners.slow = gate;
    const { t, view } = await play(function* () {
      const { winner } = yield* race({ fast: sleep("1s"), slow: ledger.act("slow") });
      return winner;
    });
    await t.advance("2s");
    gate.open();
    await t.advance("1m");
    expect(ledger.lines).toEqual(["slow", "undo slow"]);
    expect(await view()).toMatchObject({ status: "completed", output: "fast" });
  });

  test("is taken back with what it had completed before it lost", async () => {
    const { act, lines } = new Ledger();
    await playOut(function* () {
      yield* race({
        slow: (function* () {
          yield* act("a");
          yield* act("b");
          yield* sleep("1h");
        })(),
        fast: sleep("1s"),
      });
    });
    expect(lines).toEqual(["a", "b", "undo b", "undo a"]);
  });

  test("is taken back as unknown when it was aborted", async () => {
    const ledger = new Ledger();
    ledger.manners.slow = "obey";
    await playOut(function* () {
      yield* race({ fast: sleep("1s"), slow: ledger.act("slow") });
    });
    expect(ledger.lines).toEqual(["slow", "undo slow?"]);
  });

  test("is not taken back with `keep`, unless the scope around it fails", async () => {
    for (const fails of [false, true]) {
      const { act, lines } = new Ledger();
      await playOut(function* () {
        yield* race({
          slow: (function* () {
            yield* act("a", { keep: true });
            yield* sleep("1h");
          })(),
          fast: sleep("1s"),
        });
        if (fails) throw new Fatal("BROKEN");
      });
      expect(lines).toEqual(fails ? ["a", "undo a"] : ["a"]);
    }
  });

  test("the winner is not taken back", async () => {
    const { act, lines } = new Ledger();
    await playOut(function* () {
      yield* race({ fast: act("a"), slow: sleep("1h") });
    });
    expect(lines).toEqual(["a"]);
  });
});

describe("what cannot be taken back", () => {
  test("irreversible and readonly effects are passed over in silence", async () => {
    const { act, final, look, lines } = new Ledger();
    const { view } = await playOut(function* () {
      yield* act("a");
      yield* final("letter");
      yield* look("balance");
      throw new Fatal("BROKEN");
    });
    expect(lines).toEqual(["a", "letter", "balance", "undo a"]);
    expect((await view()).notUndone).toEqual([]);
  });

  test("an effect that says nothing about it stands in notUndone, and the rest is undone", async () => {
    const { act, bare, lines } = new Ledger();
    const { run, view, facts } = await playOut(function* () {
      yield* act("a");
      yield* bare("b");
      throw new Fatal("BROKEN");
    });
    expect(lines).toEqual(["a", "b", "undo a"]);
    expect((await view()).notUndone).toEqual(["bare"]);
    expect((await facts()).filter((fact) => fact.type === "undo.failed")).toMatchObject([{ step: "bare", error: { code: "NO_UNDO" } }]);
    await expect(run.result()).rejects.toMatchObject({ name: "RunFailed", code: "BROKEN", notUndone: ["bare"] });
  });

  test("`Fatal` in an undo ends it; the step stands in notUndone", async () => {
    const ledger = new Ledger();
    ledger.manners["undo b"] = "fatal";
    const { view } = await playOut(function* () {
      yield* ledger.act("a");
      yield* ledger.act("b");
      throw new Fatal("BROKEN");
    });
    expect(ledger.lines).toEqual(["a", "b", "undo b", "undo a"]);
    expect((await view()).notUndone).toEqual(["act#2"]);
  });

  test("`onFailure: stop` undoes nothing and reports it", async () => {
    const { act, final, lines } = new Ledger();
    const { view } = await playOut(
      function* () {
        yield* act("a");
        yield* final("letter");
        yield* act("b");
        throw new Fatal("BROKEN");
      },
      { onFailure: "stop" },
    );
    expect(lines).toEqual(["a", "letter", "b"]);
    expect(await view()).toMatchObject({ status: "failed", notUndone: ["act#2", "act"], compensated: false });
  });
});

describe("an undo", () => {
  test("is retried without end, with a growing wait of at most a minute", async () => {
    const ledger = new Ledger();
    ledger.manners["undo a"] = "throw";
    const { t, view } = await play(function* () {
      yield* ledger.act("a");
      throw new Fatal("BROKEN");
    });
    await t.advance("1h");
    const undos = ledger.lines.length - 1;
    expect(undos).toBeGreaterThan(60);
    expect((await view()).status).toBe("compensating");
    ledger.manners["undo a"] = "ok";
    await t.advance("1m");
    expect(ledger.lines.length - 1).toBeGreaterThan(undos);
    expect(await view()).toMatchObject({ status: "failed", notUndone: [] });
  });

  test("is itself not undone, and is sent again after a crash", async () => {
    const ledger = new Ledger();
    const gate = new Gate();
    ledger.manners["undo a"] = gate;
    const { t, view } = await play(function* () {
      yield* ledger.act("a");
      throw new Fatal("BROKEN");
    });
    await t.crash();
    gate.open();
    await t.advance("1m");
    expect(ledger.lines).toEqual(["a", "undo a", "undo a"]);
    const [first, second] = ledger.keys.filter(({ line }) => line === "undo a");
    expect(first?.key).toBe(second?.key);
    expect(await view()).toMatchObject({ status: "failed", notUndone: [] });
  });

  test("gets the key of the step it takes back", async () => {
    const ledger = new Ledger();
    const { t } = await playOut(function* () {
      yield* ledger.act("a");
      throw new Fatal("BROKEN");
    });
    expect(t.calls(ledger.back)[0]?.input).toEqual({ id: "a", known: true, key: ledger.keys[0]?.key });
  });

  test("starts only when the forward attempts of its scope have settled", async () => {
    const ledger = new Ledger();
    const gate = new Gate();
    ledger.manners.slow = gate;
    const { t, run } = await play(function* () {
      yield* ledger.act("a");
      yield* ledger.act("slow");
    });
    await run.cancel();
    await t.advance("1s");
    expect(ledger.lines).toEqual(["a", "slow"]);
    gate.open();
    await t.advance("1s");
    expect(ledger.lines).toEqual(["a", "slow", "undo slow", "undo a"]);
  });

  test("of a closed branch runs beside the workflow, and the run's last turn waits for it", async () => {
    const ledger = new Ledger();
    const gate = new Gate();
    ledger.manners["undo a"] = gate;
    const { t, view } = await play(function* () {
      yield* attempt(
        (function* () {
          yield* ledger.act("a");
          throw new Fatal("BROKEN");
        })(),
      );
      yield* ledger.act("b");
      return "done";
    });
    expect(ledger.lines).toEqual(["a", "undo a", "b"].sort((x, y) => ledger.lines.indexOf(x) - ledger.lines.indexOf(y)));
    expect((await view()).endedAt).toBeUndefined();
    gate.open();
    await t.advance("1s");
    expect(await view()).toMatchObject({ status: "completed", output: "done" });
  });
});

describe("compensate", () => {
  test("without arguments performs all that the scope owes so far, newest first, and the scope owes it no more", async () => {
    const { act, lines } = new Ledger();
    await playOut(function* () {
      yield* act("a");
      yield* act("b");
      yield* compensate();
      yield* act("c");
      throw new Fatal("BROKEN");
    });
    expect(lines).toEqual(["a", "b", "undo b", "undo a", "c", "undo c"]);
  });

  test("with arguments performs them last first, and does not undo them", async () => {
    const { act, final, lines } = new Ledger();
    await playOut(function* () {
      yield* act("a");
      yield* compensate(final("x"), final("y"));
      throw new Fatal("BROKEN");
    });
    expect(lines).toEqual(["a", "y", "x", "undo a"]);
  });

  test("in a branch sees only what the branch owes", async () => {
    const { act, lines } = new Ledger();
    await playOut(function* () {
      yield* act("outer");
      yield* all([
        (function* () {
          yield* act("inner");
          yield* compensate();
        })(),
      ]);
    });
    expect(lines).toEqual(["outer", "inner", "undo inner"]);
  });
});
