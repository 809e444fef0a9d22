/** No run that was put down is forgotten, whatever happens between two looks at the store. */
import { expect, test } from "vitest";
import { orchestratorIn } from "../../src/engine/orchestrator.ts";
import { sha256 } from "../../src/engine/system.ts";
import { type AnyNode, effect, race, signal, sleep, workflow } from "../../src/index.ts";
import { memory } from "../../src/store/memory.ts";
import type { OpenStore, Store } from "../../src/store/store.ts";
import { VirtualClock } from "../../src/testing/clock.ts";
import { anything, Gate, quiet } from "./kit.ts";

/** An orchestrator in virtual time; `after` is told each verb that its store has answered, and may have the answer come later. */
function stage(nodes: readonly AnyNode[], after: (verb: string, answer: unknown, clock: VirtualClock) => unknown) {
  const clock = new VirtualClock(Date.UTC(2030, 0, 1), setImmediate);
  const inner = memory();
  const watched = (target: OpenStore): OpenStore =>
    new Proxy(target, {
      get(_, name) {
        const member: unknown = Reflect.get(target, name);
        if (typeof member !== "function") return member;
        return (...args: unknown[]) => {
          const answer: unknown = Reflect.apply(member, target, args);
          return after(String(name), answer, clock) ?? answer;
        };
      },
    });
  const store: Store = { kind: "memory", open: (host) => watched(inner.open(host)) };
  let count = 0;
  const entropy = { uuid: () => `00000000-0000-7000-8000-${String(count++).padStart(12, "0")}`, random: () => 0.5, seed: () => 1 };
  const world = { clock, entropy, log: quiet, hash: sha256, pid: 0, guarded: true };
  const orchestrator = orchestratorIn<readonly AnyNode[]>(world, { store, nodes, parkAfterMs: 0 });
  const settle = async () => {
    for (let i = 0; i < 12; i++) await new Promise<void>((resolve) => setImmediate(resolve));
  };
  const advance = async (ms: number) => {
    const until = clock.now() + ms;
    do await settle();
    while (clock.step(until));
    clock.moveTo(until);
  };
  return { clock, orchestrator, settle, advance };
}

/** It was true when it was asked. */
async function later<T>(answer: T): Promise<T> {
  for (let i = 0; i < 4; i++) await new Promise<void>((resolve) => setImmediate(resolve));
  return answer;
}

test.each([1, 2, 3, 4, 7])(
  "a run whose time comes while due runs are looked for is taken by the next look, when a look takes %i ms",
  async (ms) => {
    const nap = workflow({ name: "nap", input: anything }, function* () {
      for (let i = 0; i < 5; i++) yield* sleep("3ms");
      return "rested";
    });
    const { orchestrator, advance } = stage([nap], (verb, _, clock) => {
      if (verb === "due") clock.moveTo(clock.now() + ms);
    });
    for (let i = 0; i < 4; i++) {
      await orchestrator.start(nap, null, { runId: `r${i}` });
      await advance(1);
    }
    await advance(5_000);
    for (let i = 0; i < 4; i++) expect((await orchestrator.run(`r${i}`).status()).status).toBe("completed");
  },
);

test("a run that is put down while the next moment is looked for wakes when its time comes", async () => {
  const nap = workflow({ name: "nap", input: anything }, function* () {
    for (let i = 0; i < 5; i++) yield* sleep("3ms");
    return "rested";
  });
  const { orchestrator, advance } = stage([nap], (verb, answer) => (verb === "nextWake" ? later(answer) : undefined));
  await orchestrator.start(nap, null, { runId: "r" });
  await advance(5_000);
  expect((await orchestrator.run("r").status()).status).toBe("completed");
});

test("a child that is put down in the very batch that brings it a cancel is taken again for it", async () => {
  const mine = new Gate();
  const its = new Gate();
  const word = signal({ name: "word", payload: anything });
  const call = effect({ name: "call", input: anything, readonly: true }, async (whose) => {
    await (whose === "mine" ? mine : its).pass();
    return whose;
  });
  const child = workflow({ name: "child", input: anything }, function* () {
    yield* call("its");
    return yield* word.wait();
  });
  const parent = workflow({ name: "parent", input: anything }, function* () {
    return yield* race({ quick: call("mine"), slow: child(null) });
  });
  const batches: string[][] = [];
  const { orchestrator, advance } = stage([parent, child, call], (verb, answer) => {
    if (verb === "append") batches.push((answer as { runNo: number }[]).map(({ runNo }) => `${runNo}`));
  });
  const run = await orchestrator.start(parent, null, { runId: "r" });
  await advance(10);
  // Both are answered in one turn of the event loop, the parent first.
  mine.open();
  its.open();
  await advance(10_000);
  expect(batches).toContainEqual(["1", "2"]);
  expect((await run.status()).status).toBe("completed");
});
