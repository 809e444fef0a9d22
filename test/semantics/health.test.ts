/** Health: every probe for itself, the same shape always, and never a throw. */

import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, test } from "vitest";
import { orchestratorIn } from "../../src/engine/orchestrator.ts";
import { sha256, systemWorld } from "../../src/engine/system.ts";
import type { World } from "../../src/engine/world.ts";
import { createOrchestrator, effect, Fatal, memory, type Store, sleep, sqlite, workflow } from "../../src/index.ts";
import { sharedMemory } from "../../src/store/shared-memory.ts";
import type { OpenStore } from "../../src/store/store.ts";
import { VirtualClock } from "../../src/testing/clock.ts";
import { testOrchestrator } from "../../src/testing/index.ts";
import { listening } from "../serve.ts";
import { anything, quiet } from "./kit.ts";

const hang = effect({ name: "hang", input: anything, readonly: true }, () => new Promise<null>(() => {}));
const flow = workflow({ name: "flow", input: anything }, function* (input) {
  if (input === "hang") yield* hang(1);
  yield* sleep(input === "slow" ? "9s" : "1s");
  if (input === "fail") throw new Fatal("NO");
});

const turn = () => new Promise<void>((resolve) => setImmediate(resolve));

/** An orchestrator over a store whose verbs a test may replace. */
function make(store: Store = memory(), nodes = [flow]) {
  const clock = new VirtualClock(0, setImmediate);
  let id = 0;
  const world: World = {
    clock,
    entropy: { uuid: () => `id-${id++}`, random: () => 0, seed: () => 1 },
    log: quiet,
    hash: sha256,
    pid: 1,
    guarded: true,
  };
  const broken: Partial<OpenStore> = {};
  const wrapped: Store = {
    kind: store.kind,
    open: (host) => {
      const open = store.open(host);
      const bound = (key: string | symbol) => {
        const value = Reflect.get(open, key, open) as unknown;
        return typeof value === "function" ? value.bind(open) : value;
      };
      // Asked at each call: who keeps a verb meets the store as it is then.
      const verb =
        (key: string | symbol) =>
        (...args: unknown[]): unknown =>
          ((broken[key as keyof OpenStore] ?? bound(key)) as (...given: unknown[]) => unknown)(...args);
      return new Proxy(open, { get: (_, key) => (typeof bound(key) === "function" ? verb(key) : bound(key)) });
    },
  };
  return { o: orchestratorIn(world, { store: wrapped, nodes }), broken, clock };
}
const shape = (value: object): unknown =>
  Object.fromEntries(
    Object.entries(value).map(([key, inner]) => [key, typeof inner === "object" && inner && !Array.isArray(inner) ? shape(inner) : 0]),
  );

test("healthy, in every field", async () => {
  const { o } = make();
  expect(await o.healthCheck()).toEqual({
    status: "healthy",
    components: { workflowRegistry: "healthy", nodeClient: "healthy", stateManager: "healthy", scheduler: "healthy" },
    capacity: { activeWorkflows: 0, queuedWorkflows: 0, maxConcurrent: null, utilizationPercent: 0 },
    performance: { windowMs: 300_000, averageDurationMs: 0, thresholdMs: 5_000, recentWorkflows: 0, successRate: 0 },
    circuitBreaker: "closed",
    reasons: [],
    timestamp: 0,
  });
});

test("D17: a probe that fails hides nothing of the others, and the shape is the same", async () => {
  const { o, broken } = make();
  const healthy = await o.healthCheck();
  broken.list = () => {
    throw new Error("the disk is gone");
  };
  o.engine.parts.nodes = () => {
    throw new Error("no list of nodes");
  };
  const report = await o.healthCheck();
  expect(report).toMatchObject({
    status: "unhealthy",
    components: { workflowRegistry: "healthy", nodeClient: "unhealthy", stateManager: "unhealthy", scheduler: "healthy" },
    reasons: ["nodeClient: no list of nodes", "stateManager: the disk is gone"],
  });
  expect(shape(report)).toEqual(shape(healthy));
});

test("D18: a probe that hangs is given up after its own time, and the others do not wait in line", async () => {
  const { o, broken, clock } = make();
  broken.list = () => new Promise(() => {});
  o.engine.parts.admission = () => new Promise(() => {});
  let report: Awaited<ReturnType<typeof o.healthCheck>> | undefined;
  o.healthCheck().then((answer) => {
    report = answer;
  });
  for (let i = 0; i < 5; i++) await turn();
  expect(report).toBeUndefined();
  while (clock.step(2_000));
  for (let i = 0; i < 5; i++) await turn();
  expect(clock.now()).toBe(2_000);
  expect(report).toMatchObject({
    status: "unhealthy",
    components: { stateManager: "unhealthy", scheduler: "degraded", nodeClient: "healthy" },
    reasons: ["stateManager: no answer within 2000 ms", "admission: no answer within 2000 ms"],
    capacity: { activeWorkflows: 0, maxConcurrent: null },
  });
});

test("the time of a probe can be chosen", async () => {
  const { o, broken, clock } = make();
  broken.list = () => new Promise(() => {});
  const asking = o.healthCheck({ timeoutMs: 50 });
  await turn();
  clock.step(50);
  expect((await asking).reasons).toEqual(["stateManager: no answer within 50 ms"]);
});

test("of many owners, one without a live lease begins anew; another one's lease keeps the scheduler well", async () => {
  const many = make(sharedMemory());
  await many.o.engine.ready;
  expect(await many.o.healthCheck()).toMatchObject({ status: "healthy", reasons: [] });
  many.broken.owner = async () => ({ leaseId: "another", pid: 7, host: "two" });
  expect(await many.o.healthCheck()).toMatchObject({
    status: "degraded",
    components: { stateManager: "degraded", scheduler: "healthy" },
    reasons: [expect.stringMatching(/the lease of this process on .* is not live: others take its runs/)],
  });
  const client = make(sharedMemory(), []);
  expect((await client.o.healthCheck()).reasons).toContainEqual(expect.stringMatching(/no orchestrator has a live lease on/));
  await many.o.close();
  await client.o.close();
});

test("D16: unhealthy when closed, died, or no longer the owner", async () => {
  const closed = make();
  await closed.o.close();
  expect(await closed.o.healthCheck()).toMatchObject({
    status: "unhealthy",
    components: { workflowRegistry: "healthy", nodeClient: "healthy", stateManager: "unhealthy", scheduler: "unhealthy" },
  });
  const died = make();
  died.o.engine.stop(new Error("the disk is full"));
  expect(await died.o.healthCheck()).toMatchObject({
    status: "unhealthy",
    reasons: ["stateManager: the disk is full", "scheduler: the disk is full"],
  });
  const robbed = make();
  robbed.broken.owner = () => ({ leaseId: "another", pid: 7 });
  expect(await robbed.o.healthCheck()).toMatchObject({
    status: "unhealthy",
    components: { stateManager: "unhealthy", scheduler: "healthy" },
    reasons: [expect.stringMatching(/owned by another process/)],
  });
});

test("a client is healthy while somebody drives the store", async () => {
  const store = memory();
  const owner = make(store);
  const client = make(store, []);
  expect(client.o.role).toBe("client");
  expect(await client.o.healthCheck()).toMatchObject({ status: "healthy" });
  await owner.o.close();
  expect(await client.o.healthCheck()).toMatchObject({ status: "degraded", components: { scheduler: "degraded" } });
});

test("over a file, in the process that owns it and in one that does not", async () => {
  const folder = mkdtempSync(join(tmpdir(), "onex-health-"));
  const store = sqlite(join(folder, "runs.db"));
  const owner = createOrchestrator({ store, nodes: [flow], log: quiet });
  const client = createOrchestrator({ store, nodes: [], log: quiet });
  try {
    for (const one of [owner, client]) expect(await one.healthCheck()).toMatchObject({ status: "healthy", reasons: [] });
    await owner.close();
    expect(await client.healthCheck()).toMatchObject({ status: "degraded", reasons: [expect.stringMatching(/no process owns/)] });
    expect(await owner.healthCheck()).toMatchObject({ status: "unhealthy" });
  } finally {
    await client.close();
    rmSync(folder, { recursive: true });
  }
});

test("D15, D19: capacity is what admission says, and no limit is no division", async () => {
  const { o } = make();
  o.engine.parts.admission = () => ({ active: 3, queued: 0, max: 4 });
  expect(await o.healthCheck()).toMatchObject({
    status: "healthy",
    capacity: { activeWorkflows: 3, maxConcurrent: 4, utilizationPercent: 75 },
  });
  o.engine.parts.admission = async () => ({ active: 4, queued: 2, max: 4 });
  expect(await o.healthCheck()).toMatchObject({
    status: "degraded",
    capacity: { queuedWorkflows: 2, utilizationPercent: 100 },
    reasons: ["4 runs are under way, as many as may be; 2 wait"],
  });
  o.engine.parts.admission = () => ({ active: 0, queued: 0, max: 0 });
  expect((await o.healthCheck()).capacity.utilizationPercent).toBe(0);
});

test("D21: nodes and circuit breakers are seen; all nodes down is unhealthy, some are degraded", async () => {
  const { o } = make();
  const node = (name: string, status: "healthy" | "unhealthy" | "unknown") =>
    ({ node: name, kind: "effect", endpoint: "http://x", status, calls: 1, failures: 0 }) as const;
  const breaker = (state: "closed" | "open" | "half_open") => ({ endpoint: state, state, calls: 1, failures: 1, refused: 0 });
  o.engine.parts.nodes = () => [node("a", "healthy"), node("b", "unhealthy"), node("c", "unknown")];
  o.engine.parts.breakers = () => [breaker("closed"), breaker("half_open")];
  expect(await o.healthCheck()).toMatchObject({
    status: "degraded",
    components: { nodeClient: "degraded" },
    circuitBreaker: "half_open",
    reasons: ["nodeClient: b is unhealthy, the circuit breaker of half_open is half_open"],
  });
  o.engine.parts.nodes = () => [node("b", "unhealthy"), node("c", "unknown")];
  o.engine.parts.breakers = () => [breaker("half_open"), breaker("open")];
  expect(await o.healthCheck()).toMatchObject({ status: "degraded", components: { nodeClient: "unhealthy" }, circuitBreaker: "open" });
  expect((await o.getPerformanceMetrics()).circuitBreakerStatus).toBe("open");
});

test("D9, D20: performance is of the window alone; a few runs say nothing, and many that fail do", async () => {
  const t = testOrchestrator({ nodes: [flow], log: quiet });
  const play = async (count: number, input: string) => {
    for (let i = 0; i < count; i++) await t.start(flow, input);
    await t.advance("10s");
  };
  await play(9, "slow");
  expect(await t.healthCheck()).toMatchObject({
    status: "healthy",
    performance: { averageDurationMs: 9_000, recentWorkflows: 9, successRate: 100 },
  });
  await play(1, "slow");
  expect(await t.healthCheck()).toMatchObject({ status: "degraded", reasons: [expect.stringMatching(/9000 ms on average/)] });
  await t.advance("5m");
  expect(await t.healthCheck()).toMatchObject({
    status: "healthy",
    performance: { recentWorkflows: 0, averageDurationMs: 0, successRate: 0 },
  });
  await play(6, "fail");
  await play(4, "ok");
  expect(await t.healthCheck()).toMatchObject({
    status: "degraded",
    performance: { successRate: 40 },
    reasons: ["60 % of the last 10 runs failed"],
  });
});

test("runs under way are counted", async () => {
  const t = testOrchestrator({ nodes: [flow], log: quiet });
  await t.start(flow, "hang");
  await t.advance("0ms");
  expect((await t.healthCheck()).capacity.activeWorkflows).toBe(1);
});

test("a host that is down or hangs is found by asking it, and hides nothing of the others", async () => {
  const [well, hangs] = await Promise.all([
    listening((_, response) => void response.writeHead(200, { "content-type": "application/json" }).end("{}")),
    listening(() => {}),
  ]);
  const clock = new VirtualClock(0, setImmediate);
  const o = orchestratorIn(
    { ...systemWorld(quiet), clock },
    { store: memory(), nodes: [flow], endpoints: { well, hangs, down: "http://127.0.0.1:1/" } },
  );
  const asking = o.healthCheck({ timeoutMs: 500 });
  const statuses = () => o.engine.parts.nodes().map(({ status }) => status);
  while (statuses().filter((status) => status !== "unknown").length < 2) await turn();
  expect(statuses()).toEqual(["healthy", "unknown", "unhealthy"]);
  // A host has half of the time, so that what is said of it comes within the whole.
  while (clock.step(250));
  expect(await asking).toMatchObject({
    status: "degraded",
    components: { workflowRegistry: "healthy", nodeClient: "degraded", stateManager: "healthy", scheduler: "healthy" },
    reasons: ["nodeClient: hangs is unhealthy, down is unhealthy"],
  });
  expect(o.engine.parts.nodes()).toMatchObject([
    { node: "well", status: "healthy" },
    { node: "hangs", lastError: expect.stringContaining("within 250 ms") },
    { node: "down", lastError: expect.stringContaining("ECONNREFUSED") },
  ]);
  await o.close();
});
