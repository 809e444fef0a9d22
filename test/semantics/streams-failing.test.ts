/** Streams that fail, are cancelled, or lose their process. */
import { describe, expect, test } from "vitest";
import { z } from "zod";
import { attempt, each, effect, Fatal, RetryLater, race, sleep, stream, workflow } from "../../src/index.ts";
import { testOrchestrator } from "../../src/testing/index.ts";
import { anything, Gate, Ledger, play, playOut, quiet } from "./kit.ts";
import { double, fail, items, itemsOf, numbers, range } from "./stream-kit.ts";

describe("what fails", () => {
  test("a failed branch cancels the others and the stream, which is left by `return`", async () => {
    const ledger = new Ledger();
    ledger.manners["0"] = "obey";
    const { rows, made, left } = numbers(9);
    const played = await playOut(function* () {
      yield* each(rows(null), function* (n) {
        if (n === 2) throw new Fatal("BAD");
        yield* ledger.act(`${n}`);
      });
    });
    expect(await played.view()).toMatchObject({ status: "failed", error: { code: "BAD" } });
    expect(made).toEqual([0, 1, 2]);
    expect(left).toEqual(["returned"]);
    expect(ledger.lines.sort()).toEqual(["0", "1", "undo 0?", "undo 1"]);
  });

  test("a branch function or a key that throws does too", async () => {
    for (const broken of [{ key: () => fail() }, {}] as const) {
      const { rows, left } = numbers(9);
      const { view } = await playOut(function* () {
        yield* each(rows(null), () => fail(), broken);
      });
      expect(await view()).toMatchObject({ status: "failed", error: { code: "THROWN" } });
      expect(left).toEqual(["returned"]);
    }
  });

  test("a failed attempt is tried again behind what is recorded", async () => {
    let fails = 2;
    const { rows, made, taken } = numbers(6, (n) => {
      if (n % 2 === 1 && fails-- > 0) throw new Error("reset by peer");
    });
    const seen: number[] = [];
    const played = await playOut(function* () {
      return yield* each(rows(null), (n) => {
        seen.push(n);
        return double(n);
      });
    });
    expect(taken).toEqual([0, 1, 1]);
    expect(made).toEqual([0, 1, 1, 1, 2, 3, 4, 5]);
    expect(seen).toEqual(range(6));
    expect(await itemsOf(played)).toEqual(range(6).map((n) => [n, n]));
    expect(await played.view()).toMatchObject({ output: range(6).map((n) => 2 * n), retries: 2 });
  });

  test("attempts run out: the branches are cancelled and the failure goes on", async () => {
    const ledger = new Ledger();
    ledger.manners["0"] = "obey";
    const { rows, taken } = numbers(2, (n) => {
      if (n === 1) throw new Error("gone");
    });
    const { view } = await playOut(function* () {
      yield* each(rows(null), (n) => ledger.act(`${n}`));
    });
    expect(await view()).toMatchObject({ status: "failed", error: { code: "EFFECT_THREW" }, failedStep: "rows" });
    expect(taken).toEqual([0, 1, 1]);
    expect(ledger.lines).toEqual(["0", "undo 0?"]);
  });

  test("branches that are under way go on while the stream is tried again", async () => {
    const { rows } = numbers(
      2,
      (n, { attempt }) => {
        if (n === 1 && attempt === 1) throw new RetryLater("10m");
      },
      {},
    );
    const { t, view } = await play(function* () {
      return yield* each(rows(null), function* (n) {
        yield* sleep("1s");
        return n;
      });
    });
    await t.advance("5s");
    expect((await view()).steps).toMatchObject([
      { step: "rows", status: "retrying" },
      { step: "0/sleep", status: "completed" },
    ]);
    await t.advance("10m");
    expect((await view()).output).toEqual([0, 1]);
  });

  test("`Fatal` ends it at once", async () => {
    const { rows, taken } = numbers(3, (n) => {
      if (n === 1) throw new Fatal("NO_SUCH_FILE");
    });
    const { view } = await playOut(function* () {
      const outcome = yield* attempt(each(rows(null), (n) => double(n)));
      return outcome.error?.code;
    });
    expect((await view()).output).toBe("NO_SUCH_FILE");
    expect(taken).toEqual([0]);
  });

  test("a timeout is of one item, from being asked for to being yielded", async () => {
    const wait = (ms: number, signal: AbortSignal) =>
      new Promise<void>((resolve, reject) => {
        signal.addEventListener("abort", () => reject(signal.reason));
        gates.push([ms, resolve]);
      });
    const gates: [number, () => void][] = [];
    const { rows, taken } = numbers(4, (n, { signal, attempt }) => (n === 2 && attempt === 1 ? wait(0, signal) : undefined), {
      timeout: "5s",
    });
    const { t, view } = await play(function* () {
      // Far longer than the timeout, and nothing is asked of the stream meanwhile.
      return yield* each(
        rows(null),
        function* (n) {
          yield* sleep("1m");
          return n;
        },
        { concurrency: 1 },
      );
    });
    await t.advance("10m");
    expect((await view()).output).toEqual([0, 1, 2, 3]);
    expect(taken).toEqual([0, 2]);
    expect((await view()).retries).toBe(1);
  });

  test("one that ignores its abort is given up after the grace", async () => {
    const { rows } = numbers(2, (n) => (n === 1 ? new Promise(() => {}) : undefined), { timeout: "5s", retry: false });
    const { t, view } = await play(function* () {
      return yield* rows(null);
    });
    await t.advance("9s");
    expect((await view()).status).toBe("running");
    await t.advance("2s");
    expect(await view()).toMatchObject({ status: "failed", error: { code: "STEP_TIMEOUT" } });
  });

  test("an item that comes after its timeout is dropped", async () => {
    const gate = new Gate();
    const { rows, made } = numbers(2, (n, { attempt }) => (n === 1 && attempt === 1 ? gate.pass() : undefined), { timeout: "5s" });
    const played = await play(function* () {
      return yield* rows(null);
    });
    await played.t.advance("6s");
    gate.open();
    await played.t.advance("10s");
    expect(await itemsOf(played)).toEqual([
      [0, 0],
      [1, 1],
    ]);
    expect(made).toEqual([0, 1, 1]);
    expect((await played.view()).output).toEqual([0, 1]);
  });

  test("silence counts only while an item is asked for", async () => {
    let poke = (): void => {};
    const { rows, taken } = numbers(
      3,
      (n, { signal, attempt, progress }) => {
        progress();
        poke = progress;
        if (n !== 1 || attempt !== 1) return;
        return new Promise((_, reject) => signal.addEventListener("abort", () => reject(signal.reason)));
      },
      { heartbeat: "2s" },
    );
    const { t, view } = await play(function* () {
      return yield* each(
        rows(null),
        function* (n) {
          poke();
          yield* sleep("10s");
          return n;
        },
        { concurrency: 1 },
      );
    });
    await t.advance("1h");
    expect(await view()).toMatchObject({ status: "completed", retries: 1 });
    expect(taken).toEqual([0, 1]);
  });

  test.each([
    ["does not fit its schema", "no number", "OUTPUT_INVALID"],
    ["is no JSON", new Date(0), "OUTPUT_NOT_JSON"],
    ["is too large", "x".repeat(2 ** 21), "VALUE_TOO_LARGE"],
  ])("an item that %s fails the step, which is not tried again", async (_, bad, code) => {
    let opened = 0;
    let left = 0;
    const item = code === "OUTPUT_INVALID" ? z.number() : anything;
    const rows = stream({ name: "rows", input: anything, item }, async function* () {
      opened++;
      try {
        yield 1;
        yield bad;
      } finally {
        left++;
      }
    });
    const played = await playOut(function* () {
      return yield* rows(null);
    });
    expect(await played.view()).toMatchObject({ status: "failed", error: { code }, failedStep: "rows" });
    expect(await itemsOf(played)).toEqual([[0, 1]]);
    expect([opened, left]).toEqual([1, 1]);
  });

  test("a function that gives nothing to iterate", async () => {
    const rows = stream({ name: "rows", input: anything, item: anything }, (() => 1) as never);
    const { view } = await playOut(function* () {
      return yield* rows(null);
    });
    expect(await view()).toMatchObject({ status: "failed", error: { code: "OUTPUT_INVALID" } });
  });

  test("an input that does not fit is refused before it is opened", async () => {
    const rows = stream({ name: "rows", input: z.number(), item: anything }, async function* () {});
    const { view } = await playOut(function* () {
      return yield* rows("x" as never);
    });
    expect(await view()).toMatchObject({ status: "failed", error: { code: "INPUT_INVALID" } });
  });
});

describe("cancelling", () => {
  test("between two items the generator is returned, and its `finally` runs", async () => {
    const { rows, left } = numbers(9);
    const { t, run, view } = await play(function* () {
      yield* each(rows(null), () => sleep("1h"), { concurrency: 2 });
    });
    expect(left).toEqual([]);
    await run.cancel("enough");
    await t.advance("0ms");
    expect((await view()).status).toBe("cancelled");
    expect(left).toEqual(["returned"]);
  });

  test("inside an item the signal is aborted, and what it yields is dropped", async () => {
    const { rows, left } = numbers(
      9,
      (n, { signal }) => n === 1 && new Promise<void>((resolve) => signal.addEventListener("abort", () => resolve())),
    );
    const played = await play(function* () {
      return yield* rows(null);
    });
    await played.run.cancel();
    await played.t.advance("0ms");
    expect((await played.view()).status).toBe("cancelled");
    expect(await itemsOf(played)).toEqual([[0, 0]]);
    expect(left).toEqual(["returned"]);
  });

  test("before it was opened it is not opened", async () => {
    const { rows, taken } = numbers(9);
    const { view } = await playOut(function* () {
      return yield* race({ now: double(1), stream: rows(null) });
    });
    expect((await view()).output).toEqual({ winner: "now", value: 2 });
    expect(taken).toEqual([]);
  });
});

describe("crashes", () => {
  test("at every point: what is recorded is not asked for again, and each item is consumed once", async () => {
    for (let turns = 0; turns < 40; turns++) {
      const { rows, made, taken } = numbers(5);
      const used: string[] = [];
      const use = effect({ name: "use", input: z.number(), idempotent: true, readonly: true }, async (n, { idempotencyKey }) => {
        used.push(idempotencyKey);
        return n;
      });
      const flow = workflow({ name: "flow", input: anything }, function* () {
        return yield* each(rows(null), (n) => use(n), { concurrency: 2 });
      });
      const t = testOrchestrator({ nodes: [flow], log: quiet });
      const run = await t.start(flow, null);
      for (let i = 0; i < turns; i++) await new Promise((resolve) => setImmediate(resolve));
      const before = items(await run.facts()).length;
      await t.crash();
      await t.advance("1h");
      expect(await run.result(), `after ${turns} turns`).toEqual(range(5));
      const facts = await run.facts();
      expect(items(facts)).toEqual(range(5).map((n) => [n, n]));
      expect(facts.filter(({ type }) => type === "action.completed").length).toBe(6);
      expect(facts.filter(({ type }) => type === "action.dispatched").length).toBe(6);
      // Each process goes on where the record ended; the one item that was under way is made again.
      for (const start of taken.slice(1)) expect(start).toBeGreaterThanOrEqual(before);
      expect(made.length).toBeLessThanOrEqual(6);
      expect(new Set(used).size).toBe(5);
    }
  });

  test("one after another: a process that gave an item did not die for nothing", async () => {
    const { rows, taken } = numbers(20, () => new Promise((resolve) => setImmediate(resolve)));
    const { t, view } = await play(function* () {
      return yield* each(
        rows(null),
        function* (n) {
          yield* sleep("1s");
          return n;
        },
        { concurrency: 1 },
      );
    });
    for (let i = 0; i < 8; i++) {
      await t.advance("2s");
      await t.crash();
    }
    await t.advance("1h");
    expect(await view()).toMatchObject({ status: "completed", output: range(20) });
    expect(taken.length).toBe(9);
  });

  test("one after another while nothing is asked: it was not the stream", async () => {
    const { rows } = numbers(2);
    const { t, view } = await play(function* () {
      return yield* each(
        rows(null),
        function* (n) {
          yield* sleep("1h");
          return n;
        },
        { concurrency: 1 },
      );
    });
    for (let i = 0; i < 8; i++) await t.crash();
    await t.advance("3h");
    expect(await view()).toMatchObject({ status: "completed", output: [0, 1] });
  });

  test("an item that kills its process five times pauses the run", async () => {
    const { rows } = numbers(3, (n) => (n === 1 ? new Promise(() => {}) : undefined), { timeout: "1h" });
    const { t, run, view } = await play(function* () {
      return yield* rows(null);
    });
    for (let i = 0; i < 5; i++) await t.crash();
    expect(await view()).toMatchObject({ status: "paused", paused: { code: "POISON", step: "rows" } });
    await run.cancel();
    await t.advance("1h");
    expect((await view()).status).toBe("cancelled");
  });

  test("in doubt it fails or waits for a person, if it says so", async () => {
    for (const inDoubt of ["fail", "pause"] as const) {
      const gate = new Gate();
      const { rows, taken } = numbers(3, (n) => (n === 1 ? gate.pass() : undefined), { inDoubt });
      const { t, run, view } = await play(function* () {
        return yield* each(rows(null), (n) => double(n));
      });
      await t.crash();
      gate.open();
      await t.advance("1s");
      if (inDoubt === "fail") {
        expect(await view()).toMatchObject({ status: "failed", error: { code: "IN_DOUBT" } });
        continue;
      }
      expect(await view()).toMatchObject({ status: "paused", paused: { code: "IN_DOUBT", step: "rows" } });
      await run.resume({ step: "rows", output: [7] });
      await t.advance("1s");
      expect((await view()).paused?.message).toContain('{ "items": 1 }');
      await run.resume({ step: "rows", as: "retry" });
      await t.advance("1s");
      expect((await view()).output).toEqual([0, 2, 4]);
      expect(taken).toEqual([0, 1]);
    }
  });

  test("a person may say that it has ended", async () => {
    const { rows } = numbers(3, (n) => (n === 1 ? new Promise(() => {}) : undefined), { inDoubt: "pause" });
    const { t, run, view } = await play(function* () {
      return yield* each(rows(null), (n) => double(n), { batchSize: 2 });
    });
    await t.crash();
    await run.resume({ step: "rows", output: { items: 1 } });
    await t.advance("1s");
    expect(await view()).toMatchObject({ status: "completed" });
    expect((await view()).steps.map(({ step }) => step)).toEqual(["rows", "0/double"]);
  });

  test("closing waits for the item under way, and asks for no other", async () => {
    const gate = new Gate();
    const { rows, made, left, taken } = numbers(4, (n) => (n === 1 ? gate.pass() : undefined));
    const { t, run } = await play(function* () {
      return yield* rows(null);
    });
    const closed = t.close({ graceMs: 60_000 });
    gate.open();
    await closed;
    expect([made, left]).toEqual([[0, 1], ["returned"]]);
    await t.crash();
    await t.advance("1s");
    expect(await run.result()).toEqual([0, 1, 2, 3]);
    expect(taken).toEqual([0, 2]);
  });

  test("closing leaves a stream that waits for its consumers at once, and it goes on in the next process", async () => {
    const { rows, left, taken } = numbers(3);
    const flow = workflow({ name: "flow", input: anything }, function* () {
      return yield* each(
        rows(null),
        function* (n) {
          yield* sleep("1m");
          return n;
        },
        { concurrency: 1 },
      );
    });
    const t = testOrchestrator({ nodes: [flow], log: quiet });
    const run = await t.start(flow, null);
    await t.advance("0ms");
    // No time passes, so a close that waited for the call would wait for ever.
    await t.close({ graceMs: 60_000 });
    expect(left).toEqual(["returned"]);
    await t.crash();
    await t.advance("1h");
    expect(await run.result()).toEqual([0, 1, 2]);
    expect(taken).toEqual([0, 1]);
  });
});
