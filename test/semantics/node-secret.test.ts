/** Calls that are signed: what a run makes of a host that does not let its orchestrator in, and of one that falls silent. */
import { expect, test } from "vitest";
import { hostIn } from "../../src/engine/host/host.ts";
import { orchestratorIn } from "../../src/engine/orchestrator.ts";
import { systemWorld } from "../../src/engine/system.ts";
import { compute, createNodeHost, createOrchestrator, effect, memory, type NodeHost, workflow } from "../../src/index.ts";
import { VirtualClock } from "../../src/testing/clock.ts";
import { handled, listening, textOf } from "../serve.ts";
import { anything, quiet } from "./kit.ts";

const secret = "what both sides have";
const calls: string[] = [];
// Not idempotent: it is tried once.
const once = effect({ name: "once", input: anything, irreversible: "x" }, async (input, { attempt }) => {
  calls.push(`${input} at attempt ${attempt}`);
  return input;
});
const double = compute({ name: "double", input: anything }, (n) => 2 * n);
const flow = workflow({ name: "flow", input: anything }, function* () {
  return [yield* once("a"), yield* double(4)];
});

test("a wrong secret fails no step: what is asked waits until it is set right", async () => {
  calls.length = 0;
  const clock = new VirtualClock(Date.now(), (callback) => void setImmediate(callback));
  const world = { ...systemWorld(quiet), clock };
  const hostWith = (secret: string) => hostIn(world, { nodes: [once, double], secret });
  let host: NodeHost = hostWith("what nobody else has");
  let asked = 0;
  const url = await listening(async (incoming, outgoing) => {
    asked++;
    await handled(host, await textOf(incoming), incoming, outgoing);
  });
  const orchestrator = orchestratorIn(world, {
    store: memory(),
    nodes: [flow, once, double],
    endpoints: { once: url, double: url },
    endpointSecret: secret,
    parkAfterMs: 3_600_000,
  });
  const run = await orchestrator.start(flow, null);
  const result = run.result();
  const later = () => clock.step(Number.POSITIVE_INFINITY);
  // More often than any policy has attempts.
  while (asked < 5) {
    await new Promise((resolve) => setImmediate(resolve));
    if ((await run.status()).steps.some(({ status }) => status === "retrying")) later();
  }
  expect((await run.status()).status).not.toBe("failed");
  const failed = (await run.facts()).filter((fact) => fact.type === "action.failed");
  expect(failed[0]).toMatchObject({ outcome: "none", counts: false, error: { code: "SIGNATURE_INVALID" } });
  expect(calls).toEqual([]);
  host = hostWith(secret);
  let done = false;
  void result.then(() => (done = true));
  while (!done) {
    await new Promise((resolve) => setImmediate(resolve));
    if ((await run.status()).steps.some(({ status }) => status === "retrying")) later();
  }
  expect(await result).toEqual(["a", 8]);
  expect(calls.length).toBe(1);
  await orchestrator.close();
});

test("the secret stands in no log, error or fact", async () => {
  const teller = effect({ name: "teller", input: anything, irreversible: "x" }, async () => {
    throw new Error(`I know ${secret}`);
  });
  const host = createNodeHost({ nodes: [teller], secret, log: quiet });
  const url = await listening(async (incoming, outgoing) => handled(host, await textOf(incoming), incoming, outgoing));
  const tell = workflow({ name: "tell", input: anything }, function* () {
    return yield* teller(null);
  });
  const orchestrator = createOrchestrator({
    store: memory(),
    nodes: [tell, teller],
    endpoints: { teller: url },
    endpointSecret: secret,
    log: quiet,
  });
  const run = await orchestrator.start(tell, null);
  const error = await run.result().catch((error: unknown) => error);
  expect(String((error as Error).message)).toContain("I know");
  expect(`${(error as Error).message} ${JSON.stringify(await run.facts())}`).not.toContain(secret);
  await orchestrator.close();
  expect(() => createOrchestrator({ store: memory(), nodes: [], endpointSecret: "short" })).toThrow(
    expect.objectContaining({ code: "OPTION_INVALID" }),
  );
});

test("a host that promised to be heard of and falls silent is not waited for until the step's time is over", async () => {
  const clock = new VirtualClock(Date.now(), (callback) => void setImmediate(callback));
  let asked: (() => void) | undefined;
  const begun = new Promise<void>((resolve) => {
    asked = resolve;
  });
  const url = await listening(async (incoming, outgoing) => {
    const { abort } = JSON.parse(await textOf(incoming)) as { abort?: object };
    if (abort) {
      outgoing.end();
      return;
    }
    outgoing.writeHead(200, { "content-type": "application/x-ndjson", "onex-heartbeat": "1000" });
    outgoing.write("\n");
    asked?.();
  });
  const long = effect({ name: "long", input: anything, irreversible: "x", timeout: "7d" }, async () => null);
  const waits = workflow({ name: "waits", input: anything }, function* () {
    return yield* long(null);
  });
  const orchestrator = orchestratorIn(
    { ...systemWorld(quiet), clock },
    { store: memory(), nodes: [waits, long], endpoints: { long: url } },
  );
  const run = await orchestrator.start(waits, null);
  const from = clock.now();
  let ended: unknown;
  void run.result().catch((error: unknown) => {
    ended = error;
  });
  await begun;
  while (ended === undefined) {
    await new Promise((resolve) => setImmediate(resolve));
    clock.step(from + 60_000);
  }
  expect(ended).toMatchObject({ code: "NODE_UNREACHABLE" });
  expect(String((ended as Error).message)).toContain("silent for 3000 ms");
  await orchestrator.close();
});
