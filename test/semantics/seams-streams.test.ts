/** Where streams meet what was built apart from them: limits of calls, breakers, restart, losers, slots of runs, closing. */
import { describe, expect, test } from "vitest";
import {
  type AnyNode,
  all,
  attempt,
  createOrchestrator,
  each,
  effect,
  Fatal,
  memory,
  race,
  restart,
  type Steps,
  signal,
  sleep,
  workflow,
} from "../../src/index.ts";
import { anything, Gate, quiet } from "./kit.ts";
import { tested } from "./stage.ts";
import { items, numbers } from "./stream-kit.ts";

const consume = (seen: unknown[]) =>
  effect({ name: "note", input: anything, idempotent: true, irreversible: "a test" }, async (n: unknown) => {
    seen.push(n);
    return n;
  });

describe("limits of a stream's calls", () => {
  test.each([-1, 0, 1, 2, 3, 4, 5, 6, 8, 10, 12])(
    "one at once, over a crash after %d s: every run has its items, each once",
    async (crashAt) => {
      const { rows, left } = numbers(3, () => {}, { concurrency: { limit: 1 } });
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
      const t = tested({ nodes: [flow] });
      const runs = [await t.start(flow, 1), await t.start(flow, 2), await t.start(flow, 3)];
      for (let s = 0; s < 40; s++) {
        if (s === crashAt) await t.crash();
        if (s === crashAt + 1) await t.crash();
        await t.advance("1s");
      }
      for (const run of runs) {
        expect(await run.result()).toEqual([0, 1, 2]);
        expect(items(await run.facts())).toEqual([
          [0, 0],
          [1, 1],
          [2, 2],
        ]);
      }
      expect(left.length).toBeGreaterThanOrEqual(3);
    },
  );

  test("a rate holds for calls of a stream, not for its items", async () => {
    const { rows, taken } = numbers(5, () => {}, { rate: { limit: 1, per: "1m" } });
    const flow = workflow({ name: "flow", input: anything }, function* () {
      return yield* rows(null);
    });
    const t = tested({ nodes: [flow] });
    const runs = [await t.start(flow, 1), await t.start(flow, 2)];
    await t.advance("30s");
    expect(taken).toEqual([0]);
    await t.advance("31s");
    for (const run of runs) expect(await run.result()).toEqual([0, 1, 2, 3, 4]);
  });

  test.each(["race", "attempt", "cancel", "timeout"])("a stream that is given up gives its slot back: %s", async (how) => {
    const { rows, left } = numbers(9, () => {}, { concurrency: { limit: 1 } });
    const go = signal({ name: "go", payload: anything });
    const reading = () =>
      each(
        rows(null),
        function* (n) {
          if (how === "attempt" && n === 1) throw new Fatal("ENOUGH");
          yield* how === "attempt" ? sleep("5s") : go.wait();
        },
        { concurrency: 1 },
      );
    const first = workflow({ name: "first", input: anything, timeout: how === "timeout" ? "3s" : "1h" }, function* () {
      if (how === "race") yield* race({ a: reading(), b: sleep("3s") });
      else if (how === "attempt") yield* attempt(reading());
      else yield* reading();
      yield* sleep("30m");
    });
    const second = workflow({ name: "second", input: anything }, function* () {
      return yield* rows(null);
    });
    const t = tested({ nodes: [first, second] });
    const one = await t.start(first, null);
    await t.advance("1s");
    const two = await t.start(second, null);
    await t.advance("1s");
    expect(items(await two.facts())).toEqual([]);
    if (how === "cancel") await one.cancel();
    await t.advance("2m");
    expect(left[0]).toBe("returned");
    expect(await two.result()).toEqual([0, 1, 2, 3, 4, 5, 6, 7, 8]);
  });
});

test.each([0, 1, 2, 3, 5, 7])("a stream in each round of `restart`, with a crash after %d s", async (crashAt) => {
  const seen: unknown[] = [];
  const { rows, taken } = numbers(3);
  const note = consume(seen);
  const flow: AnyNode & ((...args: never[]) => unknown) = workflow(
    { name: "flow", input: anything },
    function* (round: number): Steps<unknown> {
      const got = yield* each(
        rows(null),
        function* (n) {
          yield* sleep("1s");
          return yield* note(round * 10 + n);
        },
        { concurrency: 2 },
      );
      if (round < 2) return yield* restart(round + 1);
      return got;
    },
  ) as never;
  const t = tested({ nodes: [flow], config: { maxConcurrentWorkflows: 1 } });
  const run = await t.start(flow as never, 0 as never);
  for (let s = 0; s < 20; s++) {
    if (s === crashAt) await t.crash();
    await t.advance("1s");
  }
  expect(await run.result()).toEqual([20, 21, 22]);
  expect([...new Set(seen)]).toEqual([0, 1, 2, 10, 11, 12, 20, 21, 22]);
  expect(taken.length).toBeLessThanOrEqual(4);
});

test("closing while runs wait everywhere hangs nothing and loses nothing", async () => {
  const store = memory();
  const { rows } = numbers(4, () => {}, { concurrency: { limit: 1 } });
  const gate = new Gate();
  const hold = effect(
    { name: "hold", input: anything, idempotent: true, irreversible: "t", concurrency: { limit: 1 }, timeout: "1h" },
    async () => gate.pass(),
  );
  const go = signal({ name: "go", payload: anything });
  const reads = workflow({ name: "reads", input: anything }, function* () {
    return yield* each(rows(null), () => go.wait(), { concurrency: 1 });
  });
  const holds = workflow({ name: "holds", input: anything }, function* () {
    yield* hold(null);
    return "held";
  });
  const parent = workflow({ name: "parent", input: anything }, function* (n: unknown) {
    return yield* all([holds(`${n}a`), holds(`${n}b`)]);
  });
  const options = { store, nodes: [reads, holds, parent] as readonly AnyNode[], log: quiet, config: { maxConcurrentWorkflows: 3 } };
  const orchestrator = createOrchestrator(options);
  const runs = [
    await orchestrator.start(reads, 1, { runId: "r1" }),
    await orchestrator.start(reads, 2, { runId: "r2" }),
    await orchestrator.start(parent, 3, { runId: "p3" }),
    await orchestrator.start(parent, 4, { runId: "p4" }),
    await orchestrator.start(holds, 5, { runId: "h5", startAt: new Date(Date.now() + 50) }),
  ];
  await orchestrator.run("p3").pause();
  for (let i = 0; i < 20; i++) await new Promise((resolve) => setImmediate(resolve));
  const before = Date.now();
  gate.open();
  await orchestrator.close({ graceMs: 60_000 });
  expect(Date.now() - before).toBeLessThan(30_000);
  const next = createOrchestrator(options);
  await next.run("p3").resume();
  for (const id of ["r1", "r2"]) for (let i = 0; i < 4; i++) await next.run(id).signal(go, i);
  const results = await Promise.all(runs.map(({ runId }) => next.run(runId).result()));
  expect(results).toEqual([[0, 1, 2, 3], [0, 1, 2, 3], ["held", "held"], ["held", "held"], "held"]);
  await next.idle();
  expect(next.stats().callsInFlight).toBe(0);
  await next.close();
});
