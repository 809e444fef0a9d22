// biome-ignore-all lint/correctness/useYield: a workflow may end at once
/** Workflows by type and version, and how runs stand. */
import { expect, test } from "vitest";
import { type AnyNode, planWorkflow, type RunView, sleep, workflow } from "../../src/index.ts";
import { testOrchestrator } from "../../src/testing/index.ts";
import { anything, quiet } from "./kit.ts";

const version = (number: string) =>
  workflow({ name: "order", version: number, input: anything }, function* () {
    return number;
  });
const [v1, v12, v2] = [version("1.0.0"), version("1.2.0"), version("2.0.0")];
const plan = planWorkflow({ onex: "v1", kind: "workflow", name: "ship", version: "1.0.0", steps: { wait: { sleep: "1s" } } });
const make = (nodes: readonly AnyNode[] = [v1, v2, plan, v12]) => testOrchestrator({ nodes, log: quiet });

test("latest or pinned", () => {
  const { registry } = make();
  expect(registry.get("order")).toMatchObject({ type: "order", version: "2.0.0", latest: true, kind: "code" });
  expect(registry.get("order", "1")).toMatchObject({ version: "1.2.0", latest: false });
  expect(registry.get("order", "1.0.0")).toMatchObject({ version: "1.0.0", workflow: v1 });
  expect(registry.latest("order")).toEqual(registry.get("order", "2.0.0"));
  expect([registry.has("order"), registry.has("order", "3"), registry.has("orders")]).toEqual([true, false, false]);
  expect(registry.list().map(({ type, version, latest, kind }) => [type, version, latest, kind])).toEqual([
    ["order", "2.0.0", true, "code"],
    ["order", "1.2.0", false, "code"],
    ["order", "1.0.0", false, "code"],
    ["ship", "1.0.0", true, "contract"],
  ]);
});

test("the hash is of what it is", async () => {
  const t = make();
  const hashes = t.registry.list().map(({ hash }) => hash);
  expect(new Set(hashes).size).toBe(4);
  for (const hash of hashes) expect(hash).toMatch(/^[0-9a-f]{64}$/);
  expect(make([version("1.0.0")]).registry.get("order").hash).toBe(t.registry.get("order", "1.0.0").hash);
  const changed = workflow({ name: "order", input: anything }, function* () {
    return "changed";
  });
  expect(make([changed]).registry.get("order").hash).not.toBe(t.registry.get("order", "1.0.0").hash);
  const run = await t.start(plan, null);
  expect((await run.facts())[0]).toMatchObject({ definition: t.registry.get("ship").hash });
});

test("unknown ones are refused by name", () => {
  const { registry } = make();
  const refused = (message: RegExp) => expect.objectContaining({ code: "WORKFLOW_UNKNOWN", message: expect.stringMatching(message) });
  expect(() => registry.get("ordr")).toThrow(refused(/no workflow "ordr"; it holds order, ship: .* Did you mean "order"\?/));
  expect(() => registry.get("order", "3")).toThrow(refused(/no workflow "order"@3; of "order" it holds 2\.0\.0, 1\.2\.0, 1\.0\.0/));
  expect(() => make([plan]).registry.latest("zzz")).toThrow(refused(/it holds ship: add it to `nodes`\.$/));
});

test("duplicates are refused by name, with where they are from", () => {
  const twin = workflow({ name: "ship", input: anything }, function* () {
    yield* sleep("1s");
  });
  expect(() => make([plan, twin])).toThrow(
    expect.objectContaining({
      code: "NODE_DUPLICATE",
      message: expect.stringMatching(/named ship@1\.0\.0 \(a workflow of plan ship and a workflow\)/),
    }),
  );
});

test("what the registry gives can be started, and process takes the newest or the one that is asked for", async () => {
  const t = make();
  const run = await t.start(t.registry.get("order", "1").workflow, null);
  const asked = ["1.0.0", "1", null].map((workflowVersion) => t.process({ workflowType: "order", workflowVersion } as never));
  await t.advance("0ms");
  expect(await run.result()).toBe("1.2.0");
  expect((await Promise.all(asked)).map(({ metadata }) => metadata.workflowVersion)).toEqual(["1.0.0", "1.2.0", "2.0.0"]);
  await expect(t.process({ workflowType: "order", workflowVersion: "9" } as never)).rejects.toMatchObject({ code: "WORKFLOW_UNKNOWN" });
});

test("D66: a status is a copy, of runs under way and of those that ended; an unknown id has none", async () => {
  const t = make();
  const run = await t.start(plan, { list: [1] } as never, { runId: "run" });
  await t.advance("0ms");
  const before = (await t.getWorkflowStatus("run")) as RunView;
  expect(before).toMatchObject({ status: "waiting", workflow: "ship", steps: [{ step: "wait" }] });
  (before.input as { list: number[] }).list.push(2);
  (before as { status: string }).status = "broken";
  expect(await t.getWorkflowStatus("run")).toMatchObject({ status: "waiting", input: { list: [1] } });
  await t.advance("1s");
  expect(await t.getWorkflowStatus(run.runId)).toEqual(await run.status());
  expect(await t.getWorkflowStatus("nobody")).toBeUndefined();
  await t.close();
  await expect(t.getWorkflowStatus("run")).rejects.toMatchObject({ code: "ORCHESTRATOR_CLOSED" });
});
