/** Nodes that live behind a URL: the run goes on as if they were here. */
import { describe, expect, test } from "vitest";
import { orchestratorIn } from "../../src/engine/orchestrator.ts";
import { systemWorld } from "../../src/engine/system.ts";
import {
  type AnyNode,
  all,
  attempt,
  compute,
  createNodeHost,
  createOrchestrator,
  effect,
  Fatal,
  memory,
  type Orchestrator,
  planWorkflow,
  RetryLater,
  race,
  reducer,
  type Steps,
  service,
  sleep,
  workflow,
} from "../../src/index.ts";
import type { MemoryStore } from "../../src/store/memory.ts";
import { listening, serving, textOf } from "../serve.ts";
import { anything, Gate, quiet } from "./kit.ts";

const bank = service<{ name: string }>("bank");

/** Effects whose functions must never run here: only the host has the bank. */
function nodes(calls: object[]) {
  const refund = effect({ name: "refund", input: anything, idempotent: true, irreversible: "is an undo" }, async ({ of }, context) => {
    calls.push({ refund: of, key: context.idempotencyKey });
    return null;
  });
  const charge = effect(
    {
      name: "charge",
      input: anything,
      uses: { bank },
      idempotent: true,
      retry: { maxAttempts: 3, backoff: "fixed", delay: "5ms", jitter: "none" },
      undo: ({ idempotencyKey }) => refund({ of: idempotencyKey }),
    },
    async ({ amount, failing = 0 }, { bank, idempotencyKey, actionId, leaseId, attempt, epoch, runId, correlationId }) => {
      calls.push({ charge: amount, key: idempotencyKey, actionId, leaseId, attempt, epoch, runId, correlationId });
      if (attempt <= failing) throw new RetryLater("1ms");
      if (amount < 0) throw new Fatal("NOT_POSITIVE", { details: { amount } });
      return { receipt: `${bank.name}-${amount}` };
    },
  );
  const price = compute({ name: "price", input: anything }, ({ items }) => {
    if (items === 13) throw new Fatal("UNLUCKY");
    return { total: items * 10 };
  });
  return { charge, refund, price };
}

interface Played {
  readonly calls: { readonly [key: string]: unknown }[];
  readonly said: { readonly action?: Record<string, unknown>; readonly abort?: Record<string, unknown> }[];
  readonly orchestrator: Orchestrator<readonly AnyNode[]>;
  readonly result: Promise<unknown>;
  facts(): Promise<string[]>;
}

async function play(body: (n: ReturnType<typeof nodes>) => () => Steps<unknown>): Promise<Played> {
  const calls: { readonly [key: string]: unknown }[] = [];
  const said: Played["said"] = [];
  const given = nodes(calls as object[]);
  const host = createNodeHost({ nodes: Object.values(given), provide: [bank.from({ name: "far" })], log: quiet });
  const url = await serving(host, (text) => text !== "" && said.push(JSON.parse(text)));
  const flow = workflow({ name: "flow", input: anything }, body(given));
  const orchestrator = createOrchestrator({
    store: memory(),
    nodes: [flow, ...Object.values(given)] as readonly AnyNode[],
    endpoints: { charge: url, refund: url, price: url },
    log: quiet,
  });
  const run = await orchestrator.start(flow, null, { runId: "run", correlationId: "corr" });
  const result = run.result();
  result.catch(() => {});
  return {
    calls,
    said,
    orchestrator,
    result,
    facts: async () => (await run.facts()).map((fact) => ("step" in fact ? `${fact.type} ${fact.step}` : fact.type)),
  };
}

test("an effect is called over HTTP, with the same key and another action for every attempt", async () => {
  const { calls, said, result, facts, orchestrator } = await play(
    ({ charge }) =>
      function* () {
        return yield* charge({ amount: 7, failing: 1 }, { priority: 7 });
      },
  );
  expect(await result).toEqual({ receipt: "far-7" });
  expect(await facts()).toEqual([
    "run.started",
    "lease.acquired",
    "action.dispatched charge",
    "action.failed charge",
    "timer.set charge@1",
    "timer.fired charge@1",
    "action.dispatched charge",
    "action.completed charge",
    "run.completed",
  ]);
  const [first, second] = calls;
  expect(first).toMatchObject({ charge: 7, attempt: 1, epoch: 1, runId: "run", correlationId: "corr" });
  expect(second).toMatchObject({ key: first?.key, leaseId: first?.leaseId, attempt: 2 });
  expect(second?.actionId).not.toBe(first?.actionId);
  expect(said[0]?.action).toMatchObject({
    action_type: "EXECUTE_SIDE_EFFECT",
    target_node_type: "EFFECT",
    target_node: "charge",
    action_id: first?.actionId,
    lease_id: first?.leaseId,
    priority: 7,
    payload: { amount: 7, failing: 1 },
    metadata: { workflow_type: "flow", workflow_version: "1.0.0" },
  });
  expect(orchestrator.stats().callsInFlight).toBe(0);
  await orchestrator.close();
});

test("a refusal of the far side fails the step without a retry, and it did not happen", async () => {
  const { calls, result, orchestrator } = await play(
    ({ charge }) =>
      function* () {
        const tried = yield* attempt(charge({ amount: -1 }));
        return tried.ok ? "ok" : { code: tried.error.code, details: tried.error.details, attempts: tried.error.attempts };
      },
  );
  expect(await result).toEqual({ code: "NOT_POSITIVE", details: { amount: -1 }, attempts: 1 });
  expect(calls.length, "no undo is owed").toBe(1);
  await orchestrator.close();
});

test("what was done elsewhere is undone elsewhere, under the key of the step", async () => {
  const { calls, said, result, orchestrator } = await play(
    ({ charge }) =>
      function* () {
        yield* charge({ amount: 1 });
        throw new Fatal("NO");
      },
  );
  await expect(result).rejects.toMatchObject({ code: "NO", notUndone: [] });
  expect(calls[1]).toMatchObject({ refund: calls[0]?.key });
  expect(said[1]?.action).toMatchObject({ undoes: calls[0]?.key, target_node: "refund" });
  await orchestrator.close();
});

test("a compute is asked: no intent, its answer is a fact of a later turn, a failure too", async () => {
  const { said, result, facts, orchestrator } = await play(
    ({ price, charge }) =>
      function* () {
        const totals = yield* all([price({ items: 2 }), price({ items: 3 })]);
        const bad = yield* attempt(price({ items: 13 }, { timeout: "7s" }));
        yield* charge({ amount: totals[0].total });
        return [totals, bad.ok ? "" : bad.error.code];
      },
  );
  expect(await result).toEqual([[{ total: 20 }, { total: 30 }], "UNLUCKY"]);
  const log = await facts();
  expect(log.filter((line) => line.startsWith("compute")).sort()).toEqual([
    "compute.completed 0/price",
    "compute.completed 1/price",
    "compute.failed price",
  ]);
  expect(log.filter((line) => line.startsWith("action.dispatched"))).toEqual(["action.dispatched charge"]);
  expect(said[0]?.action).toMatchObject({ action_type: "EXECUTE_COMPUTATION", target_node_type: "COMPUTE", timeout_ms: 30_000 });
  expect(said[2]?.action).toMatchObject({ timeout_ms: 7_000 });
  await orchestrator.close();
});

test("the late answer of a compute whose branch was given up is dropped", async () => {
  const gate = new Gate();
  const slow = compute({ name: "slow", input: anything }, () => "late");
  const host = createNodeHost({ nodes: [slow], log: quiet });
  const url = await serving({
    close: () => host.close(),
    fetch: async (request) => {
      await gate.pass();
      return host.fetch(request);
    },
  });
  const flow = workflow({ name: "flow", input: anything }, function* () {
    const first = yield* race({ slow: slow(null), quick: sleep("1ms") });
    yield* sleep("1h");
    return first.winner;
  });
  const orchestrator = createOrchestrator({ store: memory(), nodes: [flow], endpoints: { slow: url }, log: quiet });
  const run = await orchestrator.start(flow, null);
  // Nobody waits for it any more: the run is put down for its hour.
  await orchestrator.idle();
  expect(orchestrator.stats().callsInFlight).toBe(0);
  gate.open();
  await orchestrator.idle();
  expect((await run.status()).steps.map(({ step, status }) => [step, status])).toEqual([
    ["quick/sleep", "completed"],
    ["sleep", "waiting"],
  ]);
  await orchestrator.close();
});

test("a contract may call a node that only endpoints name", async () => {
  const calls: object[] = [];
  const given = nodes(calls);
  const host = createNodeHost({ nodes: Object.values(given), provide: [bank.from({ name: "far" })], log: quiet });
  const url = await serving(host);
  const flow = planWorkflow({
    onex: "v1",
    kind: "workflow",
    name: "shop",
    version: "1.0.0",
    timeout: "1m",
    steps: {
      priced: { compute: "price", with: { items: 4 } },
      paid: { effect: "charge@1", with: { amount: "${ priced.total }" } },
    },
    output: "${ paid.receipt }",
  } as never);
  const orchestrator = createOrchestrator({ store: memory(), nodes: [flow], endpoints: { price: url, charge: url }, log: quiet });
  expect(await (await orchestrator.start(flow, null)).result()).toBe("far-40");
  await orchestrator.close();
});

test("progress and its notes come through, and the next attempt resumes from them", async () => {
  const upload = effect(
    { name: "upload", input: anything, idempotent: true, readonly: true, heartbeat: "5s", retry: { maxAttempts: 2, delay: "1ms" } },
    async (_, { progress, resume, attempt }) => {
      if (attempt === 1) {
        progress({ at: 1 });
        progress({ at: 2 });
        throw new Error("cut off");
      }
      return resume;
    },
  );
  const host = createNodeHost({ nodes: [upload], log: quiet });
  const flow = workflow({ name: "flow", input: anything }, function* () {
    return yield* upload(null);
  });
  const orchestrator = createOrchestrator({ store: memory(), nodes: [flow], endpoints: { upload: await serving(host) }, log: quiet });
  expect(await (await orchestrator.start(flow, null)).result()).toEqual({ at: 2 });
  await orchestrator.close();
});

test("a cancel reaches the far side, which says what became of it", async () => {
  const seen: string[] = [];
  let begun = (): void => {};
  const started = new Promise<void>((resolve) => {
    begun = resolve;
  });
  const hang = effect(
    { name: "hang", input: anything, idempotent: true, irreversible: "x" },
    (_, { signal }) =>
      new Promise<null>((_resolve, reject) => {
        begun();
        signal.addEventListener("abort", () => {
          seen.push((signal.reason as { code: string }).code);
          reject(new Fatal("STOPPED"));
        });
      }),
  );
  const host = createNodeHost({ nodes: [hang], log: quiet });
  const flow = workflow({ name: "flow", input: anything }, function* () {
    return yield* hang(null);
  });
  const orchestrator = createOrchestrator({ store: memory(), nodes: [flow], endpoints: { hang: await serving(host) }, log: quiet });
  const run = await orchestrator.start(flow, null);
  await started;
  await run.cancel();
  await expect(run.result()).rejects.toMatchObject({ code: "RUN_CANCELLED" });
  expect(seen).toEqual(["CANCELLED"]);
  expect((await run.facts()).find(({ type }) => type === "action.failed")).toMatchObject({ outcome: "none", error: { code: "STOPPED" } });
  await orchestrator.close();
});

describe("the process ends", () => {
  /** A host that holds every request until the gate is open, and what was sent to it. */
  async function held(given: readonly AnyNode[]) {
    const gate = new Gate();
    const host = createNodeHost({ nodes: given, log: quiet });
    const said: { readonly action?: Record<string, unknown>; readonly abort?: unknown }[] = [];
    const told: (() => void)[] = [];
    const hear = (text: string): void => {
      said.push(JSON.parse(text));
      for (const tell of told.splice(0)) tell();
    };
    const url = await serving(
      {
        close: () => host.close(),
        fetch: async (request) => {
          await gate.pass();
          return host.fetch(request);
        },
      },
      hear,
    );
    const until = async (count: number): Promise<void> => {
      while (said.length < count) await new Promise<void>((resolve) => told.push(resolve));
    };
    return { gate, said, url, until };
  }
  const double = compute({ name: "double", input: anything }, (n) => n * 2);
  const act = effect({ name: "act", input: anything, idempotent: true, retry: false, irreversible: "x" }, async () => "done");
  const flow = workflow({ name: "flow", input: anything }, function* (what: string): Steps<unknown> {
    return what === "double" ? yield* double(2) : yield* act(null);
  });
  const open = (store: MemoryStore, endpoints: Record<string, string>) =>
    orchestratorIn(systemWorld(quiet), { store, nodes: [flow], endpoints });
  const die = (store: MemoryStore, orchestrator: ReturnType<typeof open>): void => {
    orchestrator.engine.die();
    store.kill();
  };

  test("a compute that was asked is asked again, and is never in doubt", async () => {
    const { gate, said, url, until } = await held([double]);
    const store = memory();
    const first = open(store, { double: url });
    const { runId } = await first.start(flow, "double");
    await until(1);
    die(store, first);
    const second = open(store, { double: url });
    await until(2);
    gate.open();
    expect(await second.run(runId).result()).toBe(4);
    expect(said.map(({ action }) => action?.epoch)).toEqual([1, 2]);
    expect(said[1]?.action?.action_id).toBe(said[0]?.action?.action_id);
    expect((await second.run(runId).facts()).map(({ type }) => type)).toEqual([
      "run.started",
      "lease.acquired",
      "lease.acquired",
      "compute.completed",
      "run.completed",
    ]);
    await second.close();
  });

  test("what cannot be sent a second time may have happened the first time", async () => {
    const { said, url, until } = await held([act]);
    const store = memory();
    const first = open(store, { act: url });
    const { runId } = await first.start(flow, "act");
    await until(1);
    die(store, first);
    const second = open(store, { act: "http://127.0.0.1:1/" });
    await expect(second.run(runId).result()).rejects.toMatchObject({ code: "NODE_UNREACHABLE" });
    const failed = (await second.run(runId).facts()).find(({ type }) => type === "action.failed");
    expect(failed).toMatchObject({ outcome: "unknown", error: { message: expect.stringContaining("ECONNREFUSED") } });
    // Sent for the first time, it is known not to have happened.
    const again = await second.start(flow, "act");
    await expect(again.result()).rejects.toMatchObject({ code: "NODE_UNREACHABLE" });
    expect((await again.facts()).find(({ type }) => type === "action.failed")).toMatchObject({ outcome: "none" });
    expect(said.length).toBe(1);
    await second.close();
  });

  test("closed in an orderly way it tells the host nothing: the next one finds the work", async () => {
    const { gate, said, url, until } = await held([act]);
    const store = memory();
    const first = open(store, { act: url });
    const { runId } = await first.start(flow, "act");
    await until(1);
    await first.close({ graceMs: 0 });
    gate.open();
    const second = open(store, { act: url });
    expect(await second.run(runId).result()).toBe("done");
    expect(said.map(({ action, abort }) => [action?.delivery, abort])).toEqual([
      [1, undefined],
      [2, undefined],
    ]);
    await second.close();
  });

  test("closing waits for an answer that is on its way", async () => {
    const { gate, url, until } = await held([double]);
    const store = memory();
    const first = open(store, { double: url });
    const { runId } = await first.start(flow, "double");
    await until(1);
    const closing = first.close();
    gate.open();
    await closing;
    const second = open(store, {});
    expect((await second.run(runId).facts()).map(({ type }) => type)).toContain("compute.completed");
    await second.close();
  });
});

test("endpoints are checked when the orchestrator is made", () => {
  const flow = workflow({ name: "flow", input: anything }, function* () {});
  const count = reducer({ name: "count", event: anything, initial: 0 }, (n: number) => n + 1);
  const make = (endpoints: Record<string, string>) => () =>
    createOrchestrator({ store: memory(), nodes: [flow, count], endpoints, log: quiet });
  expect(make({ Bad: "http://x", ftp: "ftp://x", who: "http://a:b@x", frag: "http://x#y", text: "x" })).toThrow(
    expect.objectContaining({ code: "OPTION_INVALID", message: expect.stringMatching(/Bad: .*ftp: .*who: .*credentials.*frag: .*text: /) }),
  );
  expect(make({ count: "http://x" })).toThrow(
    expect.objectContaining({ code: "REMOTE_REFUSED", message: expect.stringContaining("reducer") }),
  );
  expect(make({ flow: "http://x" })).toThrow(
    expect.objectContaining({ code: "REMOTE_REFUSED", message: expect.stringContaining("workflow") }),
  );
});

test("health asks endpoints that nobody has called yet", async () => {
  const far = effect({ name: "far", input: anything, readonly: true }, async () => 1);
  const flow = workflow({ name: "flow", input: anything }, function* () {
    return yield* far({});
  });
  const url = await serving(createNodeHost({ nodes: [far] }));
  for (const [endpoint, status, reasons] of [
    [url, "healthy", []],
    ["http://127.0.0.1:9", "degraded", ["nodeClient: far is unhealthy"]],
  ] as const) {
    const orchestrator = createOrchestrator({ store: memory(), nodes: [flow], endpoints: { far: endpoint }, log: quiet });
    expect(await orchestrator.healthCheck()).toMatchObject({ status, reasons });
    await orchestrator.close();
  }
});

test("a host that has seen a higher epoch is gone above: no attempt is used up, and what is under way beside it goes on", async () => {
  const gate = new Gate();
  let near = 0;
  const told: { readonly epoch: number; readonly action_id: string; readonly attempt: number }[] = [];
  const url = await listening(async (request, response) => {
    const { action } = JSON.parse(await textOf(request));
    told.push(action);
    const refused = action.epoch < 7 && { code: "STALE_EPOCH", message: "no", details: { seen_epoch: 6, seen_lease_id: "other" } };
    const answer = refused ? { status: "failed", error: refused, outcome: "none" } : { status: "completed", output: action.epoch };
    response.writeHead(refused ? 409 : 200, { "content-type": "application/json" }).end(JSON.stringify({ onex: 1, ...answer }));
    if (!refused) gate.open();
  });
  const far = effect({ name: "far", input: anything, idempotent: false, irreversible: "no" }, async () => null);
  const here = effect({ name: "here", input: anything, idempotent: false, irreversible: "no", inDoubt: "pause" }, async () => {
    near++;
    await gate.pass();
    return "here";
  });
  const flow = workflow({ name: "flow", input: anything }, function* () {
    return yield* all([here(1), far(1), far(2)]);
  });
  const store: MemoryStore = memory();
  const codes: unknown[] = [];
  const log = { ...quiet, warn: (_: string, fields?: object) => codes.push((fields as { readonly code?: string } | undefined)?.code) };
  const orchestrator = createOrchestrator({ store, nodes: [flow, here, far], endpoints: { far: url }, log });
  const run = await orchestrator.start(flow, null, { runId: "r" });
  expect(await run.result()).toEqual(["here", 7, 7]);
  expect([near, codes]).toEqual([1, ["STALE_EPOCH"]]);
  expect(new Set(told.map(({ action_id }) => action_id)).size).toBe(2);
  expect(new Set(told.map(({ attempt }) => attempt))).toEqual(new Set([1]));
  const facts = await run.facts();
  expect(facts.flatMap((fact) => (fact.type === "lease.raised" ? [fact.epoch] : []))).toEqual([7]);
  expect(facts.filter(({ type }) => type === "action.failed" || type === "lease.acquired").length).toBe(1);
  expect((await run.status()).owners?.map(({ epoch }) => epoch)).toEqual([7]);
  // Who takes what is left of it begins above, and a fork shares none of that.
  const fork = await orchestrator.fork("r", { from: "1/far" });
  expect(await fork.result()).toEqual(["here", 7, 7]);
  expect((await fork.facts()).filter(({ type }) => type === "lease.raised").length).toBe(1);
  await orchestrator.close();
});
