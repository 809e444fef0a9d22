/** A step's id is its path; what a user calls a step cannot meet the names that the run uses itself. */
import { expect, test } from "vitest";
import { all, compute, Fatal, sleep } from "../../src/index.ts";
import { anything, Ledger, playOut } from "./kit.ts";

const same = compute({ name: "same", input: anything }, (n: number) => n);

test("a step called like another one's retry timer", async () => {
  const ledger = new Ledger();
  ledger.manners.a = ["throw", "ok"];
  const { view } = await playOut(function* () {
    const { retried } = yield* all({ retried: twoOf("call@1") });
    return retried;
  });
  function* twoOf(name: string) {
    const both = yield* all({
      one: ledger.again("a", { step: "call" }),
      two: same(1),
    });
    return [both.two, yield* same(2, { step: name })];
  }
  expect((await view()).output).toEqual([1, 2]);
});

test("steps and branches called like the run's own timers and undos", async () => {
  const ledger = new Ledger();
  const { view } = await playOut(
    function* () {
      yield* all({ "~deadline": sleep("1s"), "~cleanup": sleep("1s"), "act~undo": ledger.act("x") });
      yield* ledger.again("b", { step: "~deadline" });
      yield* ledger.act("a", { step: "~cleanup" });
      throw new Fatal("BROKEN");
    },
    { timeout: "1h" },
  );
  expect(await view()).toMatchObject({ status: "failed", error: { code: "BROKEN" }, notUndone: [] });
  expect(ledger.lines).toEqual(["x", "b", "a", "undo a", "undo b", "undo x"]);
});

test("a compute called like an undo is no compensation", async () => {
  const ledger = new Ledger();
  const { view } = await playOut(function* () {
    yield* all({ "x~undo": ledger.final("a") });
    return "done";
  });
  expect(await view()).toMatchObject({ status: "completed", compensated: false });
});

test("a step with a timer of its own beside one that is called like it", async () => {
  const ledger = new Ledger();
  ledger.manners.a = ["throw", "ok"];
  const { view } = await playOut(function* () {
    return yield* allBare();
  });
  function* allBare() {
    const first = yield* ledger.again("b", { step: "call@1" });
    const second = yield* ledger.again("a", { step: "call" });
    return [first.id, second.id];
  }
  expect((await view()).output).toEqual(["b", "a"]);
});
