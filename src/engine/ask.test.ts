/** Questions to a compute elsewhere: tried again on the way, never on what the compute said. */
import type { ServerResponse } from "node:http";
import { afterEach, describe, expect, test } from "vitest";
import { z } from "zod";
import { quiet } from "../../test/semantics/kit.ts";
import { listening, textOf } from "../../test/serve.ts";
import type { CommandOf } from "../core/command.ts";
import type { FactBody } from "../core/fact.ts";
import type { Json } from "../core/json.ts";
import { compute } from "../node/compute.ts";
import { VirtualClock } from "../testing/clock.ts";
import { actionIdOf } from "./action.ts";
import { Ask } from "./ask.ts";
import { breakerSettings, type Outcome } from "./breaker.ts";
import type { CallHost } from "./call.ts";
import { NodeClient } from "./client/client.ts";
import { Gate } from "./gate.ts";
import { Services } from "./services.ts";
import { sha256, systemWorld } from "./system.ts";
import { encodeAnswer } from "./wire.ts";

const double = compute({ name: "double", input: z.number(), output: z.number() }, (n) => n * 2);
const wish: CommandOf<"compute"> = {
  type: "compute",
  key: "c:double",
  step: "double",
  callee: double.contract,
  input: 2,
  digest: "d",
  timeoutMs: undefined,
};
const base = { step: "double", node: "double", digest: "d" };

const clients: NodeClient[] = [];
afterEach(async () => {
  for (const client of clients.splice(0)) await client.close();
});

/** Asks a server that takes each delivery as the next of `manners` says. */
async function asked(...manners: ((response: ServerResponse) => void)[]) {
  const bodies: { readonly action: Record<string, Json> }[] = [];
  const told: (() => void)[] = [];
  const url = await listening(async (request, response) => {
    bodies.push(JSON.parse(await textOf(request)));
    for (const tell of told.splice(0)) tell();
    manners[Math.min(bodies.length, manners.length) - 1]?.(response);
  });
  const clock = new VirtualClock(0, (callback) => void setImmediate(callback));
  const world = { ...systemWorld(quiet), clock };
  const client = new NodeClient(world, new Map([["double", new URL(url)]]), { abortGraceMs: 1_000, maxValueBytes: 1024 }, [
    double.contract,
  ]);
  clients.push(client);
  const keyOf = (step: string) => sha256(step);
  const host: CallHost = {
    runId: "run",
    correlationId: "run",
    leaseId: "lease",
    epoch: 1,
    started: undefined,
    keyOf,
    actionIdOf: (step, attempt) => actionIdOf(sha256, keyOf(step), attempt),
    log: quiet,
    clock,
    client,
    services: new Services([]),
    abortGraceMs: 1_000,
    maxValueBytes: 1024,
    now: () => clock.now(),
    report: () => {},
    over: () => {},
  };
  const facts: FactBody[] = [];
  let over = 0;
  const gate = new Gate({
    clock,
    now: () => clock.now(),
    breaker: breakerSettings({ successThreshold: 1 }),
    endpoints: { double: url },
    rested: () => {},
  });
  const ask = new Ask(host, wish, { gate, priority: 100, answer: (fact) => facts.push(fact), over: () => over++ });
  const until = async (done: () => boolean, ms = 0): Promise<void> => {
    while (!done()) {
      await new Promise((resolve) => setImmediate(resolve));
      if (ms > 0) clock.step(clock.now() + ms);
    }
  };
  return { ask, facts, bodies, client, clock, gate, until, over: () => over };
}
const answers = (text: string) => (response: ServerResponse) =>
  void response.writeHead(200, { "content-type": "application/json" }).end(text);
const refusal = encodeAnswer({ status: "failed", error: { code: "UNLUCKY", message: "x" }, outcome: "none", final: true });
const resets = (response: ServerResponse) => void response.destroy();
const busy = (response: ServerResponse) => void response.writeHead(503, { "retry-after": "0" }).end();

test("what goes wrong on the way is tried again, as the same action", async () => {
  const { ask, facts, bodies, until, client, over } = await asked(resets, busy, answers(encodeAnswer({ status: "completed", output: 4 })));
  ask.start();
  await until(() => facts.length > 0, 2_000);
  expect(facts).toEqual([{ type: "compute.completed", ...base, output: 4 }]);
  expect(bodies.map(({ action }) => [action.delivery, action.attempt])).toEqual([
    [1, 1],
    [2, 1],
    [3, 1],
  ]);
  expect(new Set(bodies.map(({ action }) => action.action_id)).size).toBe(1);
  expect(client.views()).toMatchObject([{ node: "double", kind: "compute", calls: 3, failures: 2, status: "healthy" }]);
  expect(over()).toBe(1);
});

test("who is not let in asks until it is, ever less often, and that counts as nothing", async () => {
  const shut = encodeAnswer({ status: "failed", error: { code: "SIGNATURE_INVALID", message: "who?" }, outcome: "none" });
  const out = (response: ServerResponse) => void response.writeHead(401, { "content-type": "application/json" }).end(shut);
  const in4 = answers(encodeAnswer({ status: "completed", output: 4 }));
  const { ask, facts, bodies, clock } = await asked(out, out, out, out, out, out, resets, in4);
  ask.start();
  const sentAt = new Set([0]);
  while (facts.length === 0) {
    await new Promise((resolve) => setImmediate(resolve));
    if (!ask.idle) continue;
    clock.step(Number.POSITIVE_INFINITY);
    sentAt.add(clock.now());
  }
  expect(facts).toEqual([{ type: "compute.completed", ...base, output: 4 }]);
  expect(bodies.length).toBe(8);
  expect([...sentAt].slice(0, 7)).toEqual([0, 30_000, 90_000, 210_000, 450_000, 750_000, 1_050_000]);
});

test("after three it fails with what was wrong last", async () => {
  const { ask, facts, bodies, until } = await asked(resets);
  ask.start();
  await until(() => facts.length > 0, 2_000);
  expect(facts).toEqual([{ type: "compute.failed", ...base, error: expect.objectContaining({ code: "NODE_UNREACHABLE" }) }]);
  expect(bodies.length).toBe(3);
});

test("what the compute says is final, and its output is checked here too", async () => {
  const refused = await asked(answers(refusal));
  refused.ask.start();
  await refused.until(() => refused.facts.length > 0);
  expect(refused.facts).toEqual([{ type: "compute.failed", ...base, error: { code: "UNLUCKY", message: "x" } }]);
  expect(refused.client.views()).toMatchObject([{ calls: 1, failures: 0, status: "healthy" }]);
  const wrong = await asked(answers(encodeAnswer({ status: "completed", output: "4" })));
  wrong.ask.start();
  await wrong.until(() => wrong.facts.length > 0);
  expect(wrong.facts).toMatchObject([{ type: "compute.failed", error: { code: "OUTPUT_INVALID" } }]);
  expect(wrong.bodies.length).toBe(1);
});

test("one that does not answer in time is asked again", async () => {
  const { ask, facts, bodies, clock, until } = await asked(() => {}, answers(encodeAnswer({ status: "completed", output: 4 })));
  ask.start();
  await until(() => bodies.length === 1);
  expect(clock.step(29_999)).toBe(false);
  expect(clock.step(30_000)).toBe(true);
  await until(() => facts.length > 0, 2_000);
  expect(facts).toMatchObject([{ type: "compute.completed", output: 4 }]);
  expect(bodies.length).toBe(2);
});

describe("at the gate", () => {
  /** Fails so often that the breaker opens. */
  const opened = (gate: Gate, outcome: Outcome = "failure"): void => {
    for (let i = 0; i < 5; i++) {
      const pass = gate.enter({ ...asks, go: () => {} });
      if (!pass || "code" in pass) throw new Error("it is let through");
      pass.begin();
      pass.leave(outcome);
    }
  };
  const asks = { node: double.contract, input: undefined, priority: 1, giveUpAt: undefined, wanted: () => true, giveUp: () => {} };
  const state = (gate: Gate) => gate.breakers()[0]?.state;

  test("it waits while the breaker is open, and its answer closes it", async () => {
    const { ask, facts, bodies, clock, gate, until } = await asked(answers(encodeAnswer({ status: "completed", output: 4 })));
    opened(gate);
    ask.start();
    expect([ask.idle, gate.breakers()[0]?.refused]).toEqual([true, 1]);
    clock.step(59_999);
    expect(bodies.length).toBe(0);
    expect(clock.step(60_000)).toBe(true);
    expect(ask.idle).toBe(false);
    await until(() => facts.length > 0);
    expect(facts).toMatchObject([{ type: "compute.completed", output: 4 }]);
    expect([bodies.length, state(gate)]).toEqual([1, "closed"]);
  });

  test.each([
    ["a reset connection", resets, "open"],
    ["a failure of the compute", answers(refusal), "closed"],
    ["a host that is busy", busy, "half_open"],
  ] as const)("as a probe: %s", async (_what, manner, then) => {
    const { ask, bodies, clock, gate, client, until } = await asked(manner);
    opened(gate);
    ask.start();
    clock.step(60_000);
    await until(() => bodies.length === 1 && client.views()[0]?.calls === 1);
    expect(state(gate)).toBe(then);
    ask.drop("ORCHESTRATOR_CLOSED");
  });

  test("every attempt counts, and one that is given up gives its place back", async () => {
    const { ask, facts, bodies, gate, until } = await asked(resets, resets, () => {});
    ask.start();
    await until(() => bodies.length === 3, 2_000);
    expect(gate.breakers()).toMatchObject([{ calls: 2, failures: 2 }]);
    ask.cancel();
    expect(gate.breakers()).toMatchObject([{ calls: 2, failures: 2, state: "closed" }]);
    const waits = await asked(() => {});
    opened(waits.gate);
    waits.ask.start();
    waits.ask.drop("ORCHESTRATOR_CLOSED");
    expect(waits.ask.idle).toBe(false);
    waits.clock.step(60_000);
    expect([waits.bodies.length, waits.over(), facts.length, state(waits.gate)]).toEqual([0, 1, 0, "half_open"]);
  });
});

test("given up, it says nothing more, and counts once", async () => {
  for (const how of ["cancel", "drop"] as const) {
    const { ask, facts, bodies, until, over } = await asked(() => {});
    ask.start();
    await until(() => bodies.length === 1);
    if (how === "cancel") ask.cancel();
    else ask.drop("LEASE_LOST");
    ask.drop("ORCHESTRATOR_CLOSED");
    await new Promise((resolve) => setImmediate(resolve));
    expect([facts.length, over(), bodies.length]).toEqual([0, 1, 1]);
  }
});
