import { expect, test } from "vitest";
import { z } from "zod";
import { attempt, compute, Fatal, race, signal, sleep } from "../../src/index.ts";
import { anything, Ledger, play, playOut } from "./kit.ts";

const same = compute({ name: "same", input: anything }, (value: string) => value);

test("the first to succeed decides, and its value comes with its name", async () => {
  const { view } = await playOut(function* () {
    return yield* race({ slow: sleep("2s"), quick: same("x") });
  });
  expect((await view()).output).toEqual({ winner: "quick", value: "x" });
});

test("the first to settle decides, a failure too", async () => {
  const { view } = await playOut(function* () {
    yield* race({
      slow: sleep("2s"),
      bad: (function* () {
        yield* sleep("1s");
        throw new Fatal("BAD");
      })(),
    });
  });
  expect(await view()).toMatchObject({ status: "failed", error: { code: "BAD" } });
});

test("losers have settled before the workflow goes on", async () => {
  const ledger = new Ledger();
  const { t, view } = await play(function* () {
    yield* race({
      quick: sleep("1s"),
      slow: (function* () {
        try {
          yield* sleep("1h");
        } finally {
          yield* ledger.final("cleanup");
          yield* sleep("10s");
        }
      })(),
    });
    yield* ledger.final("after");
  });
  await t.advance("5s");
  expect(ledger.lines).toEqual(["cleanup"]);
  await t.advance("10s");
  expect(ledger.lines).toEqual(["cleanup", "after"]);
  expect((await view()).status).toBe("completed");
});

test("a signal against a deadline: an answer that came is taken, and its timer is withdrawn", async () => {
  const approval = signal({ name: "approval", payload: z.object({ by: z.string() }) });
  const { t, run, view } = await play(function* () {
    const answer = yield* race({ approved: approval.wait(), expired: sleep("24h") });
    return answer.winner === "approved" ? answer.value.by : "nobody";
  });
  await t.advance("1h");
  await run.signal(approval, { by: "bob" });
  await t.advance("1s");
  expect(await view()).toMatchObject({ status: "completed", output: "bob" });
});

test("a signal against a deadline: past it nobody waits any more", async () => {
  const approval = signal({ name: "approval", payload: anything });
  const { t, view } = await play(function* () {
    return (yield* race({ approved: approval.wait(), expired: sleep("24h") })).winner;
  });
  await t.advance("24h");
  expect(await view()).toMatchObject({ status: "completed", output: "expired" });
});

test("nests, and a race that lost cancels its own branches", async () => {
  const { act, lines } = new Ledger();
  const { view } = await playOut(function* () {
    return yield* race({
      outer: sleep("1s"),
      inner: race({
        a: (function* () {
          yield* act("a");
          yield* sleep("1h");
        })(),
        b: sleep("1h"),
      }),
    });
  });
  expect(lines).toEqual(["a", "undo a"]);
  expect((await view()).output).toMatchObject({ winner: "outer" });
});

test("needs at least one branch", async () => {
  const { view } = await playOut(function* () {
    const tried = yield* attempt(race({}));
    return tried.ok ? "ok" : tried.error.code;
  });
  expect((await view()).output).toBe("BRANCH_INVALID");
});
