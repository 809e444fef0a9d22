/** Corners where two rules meet. */
import { expect, test } from "vitest";
import { z } from "zod";
import { all, attempt, compute, each, effect, race, restart, signal, sleep } from "../../src/index.ts";
import { anything, Ledger, play, playOut } from "./kit.ts";

const same = compute({ name: "same", input: anything }, (n: number) => n);
const note = signal({ name: "note", payload: z.number() });

test("a wait that lost takes no message from the one that follows", async () => {
  const { t, run, view } = await play(function* () {
    yield* race({ wait: note.wait(), time: sleep("1m") });
    return yield* note.wait();
  });
  await t.advance("1m");
  await run.signal(note, 7);
  await t.advance("1s");
  expect((await view()).output).toBe(7);
});

test("one operation performed twice is two steps", async () => {
  const { view } = await playOut(function* () {
    const op = same(1);
    return [yield* op, yield* op, yield* all([op, op])];
  });
  expect(await view()).toMatchObject({ output: [1, 1, [1, 1]] });
  expect((await view()).steps).toHaveLength(4);
});

test("a thousand branches at once, more than a turn can hold", async () => {
  const ledger = new Ledger();
  const ids = Array.from({ length: 1_000 }, (_, i) => `${i}`);
  const { t, view, facts } = await play(function* () {
    const done = yield* each(ids, (id) => ledger.again(id), { concurrency: 1_000 });
    const doubled = yield* all(ids.map((id) => same(Number(id))));
    return [done.length, doubled.length];
  });
  await t.crash();
  await t.advance("1m");
  expect((await view()).output).toEqual([1_000, 1_000]);
  const dispatched = (await facts()).flatMap((fact) => (fact.type === "action.dispatched" ? [fact.step] : []));
  expect(new Set(dispatched).size).toBe(dispatched.length);
});

test("what is thrown need not be an Error", async () => {
  const text = compute({ name: "text", input: anything }, () => {
    throw "just text";
  });
  const act = effect({ name: "act", input: anything, readonly: true, retry: false }, async () => Promise.reject({ no: "error" }));
  const { view } = await playOut(function* () {
    const one = yield* attempt(text(1));
    const two = yield* attempt(act(1));
    if (one.error?.code === "COMPUTE_THREW" && two.error?.code === "EFFECT_THREW") throw "as expected";
  });
  expect((await view()).error).toMatchObject({ code: "WORKFLOW_THREW", message: expect.stringContaining("as expected") });
});

test("an effect that throws at once, before it has a promise, fails like any other", async () => {
  const act = effect({ name: "act", input: anything, readonly: true, retry: false }, (() => {
    throw new Error("at once");
  }) as () => Promise<null>);
  const { view } = await playOut(function* () {
    yield* act(1);
  });
  expect((await view()).error).toMatchObject({ code: "EFFECT_THREW", message: expect.stringContaining("at once") });
});

test("the first cancel decides the reason", async () => {
  const { t, run } = await play(function* () {
    try {
      yield* sleep("1h");
    } finally {
      yield* sleep("10s");
    }
  });
  await run.cancel("first");
  await t.advance("1s");
  await run.cancel("second");
  await t.advance("1m");
  await expect(run.result()).rejects.toMatchObject({ reason: "first" });
});

test("resume of a run that is not paused changes nothing", async () => {
  const { t, run, view } = await play(function* () {
    yield* sleep("1h");
    return "done";
  });
  await run.resume();
  await t.advance("1h");
  expect((await view()).output).toBe("done");
});

test("a restart in a branch settles the other branches first", async () => {
  const ledger = new Ledger();
  const { t, run } = await play(
    function* (round) {
      if (round === 2) return "second";
      return yield* all([
        (function* () {
          try {
            yield* sleep("1h");
          } finally {
            yield* ledger.final("cleanup");
          }
        })(),
        (function* () {
          yield* sleep("1s");
          yield* restart(2);
        })(),
      ]);
    },
    { input: 1 },
  );
  await t.advance("1m");
  expect(ledger.lines).toEqual(["cleanup"]);
  expect(await run.result()).toBe("second");
});

test("a cancel that meets a restart in `finally` stays a cancel", async () => {
  const { t, run, view } = await play(function* () {
    try {
      yield* sleep("1h");
    } finally {
      yield* restart(2);
    }
  });
  await run.cancel();
  await t.advance("2m");
  expect((await view()).status).toBe("cancelled");
});

test("a caught failure of a branch leaves the names of what follows as they are", async () => {
  const ledger = new Ledger();
  ledger.manners.a = "fatal";
  const { view } = await playOut(function* () {
    yield* attempt(all({ x: ledger.act("a") }));
    yield* all({ x: same(1) });
  });
  expect((await view()).steps.map(({ step }) => step)).toEqual(["x/act", "x#2/same"]);
});
