import { expect, test } from "vitest";
import { all, compute, Fatal, StepError, sleep } from "../../src/index.ts";
import { anything, Ledger, play, playOut } from "./kit.ts";

const same = compute({ name: "same", input: anything }, (value: string | number) => value);

test("gives a record for a record and a list for a list, in their order", async () => {
  const { view } = await playOut(function* () {
    const record = yield* all({ b: same(1), a: same(2) });
    const list = yield* all([same("x"), same("y")]);
    return { record, list, none: yield* all([]) };
  });
  expect((await view()).output).toEqual({ record: { b: 1, a: 2 }, list: ["x", "y"], none: [] });
});

test("branches run at once", async () => {
  const ledger = new Ledger();
  ledger.manners.a = "deaf";
  await play(function* () {
    yield* all([ledger.act("a"), ledger.act("b")]);
  });
  expect(ledger.lines).toEqual(["a", "b"]);
});

test("steps are named by their branch, and repeats are counted in it", async () => {
  const { view } = await playOut(function* () {
    yield* all({
      left: (function* () {
        yield* same(1);
        yield* same(2);
      })(),
      "a/b": same(3, { step: "own" }),
    });
    yield* all([same(4)]);
  });
  expect((await view()).steps.map(({ step }) => step)).toEqual(["left/same", "a%2Fb/own", "left/same#2", "0/same"]);
});

test("the first failure cancels the others and waits until they have settled", async () => {
  const ledger = new Ledger();
  const order: string[] = [];
  const { t, view } = await play(function* () {
    try {
      yield* all({
        bad: (function* () {
          yield* sleep("1s");
          throw new Fatal("BAD");
        })(),
        slow: (function* () {
          try {
            yield* ledger.act("slow");
            yield* sleep("1h");
          } finally {
            yield* sleep("10s");
            order.push("settled");
          }
        })(),
      });
    } catch (error) {
      order.push((error as Fatal).code);
    }
    return "on";
  });
  await t.advance("5s");
  expect(order).toEqual([]);
  await t.advance("10s");
  expect(order).toEqual(["settled", "BAD"]);
  expect((await view()).output).toBe("on");
});

test("what is neither an operation nor a generator is refused", async () => {
  const { view } = await playOut(function* () {
    yield* all([5 as never]);
  });
  expect(await view()).toMatchObject({ status: "failed", error: { code: "BRANCH_INVALID" } });
});

test("a failing step is caught as a StepError with its path", async () => {
  const ledger = new Ledger();
  ledger.manners.a = "fatal";
  let caught: unknown;
  await playOut(function* () {
    try {
      yield* all({ pay: ledger.act("a", { step: "charge" }) });
    } catch (error) {
      caught = error;
    }
    return null;
  });
  expect(caught).toBeInstanceOf(StepError);
  expect(caught).toMatchObject({ code: "REFUSED", step: "pay/charge", node: "act", attempts: 1 });
});
