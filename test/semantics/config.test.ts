/** What the configuration of an orchestrator does to its runs, and that a replay keeps to what a run began with. */
import { expect, test } from "vitest";
import {
  type AnyNode,
  all,
  attempt,
  compute,
  createOrchestrator,
  each,
  effect,
  Fatal,
  memory,
  type OrchestratorConfig,
  planWorkflow,
  preset,
  restart,
  type Steps,
  service,
  sleep,
  workflow,
} from "../../src/index.ts";
import { stub, testOrchestrator } from "../../src/testing/index.ts";
import { anything, quiet } from "./kit.ts";

const start = Date.UTC(2030, 0, 1);
const flaky = effect({ name: "flaky", input: anything, idempotent: true }, async () => {
  throw new Error("no");
});
const bare = effect({ name: "bare", input: anything }, async () => {
  throw new Error("no");
});
const own = effect({ name: "own", input: anything, idempotent: true, retry: { maxAttempts: 2 } }, async () => {
  throw new Error("no");
});
const slow = effect({ name: "slow", input: anything, readonly: true, retry: false }, () => new Promise<null>(() => {}));
const price = compute({ name: "price", input: anything }, () => 1);
const back = effect({ name: "back", input: anything, idempotent: true, irreversible: "is an undo" }, async () => null);
const act = effect({ name: "act", input: anything, idempotent: true, undo: () => back(1) }, async () => 1);

function make(body: (input: unknown) => Steps<unknown>, config: OrchestratorConfig | undefined, more: { readonly timeout?: "1m" } = {}) {
  const flow = workflow({ name: "flow", input: anything, ...more }, body);
  const t = testOrchestrator({ nodes: [flow] as readonly AnyNode[], log: quiet, ...(config ? { config } : {}) });
  return { t, begin: () => t.start(flow, null, { runId: "run" }), view: () => t.run("run").status() };
}
async function played(body: (input: unknown) => Steps<unknown>, config: OrchestratorConfig | undefined) {
  const { t, begin, view } = make(body, config);
  await begin();
  await t.advance("1h");
  return { t, view: await view(), facts: await t.run("run").facts() };
}

test("a bad one is one clear error at construction", () => {
  const config = { timeouts: { globalMs: 1 }, failureStrategy: "never" } as unknown as OrchestratorConfig;
  expect(() => createOrchestrator({ store: memory(), nodes: [], config })).toThrow(
    expect.objectContaining({
      code: "CONFIG_INVALID",
      message: expect.stringMatching(/2 errors:\n {2}timeouts.globalMs.*\n {2}failureStrategy/),
    }),
  );
});

test("retry holds for effects that may be sent again and say nothing themselves", async () => {
  const body = function* () {
    for (const node of [flaky, bare, own]) yield* attempt(node(1));
    yield* attempt(flaky(1, { retry: { maxAttempts: 1 }, step: "said" }));
  };
  const attempts = async (config: OrchestratorConfig | undefined) =>
    (await played(body, config)).view.steps.map(({ step, attempts }) => [step, attempts]);
  expect(await attempts({ retry: { maxRetries: 4 } })).toEqual([
    ["flaky", 5],
    ["bare", 1],
    ["own", 2],
    ["said", 1],
  ]);
  expect((await attempts(undefined))[0]).toEqual(["flaky", 3]);
  expect((await attempts({ retry: { maxRetries: 0 } }))[0]).toEqual(["flaky", 1]);
  expect((await attempts({ failureStrategy: "retry" }))[0]).toEqual(["flaky", 4]);
});

test("an undo is still retried without end", async () => {
  let calls = 0;
  const flow = workflow({ name: "flow", input: anything }, function* () {
    yield* act(1);
    throw new Fatal("NO");
  });
  const stubs = [
    stub(back, () => {
      if (++calls < 20) throw new Error("again");
      return null;
    }),
  ];
  const t = testOrchestrator({ nodes: [flow], log: quiet, config: { retry: { maxRetries: 0 } }, stubs });
  const run = await t.start(flow, null);
  await t.advance("1h");
  expect(await run.status()).toMatchObject({ status: "failed", notUndone: [] });
  expect(calls).toBe(20);
});

test("timeouts.stepMs is the time of an attempt", async () => {
  const body = function* () {
    return yield* slow(1);
  };
  const { facts } = await played(body, { timeouts: { stepMs: 700 } });
  expect(facts.find(({ type }) => type === "action.dispatched")).toMatchObject({ notAfter: start + 700 });
  expect((await played(body, undefined)).facts.find(({ type }) => type === "action.dispatched")).toMatchObject({
    notAfter: start + 30_000,
  });
});

test("timeouts.globalMs ends a root run that says nothing; a child has its parent's time and none of its own", async () => {
  const child = workflow({ name: "child", input: anything }, function* () {
    yield* sleep("5s");
  });
  const body = function* () {
    yield* sleep("1s");
    yield* attempt(child(1));
    yield* sleep("30m");
  };
  const { t, view, facts } = await played(body, { timeouts: { globalMs: 10_000 } });
  expect(view).toMatchObject({ status: "failed", error: { code: "RUN_TIMEOUT" }, endedAt: start + 10_000 });
  expect(facts[0]).toMatchObject({ deadline: start + 10_000 });
  const [begun] = await t.run("run/child").facts();
  expect(begun).toMatchObject({ deadline: start + 10_000 });
  const said = make(body, { timeouts: { globalMs: 10_000 } }, { timeout: "1m" });
  await said.begin();
  expect((await said.t.run("run").facts())[0]).toMatchObject({ deadline: start + 60_000 });
});

test("orchestrationTimeoutMs is its older name; a run that goes on by restart has its time anew", async () => {
  let rounds = 0;
  const body = function* () {
    yield* sleep("8s");
    if (++rounds < 3) yield* restart(null);
    yield* sleep("8s");
  };
  const { view } = await played(body, { orchestrationTimeoutMs: 10_000 });
  expect(view).toMatchObject({ error: { code: "RUN_TIMEOUT" }, startedAt: start + 16_000, endedAt: start + 26_000 });
});

test("a deadline of process is longer or shorter than the global timeout as it was said", async () => {
  const { t } = make(
    function* () {
      yield* sleep("20s");
    },
    { timeouts: { globalMs: 10_000 } },
  );
  const going = t.process({ workflowType: "flow", deadline: start + 30_000 } as never);
  await t.advance("1m");
  expect(await going).toMatchObject({ success: true, processingTimeMs: 20_000 });
});

test("failureStrategy says what a failed run does whose workflow does not", async () => {
  const body = function* () {
    yield* act(1);
    throw new Fatal("NO");
  };
  const undone = async (failureStrategy: OrchestratorConfig["failureStrategy"] & string) => {
    const { view } = await played(body, { failureStrategy });
    return [view.compensated, view.notUndone];
  };
  expect(await undone("compensate")).toEqual([true, []]);
  expect(await undone("retry")).toEqual([true, []]);
  expect(await undone("continue_on_error")).toEqual([true, []]);
  expect(await undone("fail_fast")).toEqual([false, ["act"]]);
  const flow = workflow({ name: "flow", input: anything, onFailure: "compensate" }, body);
  const t = testOrchestrator({ nodes: [flow], log: quiet, config: { failureStrategy: "fail_fast" } });
  await t.start(flow, null, { runId: "run" });
  await t.advance("1m");
  expect(await t.run("run").status()).toMatchObject({ compensated: true });
});

const steps = {
  a: { effect: "bare", with: { n: 1 } },
  b: { needs: ["a"], compute: "price" },
  c: { compute: "price" },
  d: { needs: ["c"], sleep: "1s" },
  e: { needs: ["b", "d"], compute: "price" },
} as const;
const plan = (more: object = {}) => planWorkflow({ onex: "v1", kind: "workflow", name: "flow", version: "1.0.0", steps, ...more } as never);

async function planned(flow: ReturnType<typeof plan>, config: OrchestratorConfig | undefined) {
  const t = testOrchestrator({ nodes: [flow, bare, price, flaky, slow] as readonly AnyNode[], log: quiet, ...(config ? { config } : {}) });
  const run = await t.start(flow as never, null as never, { runId: "run" });
  await t.advance("1h");
  const view = await run.status();
  return { view, ran: view.steps.map(({ step, status }) => `${step} ${status}`) };
}

test("continue_on_error: in a plan what does not depend on the failed step still runs, and the run fails all the same", async () => {
  const going = await planned(plan(), { failureStrategy: "continue_on_error" });
  expect(going.ran.sort()).toEqual(["a failed", "c completed", "d completed"]);
  expect(going.view).toMatchObject({ status: "failed", failedStep: "a", error: { code: "EFFECT_THREW" } });
  const stopping = await planned(plan(), undefined);
  expect(stopping.ran.sort()).toEqual(["a failed", "c completed", "d aborted"]);
  expect(stopping.view).toMatchObject({ status: "failed", failedStep: "a" });
});

test("continue_on_error: the first failure is the run's, and one that wants any of several is judged as ever", async () => {
  const more = {
    a: { fail: { code: "FIRST" } },
    b: { needs: ["a"], compute: "price" },
    c: { needs: { any: ["b", "d"], count: 1 }, compute: "price" },
    d: { sleep: "1s" },
    x: { needs: ["d"], fail: { code: "SECOND" } },
    y: { needs: { any: ["b"], count: 1 }, compute: "price" },
  };
  const { view, ran } = await planned(plan({ steps: more }), { failureStrategy: "continue_on_error" });
  expect(view).toMatchObject({ status: "failed", failedStep: "a", error: { code: "FIRST" } });
  expect(ran).toEqual(["d completed", "c completed"]);
});

test("parallel.maxParallelSteps holds for plans and for each, unless they say it themselves", async () => {
  const items = Array.from({ length: 30 }, (_, i) => i);
  const wide = Object.fromEntries(items.map((i) => [`s${i}`, { effect: "slow", with: { i } }]));
  const atOnce = async (flow: AnyNode, config: OrchestratorConfig | undefined) => {
    const t = testOrchestrator({ nodes: [flow, slow] as readonly AnyNode[], log: quiet, ...(config ? { config } : {}) });
    await t.start(flow as never, null as never);
    await t.advance("0ms");
    return t.stats().callsInFlight;
  };
  const config: OrchestratorConfig = { parallel: { maxParallelSteps: 4 } };
  const loop = (options: { readonly concurrency?: number }) =>
    workflow({ name: "flow", input: anything }, function* () {
      yield* each(items, (item) => slow(item), options);
    });
  expect(await atOnce(plan({ steps: wide }), undefined)).toBe(16);
  expect(await atOnce(plan({ steps: wide }), config)).toBe(4);
  expect(await atOnce(plan({ steps: wide, concurrency: 6 }), config)).toBe(6);
  expect(await atOnce(loop({}), undefined)).toBe(10);
  expect(await atOnce(loop({}), config)).toBe(4);
  expect(await atOnce(loop({ concurrency: 7 }), config)).toBe(7);
  const eachStep = (more: object) =>
    plan({ values: { items }, concurrency: 100, steps: { all: { each: "values.items", do: { effect: "slow" }, ...more } } });
  expect(await atOnce(eachStep({}), undefined)).toBe(10);
  expect(await atOnce(eachStep({}), config)).toBe(4);
  expect(await atOnce(eachStep({ concurrency: 5 }), config)).toBe(5);
});

test("maxActionsPerWorkflow ends a run that makes more calls; undos and cleanup are apart", async () => {
  const body = function* () {
    try {
      for (;;) yield* attempt(act(1));
    } finally {
      yield* price(1);
    }
  };
  const { view, facts } = await played(body, { maxActionsPerWorkflow: 5 });
  expect(view).toMatchObject({ status: "failed", error: { code: "ACTIONS_EXHAUSTED" }, compensated: true, notUndone: [] });
  const sent = facts.flatMap((fact) => (fact.type === "action.dispatched" ? [fact.node] : []));
  expect(sent).toEqual([...Array(5).fill("act"), ...Array(5).fill("back")]);
  expect(view.steps.filter(({ node }) => node === "price")).toHaveLength(1);
});

test("maxActionsPerWorkflow counts the branches of an all as well, and each log anew", async () => {
  const over = await played(
    function* () {
      yield* all(Array.from({ length: 6 }, () => act(1)));
    },
    { maxActionsPerWorkflow: 5 },
  );
  expect(over.view).toMatchObject({ status: "failed", error: { code: "ACTIONS_EXHAUSTED" } });
  let rounds = 0;
  const fits = await played(
    function* () {
      for (let i = 0; i < 5; i++) yield* price(i);
      if (++rounds < 3) yield* restart(null);
    },
    { maxActionsPerWorkflow: 5 },
  );
  expect(fits.view.status).toBe("completed");
});

test("domain reaches effects as a service, as a copy of what was given", async () => {
  const domain = { currency: "EUR", limits: [1, 2] };
  const settings = service<typeof domain>("domain");
  const tell = effect({ name: "tell", input: anything, readonly: true, uses: { settings } }, async (_, { settings: given }) => given);
  const flow = workflow({ name: "flow", input: anything }, function* () {
    return yield* tell(1);
  });
  const nodes = [flow, tell];
  const t = testOrchestrator({ nodes, log: quiet, config: { domain } });
  domain.limits.push(3);
  const run = await t.start(flow, null);
  await t.advance("1s");
  expect(await run.result()).toEqual({ currency: "EUR", limits: [1, 2] });
  expect(() => testOrchestrator({ nodes, log: quiet })).toThrow(/uses the service "domain", which nobody provides/);
  expect(() => testOrchestrator({ nodes, log: quiet, config: { domain }, provide: [settings.from(domain)] })).toThrow(/provided twice/);
});

test("what a run began with is pinned, whatever the configuration says when it goes on", async () => {
  const flow = workflow({ name: "flow", input: anything }, function* () {
    yield* act(1);
    yield* sleep("1h");
    yield* all([flaky(1), flaky(2)]);
  });
  const store = memory();
  const first = createOrchestrator({
    store,
    nodes: [flow],
    log: quiet,
    config: preset("development", { failureStrategy: "fail_fast", timeouts: { globalMs: 3_600_000 } }),
  });
  const run = await first.start(flow, null, { runId: "run" });
  await first.idle();
  const [began] = await run.facts();
  expect(began).toMatchObject({
    defaults: { onFailure: "stop", concurrency: 2, retry: { maxAttempts: 2, backoff: "fixed", delay: "100ms" } },
  });
  await first.close();
  const second = createOrchestrator({ store, nodes: [flow], log: quiet, config: preset("production") });
  expect((await second.run("run").facts())[0]).toEqual(began);
  const fresh = await second.start(flow, null, { runId: "fresh" });
  expect((await fresh.facts())[0]).toMatchObject({ defaults: { concurrency: 10, retry: { maxAttempts: 6 } } });
  await second.close();
});

test("a run that began with a configuration goes on by it after a crash", async () => {
  const { t, begin, view } = make(
    function* () {
      yield* act(1);
      yield* attempt(flaky(1));
      throw new Fatal("NO");
    },
    { retry: { maxRetries: 5, exponentialBackoff: false }, failureStrategy: "fail_fast" },
  );
  await begin();
  for (let i = 0; i < 4; i++) {
    await t.advance("500ms");
    await t.crash();
  }
  await t.advance("1h");
  expect(await view()).toMatchObject({ status: "failed", error: { code: "NO" }, notUndone: ["flaky", "act"], compensated: false });
  expect((await view()).steps.find(({ step }) => step === "flaky")).toMatchObject({ attempts: 6 });
});

test("timeouts.shutdownMs is how long close waits", async () => {
  const { t, begin } = make(
    function* () {
      yield* slow(1);
    },
    { timeouts: { shutdownMs: 2_000 } },
  );
  await begin();
  await t.advance("0ms");
  let closed = false;
  const closing = t.close().then(() => {
    closed = true;
  });
  await t.advance("1999ms");
  expect(closed).toBe(false);
  await t.advance("1ms");
  await closing;
});
