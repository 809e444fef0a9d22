import { expect, test } from "vitest";
import { z } from "zod";
import { createOrchestrator } from "../../src/engine/create.ts";
import { all, compute, effect, memory, workflow } from "../../src/index.ts";
import type { Store } from "../../src/store/store.ts";

interface Turn {
  readonly facts: number;
  readonly length: number;
  readonly types: readonly string[];
}

/** A store that tells what facts and how many characters each turn has. */
function watched(turns: Turn[]): Store {
  const store = memory();
  return {
    kind: store.kind,
    open(host) {
      const open = store.open(host);
      const append = open.append.bind(open);
      open.append = (batch) => {
        for (const { next, pos, facts } of batch)
          turns.push({
            facts: next - pos,
            length: facts.length,
            types: (JSON.parse(facts) as { readonly type: string }[]).map(({ type }) => type),
          });
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
  const turns: Turn[] = [];
  const orchestrator = createOrchestrator({ store: watched(turns), nodes: [many] });
  const run = await orchestrator.start(many, { count, length });
  expect(await run.result()).toBe(count);
  expect(turns.length).toBeGreaterThanOrEqual(4);
  // What closes it is the fact that reaches the bound.
  for (const turn of turns) expect(turn.facts <= 257 && turn.length < 1024 * 1024 + 2 * 50_000).toBe(true);
  await orchestrator.close();
});

test("a run and its first owner come in one turn, with what it wants first; a result comes with what follows from it", async () => {
  const act = effect({ name: "act", input: z.number(), readonly: true }, async (n) => n);
  const flow = workflow({ name: "flow", input: z.null() }, function* () {
    yield* act(1);
    yield* act(2);
  });
  const turns: Turn[] = [];
  const orchestrator = createOrchestrator({ store: watched(turns), nodes: [flow] });
  await (await orchestrator.start(flow, null)).result();
  expect(turns.map(({ types }) => types)).toEqual([
    ["run.started", "lease.acquired", "action.dispatched"],
    ["action.completed", "action.dispatched"],
    ["action.completed", "run.completed"],
  ]);
  await orchestrator.close();
});

test("D58: a turn holds its news alone: what is written grows with the steps, not with their square", async () => {
  const act = effect({ name: "act", input: z.number(), readonly: true }, async () => "x".repeat(10_000));
  const flow = workflow({ name: "flow", input: z.number() }, function* (steps) {
    const results: string[] = [];
    for (let i = 0; i < steps; i++) results.push(yield* act(i));
    return results.length;
  });
  const written = async (steps: number) => {
    const turns: Turn[] = [];
    const orchestrator = createOrchestrator({ store: watched(turns), nodes: [flow] });
    await (await orchestrator.start(flow, steps)).result();
    await orchestrator.close();
    return turns.reduce((sum, { length }) => sum + length, 0);
  };
  expect(await written(40)).toBeLessThan(40 * 11_000);
});
