/** A run is pinned to the version it began with; nobody who lacks it drives it (API rule 18). */
import { expect, test } from "vitest";
import { type AnyNode, createOrchestrator, memory, signal, workflow } from "../../src/index.ts";
import { anything, quiet } from "./kit.ts";

const go = signal({ name: "go", payload: anything });
const flow = (version: string) =>
  workflow({ name: "flow", version, input: anything }, function* () {
    yield* go.wait();
    return version;
  });
const [one, two] = [flow("1.0.0"), flow("2.0.0")];

test("a run whose version is missing waits as blocked, and goes on when a process holds it again", async () => {
  const store = memory();
  const warned: unknown[] = [];
  const open = (nodes: readonly AnyNode[]) =>
    createOrchestrator({ store, nodes, log: { ...quiet, warn: (message, fields) => warned.push([message, fields]) } });

  const first = open([one]);
  await first.start(one, null, { runId: "old" });
  await first.close();

  const second = open([two]);
  await second.run("old").signal(go, 1);
  await second.start(two, null, { runId: "new" });
  await second.run("new").signal(go, 1);
  expect(await second.run("new").result()).toBe("2.0.0");
  await second.idle();
  expect(await second.run("old").status()).toMatchObject({ status: "waiting", blocked: "VERSION_MISSING", version: "1.0.0" });
  expect(warned).toEqual([[expect.stringContaining("flow@1.0.0"), { code: "VERSION_MISSING", runId: "old" }]]);
  await second.close();

  const third = open([one, two]);
  expect(await third.run("old").result()).toBe("1.0.0");
  expect((await third.run("old").status()).blocked).toBeUndefined();
  await third.close();
});

test("with two versions at hand the newest is started by name, and a pinned one by version", async () => {
  const orchestrator = createOrchestrator({ store: memory(), nodes: [one, two], log: quiet });
  const newest = orchestrator.process({ workflowType: "flow", idempotencyKey: "newest" });
  const pinned = await orchestrator.start(two, null, { version: "1.0.0" });
  await pinned.signal(go, 1);
  expect(await pinned.result()).toBe("1.0.0");
  await orchestrator.run("newest").signal(go, 1);
  expect(await newest).toMatchObject({ metadata: { workflowVersion: "2.0.0" } });
  await orchestrator.close();
});
