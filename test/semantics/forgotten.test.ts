/** `yield*` performs (API rules 1 and 2). */
import { readFileSync } from "node:fs";
import { expect, test } from "vitest";
import { all, attempt, compute, each, effect, Fatal, race, sleep } from "../../src/index.ts";
import { anything, Ledger, play, playOut } from "./kit.ts";

const pure = compute({ name: "pure", input: anything }, (x) => x);
/** The place of a mark in this file. */
function placeOf(mark: string): string {
  const line =
    readFileSync(import.meta.filename, "utf8")
      .split("\n")
      .findIndex((text) => text.includes(`// ${mark}`)) + 1;
  return `forgotten.test.ts:${line}:`;
}

test("a call that was made and never performed ends the run, with file and line", async () => {
  const ledger = new Ledger();
  const { view } = await playOut(function* () {
    yield* ledger.act("a");
    ledger.act("forgotten"); // the slip
    yield* sleep("1s");
    return "done";
  });
  expect(await view()).toMatchObject({ status: "failed", error: { code: "OPERATION_NOT_PERFORMED" } });
  expect((await view()).error?.message).toContain(placeOf("the slip"));
  expect(ledger.lines).toEqual(["a", "undo a"]);
});

test("in a branch, in a helper, and of a verb", async () => {
  function* helper() {
    sleep("1s"); // in a helper
    yield* pure(1);
  }
  const { view } = await playOut(function* () {
    yield* all([
      (function* () {
        pure(1); // in a branch
        yield* pure(2);
      })(),
      helper(),
    ]);
    race({ a: sleep("1s") }); // a verb
  });
  const message = (await view()).error?.message ?? "";
  // The verb itself; what stands in it was handed on and not begun either.
  for (const mark of ["in a helper", "in a branch", "a verb"]) expect(message).toContain(placeOf(mark));
});

test("in the function of `each`", async () => {
  const { view } = await playOut(function* () {
    yield* each([1], (n) => {
      pure(n); // in each
      return pure(n);
    });
  });
  expect((await view()).error).toMatchObject({ code: "OPERATION_NOT_PERFORMED", message: expect.stringContaining(placeOf("in each")) });
});

test("also after a crash", async () => {
  const { t, view } = await play(function* () {
    pure(1); // before the crash
    yield* sleep("1h");
  });
  await t.crash();
  await t.advance("1h");
  expect((await view()).error?.message).toContain(placeOf("before the crash"));
});

test("an operation that is kept and performed later is no slip", async () => {
  const { view } = await playOut(function* () {
    const first = pure(1);
    const second = pure(2);
    const both = [pure(3), pure(4)];
    return [yield* second, yield* first, yield* all(both), yield* attempt(pure(5))];
  });
  expect((await view()).output).toEqual([2, 1, [3, 4], { ok: true, value: 5 }]);
});

test("one that another branch performs is no slip", async () => {
  const { view } = await playOut(function* () {
    const shared = pure(1);
    function* use() {
      yield* sleep("1s");
      return yield* shared;
    }
    return yield* all([use()]);
  });
  expect((await view()).output).toEqual([1]);
});

test("a branch that was cancelled is exempt, and so is one that throws", async () => {
  const { view } = await playOut(function* () {
    yield* race({
      quick: sleep("1s"),
      slow: (function* () {
        pure(1);
        yield* sleep("1h");
      })(),
    });
    yield* attempt(
      (function* () {
        pure(2);
        yield* new Ledger().final("x");
        throw new (yield* fatal())("MINE");
      })(),
    );
    return "done";
  });
  expect(await view()).toMatchObject({ status: "completed", output: "done" });
});
function* fatal() {
  yield* sleep("1s");
  return Fatal;
}

test("a run that was cancelled stays cancelled", async () => {
  const { t, run, view } = await play(function* () {
    pure(1);
    yield* sleep("1h");
  });
  await run.cancel();
  await t.advance("1s");
  expect((await view()).status).toBe("cancelled");
});

test("awaiting an operation rejects: in an effect, and outside", async () => {
  const bad = effect({ name: "bad", input: anything, readonly: true, retry: false }, async () => {
    await (pure(1) as unknown as Promise<unknown>);
    return null;
  });
  const { view } = await playOut(function* () {
    yield* bad(1);
  });
  expect((await view()).error).toMatchObject({ code: "OPERATION_AWAITED" });
  await expect(pure(1) as unknown as Promise<unknown>).rejects.toMatchObject({ code: "OPERATION_AWAITED" });
});

test("`yield` of something that is no operation says what to write", async () => {
  const { view } = await playOut(function* () {
    yield Promise.resolve(1) as never;
  });
  expect((await view()).error).toMatchObject({ code: "WORKFLOW_THREW", message: expect.stringContaining("yield*") });
});

test("a workflow that is no generator says so", async () => {
  const { view } = await playOut((() => ({ no: "generator" })) as never);
  expect((await view()).error).toMatchObject({ code: "WORKFLOW_THREW", message: expect.stringContaining("function*") });
});

test("a workflow that does not replay as it ran is still told that it forgot something", async () => {
  let runs = 0;
  const { view } = await playOut(function* () {
    runs++;
    pure(1);
    yield* runs === 1 ? pure(2) : pure(3);
  });
  expect(await view()).toMatchObject({ status: "failed", error: { code: "OPERATION_NOT_PERFORMED" } });
});
