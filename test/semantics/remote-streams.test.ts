/** Streams that live behind a URL: asked for one item a request, recorded and consumed as if they were here. */
import { expect, test } from "vitest";
import { orchestratorIn } from "../../src/engine/orchestrator.ts";
import { systemWorld } from "../../src/engine/system.ts";
import { type AnyNode, createNodeHost, each, type Fact, Fatal, memory, type NodeHost, type Steps, workflow } from "../../src/index.ts";
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
async function far(given: readonly AnyNode[], flows: readonly AnyNode[], hostOf: (host: NodeHost) => NodeHost = (host) => host) {
  const said: Said[] = [];
  const host = createNodeHost({ nodes: given, log: quiet });
  const url = await serving(hostOf(host), (text) => text !== "" && said.push(JSON.parse(text)));
  const open = (store: MemoryStore) => orchestratorIn(systemWorld(quiet), { store, nodes: [...flows, ...given], endpoints: { rows: url } });
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

test("what the far side refuses for good, and an item that does not fit, fail the step without a retry", async () => {
  const { rows } = numbers(3, (n) => {
    if (n === 1) throw new Fatal("NO_MORE", { details: { n } });
  });
  const words = numbers(3, () => {});
  const wrong = { ...words, rows: numbers(0).rows };
  expect(wrong.rows.contract.name).toBe("rows");
  const flow = workflow({ name: "flow", input: anything }, function* () {
    return yield* rows(null);
  });
  const { open, asked } = await far([rows], [flow]);
  const orchestrator = open(memory());
  await expect((await orchestrator.start(flow, null)).result()).rejects.toMatchObject({ code: "NO_MORE", details: { n: 1 } });
  expect(asked()).toEqual([0, 1]);
  await orchestrator.close();
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
  const { effect } = await import("../../src/index.ts");
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
