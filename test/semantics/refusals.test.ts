/** What is refused when nodes are defined and orchestrators made: by code, and by name. */
import { expect, test } from "vitest";
import { compute, createNodeHost, createOrchestrator, effect, memory, reducer, sleep, stream, workflow } from "../../src/index.ts";
import { testOrchestrator } from "../../src/testing/index.ts";
import { anything, quiet } from "./kit.ts";

const node = compute({ name: "node", input: anything }, (x) => x);
const flow = workflow({ name: "flow", input: anything }, function* () {
  yield* sleep("1s");
  return null;
});
const refused = (make: () => unknown, code: string, names: string) =>
  expect(make).toThrow(expect.objectContaining({ code, message: expect.stringContaining(names) }));

test("two nodes with one name and version are NODE_DUPLICATE; one node twice, or two versions, are not", () => {
  const twin = compute({ name: "node", input: anything }, (x) => x);
  const other = workflow({ name: "node", input: anything }, function* () {});
  const next = compute({ name: "node", version: "2.0.0", input: anything }, (x) => x);
  refused(() => createOrchestrator({ store: memory(), nodes: [node, twin] }), "NODE_DUPLICATE", "node@1.0.0");
  refused(() => createOrchestrator({ store: memory(), nodes: [node, other] }), "NODE_DUPLICATE", "node@1.0.0");
  createOrchestrator({ store: memory(), nodes: [flow, node, node, next] });
});

test("names are kebab-case, versions semver, durations have a unit", () => {
  for (const name of ["Node", "my_node", "1st", "a--b", "", "a b"])
    refused(() => compute({ name, input: anything }, (x) => x), "NODE_INVALID", name);
  refused(() => compute({ name: "a", version: "1.0", input: anything }, (x) => x), "NODE_INVALID", "1.0");
  refused(() => effect({ name: "a", input: anything, timeout: "10" as never }, async (x) => x), "INVALID_DURATION", "10");
  refused(() => effect({ name: "a", input: anything, heartbeat: "soon" as never }, async (x) => x), "INVALID_DURATION", "soon");
  refused(() => effect({ name: "a", input: anything, retry: { delay: "1 s" as never } }, async (x) => x), "INVALID_DURATION", "1 s");
  refused(() => workflow({ name: "a", input: anything, timeout: "-1s" as never }, function* () {}), "INVALID_DURATION", "-1s");
});

test("limits of an effect that make no sense are refused when it is defined", () => {
  for (const limit of [0, -1, 1.5, Number.NaN, 1e9])
    for (const limits of [{ concurrency: { limit } }, { rate: { limit, per: "1s" } }] as const)
      refused(() => effect({ name: "a", input: anything, ...limits }, async (x) => x), "NODE_INVALID", "limit");
  refused(() => effect({ name: "a", input: anything, rate: { limit: 1, per: "0ms" } }, async (x) => x), "NODE_INVALID", "rate.per");
  refused(() => effect({ name: "a", input: anything, rate: { limit: 1, per: "1" as never } }, async (x) => x), "INVALID_DURATION", "1");
});

test("what is declared and not built yet is NOT_BUILT, by name", () => {
  refused(() => compute({ name: "a", input: anything, threads: true }, (x) => x), "NOT_BUILT", "threads");
  refused(() => compute({ name: "a", input: anything, timeout: "1s" }, (x) => x), "NOT_BUILT", "timeout");
});

test("limits of a workflow that make no sense are NODE_INVALID, by name", () => {
  for (const limit of [0, -1, 1.5, Number.NaN]) {
    refused(() => workflow({ name: "a", input: anything, concurrency: { limit } }, function* () {}), "NODE_INVALID", "concurrency.limit");
    refused(() => workflow({ name: "a", input: anything, rate: { limit, per: "1s" } }, function* () {}), "NODE_INVALID", "rate.limit");
  }
  refused(() => workflow({ name: "a", input: anything, rate: { limit: 1, per: "0s" } }, function* () {}), "NODE_INVALID", "rate.per");
  refused(
    () => workflow({ name: "a", input: anything, rate: { limit: 1, per: "soon" as never } }, function* () {}),
    "INVALID_DURATION",
    "soon",
  );
});

test("options out of range are OPTION_INVALID, by name", async () => {
  const store = memory();
  for (const [name, value] of [
    ["maxValueBytes", 10],
    ["maxValueBytes", 17 * 1024 * 1024],
    ["parkAfterMs", -1],
    ["abortGraceMs", Number.NaN],
  ] as const)
    refused(() => createOrchestrator({ store, nodes: [flow], [name]: value }), "OPTION_INVALID", name);
  refused(
    () => createOrchestrator({ store, nodes: [flow], circuitBreaker: { openMs: 0, local: 1 as never } }),
    "OPTION_INVALID",
    "circuitBreaker: openMs is 0: give a whole number from 1 to 86400000; local is 1",
  );
  const t = testOrchestrator({ nodes: [flow], log: quiet });
  for (const priority of [0, 1001, 1.5]) await expect(t.start(flow, null, { priority })).rejects.toMatchObject({ code: "OPTION_INVALID" });
  for (const runId of ["", "a\nb", "x".repeat(513)])
    await expect(t.start(flow, null, { runId })).rejects.toMatchObject({ code: "OPTION_INVALID" });
  await expect(t.start(flow, null, { timeout: "soon" as never })).rejects.toMatchObject({ code: "INVALID_DURATION" });
});

test("a workflow that is not in `nodes` cannot be started: its runs could not be found again", async () => {
  const stranger = workflow({ name: "stranger", input: anything }, function* () {
    yield* sleep("1h");
  });
  const t = testOrchestrator({ nodes: [flow], log: quiet });
  await expect(t.start(stranger as never, null)).rejects.toMatchObject({
    code: "WORKFLOW_UNKNOWN",
    message: expect.stringContaining("stranger"),
  });
  await expect(t.start(flow, null, { version: "9.0.0" })).rejects.toMatchObject({ code: "WORKFLOW_UNKNOWN" });
  expect(await t.list()).toEqual([]);
});

test("what nobody reads is refused where it is said: fields of nodes, and options", async () => {
  const fields = (more: object) => effect({ name: "a", input: anything, ...more }, async () => 1);
  refused(
    () => fields({ retries: 3 }),
    "NODE_INVALID",
    "effect a: there is no `retries`; it takes name, version, input, output, uses, retry",
  );
  refused(() => fields({ retry: 3 }), "NODE_INVALID", "effect a: retry is 3: give an object of maxAttempts");
  refused(() => fields({ retry: { attempts: 3 } }), "NODE_INVALID", "effect a: retry: there is no `attempts`; it takes maxAttempts");
  refused(() => fields({ timeout: 30 }), "INVALID_DURATION", "effect a: timeout is 30: write");
  refused(() => compute({ input: anything } as never, (x) => x), "NODE_INVALID", "compute undefined: a name is kebab-case");
  refused(() => compute(undefined as never, (x) => x), "NODE_INVALID", "the definition of the compute is undefined");
  refused(() => workflow({ name: "a" } as never, function* () {}), "NODE_INVALID", "workflow a: `input` is missing: give one of zod");
  refused(() => workflow({ name: "a", input: "text" } as never, function* () {}), "NODE_INVALID", "workflow a: `input` is no schema");
  refused(() => workflow({ name: "a", input: anything }, undefined as never), "NODE_INVALID", "workflow a: the function");
  refused(
    () => workflow({ name: "a", input: anything, onFailure: "undo" } as never, function* () {}),
    "NODE_INVALID",
    'onFailure is "undo"',
  );
  refused(() => stream({ name: "a", input: anything } as never, async function* () {}), "NODE_INVALID", "stream a: `item` is missing");
  refused(
    () => reducer({ name: "a", input: anything, initial: 0 } as never, (n) => n),
    "NODE_INVALID",
    "there is no `input`; it takes name, version, event",
  );

  const made = (more: object) => createOrchestrator({ store: memory(), nodes: [flow], ...more });
  refused(() => createOrchestrator(undefined as never), "OPTION_INVALID", "the options of createOrchestrator is undefined");
  refused(() => made({ store: "sqlite:x.db" }), "OPTION_INVALID", 'store is "sqlite:x.db": give sqlite("FILE") or memory()');
  refused(() => made({ nodes: undefined }), "OPTION_INVALID", "nodes is undefined: give a list");
  refused(() => made({ nodes: [undefined] }), "OPTION_INVALID", "nodes[0] is undefined: give what compute");
  refused(() => made({ nodes: [Promise.resolve(flow)] }), "OPTION_INVALID", "with await");
  refused(() => made({ maxConcurrentWorkflow: 5 }), "OPTION_INVALID", "there is no `maxConcurrentWorkflow`; it takes store, nodes");
  refused(() => made({ provide: [{}] }), "OPTION_INVALID", "provide is no list of services");
  refused(() => made({ circuitBreaker: true }), "OPTION_INVALID", "circuitBreaker is true: give an object of failureThreshold");
  refused(() => made({ secrets: "hunter2hunter2" }), "OPTION_INVALID", "secrets is text: give a list");
  refused(() => createNodeHost({} as never), "OPTION_INVALID", "nodes is undefined: give a list");
  refused(() => createNodeHost(undefined as never), "OPTION_INVALID", "the options of createNodeHost is undefined");
});

test("what nobody reads is refused where it is said: starts, forks, pauses, schedules", async () => {
  const t = testOrchestrator({ nodes: [flow], log: quiet });
  const said = async (does: Promise<unknown>, code: string, names: string) =>
    expect(does).rejects.toMatchObject({ code, message: expect.stringContaining(names) });
  await said(t.start("flow" as never, {}), "OPTION_INVALID", 'start was given "flow": give a workflow; by its name it is `process(');
  await said(t.start(undefined as never, {}), "OPTION_INVALID", "start was given undefined");
  await said(t.start(flow, {}, { delay: "5m" } as never), "OPTION_INVALID", "there is no `delay`; it takes runId");
  await said(t.start(flow, {}, { runId: 5 as never }), "OPTION_INVALID", "runId is 5: give text");
  await said(t.start(flow, {}, { timeout: 5 as never }), "INVALID_DURATION", "timeout is 5: write");
  const run = await t.start(flow, {}, { runId: "run" });
  await said(run.pause("because" as never), "OPTION_INVALID", 'the options of pause is "because": give an object of reason');
  await t.advance("2s");
  await said(t.fork("run", { step: "sleep" } as never), "OPTION_INVALID", "there is no `step`; it takes from, input");
  await said(t.retry("run", { input: 1 } as never), "OPTION_INVALID", "there is no `input`; it takes from, runId");
  await said(t.list({ state: "failed" } as never), "OPTION_INVALID", "there is no `state`; it takes status");
  const put = (schedule: unknown, names: string) => said(t.schedules.put(schedule as never), "SCHEDULE_INVALID", names);
  await put(undefined, "a schedule is undefined: give an object of id, workflow, cron");
  await put(
    { id: "a", workflow: "flow", cron: "@daily", timeZone: "UTC" },
    "there is no `timeZone`; it takes id, workflow, cron, timezone",
  );
  await put({ id: "a", cron: "@daily" }, "schedule a: workflow is undefined: give one of `nodes`, or its name");
  await put({ id: "a", workflow: "flow", cron: "@daily", paused: "yes" }, 'paused is "yes": write true or false');
  await said(
    t.schedules.put({ id: "a", workflow: "flow", cron: "@daily", catchUpWithin: 5 as never }),
    "INVALID_DURATION",
    "schedule a: catchUpWithin is 5",
  );
  await said(t.schedules.put({} as never), "OPTION_INVALID", "the id of a schedule is undefined: give text");
  await t.close();
});
