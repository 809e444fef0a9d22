/** Streams that a host serves: an iterator kept between requests, one item each. */
import { describe, expect, test } from "vitest";
import { z } from "zod";
import { Gate, quiet } from "../../../test/semantics/kit.ts";
import { Fatal } from "../../core/failure.ts";
import type { Json } from "../../core/json.ts";
import { compute } from "../../node/compute.ts";
import type { AnyNode } from "../../node/contract.ts";
import { type StreamContext, stream } from "../../node/stream.ts";
import { VirtualClock } from "../../testing/clock.ts";
import type { Action } from "../action.ts";
import { systemWorld } from "../system.ts";
import { encodeAbort, encodeAction } from "../wire.ts";
import { hostIn, type NodeHostOptions } from "./host.ts";

const start = 1_000_000;

/** A host of a stream of ten numbers, what became of its iterators, and requests for its items. */
function host(before: (n: number, context: StreamContext) => unknown = () => {}, options: Partial<NodeHostOptions> = {}) {
  const log: string[] = [];
  const rows = stream({ name: "rows", input: z.object({ from: z.number() }), item: z.number() }, async function* ({ from }, context) {
    log.push(`open ${context.taken}`);
    try {
      for (let n = context.taken; n < 10; n++) {
        await before(n, context);
        log.push(`${n}`);
        yield from + n;
      }
      log.push("end");
    } finally {
      log.push("left");
    }
  });
  const plain = compute({ name: "plain", input: z.any() }, () => null);
  const clock = new VirtualClock(start, (callback) => void setImmediate(callback));
  const it = hostIn(
    { ...systemWorld(quiet), clock },
    { nodes: [rows, plain] as readonly AnyNode[], log: quiet, abortGraceMs: 1_000, ...options },
  );
  const send = async (body: string) => {
    const response = await it.fetch(
      new Request("http://host/nodes", { method: "POST", body, headers: { "content-type": "application/json" } }),
    );
    const { onex: _, ...answer } = (await response.json()) as { readonly [key: string]: Json };
    return { ...answer, http: response.status } as { readonly [key: string]: unknown };
  };
  const ask = (taken: number | undefined, change: Partial<Action> = {}) => send(encodeAction(actionAt(clock.now(), taken, change)));
  const abort = (change: Partial<Action> = {}) => {
    const { actionId, runId, leaseId, epoch, notAfter } = actionAt(clock.now(), 0, change);
    return send(encodeAbort({ actionId, runId, leaseId, epoch, notAfter, reason: { code: "CANCELLED", message: "why" } }));
  };
  const health = async () => (await it.fetch(new Request("http://host/nodes/health"))).json() as Promise<Record<string, number>>;
  const until = async (done: () => boolean | Promise<boolean>): Promise<void> => {
    while (!(await done())) await new Promise((resolve) => setImmediate(resolve));
  };
  return { it, log, clock, ask, abort, health, until };
}
function actionAt(now: number, taken: number | undefined, change: Partial<Action>): Action {
  return {
    actionId: "action-1",
    idempotencyKey: "key",
    kind: "effect",
    node: "rows",
    version: "1.0.0",
    runId: "run",
    step: "rows",
    attempt: 1,
    delivery: 1,
    leaseId: "lease-1",
    epoch: 1,
    correlationId: "corr",
    priority: 100,
    timeoutMs: 30_000,
    notAfter: now + 30_000,
    createdAt: now,
    dependencies: [],
    payload: { from: 100 },
    ...(taken === undefined ? {} : { taken }),
    metadata: { workflowType: "flow", workflowVersion: "1.0.0" },
    ...change,
  };
}
const item = (index: number) => ({ http: 200, status: "yielded", index, item: 100 + index });
const refused = (http: number, code: string) => ({ http, status: "failed", outcome: "none", error: { code } });

test("item by item from one iterator, to the end", async () => {
  const { ask, log, health } = host();
  for (let n = 0; n < 10; n++) {
    expect(await ask(n)).toEqual(item(n));
    expect(log.at(-1), "not a step ahead").toBe(`${n}`);
  }
  expect(await health()).toMatchObject({ under_way: 1, open_streams: 1, records: 1 });
  const end = { http: 200, status: "completed", output: { items: 10 } };
  expect(await ask(10)).toEqual(end);
  expect(await ask(10), "answered from the record").toEqual(end);
  expect(log).toEqual(["open 0", ...Array.from({ length: 10 }, (_, n) => `${n}`), "end", "left"]);
  expect(await health()).toMatchObject({ under_way: 0, open_streams: 0, records: 1 });
});

test("the same index again is the same item, joined while it is under way, and never advances twice", async () => {
  const gate = new Gate();
  const { ask, log } = host((n) => (n === 1 ? gate.pass() : undefined));
  await ask(0);
  expect(await ask(0, { delivery: 2 })).toEqual(item(0));
  const both = [ask(1), ask(1, { delivery: 2 })];
  gate.open();
  expect(await Promise.all(both)).toEqual([item(1), item(1)]);
  expect(await ask(2)).toEqual(item(2));
  expect(log).toEqual(["open 0", "0", "1", "2"]);
});

test("an index that is not held is answered by a new iterator, and the old one is returned", async () => {
  const { ask, log, until, health } = host();
  expect(await ask(4), "the host was restarted").toEqual(item(4));
  expect(await ask(5)).toEqual(item(5));
  expect(await ask(2), "it goes back").toEqual(item(2));
  await until(() => log.includes("left"));
  expect(await ask(8), "and ahead").toEqual(item(8));
  expect(await ask(0, { actionId: "action-2" }), "another attempt").toEqual(item(0));
  expect(await ask(9)).toEqual(item(9));
  expect(log.filter((line) => line.startsWith("open"))).toEqual(["open 4", "open 2", "open 8", "open 0"]);
  await until(async () => (await health()).open_streams === 2);
});

test("who waits for an item while another one is asked for is told that nobody knows", async () => {
  const { ask, until, log } = host((n, { signal }) =>
    n === 1 ? new Promise((_, reject) => signal.addEventListener("abort", () => reject(signal.reason))) : undefined,
  );
  await ask(0);
  const waits = ask(1);
  await new Promise((resolve) => setImmediate(resolve));
  expect(await ask(5)).toEqual(item(5));
  expect(await waits).toMatchObject({ status: "failed", outcome: "unknown", error: { code: "CANCELLED" } });
  await until(() => log.includes("left"));
});

describe("a failure", () => {
  test("is the answer to its index, and stays it", async () => {
    let fail: () => void = () => {
      throw new Error("broke");
    };
    const { ask, log, health } = host((n) => n === 2 && fail());
    await ask(0);
    await ask(1);
    const failed = { http: 200, status: "failed", outcome: "unknown", error: { code: "EFFECT_THREW" } };
    expect(await ask(2)).toMatchObject(failed);
    fail = () => {};
    expect(await ask(2)).toMatchObject(failed);
    expect(await ask(2, { actionId: "action-2", attempt: 2 })).toEqual(item(2));
    expect(log).toEqual(["open 0", "0", "1", "left", "open 2", "2"]);
    expect(await health()).toMatchObject({ open_streams: 1, records: 2 });
  });

  test("a Fatal is final, an item takes no longer than its request allows, and each has its own time", async () => {
    const fatal = host((n) => {
      if (n === 1) throw new Fatal("NO");
    });
    await fatal.ask(0);
    expect(await fatal.ask(1)).toMatchObject({ outcome: "none", final: true, error: { code: "NO" } });
    const deaf = host((n) => (n === 2 ? new Promise(() => {}) : undefined));
    await deaf.ask(0);
    deaf.clock.moveTo(start + 20_000);
    await deaf.ask(1);
    deaf.clock.moveTo(start + 40_000);
    // It was on its way for a second: its time is that of the orchestrator.
    const asked = deaf.ask(2, { notAfter: start + 69_000 });
    await new Promise((resolve) => setImmediate(resolve));
    expect(deaf.clock.step(start + 68_999)).toBe(false);
    while (deaf.clock.step(start + 70_000));
    expect(deaf.clock.now()).toBe(start + 70_000);
    expect(await asked).toMatchObject({ status: "failed", outcome: "unknown", error: { code: "STEP_TIMEOUT" } });
  });

  test("an input that does not fit, or is too large, opens nothing", async () => {
    const { ask, log, health } = host(undefined, { maxValueBytes: 1024 });
    expect(await ask(0, { payload: { from: "x" } })).toMatchObject({ outcome: "none", final: true, error: { code: "INPUT_INVALID" } });
    const payload = { from: 1, more: "x".repeat(1_500) };
    expect(await ask(0, { actionId: "large", payload })).toMatchObject({ outcome: "none", error: { code: "VALUE_TOO_LARGE" } });
    expect([log, (await health()).open_streams]).toEqual([[], 0]);
  });
});

describe("who may ask", () => {
  test("is checked at every request, also for an item that is held", async () => {
    const { ask, log } = host();
    await ask(0, { epoch: 2 });
    expect(await ask(0, { epoch: 1 })).toMatchObject(refused(409, "STALE_EPOCH"));
    expect(await ask(1, { epoch: 1 })).toMatchObject(refused(409, "STALE_EPOCH"));
    expect(await ask(1, { epoch: 2, leaseId: "other" })).toMatchObject(refused(409, "LEASE_VIOLATION"));
    expect(await ask(1, { epoch: 3, leaseId: "other" }), "its successor goes on").toEqual(item(1));
    expect(await ask(1, { epoch: 2 })).toMatchObject(refused(409, "STALE_EPOCH"));
    expect(log).toEqual(["open 0", "0", "1"]);
  });

  test("streams are asked with `taken`, and nothing else is; another payload is another action", async () => {
    const { ask } = host();
    expect(await ask(undefined)).toMatchObject(refused(400, "ACTION_INVALID"));
    expect(await ask(0, { kind: "compute", node: "plain" })).toMatchObject(refused(400, "ACTION_INVALID"));
    await ask(0);
    expect(await ask(1, { payload: { from: 1 } })).toMatchObject(refused(409, "ACTION_INVALID"));
  });

  test("nobody whose time is over", async () => {
    const { ask, log } = host();
    await ask(0);
    expect(await ask(1, { notAfter: start - 1 })).toMatchObject(refused(410, "ACTION_EXPIRED"));
    expect(log).toEqual(["open 0", "0"]);
  });
});

describe("an iterator is returned", () => {
  test("at an abort, between two items and within one; then its action gives out nothing more", async () => {
    const between = host();
    await between.ask(0);
    expect(await between.abort()).toEqual({ http: 200, status: "aborted" });
    await between.until(() => between.log.includes("left"));
    expect(await between.ask(1)).toMatchObject(refused(410, "CANCELLED"));
    expect(await between.ask(0), "what it gave it gives again").toEqual(item(0));
    const within = host((n, { signal }) =>
      n === 1 ? new Promise((_, reject) => signal.addEventListener("abort", () => reject(new Fatal("STOPPED")))) : undefined,
    );
    await within.ask(0);
    const asked = within.ask(1);
    await new Promise((resolve) => setImmediate(resolve));
    await within.abort();
    expect(await asked).toMatchObject({ status: "failed", outcome: "none", error: { code: "STOPPED" } });
    expect(within.log).toEqual(["open 0", "0", "left"]);
    const never = host();
    await never.abort();
    expect(await never.ask(0)).toMatchObject(refused(410, "CANCELLED"));
    expect(never.log).toEqual([]);
  });

  test("a minute after the time of its last request; asked again it is opened anew", async () => {
    const { ask, log, clock, until, health } = host();
    await ask(0);
    await ask(1);
    clock.moveTo(start + 25_000);
    await ask(1, { delivery: 2 });
    expect(clock.step(start + 114_999)).toBe(false);
    expect(clock.step(start + 115_000)).toBe(true);
    await until(async () => (await health()).open_streams === 0);
    expect(log).toEqual(["open 0", "0", "1", "left"]);
    expect(await ask(1)).toEqual(item(1));
    expect(await ask(2)).toEqual(item(2));
    expect(log.slice(4)).toEqual(["open 2", "2"]);
  });

  test("when the host closes: at once between two items, else after the item that is asked for", async () => {
    const gate = new Gate();
    const { it, ask, log } = host((n) => (n === 1 ? gate.pass() : undefined));
    await ask(0);
    await ask(0, { actionId: "other", runId: "other" });
    const asked = ask(1);
    await new Promise((resolve) => setImmediate(resolve));
    const closing = it.close();
    expect(await ask(1, { actionId: "other", runId: "other" })).toMatchObject(refused(503, "NODE_BUSY"));
    expect(log.filter((line) => line === "left").length).toBe(1);
    gate.open();
    expect(await asked).toEqual(item(1));
    await closing;
    expect(log.filter((line) => line === "left").length).toBe(2);
  });
});

describe("bounds", () => {
  test("no more streams are open than may be", async () => {
    const { ask, abort, until, health } = host(undefined, { maxOpenStreams: 2 });
    const of = (name: string) => ({ actionId: name, runId: name });
    await ask(0, of("a"));
    await ask(0, of("b"));
    expect(await ask(0, of("c"))).toMatchObject({ ...refused(503, "NODE_BUSY"), retry_after_ms: 1_000 });
    expect(await ask(1, of("a")), "those that are open go on").toEqual(item(1));
    await abort(of("b"));
    await until(async () => (await health()).open_streams === 1);
    expect(await ask(0, of("c"))).toEqual(item(0));
    expect(() => host(undefined, { maxOpenStreams: 0 })).toThrow(expect.objectContaining({ code: "OPTION_INVALID" }));
  });

  test("a record is of the last item only, and is forgotten in time", async () => {
    const { ask, clock, health } = host((n) => void clock.moveTo(start + n * 10_000));
    await ask(0);
    const { record_bytes } = await health();
    for (let n = 1; n < 10; n++) await ask(n);
    expect(await health()).toMatchObject({ records: 1, record_bytes });
    await ask(10);
    // Five minutes after the last request's time, and not after that of an earlier one.
    clock.moveTo(start + 90_000 + 330_000 - 1);
    await ask(undefined);
    expect(await health()).toMatchObject({ records: 1 });
    clock.moveTo(start + 90_000 + 330_000);
    await ask(undefined);
    expect(await health()).toMatchObject({ records: 0, record_bytes: 0 });
  });
});
