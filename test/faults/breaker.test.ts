/** A breaker against a real server: it fails, is left alone, is asked by a few whether it works again, and does the work. */
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { afterEach, expect, test } from "vitest";
import {
  type AnyNode,
  all,
  attempt,
  type CircuitBreakerOptions,
  compute,
  createNodeHost,
  createOrchestrator,
  effect,
  type Fact,
  memory,
  sleep,
  sqlite,
  workflow,
} from "../../src/index.ts";
import { anything, quiet } from "../semantics/kit.ts";
import { handled, textOf } from "../serve.ts";
import { newFolder } from "./processes.ts";

const closing: (() => unknown)[] = [];
afterEach(async () => {
  for (const close of closing.splice(0).reverse()) await close();
});

const done: string[] = [];
const work = effect(
  {
    name: "work",
    input: anything,
    idempotent: true,
    irreversible: "a line in a list",
    retry: { maxAttempts: 1_000, backoff: "fixed", delay: "1ms", jitter: "none" },
  },
  async ({ id }, { idempotencyKey }) => {
    done.push(idempotencyKey);
    return id;
  },
);
const half = compute({ name: "half", input: anything }, (n: number) => n / 2);
const flow = workflow({ name: "flow", input: anything }, function* (id: number) {
  const given = yield* work({ id });
  for (;;) {
    const asked = yield* attempt(half(given * 2));
    if (asked.ok) return asked.value;
    yield* sleep("1ms");
  }
});

/** A host that fails until it is mended; it counts actions, not aborts and questions about its health. */
async function host() {
  done.length = 0;
  const far = createNodeHost({ nodes: [work, half], log: quiet });
  const counts = { sent: 0, failed: 0 };
  const told = new Set<() => void>();
  let broken = true;
  const server = createServer(async (incoming, outgoing) => {
    const text = await textOf(incoming);
    const action = text.includes('"action":');
    if (action) counts.sent++;
    if (broken) {
      if (action) counts.failed++;
      outgoing.writeHead(500).end("no");
    } else await handled(far, text, incoming, outgoing);
    for (const tell of [...told]) tell();
  });
  await new Promise<void>((listening) => server.listen(0, "127.0.0.1", listening));
  closing.push(() => {
    server.closeAllConnections();
    return new Promise((closed) => server.close(closed));
  });
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/nodes`,
    counts,
    mend: () => {
      broken = false;
    },
    /** Resolves when `holds` does, which is looked at after each request. */
    until: (holds: () => boolean) =>
      new Promise<void>((resolve) => {
        const look = (): void => {
          if (!holds()) return;
          told.delete(look);
          resolve();
        };
        told.add(look);
        look();
      }),
  };
}

function open(url: string, circuitBreaker: CircuitBreakerOptions, store = memory() as ReturnType<typeof sqlite>) {
  const orchestrator = createOrchestrator({
    store,
    nodes: [flow, work, half] as readonly AnyNode[],
    endpoints: { work: url, half: url },
    circuitBreaker,
    log: quiet,
  });
  closing.push(() => orchestrator.close({ graceMs: 0 }));
  const breaker = async () => (await orchestrator.getPerformanceMetrics()).circuitBreakers;
  /** Looks again and again until the breaker is in that state. */
  const until = async (state: string): Promise<void> => {
    while ((await breaker())[0]?.state !== state) await new Promise((resolve) => setTimeout(resolve, 2));
  };
  return { orchestrator, breaker, until };
}

/** Each run's work was recorded once, under the key under which it was done. */
function checkDone(facts: readonly (readonly Fact[])[]): void {
  expect(new Set(done).size).toBe(facts.length);
  for (const log of facts) expect(log.filter(({ type }) => type === "action.completed").length).toBe(1);
}

test("while it is open the server is left alone, and runs wait", async () => {
  const { url, counts, mend } = await host();
  // So long that no machine is slow enough for a probe within this test.
  const failureThreshold = 5;
  const held = open(url, { failureThreshold, openMs: 3_600_000 });
  const first = await held.orchestrator.start(flow, 1);
  await held.until("open");
  // One run asks, and waits when it is told to: exactly as many requests as open the breaker.
  expect(counts).toEqual({ sent: failureThreshold, failed: failureThreshold });
  mend();
  const later = await Promise.all([2, 3, 4].map((id) => held.orchestrator.start(flow, id)));
  for (const run of later) while ((await run.facts()).length < 2) await new Promise((resolve) => setImmediate(resolve));
  const [breaker] = await held.breaker();
  expect(breaker).toMatchObject({ endpoint: url, state: "open", failures: failureThreshold });
  expect(breaker?.refused).toBeGreaterThanOrEqual(1);
  expect(breaker?.probeAt).toBeGreaterThan(Date.now());
  expect(await held.orchestrator.healthCheck()).toMatchObject({
    status: "degraded",
    circuitBreaker: "open",
    components: { nodeClient: "degraded", stateManager: "healthy", scheduler: "healthy" },
    reasons: [expect.stringContaining(`the circuit breaker of ${url} is open`)],
  });
  expect(counts.sent, "the server is left alone").toBe(failureThreshold);
  for (const run of [first, ...later]) expect((await run.facts()).some(({ type }) => type === "action.completed")).toBe(false);
  expect(done).toEqual([]);
});

test("when its time is over probes find out, first that it still fails, then that it works; all runs end", async () => {
  const { url, counts, mend, until: heard } = await host();
  const folder = newFolder();
  const failureThreshold = 3;
  const { orchestrator, breaker, until } = open(
    url,
    { failureThreshold, openMs: 40, halfOpenMaxCalls: 1, successThreshold: 2 },
    sqlite(`${folder}/test.db`),
  );
  const runs = await Promise.all(Array.from({ length: 8 }, (_, id) => orchestrator.start(flow, id)));
  await until("open");
  const atOnce = counts.sent;
  // All that were on their way when it opened, and not one for each attempt that was due since.
  expect(atOnce).toBeGreaterThanOrEqual(failureThreshold);
  // At least three probes fail, each opening it again.
  await heard(() => counts.failed >= atOnce + 3);
  mend();
  expect(await Promise.all(runs.map((run) => run.result()))).toEqual(runs.map((_, id) => id));
  await until("closed");
  const facts = await Promise.all(runs.map((run) => run.facts()));
  checkDone(facts);
  const failed = facts.flat().filter(({ type }) => type === "action.failed");
  expect(failed.length).toBe(counts.failed);
  expect((await breaker())[0]).toMatchObject({ endpoint: url, state: "closed" });
  expect(await orchestrator.healthCheck()).toMatchObject({ status: "healthy", circuitBreaker: "closed", reasons: [] });
});

test("computes and effects of one host share its breaker", async () => {
  const { url, counts, mend } = await host();
  const both = workflow({ name: "both", input: anything }, function* (n: number) {
    return yield* all([half(n), work({ id: n })]);
  });
  const orchestrator = createOrchestrator({
    store: memory(),
    nodes: [both, work, half] as readonly AnyNode[],
    endpoints: { work: url, half: url },
    circuitBreaker: { failureThreshold: 1, openMs: 20, halfOpenMaxCalls: 1, successThreshold: 1 },
    log: quiet,
  });
  closing.push(() => orchestrator.close({ graceMs: 0 }));
  const run = await orchestrator.start(both, 4);
  while (counts.failed < 2) await new Promise((resolve) => setTimeout(resolve, 2));
  mend();
  expect(await run.result()).toEqual([2, 4]);
  const { circuitBreakers } = await orchestrator.getPerformanceMetrics();
  expect(circuitBreakers).toMatchObject([{ endpoint: url, state: "closed" }]);
  expect(done.length).toBe(1);
});
