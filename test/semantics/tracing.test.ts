/** Runs as OpenTelemetry spans: what there is, what hangs on what, and what is told in them. */
import { subscribe, unsubscribe } from "node:diagnostics_channel";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { context, trace } from "@opentelemetry/api";
import { AlwaysOffSampler, BasicTracerProvider } from "@opentelemetry/sdk-trace-base";
import { afterEach, describe, expect, test } from "vitest";
import { z } from "zod";
import { orchestratorIn } from "../../src/engine/orchestrator.ts";
import { systemWorld } from "../../src/engine/system.ts";
import { untraced } from "../../src/engine/tracing/tracing.ts";
import {
  type AnyNode,
  all,
  compute,
  createNodeHost,
  createOrchestrator,
  effect,
  Fatal,
  memory,
  type Run,
  race,
  restart,
  sleep,
  sqlite,
  stream,
  workflow,
} from "../../src/index.ts";
import { testOrchestrator } from "../../src/testing/index.ts";
import { serving } from "../serve.ts";
import { type Seen, Traces } from "../traces.ts";
import { anything, Gate, quiet } from "./kit.ts";

const caller = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
const callersTrace = "4bf92f3577b34da6a3ce929d0e0e4736";
const canary = "canary-5f0c1d";

const traceparentOf = async (run: Run) => {
  const [started] = await run.facts();
  return started?.type === "run.started" ? started.traceparent : undefined;
};
const tree = (spans: readonly Seen[]) => spans.map(({ name, parent }) => `${name} < ${parent ?? "-"}`).sort();

/** Fails as often as the input says; a second apart. */
const flaky = effect(
  { name: "flaky", input: anything, idempotent: true, retry: { maxAttempts: 3, backoff: "fixed", delay: "5s", jitter: "none" } },
  async ({ failing = 0 }, { attempt }) => {
    if (attempt <= failing) throw new Error(`it broke over ${canary}`);
    return attempt;
  },
);

describe("in virtual time", () => {
  test("a run that tries a step twice", async () => {
    const traces = new Traces();
    const flow = workflow({ name: "flow", version: "1.2.0", input: anything }, function* (input) {
      return yield* flaky(input as object);
    });
    const t = testOrchestrator({ nodes: [flow], log: quiet, tracing: traces.tracer, secrets: [canary] });
    const run = await t.start(flow, { failing: 1 }, { runId: "r", traceparent: caller });
    await t.advance("1m");
    expect(await run.result()).toBe(2);

    expect(tree(traces.seen)).toEqual([
      "onex.attempt flaky < onex.step flaky",
      "onex.attempt flaky < onex.step flaky",
      "onex.run flow < onex.run.start flow",
      "onex.run.start flow < 00f067aa0ba902b7",
      "onex.step flaky < onex.run.start flow",
    ]);
    expect(new Set(traces.seen.map(({ traceId }) => traceId))).toEqual(new Set([callersTrace]));
    expect(await traceparentOf(run)).toBe(`00-${callersTrace}-${traces.one("onex.run.start flow").spanId}-01`);

    const begin = Date.UTC(2030, 0, 1);
    const ofStep = { run_id: "r", workflow: "flow", step: "flaky", node: "flaky" };
    const [first, second] = traces.named("onex.attempt flaky");
    expect(first).toMatchObject({
      attributes: { ...ofStep, attempt: 1, delivery: 1, epoch: 1, "error.type": "EFFECT_THREW" },
      startMs: begin,
      endMs: begin,
    });
    expect(first?.error).toMatch(/^EFFECT_THREW: it broke over \[redacted\]/);
    expect(second).toMatchObject({
      attributes: { ...ofStep, attempt: 2, delivery: 1 },
      error: undefined,
      startMs: begin + 5_000,
      endMs: begin + 5_000,
    });
    // Put down for the five seconds between, it is one step still.
    expect(traces.one("onex.step flaky")).toMatchObject({
      attributes: ofStep,
      error: undefined,
      startMs: begin,
      endMs: begin + 5_000,
    });
    expect(traces.one("onex.run flow")).toMatchObject({
      attributes: { run_id: "r", workflow: "flow", version: "1.2.0", outcome: "completed" },
      error: undefined,
      startMs: begin,
      endMs: begin + 5_000,
    });
    expect(traces.text).not.toContain(canary);
    await t.close();
  });

  test("a failed run tells its error, and no value", async () => {
    const traces = new Traces();
    const refuse = effect({ name: "refuse", input: anything, irreversible: "is refused" }, async () => {
      throw new Fatal("REFUSED", { message: `no ${canary}`, details: { why: canary } });
    });
    const total = compute({ name: "total", input: anything }, ({ items }) => ({ total: items, note: canary }));
    const flow = workflow({ name: "flow", input: anything }, function* (input) {
      yield* total(input as object);
      yield* refuse({ card: canary });
    });
    const t = testOrchestrator({ nodes: [flow], log: quiet, tracing: traces.tracer, secrets: [canary] });
    const run = await t.start(flow, { items: 3, note: "value-17" });
    await t.advance("1m");
    await expect(run.result()).rejects.toThrow("REFUSED");
    for (const name of ["onex.attempt refuse", "onex.step refuse", "onex.run flow"])
      expect(traces.one(name), name).toMatchObject({ attributes: { "error.type": "REFUSED" }, error: "REFUSED: no [redacted]" });
    expect(traces.one("onex.run flow").attributes.outcome).toBe("failed");
    expect(traces.one("onex.run.start flow").parent).toBeUndefined();
    expect(traces.text).not.toMatch(/canary|value-17|card/);
    await t.close();
  });

  test("no secret is in a span: not in the name of a step, nor one that only the run knows", async () => {
    const traces = new Traces();
    const call = effect({ name: "call", input: anything, readonly: true, retry: false }, async ({ apiKey }) => {
      throw new Error(`${apiKey} was refused`);
    });
    const inner = workflow({ name: "inner", input: anything }, function* (input) {
      yield* call(input as object, { step: canary });
    });
    const outer = workflow({ name: "outer", input: anything }, function* (input) {
      yield* inner(input as object);
    });
    const t = testOrchestrator({ nodes: [outer], log: quiet, tracing: traces.tracer, secrets: [canary] });
    await t.start(outer, { apiKey: "met-only-here" });
    await t.advance("1s");
    expect(traces.one("onex.attempt call").attributes.step).toBe("[redacted]");
    const failed = traces.seen.filter(({ error }) => error !== undefined).map(({ name }) => name);
    expect(failed).toEqual(["onex.attempt call", "onex.step call", "onex.run inner", "onex.step inner", "onex.run outer"]);
    expect(traces.text).toContain("was refused");
    expect(traces.text).not.toMatch(/met-only-here|canary/);
    await t.close();
  });

  test("a run that was not sampled is not sampled anywhere", async () => {
    const traces = new Traces();
    const off = new BasicTracerProvider({ sampler: new AlwaysOffSampler() }).getTracer("onex");
    const flow = workflow({ name: "flow", input: anything }, function* () {
      return yield* flaky({});
    });
    const store = memory();
    const client = createOrchestrator({ store, nodes: [], log: quiet, tracing: off });
    const run = await client.start(flow, {}, { runId: "r" });
    expect(await traceparentOf(run)).toMatch(/-00$/);
    await client.close();
    const owner = createOrchestrator({ store, nodes: [flow], log: quiet, tracing: traces.tracer });
    await owner.run("r").result();
    await owner.close();
    expect(traces.seen).toEqual([]);
  });

  test("a child hangs on the step that began it", async () => {
    const traces = new Traces();
    const inner = workflow({ name: "inner", input: anything }, function* () {
      yield* sleep("1h");
      return yield* flaky({});
    });
    const outer = workflow({ name: "outer", input: anything }, function* () {
      return yield* inner({}, { step: "within" });
    });
    const t = testOrchestrator({ nodes: [outer], log: quiet, tracing: traces.tracer });
    const run = await t.start(outer, {}, { runId: "o", traceparent: caller });
    await t.advance("2h");
    expect(await run.result()).toBe(1);
    expect(tree(traces.seen)).toEqual([
      "onex.attempt flaky < onex.step flaky",
      "onex.run inner < onex.run.start inner",
      "onex.run outer < onex.run.start outer",
      "onex.run.start inner < onex.step inner",
      "onex.run.start outer < 00f067aa0ba902b7",
      "onex.step flaky < onex.run.start inner",
      "onex.step inner < onex.run.start outer",
    ]);
    const step = traces.one("onex.step inner");
    expect(step.attributes).toMatchObject({ run_id: "o", workflow: "outer", step: "within", node: "inner" });
    expect(step.endMs - step.startMs).toBe(3_600_000);
    expect(traces.one("onex.run inner").attributes.run_id).toBe(step.attributes.child_run_id);
    await t.close();
  });

  test("another process goes on in the same trace, and says that it sends the call again", async () => {
    const traces = new Traces();
    const gate = new Gate();
    const slow = effect({ name: "slow", input: anything, idempotent: true }, async () => {
      await gate.pass();
      return "done";
    });
    const flow = workflow({ name: "flow", input: anything }, function* () {
      return yield* slow({});
    });
    const t = testOrchestrator({ nodes: [flow], log: quiet, tracing: traces.tracer });
    const run = await t.start(flow, {}, { runId: "r" });
    await t.advance("1s");
    const { spanId, traceId } = traces.one("onex.run.start flow");
    await t.crash();
    gate.open();
    await t.advance("1m");
    expect(await run.result()).toBe("done");
    // Those of the process that died are lost with it.
    const [step, attempt, whole] = ["onex.step slow", "onex.attempt slow", "onex.run flow"].map((name) => traces.one(name));
    expect(traces.seen.map((span) => span.traceId)).toEqual([traceId, traceId, traceId, traceId]);
    expect([step?.parentId, whole?.parentId]).toEqual([spanId, spanId]);
    expect(attempt?.parentId).toBe(step?.spanId);
    expect(attempt?.attributes).toMatchObject({ attempt: 1, delivery: 2, epoch: 2 });
    await t.close();
  });

  test("another process that opens the same file goes on in the same trace", async () => {
    const traces = new Traces();
    const folder = mkdtempSync(join(tmpdir(), "onex-traces-"));
    const gate = new Gate();
    const begun = new Gate();
    const slow = effect({ name: "slow", input: anything, idempotent: true }, async () => {
      begun.open();
      await gate.pass();
    });
    const flow = workflow({ name: "flow", input: anything }, function* () {
      yield* flaky({});
      yield* slow({});
    });
    const open = () =>
      orchestratorIn(systemWorld(quiet), { store: sqlite(join(folder, "onex.db")), nodes: [flow], tracing: traces.tracer });
    const first = open();
    await first.start(flow, {}, { runId: "r", traceparent: caller });
    await begun.pass();
    first.engine.die();
    await first.engine.store.close();
    const second = open();
    gate.open();
    await second.run("r").result();
    await second.close();
    expect(tree(traces.seen)).toEqual([
      "onex.attempt flaky < onex.step flaky",
      "onex.attempt slow < onex.step slow",
      "onex.run flow < onex.run.start flow",
      "onex.run.start flow < 00f067aa0ba902b7",
      "onex.step flaky < onex.run.start flow",
      "onex.step slow < onex.run.start flow",
    ]);
    expect(new Set(traces.seen.map(({ traceId }) => traceId))).toEqual(new Set([callersTrace]));
    expect(traces.one("onex.attempt slow").attributes).toMatchObject({ delivery: 2, epoch: 2 });
    rmSync(folder, { recursive: true });
  });

  test("one that lost a race was given up", async () => {
    const traces = new Traces();
    const obey = effect({ name: "obey", input: anything, readonly: true }, (_input, { signal }) => {
      return new Promise<null>((_, reject) => signal.addEventListener("abort", () => reject(signal.reason)));
    });
    const flow = workflow({ name: "flow", input: anything }, function* () {
      yield* race({ slow: obey({}), clock: sleep("3s") });
      yield* sleep("1h");
    });
    const t = testOrchestrator({ nodes: [flow], log: quiet, tracing: traces.tracer });
    await t.start(flow, {});
    await t.advance("10s");
    const [attempt, step] = [traces.one("onex.attempt obey"), traces.one("onex.step obey")];
    expect(step.endMs - step.startMs).toBe(3_000);
    for (const span of [attempt, step]) expect(span.attributes["error.type"]).toBe("CANCELLED");
    await t.close();
  });

  test("a step that never begins is seen as failed", async () => {
    const traces = new Traces();
    const strict = effect({ name: "strict", input: z.object({ n: z.number() }), readonly: true }, async () => null);
    const flow = workflow({ name: "flow", input: anything }, function* (input) {
      yield* strict(input as { n: number });
    });
    const t = testOrchestrator({ nodes: [flow], log: quiet, tracing: traces.tracer });
    await t.start(flow, { n: "x" });
    await t.advance("1s");
    expect(traces.one("onex.step strict").error).toMatch(/^INPUT_INVALID/);
    expect(traces.named("onex.attempt strict")).toEqual([]);
    await t.close();
  });

  test("a restarted run stays in its trace, a span a round", async () => {
    const traces = new Traces();
    const flow = workflow({ name: "flow", input: anything }, function* (n) {
      yield* flaky({});
      return (n as number) > 0 ? yield* restart((n as number) - 1) : "end";
    });
    const t = testOrchestrator({ nodes: [flow], log: quiet, tracing: traces.tracer });
    const run = await t.start(flow, 1, { traceparent: caller });
    await t.advance("1s");
    expect(await run.result()).toBe("end");
    expect(traces.named("onex.run flow").map(({ attributes }) => attributes.outcome)).toEqual(["restarted", "completed"]);
    expect(traces.named("onex.run.start flow")).toHaveLength(1);
    expect(new Set(traces.seen.map(({ traceId }) => traceId))).toEqual(new Set([callersTrace]));
    await t.close();
  });

  test("a tick begins a trace of its own", async () => {
    const traces = new Traces();
    const flow = workflow({ name: "flow", input: anything }, function* () {
      return yield* flaky({});
    });
    const t = testOrchestrator({ nodes: [flow], log: quiet, tracing: traces.tracer });
    const request = traces.tracer.startSpan("request");
    await context.with(trace.setSpan(context.active(), request), async () => {
      await t.schedules.put({ id: "hourly", workflow: flow, input: {}, cron: "0 * * * *" });
      await t.advance("61m");
    });
    expect(traces.one("onex.run.start flow").parent).toBeUndefined();
    expect(traces.one("onex.run flow").parent).toBe("onex.run.start flow");
    await t.close();
  });

  test("what is thrown by whoever takes the spans is told once, and changes no run", async () => {
    const tracer = { startSpan: () => broken(), startActiveSpan: () => broken() };
    const broken = (): never => {
      throw new Error("no collector");
    };
    const warned: unknown[] = [];
    const flow = workflow({ name: "flow", input: anything }, function* () {
      return [yield* flaky({}), yield* flaky({})];
    });
    const log = { ...quiet, warn: (message: string, fields?: object) => void warned.push([message, fields]) };
    const t = testOrchestrator({ nodes: [flow], log, tracing: tracer });
    const run = await t.start(flow, {});
    await t.advance("1s");
    expect(await run.result()).toEqual([1, 1]);
    expect(warned).toEqual([["a span could not be made, and runs go on without: no collector", { code: "TRACING_FAILED" }]]);
    await t.close();
  });

  test("a run that began where nobody traces has one trace as well", async () => {
    const traces = new Traces();
    const flow = workflow({ name: "flow", input: anything }, function* () {
      yield* all([flaky({}), flaky({})]);
    });
    const store = memory();
    const client = createOrchestrator({ store, nodes: [], log: quiet });
    await client.start(flow, {}, { runId: "r" });
    await client.close();
    const owner = createOrchestrator({ store, nodes: [flow], log: quiet, tracing: traces.tracer });
    await owner.run("r").result();
    await owner.close();
    expect(traces.seen).toHaveLength(5);
    expect(new Set(traces.seen.map(({ traceId }) => traceId)).size).toBe(1);
    expect(await traceparentOf(owner.run("r")).catch(() => undefined)).toBeUndefined();
  });

  test("what is open when the orchestrator is closed is seen, unfinished", async () => {
    const traces = new Traces();
    const flow = workflow({ name: "flow", input: anything }, function* () {
      yield* flaky({ failing: 9 });
    });
    const t = testOrchestrator({ nodes: [flow], log: quiet, tracing: traces.tracer });
    await t.start(flow, {});
    await t.advance("1s");
    await t.close();
    expect(traces.one("onex.step flaky").attributes.unfinished).toBe(true);
  });

  test("a start that finds the run there makes no span", async () => {
    const traces = new Traces();
    const flow = workflow({ name: "flow", input: anything }, function* () {
      yield* sleep("1h");
    });
    const t = testOrchestrator({ nodes: [flow], log: quiet, tracing: traces.tracer });
    await t.start(flow, {}, { runId: "r" });
    await t.start(flow, {}, { runId: "r", traceparent: caller });
    await t.advance("1s");
    expect(traces.named("onex.run.start flow")).toHaveLength(1);
    await t.close();
  });

  test("a fork names the run that it is made from", async () => {
    const traces = new Traces();
    const flow = workflow({ name: "flow", input: anything }, function* () {
      return yield* flaky({});
    });
    const t = testOrchestrator({ nodes: [flow], log: quiet, tracing: traces.tracer });
    await (await t.start(flow, {}, { runId: "r" })).result();
    await t.fork("r", { runId: "f" });
    await t.fork("r", { runId: "f" });
    await t.advance("1s");
    const [of, forked, ...more] = traces.named("onex.run.start flow");
    expect(more).toEqual([]);
    expect(forked?.attributes.run_id).toBe("f");
    expect(forked?.links).toEqual([of?.spanId]);
    expect(forked?.traceId).not.toBe(of?.traceId);
    await t.close();
  });
});

describe("around calls", () => {
  const own = (traces: Traces, name: string) => traces.provider.getTracer("user").startSpan(name).end();

  test("the caller's span is above the run, and an attempt above what its effect does", async () => {
    const traces = new Traces();
    const look = effect({ name: "look", input: anything, readonly: true }, async () => {
      await new Promise((soon) => setImmediate(soon));
      own(traces, "query");
    });
    const rows = stream({ name: "rows", input: anything, item: anything }, async function* () {
      own(traces, "first row");
      yield 1;
      own(traces, "second row");
      yield 2;
    });
    const flow = workflow({ name: "flow", input: anything }, function* () {
      yield* look({});
      return yield* rows({});
    });
    const orchestrator = createOrchestrator({ store: memory(), nodes: [flow], log: quiet, tracing: traces.tracer });
    const request = traces.tracer.startSpan("request");
    const run = await context.with(trace.setSpan(context.active(), request), () => orchestrator.start(flow, {}));
    request.end();
    await run.result();
    await orchestrator.close();
    expect(traces.one("onex.run.start flow").parent).toBe("request");
    expect(traces.one("query").parent).toBe("onex.attempt look");
    expect(traces.one("first row").parent).toBe("onex.attempt rows");
    expect(traces.one("second row").parent).toBe("onex.attempt rows");
  });

  test("the engine does its own work in nobody's trace", async () => {
    const traces = new Traces();
    const flow = workflow({ name: "flow", input: anything }, function* (_input, { log }) {
      yield* flaky({});
      log.info("behind a call");
      yield* sleep("5ms");
      log.info("behind a timer");
    });
    const logged: unknown[] = [];
    const log = { ...quiet, info: (message: string) => void logged.push([message, trace.getActiveSpan()]) };
    const orchestrator = createOrchestrator({ store: memory(), nodes: [flow], log, tracing: traces.tracer });
    const request = trace.setSpan(context.active(), traces.tracer.startSpan("request"));
    await (await context.with(request, () => orchestrator.start(flow, {}))).result();
    await orchestrator.close();
    expect(logged).toEqual([
      ["behind a call", undefined],
      ["behind a timer", undefined],
    ]);
  });

  test("a node elsewhere works in the trace of the attempt that it answers", async () => {
    const traces = new Traces();
    trace.setGlobalTracerProvider(traces.provider);
    const charge = effect(
      { name: "charge", input: anything, idempotent: true, retry: { maxAttempts: 2, backoff: "fixed", delay: "1ms", jitter: "none" } },
      async (_input, { attempt }) => {
        await new Promise((soon) => setImmediate(soon));
        own(traces, `charge ${attempt}`);
        if (attempt === 1) throw new Error("it broke");
        return 1;
      },
    );
    const price = compute({ name: "price", input: anything }, () => 2);
    const flow = workflow({ name: "flow", input: anything }, function* () {
      return [yield* price({}), yield* charge({})];
    });
    const url = await serving(createNodeHost({ nodes: [charge, price], log: quiet }));
    // What the SDK's instrumentation of the client would do: the attempt is the span of the request already.
    const requests: string[] = [];
    const instrumented = (): void => {
      requests.push("request");
      own(traces, "request");
    };
    subscribe("undici:request:create", instrumented);
    const nodes: readonly AnyNode[] = [flow, charge, price];
    // No tracer is given: the provider was registered before.
    const orchestrator = createOrchestrator({ store: memory(), nodes, endpoints: { charge: url, price: url }, log: quiet });
    expect(await (await orchestrator.start(flow, {})).result()).toEqual([2, 1]);
    await orchestrator.close();
    unsubscribe("undici:request:create", instrumented);
    expect(requests).toHaveLength(3);
    expect(traces.named("request")).toEqual([]);
    const [first, second] = traces.named("onex.attempt charge");
    expect(traces.one("charge 1").parentId).toBe(first?.spanId);
    expect(traces.one("charge 2").parentId).toBe(second?.spanId);
    expect(traces.one("onex.attempt price").parent).toBe("onex.step price");
    expect(new Set(traces.seen.map(({ traceId }) => traceId)).size).toBe(1);
  });
});

describe("without anybody who traces", () => {
  const flow = workflow({ name: "flow", input: anything }, function* () {
    return yield* flaky({});
  });

  test("nothing is made, and nothing is recorded", async () => {
    const orchestrator = orchestratorIn(systemWorld(quiet), { store: memory(), nodes: [flow] });
    const { tracing } = orchestrator.engine;
    // One object for all, and no answer of it is a new one.
    expect(tracing).toBe(untraced);
    const started = Object.freeze({ type: "run.started" }) as never;
    expect(tracing.starting({ id: "r", options: {} }, started)).toBe(started);
    expect(tracing.attempt({} as never, {} as never)).toBeUndefined();
    const run = await orchestrator.start(flow, {});
    await run.result();
    expect(await traceparentOf(run)).toBeUndefined();
    await orchestrator.close();
  });

  test("a provider that is registered is not used where it is not wanted", async () => {
    const traces = new Traces();
    trace.setGlobalTracerProvider(traces.provider);
    const orchestrator = orchestratorIn(systemWorld(quiet), { store: memory(), nodes: [flow], tracing: false });
    expect(orchestrator.engine.tracing).toBe(untraced);
    const run = await orchestrator.start(flow, {}, { traceparent: caller });
    await run.result();
    // Whoever goes on with it may trace.
    expect(await traceparentOf(run)).toBe(caller);
    expect(traces.seen).toEqual([]);
    await orchestrator.close();
  });

  test("true waits for a provider that is registered later", async () => {
    const orchestrator = createOrchestrator({ store: memory(), nodes: [flow], log: quiet, tracing: true });
    const before = await orchestrator.start(flow, {});
    await before.result();
    expect(await traceparentOf(before)).toBeUndefined();
    const traces = new Traces();
    trace.setGlobalTracerProvider(traces.provider);
    await (await orchestrator.start(flow, {})).result();
    await orchestrator.close();
    expect(traces.named("onex.run flow")).toHaveLength(1);
  });
});
afterEach(() => {
  trace.disable();
});

test("options that are none are refused", async () => {
  const nodes: readonly AnyNode[] = [flaky];
  const make = (tracing: unknown) => createOrchestrator({ store: memory(), nodes, log: quiet, tracing: tracing as boolean });
  expect(() => make("yes")).toThrow(/^tracing is "yes": give true, false, or a tracer/);
  expect(() => make(null)).toThrow(/^tracing is null/);
  const flow = workflow({ name: "flow", input: anything }, function* () {});
  const t = testOrchestrator({ nodes: [flow], log: quiet });
  for (const traceparent of ["", "x", caller.replace("4736", "473G"), `00-${"0".repeat(32)}-00f067aa0ba902b7-01`, `${caller}-more`])
    await expect(t.start(flow, {}, { traceparent }), traceparent).rejects.toThrow(/^traceparent is .*: give the header/);
  await t.close();
});
