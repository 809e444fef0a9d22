/** `concurrency` of an effect: how many calls of it are in flight at once, and who waits for a slot. */
import { expect, test } from "vitest";
import { z } from "zod";
import type { ActiveRun } from "../../src/engine/active-run.ts";
import type { Engine } from "../../src/engine/engine.ts";
import {
  all,
  attempt,
  compute,
  createOrchestrator,
  each,
  effect,
  Fatal,
  memory,
  race,
  type Steps,
  sleep,
  stream,
  workflow,
} from "../../src/index.ts";
import { testOrchestrator } from "../../src/testing/index.ts";
import { anything, Gate, Ledger, play, playOut, quiet } from "./kit.ts";

/** An effect of two places whose calls last until the test lets them go, and that counts those in flight. */
function counted(limit: number, key?: (input: string) => string) {
  const gates = new Map<string, Gate>();
  const begun: string[] = [];
  let now = 0;
  let most = 0;
  const call = effect(
    {
      name: "call",
      input: z.string(),
      idempotent: true,
      irreversible: "for the test",
      timeout: "1h",
      concurrency: { limit, ...(key ? { key } : {}) },
    },
    async (id, { signal }) => {
      begun.push(id);
      most = Math.max(most, ++now);
      const gate = new Gate();
      gates.set(id, gate);
      await Promise.race([gate.pass(), new Promise((_, reject) => signal.addEventListener("abort", () => reject(signal.reason)))]).finally(
        () => now--,
      );
      return id;
    },
  );
  return { call, begun, end: (id: string) => gates.get(id)?.open(), most: () => most };
}

test("no more than `limit` calls are in flight, over all runs; the others go as slots come free, first come first", async () => {
  const { call, begun, end, most } = counted(2);
  const flow = workflow({ name: "flow", input: z.string() }, function* (id) {
    return yield* call(id);
  });
  const t = testOrchestrator({ nodes: [flow], log: quiet });
  const runs = [];
  for (const id of ["a", "b", "c", "d", "e"]) runs.push(await t.start(flow, id));
  await t.advance("1s");
  expect(begun).toEqual(["a", "b"]);
  end("b");
  await t.advance("0ms");
  expect(begun).toEqual(["a", "b", "c"]);
  end("a");
  end("c");
  await t.advance("0ms");
  expect(begun).toEqual(["a", "b", "c", "d", "e"]);
  end("d");
  end("e");
  await t.advance("0ms");
  expect(await Promise.all(runs.map((run) => run.result()))).toEqual(["a", "b", "c", "d", "e"]);
  expect(most()).toBe(2);
});

test("who waits has no intent in its log and no attempt; it is running, not put down", async () => {
  const { call, end } = counted(1);
  const { t, run, log, view } = await play(function* () {
    return yield* all([call("a", { step: "a" }), call("b", { step: "b" })]);
  });
  await t.advance("1m");
  expect((await log()).filter((line) => line.startsWith("action."))).toEqual(["action.dispatched 0/a"]);
  expect((await view()).status).toBe("running");
  expect((await view()).steps.map(({ step }) => step)).toEqual(["0/a"]);
  end("a");
  await t.advance("0ms");
  end("b");
  expect(await run.result()).toEqual(["a", "b"]);
});

test("of those that wait the lower priority number goes first, equal ones as they came", async () => {
  const { call, begun, end } = counted(1);
  const { t } = await play(function* () {
    yield* all([call("first"), call("usual"), call("late", { priority: 900 }), call("soon", { priority: 1 }), call("also usual")]);
  });
  for (const id of ["first", "soon", "usual", "also usual", "late"]) {
    await t.advance("0ms");
    end(id);
  }
  await t.advance("0ms");
  expect(begun).toEqual(["first", "soon", "usual", "also usual", "late"]);
});

test("with a key each key has its own slots", async () => {
  const { call, begun, end } = counted(1, (id) => id[0] as string);
  const { t } = await play(function* () {
    yield* all([call("a1"), call("a2"), call("b1"), call("b2")]);
  });
  expect(begun).toEqual(["a1", "b1"]);
  end("b1");
  await t.advance("0ms");
  expect(begun).toEqual(["a1", "b1", "b2"]);
});

test("a key sees the decoded input; one that throws or gives no string fails the step before any attempt", async () => {
  const seen: unknown[] = [];
  const make = (name: string, key: (input: { readonly shop: string }) => string) =>
    effect(
      { name, input: z.object({ shop: z.string().default("main") }), readonly: true, concurrency: { limit: 1, key } },
      async () => null,
    );
  const good = make("good", (input) => {
    seen.push(input);
    return input.shop;
  });
  const bad = make("bad", () => {
    throw new Error("no shop");
  });
  const number = make("number", () => 7 as never);
  const { run, t } = await play(function* () {
    const answers = yield* all([attempt(good({})), attempt(bad({})), attempt(number({}))]);
    return answers.map((one) => (one.ok ? "ok" : `${one.error.code} ${one.error.attempts} ${one.error.message}`));
  });
  expect(await run.result()).toEqual([
    "ok",
    "INPUT_INVALID 0 effect bad: concurrency.key threw: no shop",
    "INPUT_INVALID 0 effect number: concurrency.key gave number: return a string",
  ]);
  expect(seen).toEqual([{ shop: "main" }]);
  expect(t.calls(bad)).toEqual([]);
});

test("a slot comes back when its call fails, times out, is cancelled, or is given up", async () => {
  const ledger = new Ledger();
  const manners = { fatal: "fatal", throws: "throw", slow: "obey", deaf: "deaf" } as const;
  const call = effect(
    { name: "call", input: z.string(), irreversible: "for the test", concurrency: { limit: 1 }, timeout: "2s" },
    async (id, context) => {
      ledger.lines.push(id);
      const manner = manners[id as keyof typeof manners];
      if (manner === "fatal") throw new Fatal("NO");
      if (manner === "throw") throw new Error("it broke");
      if (manner === "obey")
        await new Promise((_, reject) => context.signal.addEventListener("abort", () => reject(context.signal.reason)));
      if (manner === "deaf") await new Promise(() => {});
      return id;
    },
  );
  const { run } = await playOut(function* () {
    const ids = ["fatal", "throws", "slow", "deaf", "good"];
    const answers = yield* all(ids.map((id) => attempt(call(id))));
    return answers.map((one) => (one.ok ? "ok" : one.error.code));
  });
  expect(await run.result()).toEqual(["NO", "EFFECT_THREW", "STEP_TIMEOUT", "STEP_TIMEOUT", "ok"]);
  expect(ledger.lines).toEqual(["fatal", "throws", "slow", "deaf", "good"]);
});

test("who is cancelled while it waits leaves the line, and its place goes to the next", async () => {
  const { call, begun, end } = counted(1);
  const flow = workflow({ name: "flow", input: z.string() }, function* (id) {
    return yield* call(id);
  });
  const t = testOrchestrator({ nodes: [flow], log: quiet });
  for (const id of ["a", "b", "c"]) await t.start(flow, id, { runId: id });
  await t.run("b").cancel();
  await t.advance("0ms");
  expect((await t.run("b").status()).status).toBe("cancelled");
  expect((await t.run("b").facts()).map(({ type }) => type)).not.toContain("action.dispatched");
  end("a");
  await t.advance("0ms");
  expect(begun).toEqual(["a", "c"]);
});

test("the loser of a race leaves the line", async () => {
  const { call, begun, end } = counted(1);
  const { t, run } = await play(function* () {
    return yield* all([
      call("a"),
      race({ late: call("b"), soon: sleep("1s") }),
      (function* (): Steps<unknown> {
        yield* sleep("2s");
        return yield* call("c");
      })(),
    ]);
  });
  await t.advance("3s");
  end("a");
  await t.advance("0ms");
  expect(begun).toEqual(["a", "c"]);
  end("c");
  expect(await run.result()).toMatchObject(["a", { winner: "soon" }, "c"]);
});

test("a call that is given up in the turn of its intent keeps no slot", async () => {
  const { call, begun } = counted(1);
  const now = compute({ name: "now", input: anything }, () => "now");
  const { log } = await play(function* () {
    yield* race({ call: call("a"), now: now(null) });
    yield* call("b");
  });
  expect(begun).toEqual(["b"]);
  expect(await log()).toContain("action.failed call/call");
});

test("one that is given up when its slot has just come free passes it on", async () => {
  const { call, begun } = counted(1);
  const gate = new Gate();
  const both = (name: string, more: object) =>
    effect({ name, input: z.string(), readonly: true, timeout: "1h", ...more }, async (id) => {
      if (id === "wait") await gate.pass();
      begun.push(id);
    });
  const limited = both("limited", { concurrency: { limit: 1 } });
  const free = both("free", {});
  const { t } = await play(function* () {
    yield* all([
      limited("wait"),
      race({ late: limited("late"), free: free("wait") }),
      (function* (): Steps<void> {
        yield* sleep("1s");
        yield* limited("next");
      })(),
    ]);
    yield* call("end");
  });
  await t.advance("2s");
  // The slot is given to the loser of the race in the turn that decides the race.
  gate.open();
  await t.advance("0ms");
  expect(begun).toEqual(["wait", "wait", "next", "end"]);
});

test("a run that cannot be driven any further gives its slots back", async () => {
  const { call, begun } = counted(1);
  const flow = workflow({ name: "flow", input: z.string() }, function* (id) {
    yield* call(id);
  });
  const t = testOrchestrator({ nodes: [flow], log: quiet });
  for (const id of ["a", "b"]) await t.start(flow, id, { runId: id });
  await t.advance("0ms");
  const { engine } = t as unknown as { readonly engine: Engine };
  engine.broken(engine.active("a") as ActiveRun, new Error("a bug"));
  await t.advance("0ms");
  expect(begun).toEqual(["a", "b"]);
  expect((await t.run("a").status()).status).toBe("paused");
});

test("thousands that wait do not keep the rest of their run from going on", async () => {
  const gate = new Gate();
  const limited = effect({ name: "limited", input: z.number(), readonly: true, concurrency: { limit: 1 } }, async () => gate.pass());
  const free = effect({ name: "free", input: z.number(), readonly: true }, async () => gate.open());
  const flow = workflow({ name: "flow", input: anything }, function* () {
    yield* all([...Array.from({ length: 5_000 }, (_, n) => limited(n)), free(0)]);
    return "done";
  });
  // In real time, where a turn closes after some milliseconds.
  const orchestrator = createOrchestrator({ store: memory(), nodes: [flow], log: quiet });
  const run = await orchestrator.start(flow, null);
  expect(await run.result()).toBe("done");
  await orchestrator.close();
});

test("a run whose time is over while it waits ends, and owes nothing", async () => {
  const { call } = counted(1);
  const { t, run } = await play(
    function* () {
      yield* all([call("a", { timeout: "1h" }), call("b")]);
    },
    { timeout: "10s" },
  );
  await t.advance("1m");
  await expect(run.result()).rejects.toMatchObject({ code: "RUN_TIMEOUT", notUndone: [] });
});

test("after a crash the call that was under way is sent again first, and who waited waits on", async () => {
  const { call, begun, end } = counted(1);
  const flow = workflow({ name: "flow", input: z.string() }, function* (id) {
    return yield* call(id);
  });
  const t = testOrchestrator({ nodes: [flow], log: quiet });
  for (const id of ["a", "b"]) await t.start(flow, id, { runId: id });
  await t.advance("0ms");
  await t.crash();
  await t.advance("0ms");
  expect(begun).toEqual(["a", "a"]);
  expect((await t.run("b").status()).steps).toEqual([]);
  end("a");
  await t.advance("0ms");
  expect(begun).toEqual(["a", "a", "b"]);
  expect(t.stats().redelivered).toBe(1);
});

test("calls that are sent again after a crash hold slots too: they wait for one another, without a new fact", async () => {
  let inFlight = 0;
  let most = 0;
  const gates: Gate[] = [];
  const make = (limit: number) =>
    effect({ name: "call", input: z.string(), idempotent: true, irreversible: "no", concurrency: { limit } }, async () => {
      most = Math.max(most, ++inFlight);
      const gate = new Gate();
      gates.push(gate);
      await gate.pass();
      inFlight--;
    });
  const limits = { limit: 3 };
  const call = make(3);
  Object.assign(call.contract, { concurrency: limits });
  const { t, run, log } = await play(function* () {
    yield* all([call("a"), call("b"), call("c")]);
  });
  expect(gates).toHaveLength(3);
  // The next process has a smaller limit.
  limits.limit = 1;
  inFlight = most = 0;
  await t.crash();
  await t.advance("0ms");
  const before = await log();
  expect(gates).toHaveLength(4);
  gates[3]?.open();
  await t.advance("0ms");
  expect(gates).toHaveLength(5);
  expect((await log()).filter((line) => line.startsWith("action.dispatched"))).toHaveLength(3);
  expect((await log()).length).toBe(before.length + 1);
  gates[4]?.open();
  await t.advance("0ms");
  gates[5]?.open();
  await run.result();
  expect(most).toBe(1);
});

test("an undo goes through the gate as well", async () => {
  const lines: string[] = [];
  const gate = new Gate();
  const back = effect(
    { name: "back", input: z.string(), idempotent: true, irreversible: "an undo", concurrency: { limit: 1 } },
    async (id) => {
      lines.push(`begin ${id}`);
      if (id === "holder") await gate.pass();
    },
  );
  const act = effect({ name: "act", input: z.string(), undo: ({ input }) => back(input) }, async (id) => {
    lines.push(id);
  });
  const holds = workflow({ name: "holds", input: anything }, function* () {
    yield* back("holder");
  });
  const fails = workflow({ name: "fails", input: anything }, function* () {
    yield* act("done");
    throw new Fatal("NO");
  });
  const t = testOrchestrator({ nodes: [holds, fails], log: quiet });
  await t.start(holds, null);
  const run = await t.start(fails, null);
  await t.advance("1s");
  expect(lines).toEqual(["begin holder", "done"]);
  expect((await run.status()).status).toBe("compensating");
  gate.open();
  await t.advance("0ms");
  expect(lines).toEqual(["begin holder", "done", "begin done"]);
  await expect(run.result()).rejects.toMatchObject({ code: "NO", notUndone: [] });
});

test("`within` ends a wait for a slot between two attempts: LIMIT_REACHED, with the attempts so far", async () => {
  const gate = new Gate();
  let calls = 0;
  const call = effect(
    { name: "call", input: z.string(), idempotent: true, irreversible: "no", concurrency: { limit: 1 }, timeout: "1h" },
    async (id) => {
      calls++;
      if (id === "holder") await gate.pass();
      else throw new Error("again");
    },
  );
  const { t, run } = await play(function* () {
    const [, tried] = yield* all([
      (function* (): Steps<void> {
        yield* sleep("1s");
        yield* call("holder");
      })(),
      attempt(call("tried", { retry: { maxAttempts: 9, backoff: "fixed", delay: "2s", jitter: "none", within: "30s" } })),
    ]);
    return tried.ok ? "ok" : `${tried.error.code} after ${tried.error.attempts}`;
  });
  await t.advance("29s");
  expect(calls).toBe(2);
  await t.advance("2s");
  gate.open();
  expect(await run.result()).toBe("LIMIT_REACHED after 1");
});

test("`idle` resolves only when those that wait for a slot have gone", async () => {
  const { call, begun, end } = counted(1);
  const { t } = await play(function* () {
    yield* all([call("a"), call("b")]);
  });
  let idle = false;
  const waiting = t.idle().then(() => {
    idle = true;
  });
  await t.advance("1m");
  expect(idle).toBe(false);
  end("a");
  await t.advance("0ms");
  expect(idle).toBe(false);
  end("b");
  await waiting;
  expect(begun).toEqual(["a", "b"]);
});

test("`close` waits for the call in flight, not for those that wait", async () => {
  const { call, end } = counted(1);
  const { t } = await play(function* () {
    yield* all([call("a"), call("b")]);
  });
  const closed = t.close();
  end("a");
  await closed;
});

function quick() {
  let inFlight = 0;
  let most = 0;
  const call = effect(
    { name: "call", input: z.number(), output: z.number(), idempotent: true, irreversible: "no", concurrency: { limit: 1 } },
    async (n) => {
      most = Math.max(most, ++inFlight);
      await Promise.resolve();
      inFlight--;
      return n;
    },
  );
  return { call, most: () => most };
}

test("10,000 waiters of one run for one slot take no quadratic time", async () => {
  const count = 10_000;
  const { call, most } = quick();
  const { run } = await play(function* () {
    const numbers = yield* each(
      Array.from({ length: count }, (_, i) => i),
      (n) => call(n),
      { concurrency: count },
    );
    return numbers.length;
  });
  expect(await run.result()).toBe(count);
  expect(most()).toBe(1);
});

test("so do 5,000 runs that wait for one slot", async () => {
  const { call, most } = quick();
  const flow = workflow({ name: "flow", input: z.number() }, function* (n) {
    return yield* call(n);
  });
  const t = testOrchestrator({ nodes: [flow], log: quiet });
  const runs = await Promise.all(Array.from({ length: 5_000 }, (_, n) => t.start(flow, n)));
  await t.advance("0ms");
  expect(await Promise.all(runs.map((run) => run.result()))).toEqual(Array.from({ length: 5_000 }, (_, n) => n));
  expect(most()).toBe(1);
});

test("a stream keeps its slot until it ends, also while its consumer is busy", async () => {
  const gate = new Gate();
  const begun: string[] = [];
  const rows = stream({ name: "rows", input: z.string(), item: z.number(), concurrency: { limit: 1 } }, async function* (id) {
    begun.push(id);
    yield 1;
    yield 2;
  });
  const take = effect({ name: "take", input: anything, readonly: true, timeout: "1h" }, async () => gate.pass());
  const flow = workflow({ name: "flow", input: z.string() }, function* (id) {
    return (yield* each(rows(id), (n) => take(n), { concurrency: 1 })).length;
  });
  const t = testOrchestrator({ nodes: [flow], log: quiet });
  const runs = [await t.start(flow, "a"), await t.start(flow, "b")];
  await t.advance("1m");
  expect(begun).toEqual(["a"]);
  gate.open();
  await t.advance("1m");
  expect(begun).toEqual(["a", "b"]);
  expect(await Promise.all(runs.map((run) => run.result()))).toEqual([2, 2]);
  await t.close();
});
