import { expect, test } from "vitest";
import { z } from "zod";
import { createOrchestrator } from "../../src/engine/orchestrator.ts";
import { all, compute, memory, workflow } from "../../src/index.ts";
import type { Store } from "../../src/store/store.ts";

/** A store that tells how many facts and characters each turn has. */
function watched(turns: { readonly facts: number; readonly length: number }[]): Store {
  const store = memory();
  return {
    kind: store.kind,
    open(host) {
      const open = store.open(host);
      const append = open.append.bind(open);
      open.append = (batch) => {
        for (const { next, pos, facts } of batch) turns.push({ facts: next - pos, length: facts.length });
        return append(batch);
      };
      return open;
    },
  };
}

const text = compute({ name: "text", input: z.object({ length: z.number() }) }, ({ length }) => "x".repeat(length));
const many = workflow({ name: "many", input: z.object({ count: z.number(), length: z.number() }) }, function* ({ count, length }) {
  const texts = yield* all(Array.from({ length: count }, () => text({ length })));
  return texts.length;
});

test.each([
  { count: 1_000, length: 1, why: "256 facts" },
  { count: 100, length: 50_000, why: "1 MiB" },
])("a turn closes at $why, and the rest goes on", async ({ count, length }) => {
  const turns: { readonly facts: number; readonly length: number }[] = [];
  const orchestrator = createOrchestrator({ store: watched(turns), nodes: [many] });
  const run = await orchestrator.start(many, { count, length });
  expect(await run.result()).toBe(count);
  expect(turns.length).toBeGreaterThanOrEqual(4);
  // What closes it is the fact that reaches the bound.
  for (const turn of turns) expect(turn.facts <= 257 && turn.length < 1024 * 1024 + 2 * 50_000).toBe(true);
  await orchestrator.close();
});
