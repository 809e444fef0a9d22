import { expect, test } from "vitest";
import { all, attempt, compute, Fatal, StepError, sleep } from "../../src/index.ts";
import { anything, Ledger, play, playOut } from "./kit.ts";

test("gives the value, or the failure as a value", async () => {
  const ledger = new Ledger();
  ledger.manners.b = "fatal";
  let error: unknown;
  const { view } = await playOut(function* () {
    const good = yield* attempt(ledger.act("a"));
    const bad = yield* attempt(ledger.act("b"));
    error = bad.error;
    return { good: good.ok && good.value, bad: bad.ok };
  });
  expect((await view()).output).toEqual({ good: { id: "a" }, bad: false });
  expect(error).toBeInstanceOf(StepError);
  expect(error).toMatchObject({ code: "REFUSED", step: "act#2", node: "act", attempts: 1 });
});

test("a `Fatal` of the workflow's own is an answer too, with its details", async () => {
  const { view } = await playOut(function* () {
    const tried = yield* attempt(
      // biome-ignore lint/correctness/useYield: fails at once
      (function* () {
        throw new Fatal("MINE", { details: { n: 1 } });
      })(),
    );
    return { code: tried.error?.code, details: tried.error?.details };
  });
  expect((await view()).output).toEqual({ code: "MINE", details: { n: 1 } });
});

test("a bug is no answer: it goes on as it was thrown", async () => {
  const { view } = await playOut(function* () {
    yield* attempt(
      // biome-ignore lint/correctness/useYield: fails at once
      (function* () {
        throw new TypeError("a bug");
      })(),
    );
    return "hidden";
  });
  expect(await view()).toMatchObject({ status: "failed", error: { code: "WORKFLOW_THREW", message: expect.stringContaining("a bug") } });
});

test("settle-all is `all` of `attempt`", async () => {
  const ledger = new Ledger();
  ledger.manners.b = "fatal";
  const { view } = await playOut(function* () {
    const tried = yield* all(["a", "b", "c"].map((id) => attempt(ledger.act(id))));
    return tried.map(({ ok }) => ok);
  });
  expect((await view()).output).toEqual([true, false, true]);
});

test("is no part of a step's path", async () => {
  const same = compute({ name: "same", input: anything }, (n: number) => n);
  const { view } = await playOut(function* () {
    yield* same(1);
    yield* attempt(same(2));
  });
  expect((await view()).steps.map(({ step }) => step)).toEqual(["same", "same#2"]);
});

test("does not swallow a cancel", async () => {
  const { t, run, view } = await play(function* () {
    yield* attempt(sleep("1h"));
    return "swallowed";
  });
  await run.cancel();
  await t.advance("1s");
  expect((await view()).status).toBe("cancelled");
});
