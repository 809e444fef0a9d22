/** Health of nodes that live elsewhere: their hosts are asked, whether anybody has called them or not. */
import { expect, test } from "vitest";
import { createNodeHost, createOrchestrator, effect, memory, workflow } from "../../src/index.ts";
import { stub, testOrchestrator } from "../../src/testing/index.ts";
import { listening, serving } from "../serve.ts";
import { anything, quiet } from "./kit.ts";

const far = effect({ name: "far", input: anything, readonly: true }, async () => null);
const flow = workflow({ name: "flow", input: anything }, function* () {
  yield* far(1);
});

test("health asks the hosts of nodes that nobody has called yet", async () => {
  const gone = effect({ name: "gone", input: anything, readonly: true }, async () => null);
  const host = createNodeHost({ nodes: [far, gone], log: quiet });
  const url = await serving(host);
  const silent = await listening(() => {});
  const make = (endpoints: Record<string, string>) => createOrchestrator({ store: memory(), nodes: [flow], endpoints, log: quiet });
  const well = make({ far: url });
  expect(await well.healthCheck()).toMatchObject({ status: "healthy", components: { nodeClient: "healthy" } });
  await well.close();
  const half = make({ far: url, gone: silent });
  expect(await half.healthCheck({ timeoutMs: 200 })).toMatchObject({
    status: "degraded",
    components: { nodeClient: "degraded", stateManager: "healthy" },
    reasons: ["nodeClient: gone is unhealthy"],
  });
  await half.close();
  const none = make({ far: silent });
  expect(await none.healthCheck({ timeoutMs: 200 })).toMatchObject({ status: "degraded", components: { nodeClient: "unhealthy" } });
  await none.close();
});

test("a host is not asked for a node that a test plays", async () => {
  let asked = 0;
  const url = await listening((_incoming, outgoing) => {
    asked++;
    outgoing.end("{}");
  });
  const t = testOrchestrator({ nodes: [flow], endpoints: { far: url }, stubs: [stub(far, () => null)], log: quiet });
  expect(await t.healthCheck()).toMatchObject({ status: "healthy" });
  expect(asked).toBe(0);
});
