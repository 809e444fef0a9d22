/** A message that comes when a run has been read and is not yet taken. */
import { expect, test } from "vitest";
import { orchestratorIn } from "../../src/engine/orchestrator.ts";
import { sha256 } from "../../src/engine/system.ts";
import { type AnyNode, signal, workflow } from "../../src/index.ts";
import { memory } from "../../src/store/memory.ts";
import type { OpenStore, Store } from "../../src/store/store.ts";
import { VirtualClock } from "../../src/testing/clock.ts";
import { anything, quiet } from "./kit.ts";

test("a message whose news came too early is read when the run has been taken", async () => {
  const word = signal({ name: "word", payload: anything });
  const flow = workflow({ name: "flow", input: anything }, function* () {
    return [yield* word.wait(), yield* word.wait()];
  });
  const clock = new VirtualClock(Date.UTC(2030, 0, 1), setImmediate);
  const settle = async () => {
    for (let i = 0; i < 20; i++) await new Promise<void>((resolve) => setImmediate(resolve));
  };
  const inner = memory();
  let onInbox: ((store: OpenStore) => void) | undefined;
  const store: Store = {
    kind: "memory",
    open(host) {
      const open = inner.open(host);
      return new Proxy(open, {
        get(target, name) {
          const member: unknown = Reflect.get(target, name);
          if (typeof member !== "function") return member;
          return (...args: unknown[]) => {
            const answer: unknown = Reflect.apply(member, target, args);
            if (name === "inbox") {
              const then = onInbox;
              onInbox = undefined;
              then?.(target);
            }
            return answer;
          };
        },
      });
    },
  };
  const entropy = { uuid: () => "00000000-0000-7000-8000-000000000000", random: () => 0.5, seed: () => 1 };
  const world = { clock, entropy, log: quiet, hash: sha256, pid: 0, guarded: true };
  const orchestrator = orchestratorIn<readonly AnyNode[]>(world, { store, nodes: [flow] });
  const run = await orchestrator.start(flow, null, { runId: "r" });
  await settle();
  expect((await run.status()).status).toBe("waiting");
  onInbox = (open) => void open.post({ runId: "r", messageId: "second", kind: "signal", body: '{"name":"word","payload":2}' });
  await run.signal(word, 1);
  await settle();
  expect(await run.result()).toEqual([1, 2]);
});
