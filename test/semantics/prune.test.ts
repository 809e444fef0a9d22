/** Runs that were removed: what their callers see, and what is never removed. */
import { expect, test } from "vitest";
import { orchestratorIn } from "../../src/engine/orchestrator.ts";
import { sha256 } from "../../src/engine/system.ts";
import { type AnyNode, compensate, signal, workflow } from "../../src/index.ts";
import { memory } from "../../src/store/memory.ts";
import { VirtualClock } from "../../src/testing/clock.ts";
import { type TestOrchestrator, testOrchestrator } from "../../src/testing/index.ts";
import { anything, Ledger, quiet } from "./kit.ts";

const word = signal({ name: "word", payload: anything });

function open(nodes: readonly AnyNode[]) {
  const t = testOrchestrator<readonly AnyNode[]>({ nodes, log: quiet }) as TestOrchestrator<readonly AnyNode[]>;
  const { store } = (t as unknown as { readonly engine: { readonly store: import("../../src/store/store.ts").OpenStore } }).engine;
  return { t, store };
}

const codeOf = (asked: Promise<unknown>): Promise<unknown> =>
  asked.then(
    () => "none",
    ({ code }: { code?: string }) => code,
  );

test("a run that was removed is not run again under its id, and says what became of it", async () => {
  const ledger = new Ledger();
  const flow = workflow({ name: "flow", input: anything }, function* (id) {
    return yield* ledger.act(id);
  });
  const { t, store } = open([flow]);
  const run = await t.start(flow, "a", { runId: "r" });
  await t.advance("1h");
  expect((await store.prune(store.now() + 1, 10)).runs).toBe(1);
  // How it ended is remembered for a while by the process that drove it; another one knows nothing.
  await t.crash();
  for (const asked of [() => run.status(), () => run.facts(), () => run.result(), () => run.signal(word, 1), () => run.cancel()])
    expect(await codeOf(asked())).toBe("RUN_PRUNED");
  expect(await t.getWorkflowStatus("r")).toBeUndefined();
  const again = await t.start(flow, "a", { runId: "r" });
  expect(await codeOf(again.result())).toBe("RUN_PRUNED");
  expect(await codeOf(t.start(flow, "b", { runId: "r" }))).toBe("RUN_ID_CONFLICT");
  expect(await codeOf(t.process({ workflowType: "flow", workflowContext: "a", idempotencyKey: "r" } as never))).toBe("RUN_PRUNED");
  await t.advance("1h");
  expect(ledger.lines).toEqual(["a"]);
  // An hour after its end its id is free, if that is what is asked for.
  await store.prune(0, 10, { keepIdsMs: 3_600_000 });
  await t.start(flow, "b", { runId: "r" });
  await t.advance("1h");
  expect(ledger.lines).toEqual(["a", "b"]);
});

test("what a run under way may have to take back is not removed, however deep it is", async () => {
  const ledger = new Ledger();
  const inner = workflow({ name: "inner", input: anything }, function* () {
    return yield* ledger.act("deep");
  });
  const middle = workflow({ name: "middle", input: anything }, function* () {
    return yield* inner(null);
  });
  const outer = workflow({ name: "outer", input: anything }, function* () {
    yield* middle(null);
    yield* word.wait();
    throw new Error("no");
  });
  const { t, store } = open([outer, middle, inner]);
  const run = await t.start(outer, null, { runId: "r" });
  await t.advance("1h");
  expect(await store.prune(store.now() + 1, 10)).toMatchObject({ runs: 0, more: false });
  await run.signal(word, null);
  await t.advance("1h");
  expect(ledger.lines).toEqual(["deep", "undo deep"]);
  expect((await run.status()).status).toBe("failed");
  expect((await store.prune(store.now() + 1, 10)).runs).toBeGreaterThan(2);
  expect(await t.list()).toEqual([]);
});

test("a fork under way keeps the children of the run whose past it shares", async () => {
  const ledger = new Ledger();
  const child = workflow({ name: "child", input: anything }, function* () {
    return yield* ledger.act("shared");
  });
  const flow = workflow({ name: "flow", input: anything, onFailure: "stop" }, function* () {
    yield* child(null);
    yield* ledger.look("last");
    yield* word.wait();
    yield* compensate();
  });
  const { t, store } = open([flow, child]);
  ledger.manners.last = ["fatal", "ok"];
  await t.start(flow, null, { runId: "r" });
  await t.advance("1h");
  expect(ledger.lines).toEqual(["shared", "last"]);
  const fork = await t.fork("r", { from: "look", runId: "fork" });
  await t.advance("1h");
  expect((await fork.status()).status).toBe("waiting");
  expect((await store.prune(store.now() + 1, 10)).runs).toBe(0);
  await fork.signal(word, null);
  await t.advance("1h");
  expect(ledger.lines.at(-1)).toBe("undo shared");
  expect((await store.prune(store.now() + 1, 10)).more).toBe(false);
  expect(await t.list()).toEqual([]);
});

test("who waits for a run that is removed is told, and the others go on waiting", async () => {
  const flow = workflow({ name: "flow", input: anything }, function* () {
    return yield* word.wait();
  });
  const clock = new VirtualClock(Date.UTC(2030, 0, 1), setImmediate);
  const shared = memory();
  let count = 0;
  const entropy = { uuid: () => `00000000-0000-7000-8000-${String(count++).padStart(12, "0")}`, random: () => 0.5, seed: () => 1 };
  const world = { clock, entropy, log: quiet, hash: sha256, pid: 0, guarded: true };
  const owner = orchestratorIn<readonly AnyNode[]>(world, { store: shared, nodes: [flow] });
  const client = orchestratorIn<readonly AnyNode[]>(world, { store: shared, nodes: [] });
  const settle = async () => {
    for (let i = 0; i < 12; i++) await new Promise<void>((resolve) => setImmediate(resolve));
  };
  for (const runId of ["gone", "stays"]) await owner.start(flow, null, { runId });
  await settle();
  const types: string[] = [];
  const read = async () => {
    for await (const { type } of client.run("gone").events()) types.push(type);
  };
  const events = codeOf(read());
  const [gone, stays] = [codeOf(client.run("gone").result()), client.run("stays").result()];
  await settle();
  // It ends and is removed before the client has looked.
  await owner.run("gone").signal(word, 1);
  await settle();
  expect((await owner.engine.store.prune(clock.now() + 1, 10)).runs).toBe(1);
  while (clock.step(clock.now() + 1000)) await settle();
  expect(await gone).toBe("RUN_PRUNED");
  expect([await events, types]).toEqual(["RUN_PRUNED", ["run.started", "lease.acquired", "signal.awaited"]]);
  await owner.run("stays").signal(word, 2);
  await settle();
  while (clock.step(clock.now() + 1000)) await settle();
  expect(await stays).toBe(2);
});
