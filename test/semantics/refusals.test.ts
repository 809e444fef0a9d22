/** What is refused when nodes are defined and orchestrators made: by code, and by name. */
import { expect, test } from "vitest";
import { compute, createOrchestrator, effect, memory, sleep, workflow } from "../../src/index.ts";
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
