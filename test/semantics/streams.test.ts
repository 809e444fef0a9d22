/** Streams: items one by one, each recorded before the next is asked for (API rule 14). */
import { describe, expect, test } from "vitest";
import { z } from "zod";
import {
  attempt,
  compute,
  each,
  effect,
  type Fact,
  Fatal,
  RetryLater,
  race,
  type Steps,
  type StreamContext,
  service,
  sleep,
  stream,
  workflow,
} from "../../src/index.ts";
import { stub, testOrchestrator } from "../../src/testing/index.ts";
import { anything, Gate, Ledger, type Play, play, playOut, quiet } from "./kit.ts";

const double = compute({ name: "double", input: anything }, (n: number) => n * 2);
const later = { maxAttempts: 3, backoff: "fixed", delay: "1s", jitter: "none" } as const;
const range = (count: number): number[] => Array.from({ length: count }, (_, n) => n);

/** A stream of numbers, what it was asked for, and how it was left. */
function numbers(count: number, before: (n: number, context: StreamContext) => unknown = () => {}, more: object = {}) {
  const made: number[] = [];
  const taken: number[] = [];
  const left: string[] = [];
  const rows = stream({ name: "rows", input: anything, item: z.number(), retry: later, ...more }, async function* (_: unknown, context) {
    taken.push(context.taken);
    let how = "returned";
    try {
      for (let n = context.taken; n < count; n++) {
        made.push(n);
        await before(n, context);
        yield n;
      }
      how = "ended";
    } catch (error) {
      how = "threw";
      throw error;
    } finally {
      left.push(how);
    }
  });
  return { rows, made, taken, left };
}
const items = (facts: readonly Fact[]) => facts.flatMap((fact) => (fact.type === "action.item" ? [[fact.index, fact.item]] : []));
const itemsOf = async ({ facts }: Play) => items(await facts());

describe("collecting", () => {
  test("`yield*` gives the list", async () => {
    const { rows, left } = numbers(4);
    const { view, log } = await playOut(function* () {
      return yield* rows(null);
    });
    expect(await view()).toMatchObject({
      output: [0, 1, 2, 3],
      steps: [{ step: "rows", node: "rows", kind: "effect", status: "completed", attempts: 1, items: 4, output: { items: 4 } }],
    });
    expect(await log()).toEqual([
      "run.started",
      "lease.acquired",
      "action.dispatched rows",
      ...Array(4).fill("action.item rows"),
      "action.completed rows",
      "run.completed",
    ]);
    expect(left).toEqual(["ended"]);
  });

  test("an empty one gives an empty list", async () => {
    const { rows } = numbers(0);
    const { view } = await playOut(function* () {
      return [yield* rows(null), yield* each(rows(null), (n) => double(n))];
    });
    expect((await view()).output).toEqual([[], []]);
  });

  test("in a branch, an attempt and a race it is an operation like others", async () => {
    const { rows } = numbers(2);
    const never = numbers(1, () => new Promise(() => {}));
    const { view } = await playOut(function* () {
      return [yield* attempt(rows(null)), yield* race({ slow: never.rows(null, { step: "slow" }), clock: sleep("1s") })];
    });
    expect((await view()).output).toMatchObject([{ ok: true, value: [0, 1] }, { winner: "clock" }]);
  });

  test("one that is made and not performed is found", async () => {
    const { rows, taken } = numbers(2);
    const { view } = await playOut(function* () {
      rows(null);
      return yield* double(1);
    });
    expect(await view()).toMatchObject({ status: "failed", error: { code: "OPERATION_NOT_PERFORMED" } });
    expect(taken).toEqual([]);
  });
});

describe("each", () => {
  test("a branch begins on the first item, before the producer has ended", async () => {
    const ledger = new Ledger();
    const gate = new Gate();
    const { rows } = numbers(2, (n) => (n === 1 ? gate.pass() : undefined));
    const { t, view } = await play(function* () {
      return yield* each(rows(null), (n) => ledger.look(`${n}`));
    });
    expect(ledger.lines).toEqual(["0"]);
    expect((await view()).steps).toMatchObject([
      { step: "rows", status: "running", items: 1 },
      { step: "0/look", status: "completed" },
    ]);
    gate.open();
    await t.advance("1s");
    expect((await view()).output).toEqual([{ id: "0" }, { id: "1" }]);
  });

  test("the next item is asked for only when there is room", async () => {
    const ledger = new Ledger();
    const gates = range(6).map(() => new Gate());
    const { rows, made } = numbers(6);
    gates.forEach((gate, n) => {
      ledger.manners[`${n}`] = gate;
    });
    const { t, view } = await play(function* () {
      return yield* each(rows(null), (n) => ledger.look(`${n}`), { concurrency: 2 });
    });
    expect(made).toEqual([0, 1]);
    gates[1]?.open();
    await t.advance("1s");
    expect(made).toEqual([0, 1, 2]);
    gates[0]?.open();
    gates[2]?.open();
    await t.advance("1s");
    expect(made).toEqual([0, 1, 2, 3, 4]);
    expect(ledger.lines).toEqual(["0", "1", "2", "3", "4"]);
    for (const gate of gates) gate.open();
    await t.advance("1s");
    expect((await view()).output).toEqual(range(6).map((n) => ({ id: `${n}` })));
  });

  test("ten branches are under way when nothing is said", async () => {
    const gate = new Gate();
    const ledger = new Ledger();
    for (const n of range(12)) ledger.manners[`${n}`] = gate;
    const { rows, made } = numbers(12);
    await play(function* () {
      return yield* each(rows(null), (n) => ledger.look(`${n}`));
    });
    expect(made).toEqual(range(10));
  });

  test("an item is in the store before the next is asked for, and before its branch acts", async () => {
    const seen: [string, number][] = [];
    let played: Play | undefined;
    const recorded = async (what: string) => {
      seen.push([what, played ? (await itemsOf(played)).length : 0]);
    };
    const { rows } = numbers(4, (n) => recorded(`item ${n}`));
    const use = effect({ name: "use", input: z.number(), readonly: true }, async (n) => {
      await recorded(`use ${n}`);
      return n;
    });
    played = await play(function* () {
      yield* sleep("1s");
      return yield* each(rows(null), (n) => use(n), { concurrency: 1 });
    });
    await played.t.advance("1h");
    expect(seen).toEqual(range(4).flatMap((n) => [[`item ${n}`, n] as const, [`use ${n}`, n + 1] as const]));
  });

  test("results come in the order of the items, whatever finishes first", async () => {
    const { rows } = numbers(4);
    const { view } = await playOut(function* () {
      return yield* each(rows(null), function* (n, i) {
        yield* sleep(`${10 - n}s`);
        return [n, i];
      });
    });
    expect((await view()).output).toEqual(range(4).map((n) => [n, n]));
  });

  test("`batchSize` hands out lists, the last of them short, each as soon as it is full", async () => {
    const gate = new Gate();
    const { rows } = numbers(5, (n) => (n === 2 ? gate.pass() : undefined));
    const seen: (readonly number[])[] = [];
    const { t, view } = await play(function* () {
      return yield* each(
        rows(null),
        (batch, index) => {
          seen.push(batch);
          return double(index);
        },
        { batchSize: 2 },
      );
    });
    expect(seen).toEqual([[0, 1]]);
    gate.open();
    await t.advance("1s");
    expect(seen).toEqual([[0, 1], [2, 3], [4]]);
    expect((await view()).output).toEqual([0, 2, 4]);
  });

  test("a batch that is being filled counts no branch: with one at once, nothing is asked for while it runs", async () => {
    const ledger = new Ledger();
    const gate = new Gate();
    ledger.manners["0,1"] = gate;
    const { rows, made } = numbers(4);
    const { t, view } = await play(function* () {
      return yield* each(rows(null), (batch) => ledger.look(batch.join(",")), { batchSize: 2, concurrency: 1 });
    });
    expect(made).toEqual([0, 1]);
    gate.open();
    await t.advance("1s");
    expect((await view()).output).toEqual([{ id: "0,1" }, { id: "2,3" }]);
  });

  test("branches are numbered or named by `key`, and the stream stands beside them", async () => {
    const { rows } = numbers(2);
    const { view } = await playOut(function* () {
      yield* each(rows(null), (n) => double(n));
      yield* each(rows(null), (n) => double(n), { key: (n) => `row-${n}` });
      yield* each(rows(null, { step: "again" }), (n) => double(n));
    });
    expect((await view()).steps.map(({ step }) => step)).toEqual([
      "rows",
      "0/double",
      "1/double",
      "rows#2",
      "row-0/double",
      "row-1/double",
      "again",
      "0#2/double",
      "1#2/double",
    ]);
  });

  test("a call of another effect is refused, with what to write instead", async () => {
    const list = effect({ name: "list", input: anything, readonly: true }, async () => [1, 2]);
    const { view } = await playOut(function* () {
      // @ts-expect-error: no stream
      return yield* each(list(null), (n: number) => double(n));
    });
    expect(await view()).toMatchObject({ status: "failed", error: { code: "BRANCH_INVALID" } });
  });

  test("six hundred items through computes, each once", async () => {
    const { rows, made } = numbers(600);
    const { view } = await playOut(function* () {
      return yield* each(rows(null), (n) => double(n));
    });
    expect((await view()).output).toEqual(range(600).map((n) => n * 2));
    expect(made).toEqual(range(600));
  });
});

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
    const { rows, taken } = numbers(
      3,
      (n, { signal, attempt, progress }) => {
        progress();
        if (n !== 1 || attempt !== 1) return;
        return new Promise((_, reject) => signal.addEventListener("abort", () => reject(signal.reason)));
      },
      { heartbeat: "2s" },
    );
    const { t, view } = await play(function* () {
      return yield* each(
        rows(null),
        function* (n) {
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

describe("what is stored and what is given", () => {
  test("an item is recorded as it was yielded, and consumed as its schema gives it", async () => {
    const seen: unknown[] = [];
    const rows = stream(
      {
        name: "rows",
        input: z.object({ extra: z.string().default("three") }),
        item: z.object({ at: z.string().transform((text) => new Date(text)) }),
      },
      async function* ({ extra }) {
        yield { at: "2030-01-01T00:00:00.000Z", extra } as { at: string };
      },
    );
    const played = await playOut(function* () {
      yield* each(rows({}), ({ at }) => {
        seen.push(at.getFullYear());
        return double(1);
      });
      const [first] = yield* rows({});
      return first?.at.toISOString();
    });
    expect(seen).toEqual([2030]);
    expect(items(await played.facts())[0]).toEqual([0, { at: "2030-01-01T00:00:00.000Z", extra: "three" }]);
    expect((await played.view()).output).toBe("2030-01-01T00:00:00.000Z");
  });

  test("a schema that no longer takes what is recorded fails the `each`, and the stream with it", async () => {
    let strict = false;
    const hang = (n: number) => (n === 1 ? new Promise(() => {}) : undefined);
    const { rows } = numbers(9, hang, { item: z.number().refine(() => !strict, "too strict now") });
    const { t, view } = await play(function* () {
      return yield* each(rows(null), (n) => nothing(n));
    });
    strict = true;
    await t.crash();
    await t.advance("1h");
    expect(await view()).toMatchObject({ status: "failed", error: { code: "OUTPUT_INVALID" } });
  });

  test("a large item stands apart in the store and comes back", async () => {
    const big = "x".repeat(100_000);
    const rows = stream({ name: "rows", input: anything, item: z.string() }, async function* (_: unknown, { taken }) {
      for (let n = taken; n < 3; n++) yield `${n}${big}`;
    });
    const { t, view } = await play(function* () {
      return yield* each(rows(null), function* (text, i) {
        if (i === 1) yield* sleep("1m");
        return text.length;
      });
    });
    await t.crash();
    await t.advance("1h");
    expect((await view()).output).toEqual([100_001, 100_001, 100_001]);
  });

  test("services, notes and the rest of the context are those of an effect", async () => {
    const table = service<{ read(n: number): string }>("table");
    const seen: unknown[] = [];
    const rows = stream(
      { name: "rows", input: z.number(), item: z.string(), uses: { table }, retry: later },
      async function* (count, { table, taken, resume, progress, idempotencyKey, attempt, deadline, epoch, runId, signal }) {
        seen.push({ taken, resume, attempt, epoch, runId, key: idempotencyKey.length, aborted: signal.aborted });
        for (let n = taken; n < count; n++) {
          progress({ cursor: n });
          if (n === 2 && attempt === 1) throw new Error("once");
          yield `${table.read(n)} ${deadline > 0}`;
        }
      },
    );
    const flow = workflow({ name: "flow", input: z.number() }, function* (count) {
      return yield* rows(count);
    });
    const t = testOrchestrator({ nodes: [flow], provide: [table.from({ read: (n) => `row ${n}` })], log: quiet });
    const run = await t.start(flow, 3, { runId: "r" });
    await t.advance("1h");
    expect(await run.result()).toEqual(["row 0 true", "row 1 true", "row 2 true"]);
    const context = { epoch: 1, runId: "r", key: 32, aborted: false };
    expect(seen).toEqual([
      { ...context, taken: 0, attempt: 1, resume: undefined },
      { ...context, taken: 2, attempt: 2, resume: { cursor: 2 } },
    ]);
  });

  test("a stub stands in: it yields, or gives a list", async () => {
    const { rows } = numbers(0);
    const flow = workflow({ name: "flow", input: anything }, function* () {
      return yield* each(rows("in"), (n) => double(n));
    });
    const stubs = [
      stub(rows, () => [1, 2]),
      stub(rows, async () => [1, 2]),
      stub(rows, async function* (_, { taken }) {
        for (let n = taken; n < 2; n++) yield n + 1;
      }),
    ];
    for (const one of stubs) {
      const t = testOrchestrator({ nodes: [flow], stubs: [one], log: quiet });
      const run = await t.start(flow, null);
      await t.advance("1s");
      expect(await run.result()).toEqual([2, 4]);
      expect(t.calls(rows)).toMatchObject([{ input: "in" }]);
    }
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

/** A branch that leaves no facts. */
// biome-ignore lint/correctness/useYield: performs nothing
function* nothing(n: number): Steps<number> {
  return n;
}
function fail(): never {
  throw new Fatal("THROWN");
}
