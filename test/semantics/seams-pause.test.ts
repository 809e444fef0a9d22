/** Where a pause by hand meets what was built apart from it: the gate, streams, slots of runs, redelivery. */
import { expect, test } from "vitest";
import { all, attempt, each, effect, signal, sleep, workflow } from "../../src/index.ts";
import { anything, Gate } from "./kit.ts";
import { engineOf, tested } from "./stage.ts";
import { items, numbers } from "./stream-kit.ts";

function limited(name = "call") {
  const gates = new Map<string, Gate>();
  const begun: string[] = [];
  const call = effect(
    { name, input: anything, idempotent: true, irreversible: "a test", timeout: "7d", concurrency: { limit: 1 } },
    async (id: string) => {
      begun.push(id);
      const gate = gates.get(id) ?? new Gate();
      gates.set(id, gate);
      await gate.pass();
      return id;
    },
  );
  return { call, begun, end: (id: string) => gates.get(id)?.open() };
}

test("an undo that comes first in line while its run is paused goes on when a cancel lifts the pause", async () => {
  const { call, begun, end } = limited("back");
  const act = effect({ name: "act", input: anything, undo: () => call("undo") }, async () => {
    throw new Error("no");
  });
  // Keeps its run in memory while that is paused.
  const slow = effect(
    { name: "slow", input: anything, readonly: true, timeout: "7d" },
    (_, { signal }) => new Promise((_, reject) => signal.addEventListener("abort", () => reject(signal.reason))),
  );
  const never = signal({ name: "never", payload: anything });
  const other = workflow({ name: "other", input: anything }, function* () {
    yield* call("other");
  });
  const flow = workflow({ name: "flow", input: anything }, function* () {
    yield* all([
      slow(null),
      (function* () {
        yield* attempt(act(null));
        yield* never.wait();
      })(),
    ]);
  });
  const t = tested({ nodes: [other, flow] });
  await t.start(other, null);
  await t.advance("1s");
  const run = await t.start(flow, null);
  await t.advance("1s");
  await run.pause();
  await t.advance("1s");
  end("other");
  await t.advance("1s");
  expect(begun).toEqual(["other"]);
  await run.cancel();
  await t.advance("1s");
  expect(begun).toEqual(["other", "undo"]);
  end("undo");
  await t.advance("1s");
  expect((await run.status()).status).toBe("cancelled");
});

test("a run that is paused while a call of it waits at the gate is put down, and holds no slot", async () => {
  const { call, begun, end } = limited();
  const flow = workflow({ name: "flow", input: anything }, function* (id: string) {
    return yield* call(id);
  });
  const t = tested({ nodes: [flow], config: { maxConcurrentWorkflows: 2 } });
  await t.start(flow, "a");
  const b = await t.start(flow, "b");
  await t.advance("1s");
  await b.pause();
  await t.advance("1s");
  expect(engineOf(t).activeCount).toBe(1);
  end("a");
  await t.advance("1s");
  const c = await t.start(flow, "c");
  const d = await t.start(flow, "d");
  await t.advance("1s");
  expect(begun).toEqual(["a", "c"]);
  await b.resume();
  end("c");
  await t.advance("1s");
  end("b");
  end("d");
  await t.advance("1s");
  end("b");
  end("d");
  await t.advance("1s");
  expect(begun.slice().sort()).toEqual(["a", "b", "c", "d"]);
  for (const run of [b, c, d]) expect((await run.status()).status).toBe("completed");
});

test.each(["settled", "crash"])("a stream that is paused while its consumers run goes on behind what is recorded (%s)", async (how) => {
  const seen: unknown[] = [];
  const { rows, made } = numbers(5);
  const act = effect({ name: "note", input: anything, idempotent: true, irreversible: "a test" }, async (n: unknown) => {
    seen.push(n);
    return n;
  });
  const flow = workflow({ name: "flow", input: anything }, function* () {
    return yield* each(
      rows(null),
      function* (n) {
        yield* sleep("10s");
        return yield* act(n);
      },
      { concurrency: 2 },
    );
  });
  const t = tested({ nodes: [flow] });
  const run = await t.start(flow, null);
  await t.advance("5s");
  await run.pause();
  await t.advance("1s");
  if (how === "crash") await t.crash();
  await t.advance("1h");
  expect(seen).toEqual([]);
  expect(engineOf(t).activeCount).toBe(0);
  await run.resume();
  await t.advance("1h");
  expect(await run.result()).toEqual([0, 1, 2, 3, 4]);
  expect(seen.slice().sort()).toEqual([0, 1, 2, 3, 4]);
  expect(items(await run.facts())).toHaveLength(5);
  expect(made.length).toBeLessThanOrEqual(7);
});

test("`idle` does not wait for a stream of a paused run", async () => {
  const { rows } = numbers(5);
  const go = signal({ name: "go", payload: anything });
  const flow = workflow({ name: "flow", input: anything }, function* () {
    return yield* all([
      each(
        rows(null),
        function* () {
          return yield* go.wait();
        },
        { concurrency: 1 },
      ),
    ]);
  });
  const t = tested({ nodes: [flow] });
  const run = await t.start(flow, null);
  await t.advance("5s");
  await run.pause();
  await t.advance("1s");
  let idle = false;
  t.idle().then(() => {
    idle = true;
  });
  await t.advance("1s");
  expect(idle).toBe(true);
  await run.resume();
  for (let i = 0; i < 5; i++) await run.signal(go, i);
  await t.advance("1s");
  expect(await run.result()).toEqual([[0, 1, 2, 3, 4]]);
});
