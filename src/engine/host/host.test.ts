import { describe, expect, test } from "vitest";
import { z } from "zod";
import { Gate, quiet } from "../../../test/semantics/kit.ts";
import { Fatal, RetryLater } from "../../core/failure.ts";
import type { Json } from "../../core/json.ts";
import { compute } from "../../node/compute.ts";
import type { AnyNode, EffectContext } from "../../node/contract.ts";
import { effect } from "../../node/effect.ts";
import { reducer } from "../../node/reducer.ts";
import { service } from "../../node/service.ts";
import { workflow } from "../../node/workflow.ts";
import { VirtualClock } from "../../testing/clock.ts";
import type { Action } from "../action.ts";
import { sha256, systemWorld } from "../system.ts";
import { type Abort, encodeAbort, encodeAction } from "../wire.ts";
import { createNodeHost, hostIn, type NodeHostOptions } from "./host.ts";

const start = 1_000_000;
const action = (change: Partial<Action> = {}): Action => {
  const { runId = "run", step = "act", attempt = 1 } = change;
  const idempotencyKey = sha256(`${runId}\0${step}`).slice(0, 32);
  return {
    actionId: sha256(`${idempotencyKey}\0${attempt}`).slice(0, 32),
    idempotencyKey,
    kind: "effect",
    node: "act",
    version: "1.0.0",
    runId,
    step,
    attempt,
    delivery: 1,
    leaseId: "lease-1",
    epoch: 1,
    correlationId: "corr",
    priority: 100,
    timeoutMs: 30_000,
    notAfter: start + 30_000,
    createdAt: start,
    dependencies: [],
    payload: { id: 1 },
    metadata: { workflowType: "flow", workflowVersion: "1.0.0" },
    ...change,
  };
};

interface Said {
  readonly status: number;
  readonly answer: {
    readonly status: string;
    readonly error?: { readonly code: string; readonly message: string; readonly details?: Json };
  } & {
    readonly [key: string]: unknown;
  };
  readonly headers: Headers;
}

function host(options: Partial<NodeHostOptions> & { readonly run?: (input: never, context: EffectContext) => Promise<unknown> } = {}) {
  const calls: EffectContext[] = [];
  const act = effect(
    { name: "act", version: "1.2.0", input: z.object({ id: z.number() }), idempotent: true, irreversible: "x" },
    async (input, context) => {
      calls.push(context);
      return (await options.run?.(input as never, context)) as Json;
    },
  );
  const double = compute({ name: "double", input: z.number() }, (n) => n * 2);
  const clock = new VirtualClock(start, (callback) => void setImmediate(callback));
  const { run: _run, ...given } = options;
  const it = hostIn(
    { ...systemWorld(quiet), clock, guarded: true },
    { nodes: [act, double] as readonly AnyNode[], log: quiet, abortGraceMs: 1_000, ...given },
  );
  const send = async (body: string, headers: Record<string, string> = {}): Promise<Said> => {
    const response = await it.fetch(
      new Request("http://host/nodes", { method: "POST", body, headers: { "content-type": "application/json", ...headers } }),
    );
    return { status: response.status, answer: await response.json(), headers: response.headers } as Said;
  };
  return {
    it,
    calls,
    clock,
    send,
    act: (change: Partial<Action> = {}) => send(encodeAction(action(change))),
    abort: (change: Partial<Abort> = {}) => {
      const { actionId, runId, leaseId, epoch, notAfter } = action();
      return send(encodeAbort({ actionId, runId, leaseId, epoch, notAfter, reason: { code: "CANCELLED", message: "why" }, ...change }));
    },
    health: async () => (await it.fetch(new Request("http://host/nodes/health"))).json() as Promise<Record<string, unknown>>,
  };
}
const refused = (status: number, code: string) => ({ status, answer: { status: "failed", outcome: "none", error: { code } } });

test("an effect gets what it would get at home, and its answer comes back", async () => {
  const { act, calls } = host({ run: async ({ id }: { id: number }) => ({ id, done: true }) });
  expect(await act({ attempt: 3, epoch: 7, resume: { at: 2 } })).toMatchObject({
    status: 200,
    answer: { status: "completed", output: { id: 1, done: true } },
  });
  const { idempotencyKey, actionId } = action({ attempt: 3 });
  expect(calls[0]).toMatchObject({
    idempotencyKey,
    actionId,
    attempt: 3,
    epoch: 7,
    leaseId: "lease-1",
    runId: "run",
    correlationId: "corr",
    deadline: start + 30_000,
    resume: { at: 2 },
  });
});

test("what an effect throws or returns is judged as at home", async () => {
  const runs: Record<string, () => unknown> = {
    fatal: () => {
      throw new Fatal("NO", { details: { a: 1 } });
    },
    later: () => {
      throw new RetryLater("2s");
    },
    throws: () => {
      throw new Error("broke");
    },
    date: () => new Date(0),
    large: () => "x".repeat(5_000),
  };
  const told = async (how: string) => {
    const one = host({ run: async () => runs[how]?.(), maxValueBytes: 1024 });
    return (await one.act()).answer;
  };
  expect(await told("fatal")).toMatchObject({ status: "failed", outcome: "none", final: true, error: { code: "NO", details: { a: 1 } } });
  expect(await told("later")).toMatchObject({ outcome: "unknown", retry_after_ms: 2_000, error: { code: "RETRY_LATER" } });
  expect(await told("throws")).toMatchObject({
    outcome: "unknown",
    error: { code: "EFFECT_THREW", message: expect.stringContaining("broke") },
  });
  expect(await told("date")).toMatchObject({ outcome: "unknown", final: true, error: { code: "OUTPUT_NOT_JSON" } });
  expect(await told("large")).toMatchObject({ outcome: "unknown", final: true, error: { code: "VALUE_TOO_LARGE" } });
  const bad = host();
  expect((await bad.act({ payload: { id: "x" } })).answer).toMatchObject({
    outcome: "none",
    final: true,
    error: { code: "INPUT_INVALID" },
  });
  expect((await host({ maxValueBytes: 1024 }).act({ payload: { id: 1, x: "x".repeat(1_500) } })).answer).toMatchObject({
    outcome: "none",
    error: { code: "VALUE_TOO_LARGE" },
  });
  expect(bad.calls).toEqual([]);
});

test("a compute answers anybody, and leaves nothing behind", async () => {
  const { send, health } = host();
  const ask = (change: Partial<Action>) => send(encodeAction(action({ kind: "compute", node: "double", ...change })));
  expect((await ask({ payload: 4, epoch: 5 })).answer).toMatchObject({ status: "completed", output: 8 });
  expect((await ask({ payload: 4, epoch: 1 })).answer).toMatchObject({ status: "completed", output: 8 });
  expect((await ask({ payload: "x" })).answer).toMatchObject({
    status: "failed",
    final: true,
    outcome: "none",
    error: { code: "INPUT_INVALID" },
  });
  expect(await health()).toMatchObject({ records: 0, record_bytes: 0 });
});

describe("one action is done once", () => {
  test("a delivery that comes meanwhile joins, a later one is answered from the record", async () => {
    const gate = new Gate();
    let done = 0;
    const { act, calls } = host({
      run: async () => {
        await gate.pass();
        return ++done;
      },
    });
    const first = act();
    const second = act({ delivery: 2, epoch: 2, leaseId: "lease-2" });
    gate.open();
    expect([(await first).answer.output, (await second).answer.output]).toEqual([1, 1]);
    expect((await act({ delivery: 3, epoch: 2, leaseId: "lease-2" })).answer.output).toBe(1);
    // The owner before gets the answer too: nothing is begun for it.
    expect((await act()).answer.output).toBe(1);
    expect(calls.length).toBe(1);
    expect((await act({ attempt: 2, epoch: 2, leaseId: "lease-2" })).answer.output).toBe(2);
  });

  test("a recorded failure is answered again; the next attempt is new work", async () => {
    let n = 0;
    const { act } = host({
      run: async () => {
        throw new Error(`${++n}`);
      },
    });
    for (let i = 0; i < 2; i++) expect((await act()).answer.error?.message).toMatch(/^1/);
    expect((await act({ attempt: 2 })).answer.error?.message).toMatch(/^2/);
  });

  test("the same action with another payload is refused", async () => {
    const { act } = host();
    await act();
    expect(await act({ payload: { id: 2 } })).toMatchObject(refused(409, "ACTION_INVALID"));
  });

  test("a record lives five minutes past notAfter of its last delivery, and is then gone", async () => {
    const { act, clock, health, calls } = host();
    await act();
    await act({ delivery: 2, notAfter: start + 60_000 });
    clock.moveTo(start + 60_000 + 5 * 60_000 - 1);
    expect((await act({ delivery: 3 })).status).toBe(200);
    expect(calls.length).toBe(1);
    clock.moveTo(start + 60_000 + 5 * 60_000);
    expect(await act({ delivery: 4 })).toMatchObject(refused(410, "ACTION_EXPIRED"));
    expect(await health()).toMatchObject({ records: 0, record_bytes: 0 });
  });
});

describe("who may act", () => {
  test("a lower epoch is refused, with what was seen", async () => {
    const { act, calls } = host();
    await act({ epoch: 3, leaseId: "lease-3" });
    const stale = await act({ step: "other", epoch: 2 });
    expect(stale).toMatchObject(refused(409, "STALE_EPOCH"));
    expect(stale.answer.error?.details).toEqual({ seen_epoch: 3, seen_lease_id: "lease-3" });
    expect(calls.length).toBe(1);
    // Of another run nothing was seen.
    expect((await act({ runId: "run-2", epoch: 1 })).status).toBe(200);
  });

  test("an equal epoch under another lease is refused; a higher one takes over", async () => {
    const { act } = host();
    await act();
    expect(await act({ step: "b", leaseId: "lease-x" })).toMatchObject(refused(409, "LEASE_VIOLATION"));
    expect((await act({ step: "b", leaseId: "lease-x", epoch: 2 })).status).toBe(200);
    expect(await act({ step: "c" })).toMatchObject(refused(409, "STALE_EPOCH"));
  });

  test("what comes after its time is refused", async () => {
    const { act, clock, calls } = host();
    clock.moveTo(start + 30_001);
    expect(await act()).toMatchObject(refused(410, "ACTION_EXPIRED"));
    expect(calls).toEqual([]);
  });
});

describe("giving up", () => {
  const obeying =
    (codes: string[]) =>
    (_: unknown, { signal }: EffectContext) =>
      new Promise((_resolve, reject) => {
        signal.addEventListener("abort", () => {
          codes.push((signal.reason as { code: string }).code);
          reject(new Error("stopped"));
        });
      });

  test("an abort of the owner stops it; its answer says what became of it", async () => {
    const codes: string[] = [];
    const { act, abort } = host({ run: obeying(codes) });
    const acted = act();
    await new Promise((resolve) => setImmediate(resolve));
    expect(await abort({ epoch: 0 })).toMatchObject({ status: 409, answer: { error: { code: "STALE_EPOCH" } } });
    expect(await abort({ leaseId: "lease-x" })).toMatchObject({ status: 409, answer: { error: { code: "LEASE_VIOLATION" } } });
    expect(codes).toEqual([]);
    expect(await abort({ epoch: 2, leaseId: "lease-2" })).toMatchObject({ status: 200, answer: { status: "aborted" } });
    expect((await acted).answer).toMatchObject({ status: "failed", outcome: "unknown", error: { code: "CANCELLED" } });
    expect(codes).toEqual(["CANCELLED"]);
  });

  test("an abort that overtakes its action keeps it from beginning", async () => {
    const { act, abort, calls } = host();
    await abort();
    expect(await act()).toMatchObject(refused(410, "CANCELLED"));
    expect(calls).toEqual([]);
    expect((await act({ attempt: 2 })).status).toBe(200);
  });

  test("an undo that overtakes the action which it takes back keeps it from beginning, in every attempt", async () => {
    const { act, calls } = host();
    await act({ step: "act~undo/act", undoes: action().idempotencyKey });
    for (const attempt of [1, 2]) {
      const late = await act({ attempt });
      expect(late).toMatchObject(refused(410, "UNDONE"));
      expect(late.answer.final).toBe(true);
    }
    expect(calls.length).toBe(1);
  });

  test("its time ends it, and one that is deaf is given up after the grace", async () => {
    const codes: string[] = [];
    const obeys = host({ run: obeying(codes) });
    const acted = obeys.act();
    await new Promise((resolve) => setImmediate(resolve));
    while (obeys.clock.step(start + 30_000));
    expect((await acted).answer).toMatchObject({ status: "failed", outcome: "unknown", error: { code: "STEP_TIMEOUT" } });
    const deaf = host({ run: () => new Promise(() => {}) });
    const never = deaf.act();
    await new Promise((resolve) => setImmediate(resolve));
    while (deaf.clock.step(start + 31_000));
    expect((await never).answer).toMatchObject({ outcome: "unknown", error: { code: "STEP_TIMEOUT" } });
  });

  test("a connection that ends aborts nothing", async () => {
    const gate = new Gate();
    let aborted = false;
    const { it, act } = host({
      run: async (_, { signal }) => {
        await gate.pass();
        aborted = signal.aborted;
        return "done";
      },
    });
    const response = await it.fetch(
      new Request("http://host", {
        method: "POST",
        body: encodeAction(action()),
        headers: { "content-type": "application/json", accept: "application/x-ndjson" },
      }),
    );
    await response.body?.cancel();
    gate.open();
    expect((await act({ delivery: 2 })).answer.output).toBe("done");
    expect(aborted).toBe(false);
  });
});

describe("limits", () => {
  test("of what is asked", async () => {
    const { send, act, it, calls } = host({ maxValueBytes: 1024 });
    expect(await send("{}", { "content-type": "text/plain" })).toMatchObject(refused(415, "ACTION_INVALID"));
    expect(await send("{")).toMatchObject(refused(400, "ACTION_INVALID"));
    const headers = { "content-type": "application/json" };
    const garbled = await it.fetch(new Request("http://host/", { method: "POST", body: Uint8Array.of(0x22, 0xc3, 0x22), headers }));
    expect(await garbled.json()).toMatchObject({ error: { code: "ACTION_INVALID", message: expect.stringContaining("UTF-8") } });
    expect(await send('{"onex":1}')).toMatchObject(refused(400, "ACTION_INVALID"));
    expect(await send("x".repeat(70_000))).toMatchObject(refused(413, "VALUE_TOO_LARGE"));
    expect(await send("{}", { "content-length": "70000" })).toMatchObject(refused(413, "VALUE_TOO_LARGE"));
    const unknown = await act({ node: "acts" });
    expect(unknown).toMatchObject(refused(404, "NODE_UNKNOWN"));
    expect(unknown.answer.error?.message).toContain("effect act@1.2.0, compute double@1.0.0");
    expect(await act({ version: "2.0.0" })).toMatchObject(refused(404, "NODE_UNKNOWN"));
    expect(await act({ kind: "compute" })).toMatchObject(refused(404, "NODE_UNKNOWN"));
    expect(calls).toEqual([]);
    for (const version of ["1.0.0", "1.9.3", "1", "*"]) expect((await act({ version, step: version })).status).toBe(200);
    expect((await it.fetch(new Request("http://host/", { method: "PUT" }))).status).toBe(405);
  });

  test("of what is remembered: full, it takes nothing new and forgets nothing early", async () => {
    const { act, calls, clock, health } = host({ maxRecordBytes: 10_000, run: async () => "x".repeat(1_000) });
    let full: Said | undefined;
    for (let i = 0; i < 20 && !full; i++) {
      const said = await act({ step: `s${i}` });
      if (said.status !== 200) full = said;
    }
    expect(full).toMatchObject(refused(503, "NODE_BUSY"));
    expect(full?.answer.retry_after_ms).toBe(30_000 + 5 * 60_000);
    expect(full?.headers.get("retry-after")).toBe("330");
    const done = calls.length;
    expect(done).toBeGreaterThan(2);
    for (let i = 0; i < done; i++) expect((await act({ step: `s${i}`, delivery: 2 })).status).toBe(200);
    expect(calls.length).toBe(done);
    clock.moveTo(start + 30_000 + 5 * 60_000);
    expect((await act({ step: "late", notAfter: clock.now() + 1 })).status).toBe(200);
    expect(await health()).toMatchObject({ records: 1 });
  });

  test("of what it serves", () => {
    const make =
      (nodes: readonly AnyNode[], more: Partial<NodeHostOptions> = {}) =>
      () =>
        createNodeHost({ nodes, log: quiet, ...more });
    const code = (code: string) => expect.objectContaining({ code });
    const any = z.any();
    expect(make([reducer({ name: "a", event: any, initial: 0 }, (n: number) => n)])).toThrow(code("REMOTE_REFUSED"));
    expect(make([workflow({ name: "a", input: any }, function* () {})])).toThrow(code("REMOTE_REFUSED"));
    const bank = service<string>("bank");
    const pays = effect({ name: "pays", input: any, uses: { bank } }, async () => null);
    expect(make([pays])).toThrow(code("SERVICE_MISSING"));
    expect(make([pays, effect({ name: "pays", input: any }, async () => null)], { provide: [bank.from("b")] })).toThrow(
      code("NODE_DUPLICATE"),
    );
    expect(make([], { maxValueBytes: 1 })).toThrow(code("OPTION_INVALID"));
    expect(make([], { maxRecordBytes: Number.NaN })).toThrow(code("OPTION_INVALID"));
  });
});

test("notes come in lines; who reads slowly gets the latest, and always the answer", async () => {
  const { it } = host({
    run: async (_, { progress }) => {
      for (let i = 0; i < 1_000; i++) progress(i);
      return "end";
    },
  });
  const response = await it.fetch(
    new Request("http://host", {
      method: "POST",
      body: encodeAction(action()),
      headers: { "content-type": "application/json", accept: "application/x-ndjson" },
    }),
  );
  expect(response.headers.get("content-type")).toBe("application/x-ndjson");
  const lines = (await response.text())
    .trim()
    .split("\n")
    .map((line) => JSON.parse(line));
  expect(lines.length).toBeLessThan(20);
  expect(lines.at(-2)).toMatchObject({ status: "progressed", note: 999 });
  expect(lines.at(-1)).toMatchObject({ status: "completed", output: "end" });
});

test("close lets work end, takes none, aborts what is too slow, and closes the services", async () => {
  const gate = new Gate();
  const log: string[] = [];
  const bank = service<{ close(): void }>("bank");
  const slow = effect({ name: "act", input: z.any(), uses: { bank } }, async ({ id }, { signal }) => {
    if (id === 1) await gate.pass();
    else await new Promise((resolve) => signal.addEventListener("abort", resolve));
    return id;
  });
  const { it, act, clock, health } = host({ nodes: [slow], provide: [bank.from({ close: () => void log.push("bank closed") })] });
  const first = act();
  const second = act({ step: "b", payload: { id: 2 } });
  while ((await health()).under_way !== 2);
  let closed = false;
  const { fetch } = it;
  const closing = it.close({ graceMs: 2_000 }).then(() => {
    closed = true;
  });
  expect(await act({ step: "c" })).toMatchObject(refused(503, "NODE_BUSY"));
  expect((await fetch(new Request("http://host/health"))).status, "by itself").toBe(503);
  const joined = act({ delivery: 2 });
  gate.open();
  expect((await first).answer.output).toBe(1);
  expect((await joined).answer.output).toBe(1);
  expect(closed).toBe(false);
  while (clock.step(start + 2_000));
  expect((await second).answer).toMatchObject({ status: "failed", error: { code: "NODE_CLOSED" } });
  await closing;
  expect(log).toEqual(["bank closed"]);
});
