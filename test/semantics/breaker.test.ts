/** The circuit breaker of an endpoint, as steps meet it: they wait while it is open, and waiting is no attempt. */
import { expect, test } from "vitest";
import { z } from "zod";
import type { Engine } from "../../src/engine/engine.ts";
import { all, attempt, effect, Fatal, RetryLater, race, type Steps, sleep, workflow } from "../../src/index.ts";
import { testOrchestrator } from "../../src/testing/index.ts";
import { anything, quiet } from "./kit.ts";

const start = Date.UTC(2030, 0, 1);
/** Seconds since the test's time began. */
const at = (ms: number | undefined) => (ms === undefined ? undefined : (ms - start) / 1000);

/** An endpoint that works or does not, as the test says. */
class Endpoint {
  down = false;
  /** How a call fails while it is down. */
  fail: () => unknown = () => new Error("refused connection");
  readonly calls: { readonly id: string; readonly at: number; readonly attempt: number }[] = [];
  readonly node;
  constructor(name = "pay") {
    this.node = effect(
      {
        name,
        input: z.string(),
        idempotent: true,
        irreversible: "for the test",
        retry: { maxAttempts: 4, backoff: "fixed", delay: "1s", jitter: "none" },
      },
      async (id, { attempt, deadline }) => {
        this.calls.push({ id, at: at(deadline - 30_000) as number, attempt });
        if (this.down) throw this.fail();
        return id;
      },
    );
  }
}

const settings = { local: true, failureThreshold: 3, openMs: 60_000, halfOpenMaxCalls: 1, successThreshold: 2 } as const;

function make<const N extends Parameters<typeof testOrchestrator>[0]["nodes"]>(nodes: N, circuitBreaker: object = settings) {
  return testOrchestrator({ nodes, log: quiet, circuitBreaker: { ...settings, ...circuitBreaker } });
}
/** Figures of the breakers, of the process that lives. */
function shown(t: unknown) {
  return (t as { readonly engine: Engine }).engine.parts.breakers();
}

test("it opens, refuses without an intent or an attempt, probes, and closes", async () => {
  const pay = new Endpoint();
  const flow = workflow({ name: "flow", input: z.string() }, function* (id) {
    return yield* pay.node(id);
  });
  const t = make([flow]);
  pay.down = true;
  const first = await t.start(flow, "first");
  await t.advance("10s");
  // Three attempts have failed; the fourth is kept back, and so is every other call.
  expect(pay.calls.map(({ at }) => at)).toEqual([0, 1, 2]);
  const second = await t.start(flow, "second");
  await t.advance("10s");
  expect(pay.calls).toHaveLength(3);
  expect((await second.facts()).map(({ type }) => type)).toEqual(["run.started", "lease.acquired"]);
  expect((await first.facts()).filter(({ type }) => type === "action.dispatched")).toHaveLength(3);
  expect(shown(t)).toEqual([{ endpoint: "local:pay", state: "open", calls: 3, failures: 3, refused: 2, probeAt: start + 62_000 }]);
  // The first probe, the one place of which the first that waits takes; it fails for good, and the breaker opens again.
  await t.advance("42s");
  expect(pay.calls.slice(3).map(({ id, at }) => `${id} ${at}`)).toEqual(["first 62"]);
  await expect(first.result()).rejects.toMatchObject({ code: "EFFECT_THREW" });
  expect(shown(t)).toMatchObject([{ state: "open", probeAt: start + 122_000 }]);
  pay.down = false;
  await t.advance("60s");
  expect(await second.result()).toBe("second");
  expect(shown(t)).toMatchObject([{ state: "half_open" }]);
  const third = await t.start(flow, "third");
  await t.advance("0ms");
  expect(await third.result()).toBe("third");
  expect(shown(t)).toEqual([{ endpoint: "local:pay", state: "closed", calls: 0, failures: 0, refused: 2 }]);
  expect(pay.calls.slice(4).map(({ id, at, attempt }) => `${id} ${at} ${attempt}`)).toEqual(["second 122 1", "third 122 1"]);
});

test("attempts that wait are not used up: a step with two of them survives an hour of an endpoint that is down", async () => {
  const pay = new Endpoint();
  const flow = workflow({ name: "flow", input: anything }, function* () {
    return yield* pay.node("a", { retry: { maxAttempts: 2, delay: "1s", jitter: "none" } });
  });
  const t = make([flow], { failureThreshold: 1 });
  pay.down = true;
  const run = await t.start(flow, null);
  await t.advance("50s");
  pay.down = false;
  await t.advance("1h");
  expect(await run.result()).toBe("a");
  expect(pay.calls.map(({ at }) => at)).toEqual([0, 60]);
});

test("a probe that hangs keeps its place until it is given up, and opens it again", async () => {
  const pay = new Endpoint();
  let hang = false;
  const node = effect(
    { name: "slow", input: z.string(), idempotent: true, irreversible: "no", timeout: "5s", retry: false },
    async (id, { signal }) => {
      pay.calls.push({ id, at: 0, attempt: 1 });
      if (hang) await new Promise((_, reject) => signal.addEventListener("abort", () => reject(signal.reason)));
      throw new Error("down");
    },
  );
  const flow = workflow({ name: "flow", input: z.string() }, function* (id) {
    yield* node(id);
  });
  const t = make([flow], { failureThreshold: 1 });
  await t.start(flow, "a");
  await t.advance("0ms");
  hang = true;
  for (const id of ["b", "c"]) await t.start(flow, id);
  await t.advance("64s");
  expect(pay.calls.map(({ id }) => id)).toEqual(["a", "b"]);
  await t.advance("2s");
  expect(shown(t)).toMatchObject([{ state: "open", probeAt: start + 125_000 }]);
  await t.advance("60s");
  expect(pay.calls.map(({ id }) => id)).toEqual(["a", "b", "c"]);
});

test("a probe that is cancelled gives its place to the next", async () => {
  let down = true;
  const calls: string[] = [];
  const node = effect({ name: "pay", input: z.string(), idempotent: true, irreversible: "no", retry: false }, async (id, { signal }) => {
    calls.push(id);
    if (down) throw new Error("down");
    if (id === "hangs") await new Promise((_, reject) => signal.addEventListener("abort", () => reject(signal.reason)));
    return id;
  });
  const flow = workflow({ name: "flow", input: z.string() }, function* (id) {
    return yield* node(id);
  });
  const t = make([flow], { failureThreshold: 1 });
  await t.start(flow, "a");
  await t.advance("1s");
  down = false;
  const hangs = await t.start(flow, "hangs");
  const next = await t.start(flow, "next");
  await t.advance("60s");
  expect(calls).toEqual(["a", "hangs"]);
  await hangs.cancel();
  await t.advance("0ms");
  expect(await next.result()).toBe("next");
});

test("one endpoint's breaker does not hinder another's", async () => {
  const [bad, good] = [new Endpoint("bad"), new Endpoint("good")];
  bad.down = true;
  const flow = workflow({ name: "flow", input: anything }, function* () {
    const answers = yield* all([attempt(race({ answer: bad.node("x"), over: sleep("30s") })), good.node("y")]);
    return answers[1];
  });
  const t = make([flow]);
  const run = await t.start(flow, null);
  await t.advance("30s");
  expect(await run.result()).toBe("y");
  expect(
    shown(t)
      .map(({ endpoint, state }) => `${endpoint} ${state}`)
      .sort(),
  ).toEqual(["local:bad open", "local:good closed"]);
});

test("without `local` an effect of this process has no breaker", async () => {
  const pay = new Endpoint();
  pay.down = true;
  const flow = workflow({ name: "flow", input: anything }, function* () {
    yield* pay.node("a");
  });
  const t = make([flow], { local: false });
  for (let i = 0; i < 5; i++) await t.start(flow, i);
  await t.advance("10s");
  expect(pay.calls).toHaveLength(20);
  expect(shown(t)).toEqual([]);
});

test.each([
  ["Fatal: the other side said no", () => new Fatal("NO"), "closed"],
  ["RetryLater: it asked for time", () => new RetryLater("1s"), "closed"],
  ["any other error", () => new Error("reset"), "open"],
] as const)("%s", async (_what, fail, state) => {
  const pay = new Endpoint();
  pay.down = true;
  pay.fail = fail;
  const flow = workflow({ name: "flow", input: anything }, function* () {
    yield* all(Array.from({ length: 5 }, () => attempt(pay.node("a", { retry: { maxAttempts: 2, delay: "1s", jitter: "none" } }))));
  });
  const t = make([flow]);
  await t.start(flow, null);
  await t.advance("5s");
  expect(shown(t)).toMatchObject([{ state }]);
});

test("bad input and bad output do not open it, timeouts and silence do", async () => {
  const make2 = (name: string, more: object, run: (id: unknown, context: { readonly signal: AbortSignal }) => Promise<unknown>) =>
    effect({ name, input: z.string().min(2), idempotent: true, irreversible: "no", retry: false, ...more }, run as never);
  const hang = (_: unknown, { signal }: { readonly signal: AbortSignal }) =>
    new Promise((_, reject) => signal.addEventListener("abort", () => reject(signal.reason)));
  const input = make2("input", {}, async () => null);
  const output = make2("output", { output: z.number() }, async () => "text");
  const json = make2("json", {}, async () => new Date());
  const slow = make2("slow", { timeout: "1s" }, hang);
  const silent = make2("silent", { heartbeat: "1s" }, hang);
  const flow = workflow({ name: "flow", input: anything }, function* () {
    for (let i = 0; i < 3; i++)
      yield* all([attempt(input("x")), ...[output, json, slow, silent].map((node) => attempt((node as typeof slow)("xx")))]);
  });
  const t = make([flow]);
  await t.start(flow, null);
  await t.advance("10s");
  expect(Object.fromEntries(shown(t).map(({ endpoint, state }) => [endpoint, state]))).toEqual({
    // Bad input is refused before the gate is asked.
    "local:output": "closed",
    "local:json": "closed",
    "local:slow": "open",
    "local:silent": "open",
  });
});

test("a retry whose next probe is after `within` fails at once with CIRCUIT_OPEN, and what may have happened is undone", async () => {
  const undone: string[] = [];
  const back = effect({ name: "back", input: z.string(), idempotent: true, irreversible: "an undo" }, async (id) => {
    undone.push(id);
  });
  const pay = effect(
    {
      name: "pay",
      input: z.string(),
      idempotent: true,
      retry: { maxAttempts: 9, backoff: "fixed", delay: "1s", jitter: "none", within: "30s" },
      undo: ({ input }) => back(input),
    },
    async () => {
      throw new Error("down");
    },
  );
  const flow = workflow({ name: "flow", input: anything }, function* () {
    yield* pay("a");
  });
  const t = make([flow]);
  const run = await t.start(flow, null);
  await t.advance("4s");
  const error = await run.result().catch((thrown: unknown) => thrown);
  expect(error).toMatchObject({ code: "CIRCUIT_OPEN", message: expect.stringContaining("local:pay") });
  expect((await run.facts()).find(({ type }) => type === "step.failed")).toMatchObject({ step: "pay", attempts: 3 });
  expect(undone).toEqual(["a"]);
});

test("cancelled while it waits, a run ends at once and nothing was sent", async () => {
  const pay = new Endpoint();
  pay.down = true;
  const flow = workflow({ name: "flow", input: z.string() }, function* (id) {
    yield* pay.node(id);
  });
  const t = make([flow], { failureThreshold: 1 });
  await t.start(flow, "a");
  const b = await t.start(flow, "b");
  await t.advance("1s");
  const c = await t.start(flow, "c");
  await t.advance("1s");
  await c.cancel();
  await t.advance("0ms");
  await expect(c.result()).rejects.toMatchObject({ code: "RUN_CANCELLED" });
  expect(pay.calls.map(({ id }) => id)).not.toContain("c");
  await b.cancel();
  await t.advance("3m");
  expect(pay.calls.map(({ id }) => id)).not.toContain("b");
});

test("a crash while it is open leaves a wish and no doubt: the step goes on in the next process, whose breaker is new", async () => {
  const pay = new Endpoint();
  pay.down = true;
  const flow = workflow({ name: "flow", input: z.string() }, function* (id) {
    return yield* pay.node(id);
  });
  const t = make([flow]);
  const run = await t.start(flow, "a");
  await t.advance("10s");
  const waits = await t.start(flow, "b");
  await t.advance("10s");
  pay.down = false;
  await t.crash();
  await t.advance("0ms");
  expect(await run.result()).toBe("a");
  expect(await waits.result()).toBe("b");
  expect(t.stats().redelivered).toBe(0);
  // The fourth attempt of the first, and the first of the second.
  expect(pay.calls.slice(3).map(({ id, attempt }) => `${id} ${attempt}`)).toEqual(["a 4", "b 1"]);
});

test("a call that was under way at a crash is sent again through the breaker too, when that lets it", async () => {
  const sent: string[] = [];
  let down = false;
  const limits = { limit: 2 };
  const node = effect(
    { name: "pay", input: z.string(), idempotent: true, irreversible: "no", timeout: "1h", retry: false, concurrency: limits },
    async (id, { signal }) => {
      sent.push(id);
      if (down) throw new Error("down");
      await new Promise((_, reject) => signal.addEventListener("abort", () => reject(signal.reason)));
    },
  );
  Object.assign(node.contract, { concurrency: limits });
  const flow = workflow({ name: "flow", input: z.string() }, function* (id) {
    yield* attempt(node(id));
  });
  const t = make([flow], { failureThreshold: 1 });
  const runs = [await t.start(flow, "a"), await t.start(flow, "b")];
  await t.advance("1s");
  expect(sent).toEqual(["a", "b"]);
  down = true;
  limits.limit = 1;
  await t.crash();
  await t.advance("30s");
  // The first fails and opens it, the second waited for its slot and waits on.
  expect(sent).toEqual(["a", "b", "a"]);
  const before = await runs[1]?.facts();
  await t.advance("29s");
  expect(sent).toHaveLength(3);
  await t.advance("1s");
  expect(sent).toEqual(["a", "b", "a", "b"]);
  expect((await runs[1]?.facts())?.slice(before?.length).map(({ type }) => type)).toEqual([
    "action.failed",
    "step.failed",
    "run.completed",
  ]);
});

test("compensation that meets an open breaker goes on when it closes", async () => {
  const bank = new Endpoint("bank");
  const back = bank.node;
  const act = effect({ name: "act", input: z.string(), undo: ({ input }) => back(input) }, async () => null);
  const flow = workflow({ name: "flow", input: anything }, function* () {
    yield* act("one");
    yield* act("two");
    bank.down = true;
    throw new Fatal("NO");
  });
  const t = make([flow]);
  const run = await t.start(flow, null);
  await t.advance("5m");
  expect((await run.status()).status).toBe("compensating");
  const before = bank.calls.length;
  expect(before).toBeLessThan(10);
  bank.down = false;
  await t.advance("2m");
  await expect(run.result()).rejects.toMatchObject({ code: "NO", notUndone: [] });
  expect(bank.calls.slice(before).map(({ id }) => id)).toEqual(["two", "one"]);
});

test("a run in which a step waits for a person stays in memory while another step waits for the breaker", async () => {
  const pay = new Endpoint();
  pay.down = true;
  const doubtful = effect({ name: "doubtful", input: z.string(), irreversible: "no", timeout: "1h" }, async (_id, { signal }) => {
    await new Promise((_, reject) => signal.addEventListener("abort", () => reject(signal.reason)));
  });
  const flow = workflow({ name: "flow", input: anything }, function* () {
    yield* all([
      doubtful("d"),
      (function* (): Steps<void> {
        yield* sleep("10s");
        yield* pay.node("a", { retry: { maxAttempts: 2, delay: "1s", jitter: "none" } });
      })(),
    ]);
  });
  const t = make([flow], { failureThreshold: 1 });
  const run = await t.start(flow, null);
  await t.advance("1s");
  await t.crash();
  await t.advance("12s");
  expect((await run.status()).paused).toMatchObject({ code: "IN_DOUBT" });
  expect(pay.calls).toHaveLength(1);
  pay.down = false;
  await t.advance("2m");
  expect(pay.calls).toHaveLength(2);
});

test("`idle` does not wait for a probe that is far away", async () => {
  const pay = new Endpoint();
  pay.down = true;
  const flow = workflow({ name: "flow", input: anything }, function* () {
    yield* pay.node("a", { retry: { maxAttempts: 9, delay: "1s", jitter: "none" } });
  });
  const t = make([flow], { failureThreshold: 1 });
  await t.start(flow, null);
  await t.advance("5s");
  await t.idle();
  let idle = false;
  await t.advance("54500ms");
  const waiting = t.idle().then(() => {
    idle = true;
  });
  await t.advance("0ms");
  expect(idle).toBe(false);
  await t.advance("1s");
  await waiting;
  expect(pay.calls).toHaveLength(2);
});
