import { expect, test } from "vitest";
import { attempt, compute, each, Fatal, sleep } from "../../src/index.ts";
import { anything, Gate, Ledger, play, playOut } from "./kit.ts";

const double = compute({ name: "double", input: anything }, (n: number) => n * 2);

test("results come in the order of the items, whatever finishes first", async () => {
  const { view } = await playOut(function* () {
    return yield* each([3, 1, 2], function* (seconds, i) {
      yield* sleep(`${seconds}s`);
      return [seconds, i];
    });
  });
  expect((await view()).output).toEqual([
    [3, 0],
    [1, 1],
    [2, 2],
  ]);
});

test("at most `concurrency` branches are under way, ten when nothing is said", async () => {
  for (const [concurrency, first] of [
    [undefined, 10],
    [3, 3],
    [1, 1],
  ] as const) {
    const ledger = new Ledger();
    const gate = new Gate();
    const items = Array.from({ length: 12 }, (_, i) => `i${i}`);
    for (const item of items) ledger.manners[item] = gate;
    const { t, view } = await play(function* () {
      return (yield* each(items, (item) => ledger.act(item), concurrency === undefined ? {} : { concurrency })).length;
    });
    expect(ledger.lines).toEqual(items.slice(0, first));
    gate.open();
    await t.advance("1s");
    expect(ledger.lines).toEqual(items);
    expect((await view()).output).toBe(12);
  }
});

test("`batchSize` hands out lists", async () => {
  const { view } = await playOut(function* () {
    return yield* each(
      [1, 2, 3, 4, 5],
      function* (batch) {
        return yield* double(batch.length);
      },
      { batchSize: 2 },
    );
  });
  expect((await view()).output).toEqual([4, 4, 2]);
});

test("`key` names the branches, else they are numbered", async () => {
  const { view } = await playOut(function* () {
    yield* each(["x", "y", "x"], () => double(1, { step: "s" }), { key: (name) => name });
    yield* each(["z"], () => double(1, { step: "s" }));
  });
  expect((await view()).steps.map(({ step }) => step)).toEqual(["x/s", "y/s", "x#2/s", "0/s"]);
});

test("no items give an empty list", async () => {
  const { view } = await playOut(function* () {
    return yield* each([], () => sleep("1s"));
  });
  expect((await view()).output).toEqual([]);
});

test("a failed item cancels the rest, and the next ones are not begun", async () => {
  const ledger = new Ledger();
  const { view } = await playOut(function* () {
    yield* each(
      ["a", "bad", "never"],
      function* (id) {
        if (id === "bad") throw new Fatal("BAD");
        yield* ledger.act(id);
      },
      { concurrency: 2 },
    );
  });
  expect(ledger.lines).not.toContain("never");
  expect(await view()).toMatchObject({ status: "failed", error: { code: "BAD" } });
});

test("a branch function that throws fails the `each`", async () => {
  const { view } = await playOut(function* () {
    yield* each([1], () => {
      throw new Fatal("THROWN");
    });
  });
  expect(await view()).toMatchObject({ status: "failed", error: { code: "THROWN" } });
});

test("concurrency and batchSize below one are refused", async () => {
  const { view } = await playOut(function* () {
    const tried = [
      yield* attempt(each([1], () => sleep("1s"), { concurrency: 0 })),
      yield* attempt(each([1], () => sleep("1s"), { batchSize: 0 })),
    ];
    return tried.map((one) => one.error?.code ?? "ok");
  });
  expect((await view()).output).toEqual(["BRANCH_INVALID", "BRANCH_INVALID"]);
});
