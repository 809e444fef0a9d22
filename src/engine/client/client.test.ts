import { expect, test } from "vitest";
import { z } from "zod";
import { quiet } from "../../../test/semantics/kit.ts";
import { compute } from "../../node/compute.ts";
import { effect } from "../../node/effect.ts";
import { reducer } from "../../node/reducer.ts";
import { workflow } from "../../node/workflow.ts";
import { VirtualClock } from "../../testing/clock.ts";
import { Stage } from "../../testing/stub.ts";
import { systemWorld } from "../system.ts";
import { NodeClient } from "./client.ts";
import { EndpointRegistry, isElsewhere, readEndpoints, refuseRemote } from "./endpoints.ts";

const any = z.any();
const far = effect({ name: "far", input: any }, async () => null);
const near = effect({ name: "near", input: any }, async () => null);
const sum = compute({ name: "sum", input: any }, () => null);
const endpoints = readEndpoints({ far: "http://host:1/x", sum: "https://host/y", unknown: "http://host:2" });
const world = (stubbed: readonly string[] = []) => ({
  ...systemWorld(quiet),
  clock: new VirtualClock(7, () => {}),
  stage: new Stage(stubbed.map((node) => ({ node, run: () => null }))),
});
const settings = { abortGraceMs: 1, maxValueBytes: 1024 };

test("a node is where the configuration says, unless a test plays it", () => {
  const client = new NodeClient(world(), endpoints, settings);
  expect([far, near, sum].map(({ contract }) => client.endpointOf(contract))).toEqual(["http://host:1/x", "local:near", "https://host/y"]);
  const played = new NodeClient(world(["far"]), endpoints, settings);
  expect(played.endpointOf(far.contract)).toBe("local:far");
  expect(isElsewhere(world(["near"]), endpoints, "near")).toBe(true);
  expect(isElsewhere(world(), endpoints, "near")).toBe(false);
});

test("what calls have found out stands in the views, a refusal is no failure of the node", () => {
  const client = new NodeClient(world(), endpoints, settings, [far.contract, sum.contract]);
  expect(client.views().map(({ node, kind, status }) => [node, kind, status])).toEqual([
    ["far", "effect", "unknown"],
    ["sum", "compute", "unknown"],
    ["unknown", "effect", "unknown"],
  ]);
  client.ended(far.contract, 5, undefined);
  client.ended(far.contract, 9, { code: "NODE_UNREACHABLE", message: "gone" });
  client.ended(near.contract, 3, { code: "EFFECT_THREW", message: "broke" });
  expect(client.views()).toMatchObject([
    {
      node: "far",
      endpoint: "http://host:1/x",
      status: "unhealthy",
      calls: 2,
      failures: 1,
      lastError: "NODE_UNREACHABLE: gone",
      checkedAt: 7,
      latencyMs: 9,
    },
    { node: "sum", calls: 0 },
    { node: "unknown" },
    { node: "near", endpoint: "local:near", status: "degraded", calls: 1, failures: 1 },
  ]);
  client.ended(far.contract, 1, undefined);
  expect(client.views()[0]).toMatchObject({ status: "healthy", lastError: "NODE_UNREACHABLE: gone" });
});

test("a name that only endpoints know answers as the kind that is asked for, and promises nothing", () => {
  const registry = new EndpointRegistry([far, near], endpoints);
  expect(registry.find("effect", "far")).toBe(far);
  expect(registry.find("compute", "far"), "it is known, and is none").toBeUndefined();
  expect(registry.find("effect", "far@2"), "nor in that version").toBeUndefined();
  const made = registry.find("effect", "unknown@2");
  expect(made?.contract).toMatchObject({ kind: "effect", name: "unknown", version: "2" });
  expect(made?.contract.idempotent).toBeUndefined();
  expect(registry.find("effect", "unknown@2")).toBe(made);
  expect(registry.find("compute", "unknown")?.contract).toMatchObject({ kind: "compute", version: "*" });
  expect(registry.find("reducer", "unknown")).toBeUndefined();
  expect(registry.find("workflow", "unknown")).toBeUndefined();
  expect(registry.names("effect")).toEqual(["far", "near", "sum", "unknown"]);
  expect(registry.names("reducer")).toEqual([]);
});

test("only computes and effects may live elsewhere", () => {
  const flow = workflow({ name: "far", input: any }, function* () {});
  const count = reducer({ name: "sum", event: any, initial: 0 }, (n: number) => n);
  for (const node of [flow, count])
    expect(() => refuseRemote(endpoints, [node.contract])).toThrow(expect.objectContaining({ code: "REMOTE_REFUSED" }));
  expect(() => refuseRemote(endpoints, [far.contract, near.contract, sum.contract])).not.toThrow();
});
