/** Streams: items one by one, each recorded before the next is asked for (API rule 14). */
import { describe, expect, test } from "vitest";
import { z } from "zod";
import { attempt, each, effect, race, service, sleep, stream, workflow } from "../../src/index.ts";
import { stub, testOrchestrator } from "../../src/testing/index.ts";
import { anything, Gate, Ledger, type Play, play, playOut, quiet } from "./kit.ts";
import { double, items, itemsOf, later, nothing, numbers, range } from "./stream-kit.ts";

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

  test("a list that stands in goes on behind what is recorded, after a crash", async () => {
    const { rows } = numbers(0);
    const flow = workflow({ name: "flow", input: anything }, function* () {
      return yield* each(
        rows(null),
        function* (n) {
          yield* sleep("1s");
          return n;
        },
        { concurrency: 1 },
      );
    });
    const t = testOrchestrator({ nodes: [flow], stubs: [stub(rows, () => [7, 8, 9])], log: quiet });
    const run = await t.start(flow, null);
    await t.advance("1s");
    await t.crash();
    await t.advance("1h");
    expect(await run.result()).toEqual([7, 8, 9]);
    expect(t.calls(rows).length).toBe(2);
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
