/** What a client starts, delays, schedules and cancels is the owner's to admit. */
import { afterEach, expect, test } from "vitest";
import { z } from "zod";
import { type OrchestratorFace, orchestratorIn } from "../../src/engine/orchestrator.ts";
import { sha256, uuidV7 } from "../../src/engine/system.ts";
import type { World } from "../../src/engine/world.ts";
import { type AnyNode, signal, workflow } from "../../src/index.ts";
import { memory } from "../../src/store/memory.ts";
import { VirtualClock } from "../../src/testing/clock.ts";
import { anything, quiet } from "./kit.ts";

const start = Date.UTC(2030, 0, 1);
const go = signal({ name: "go", payload: anything });
const flow = workflow({ name: "flow", input: z.string(), concurrency: { limit: 1, key: (input) => input.slice(0, 1) } }, function* (input) {
  yield* go.wait();
  return input;
});

type Face = OrchestratorFace<readonly AnyNode[]>;
const opened: Face[] = [];
afterEach(() => {
  for (const one of opened.splice(0)) one.engine.die();
});

function make(max?: number) {
  const clock = new VirtualClock(start, setImmediate);
  const store = memory();
  let n = 0;
  const entropy = {
    uuid: () =>
      uuidV7(
        clock.now(),
        Uint8Array.from({ length: 10 }, (_, i) => (i === 9 ? n++ : 0)),
      ),
    random: () => 0.5,
    seed: () => 1,
  };
  const world: World = { clock, entropy, log: quiet, hash: sha256, pid: 0, guarded: true };
  const open = (): Face => {
    const face = orchestratorIn<readonly AnyNode[]>(world, {
      store,
      nodes: [flow],
      ...(max === undefined ? {} : { maxConcurrentWorkflows: max }),
    });
    opened.push(face);
    return face;
  };
  const owner = open();
  const client = open();
  const advance = async (ms: number): Promise<void> => {
    const settle = async () => {
      for (let i = 0; i < 10; i++) await new Promise<void>((resolve) => setImmediate(resolve));
    };
    const until = clock.now() + ms;
    do await settle();
    while (clock.step(until));
    clock.moveTo(until);
  };
  const statuses = async () => Object.fromEntries((await client.list()).map(({ id, status }) => [id, status]).reverse());
  const die = (): void => {
    owner.engine.die();
    store.kill();
  };
  return { owner, client, advance, statuses, die };
}

test("its starts wait for their key and for slots, in one queue with the owner's", async () => {
  const { owner, client, advance, statuses } = make();
  await advance(0);
  expect([owner.role, client.role]).toEqual(["owner", "client"]);
  for (const id of ["a1", "a2", "b1"]) await client.start(flow, id, { runId: id });
  await advance(10);
  await owner.start(flow, "a3", { runId: "a3", priority: 1 });
  await advance(10);
  expect(await statuses()).toEqual({ a1: "waiting", a2: "pending", b1: "waiting", a3: "pending" });
  await client.run("a1").signal(go, 1);
  await advance(10);
  expect(await statuses()).toEqual({ a1: "completed", a2: "pending", b1: "waiting", a3: "waiting" });
  await client.run("a2").cancel("no more");
  await advance(10);
  expect((await statuses()).a2).toBe("cancelled");
});

test("a later start begins in its time, whoever drives then", async () => {
  const { client, advance, statuses, die } = make(1);
  await advance(0);
  await client.start(flow, "a", { runId: "a", startAt: start + 60_000 });
  await advance(30_000);
  die();
  await advance(29_000);
  expect([client.role, await statuses()]).toEqual(["owner", { a: "pending" }]);
  await advance(2000);
  expect(await statuses()).toEqual({ a: "waiting" });
});

test("a schedule that it puts is driven by the owner, and listed by both", async () => {
  const { owner, client, advance, statuses } = make();
  await advance(0);
  await client.schedules.put({ id: "s", workflow: "flow", cron: "* * * * *", input: "x" });
  await advance(61_000);
  expect(await statuses()).toEqual({ "s@2030-01-01T00:01:00Z": "waiting" });
  expect(await owner.schedules.list()).toEqual(await client.schedules.list());
  await client.schedules.pause("s");
  await client.run("s@2030-01-01T00:01:00Z").signal(go, 1);
  await advance(120_000);
  expect(await statuses()).toEqual({ "s@2030-01-01T00:01:00Z": "completed" });
});

test("figures: who is driven, and who waits", async () => {
  const { owner, client, advance } = make(1);
  await advance(0);
  await owner.start(flow, "a1", { runId: "a1" });
  await client.start(flow, "a2", { runId: "a2" });
  await client.start(flow, "later", { startAt: start + 60_000 });
  await advance(10);
  // The first waits for a signal, so it is put down; the second waits for its key; the third for its time.
  expect(await owner.engine.parts.admission()).toEqual({ active: 0, queued: 1, max: 1 });
  await advance(60_000);
  expect((await owner.list({ status: "waiting" })).map(({ id }) => id).length).toBe(2);
});
