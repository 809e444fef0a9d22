/** Streams that live behind a URL: asked for one item a request, recorded and consumed as if they were here. */
import { expect, test } from "vitest";
import { z } from "zod";
import { orchestratorIn } from "../../src/engine/orchestrator.ts";
import { systemWorld } from "../../src/engine/system.ts";
import {
  type AnyNode,
  all,
  compute,
  createNodeHost,
  each,
  effect,
  type Fact,
  Fatal,
  memory,
  type NodeHost,
  type Steps,
  workflow,
} from "../../src/index.ts";
import type { MemoryStore } from "../../src/store/memory.ts";
import { serving } from "../serve.ts";
import { anything, Gate, quiet } from "./kit.ts";
import { double, items, numbers, range } from "./stream-kit.ts";

interface Said {
  readonly action?: { readonly taken: number; readonly action_id: string; readonly epoch: number; readonly attempt: number };
  readonly abort?: { readonly reason: { readonly code: string } };
}
const soon = { maxAttempts: 3, backoff: "fixed", delay: "2ms", jitter: "none" } as const;

/** Serves `given` and opens orchestrators that know it by its URL; every request's words are in `said`. */
async function far(
  given: readonly AnyNode[],
  flows: readonly AnyNode[],
  hostOf: (host: NodeHost) => NodeHost = (host) => host,
  known = given,
) {
  const said: Said[] = [];
  const host = createNodeHost({ nodes: given, log: quiet });
  const url = await serving(hostOf(host), (text) => text !== "" && said.push(JSON.parse(text)));
  const open = (store: MemoryStore) => orchestratorIn(systemWorld(quiet), { store, nodes: [...flows, ...known], endpoints: { rows: url } });
  const asked = () => said.flatMap(({ action }) => (action ? [action.taken] : []));
  const aborted = () => said.flatMap(({ abort }) => (abort ? [abort.reason.code] : []));
  return { host, url, said, asked, aborted, open };
}
const until = async (done: () => boolean | Promise<boolean>): Promise<void> => {
  while (!(await done())) await new Promise((resolve) => setImmediate(resolve));
};

test("each item is asked for by a request of its own, and is durable before the next", async () => {
  const { rows, made, taken, left } = numbers(5);
  const flow = workflow({ name: "flow", input: anything }, function* (): Steps<unknown> {
    const doubled = yield* each(rows(1), (n) => double(n), { concurrency: 2 });
    return { doubled, list: yield* rows(2, { step: "again" }) };
  });
  const { open, asked, aborted, said } = await far([rows], [flow, double]);
  const orchestrator = open(memory());
  const run = await orchestrator.start(flow, null);
  expect(await run.result()).toEqual({ doubled: [0, 2, 4, 6, 8], list: range(5) });
  expect(asked()).toEqual([...range(6), ...range(6)]);
  expect([taken, left, made, aborted()]).toEqual([[0, 0], ["ended", "ended"], [...range(5), ...range(5)], []]);
  expect(new Set(said.map(({ action }) => action?.action_id)).size).toBe(2);
  const facts: readonly Fact[] = await run.facts();
  expect(items(facts).map(([, item]) => item)).toEqual([...range(5), ...range(5)]);
  await orchestrator.close();
});

test("a failing item fails the attempt; the next one goes on behind what is recorded, under an action of its own", async () => {
  let failing = 2;
  const { rows, made, taken } = numbers(
    4,
    (n) => {
      if (n === 2 && failing-- > 0) throw new Error("flaky");
    },
    { retry: soon },
  );
  const flow = workflow({ name: "flow", input: anything }, function* () {
    return yield* rows(null);
  });
  const { open, said } = await far([rows], [flow]);
  const orchestrator = open(memory());
  const run = await orchestrator.start(flow, null);
  expect(await run.result()).toEqual(range(4));
  expect(made).toEqual([0, 1, 2, 2, 2, 3]);
  expect(taken).toEqual([0, 2, 2]);
  const attempts = said.map(({ action }) => action?.attempt);
  expect(attempts).toEqual([1, 1, 1, 2, 3, 3, 3]);
  await orchestrator.close();
});

test("what the far side refuses for good fails the step without a retry", async () => {
  const { rows } = numbers(3, (n) => {
    if (n === 1) throw new Fatal("NO_MORE", { details: { n } });
  });
  const flow = workflow({ name: "flow", input: anything }, function* () {
    return yield* rows(null);
  });
  const { open, asked } = await far([rows], [flow]);
  const orchestrator = open(memory());
  await expect((await orchestrator.start(flow, null)).result()).rejects.toMatchObject({ code: "NO_MORE", details: { n: 1 } });
  expect(asked()).toEqual([0, 1]);
  await orchestrator.close();
});

test("an item that does not fit here, though it did there, fails the step, and the far side is told", async () => {
  const { left, ...there } = numbers(3, () => {}, { item: anything });
  const here = numbers(0, () => {}, { item: z.number().max(1) });
  const flow = workflow({ name: "flow", input: anything }, function* () {
    return yield* here.rows(null);
  });
  const { open, asked, aborted } = await far([there.rows], [flow], undefined, [here.rows]);
  const orchestrator = open(memory());
  await expect((await orchestrator.start(flow, null)).result()).rejects.toMatchObject({ code: "OUTPUT_INVALID" });
  await until(() => left.length > 0);
  expect([asked(), aborted(), left, here.made]).toEqual([[0, 1, 2], ["CANCELLED"], ["returned"], []]);
  await orchestrator.close();
});

test("a host that serves no such stream is no reason to wait", async () => {
  const plain = effect({ name: "rows", input: anything, readonly: true }, async () => [1]);
  const { rows } = numbers(3);
  const flow = workflow({ name: "flow", input: anything }, function* () {
    return yield* rows(null);
  });
  const { open, asked } = await far([plain], [flow], undefined, [rows]);
  const orchestrator = open(memory());
  await expect((await orchestrator.start(flow, null)).result()).rejects.toMatchObject({
    code: "ACTION_INVALID",
    message: expect.stringContaining("is no stream"),
  });
  expect(asked()).toEqual([0]);
  await orchestrator.close();
});

test("the compute elsewhere and the stream elsewhere wait at one breaker, and cancel gives them up", async () => {
  const { rows } = numbers(3);
  const price = compute({ name: "far", input: anything }, (n: number) => n);
  const flow = workflow({ name: "flow", input: anything }, function* () {
    return yield* all([rows(null), price(1)]);
  });
  const url = "http://127.0.0.1:1/";
  const orchestrator = orchestratorIn(systemWorld(quiet), {
    store: memory(),
    nodes: [flow, rows, price],
    endpoints: { rows: url, far: url },
    circuitBreaker: { failureThreshold: 1, openMs: 3_600_000 },
  });
  const run = await orchestrator.start(flow, null);
  const breaker = async () => (await orchestrator.getPerformanceMetrics()).circuitBreakers[0];
  await until(async () => (await breaker())?.state === "open" && (await breaker())?.refused === 2);
  const report = await orchestrator.healthCheck();
  expect(report).toMatchObject({ status: "degraded", circuitBreaker: "open", components: { nodeClient: "unhealthy" } });
  await run.cancel();
  await expect(run.result()).rejects.toMatchObject({ code: "RUN_CANCELLED" });
  expect(orchestrator.stats().callsInFlight).toBe(0);
  await orchestrator.close();
});

test("closing does not wait for a compute that waits at the gate", async () => {
  const ask = compute({ name: "far", input: anything }, (n: number) => n);
  const flow = workflow({ name: "flow", input: anything }, function* () {
    return yield* ask(1);
  });
  const store = memory();
  const given = {
    store,
    nodes: [flow, ask],
    endpoints: { far: "http://127.0.0.1:1/" },
    circuitBreaker: { failureThreshold: 1, openMs: 3_600_000 },
  };
  const orchestrator = orchestratorIn(systemWorld(quiet), given);
  const { runId } = await orchestrator.start(flow, null);
  await until(async () => (await orchestrator.getPerformanceMetrics()).circuitBreakers[0]?.refused === 1);
  await orchestrator.close({ graceMs: 3_600_000 });
  const second = orchestratorIn(systemWorld(quiet), { store, nodes: [flow, ask] });
  expect(await second.run(runId).result()).toBe(1);
  await second.close();
});

test("a stream that is left early is told so, and its iterator is returned", async () => {
  const { rows, left } = numbers(1_000);
  const flow = workflow({ name: "flow", input: anything }, function* () {
    yield* each(rows(null), function* (n: number) {
      if (n === 3) throw new Fatal("ENOUGH");
      return yield* double(n);
    });
  });
  const { open, aborted } = await far([rows], [flow, double]);
  const orchestrator = open(memory());
  await expect((await orchestrator.start(flow, null)).result()).rejects.toMatchObject({ code: "ENOUGH" });
  await until(() => left.length > 0);
  expect(left).toEqual(["returned"]);
  expect(aborted()).toEqual(["CANCELLED"]);
  await orchestrator.close();
});

test("a host that was restarted opens the stream anew behind what is recorded", async () => {
  const { rows, made, taken } = numbers(10);
  let host: NodeHost | undefined;
  let count = 0;
  const flow = workflow({ name: "flow", input: anything }, function* () {
    return yield* rows(null);
  });
  const restarting = (first: NodeHost): NodeHost => ({
    close: () => first.close(),
    fetch: (request) => {
      // Before the fourth request and the eighth.
      if (++count % 4 === 0) host = createNodeHost({ nodes: [rows], log: quiet });
      return (host ?? first).fetch(request);
    },
  });
  const { open, asked } = await far([rows], [flow], restarting);
  const orchestrator = open(memory());
  const run = await orchestrator.start(flow, null);
  expect(await run.result()).toEqual(range(10));
  expect(made).toEqual(range(10));
  expect(taken).toEqual([0, 3, 7]);
  expect(asked()).toEqual(range(11));
  expect((await run.facts()).filter(({ type }) => type === "action.dispatched").length, "one attempt").toBe(1);
  await orchestrator.close();
});

test("an orchestrator that dies finds the stream open: the item it had not recorded comes again, and none is skipped", async () => {
  const gate = new Gate();
  const { rows, made, taken } = numbers(6, async (n) => {
    if (n === 3) await gate.pass();
  });
  const flow = workflow({ name: "flow", input: anything }, function* () {
    return yield* rows(null);
  });
  const { open, said, asked } = await far([rows], [flow]);
  const store = memory();
  const first = open(store);
  const { runId } = await first.start(flow, null);
  await until(() => made.length === 4);
  first.engine.die();
  store.kill();
  const second = open(store);
  await until(() => said.some(({ action }) => action?.epoch === 2));
  gate.open();
  expect(await second.run(runId).result()).toEqual(range(6));
  expect([made, taken]).toEqual([range(6), [0]]);
  expect(asked()).toEqual([0, 1, 2, 3, 3, 4, 5, 6]);
  await second.close();
});

test("closed between two items it tells the host nothing: the next one goes on with the open stream", async () => {
  const gate = new Gate();
  const { rows, taken, left } = numbers(4);
  const hold = workflow({ name: "flow", input: anything }, function* (): Steps<unknown> {
    return yield* each(rows(null), (n) => slow(n), { concurrency: 1 });
  });
  const slow = effect({ name: "slow", input: anything, readonly: true, idempotent: true }, async (n: number) => {
    if (n === 1) await gate.pass();
    return n;
  });
  const { open, asked, aborted } = await far([rows], [hold, slow]);
  const store = memory();
  const first = open(store);
  const { runId } = await first.start(hold, null);
  await until(() => asked().length === 2);
  await first.close({ graceMs: 0 });
  gate.open();
  const second = open(store);
  expect(await second.run(runId).result()).toEqual(range(4));
  expect([taken, left, aborted()]).toEqual([[0], ["ended"], []]);
  await second.close();
});
