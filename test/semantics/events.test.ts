/** `events()` gives what was accepted so far and what follows, until the run ends. */
import { expect, test } from "vitest";
import { restart, type Steps, sleep, workflow } from "../../src/index.ts";
import { testOrchestrator } from "../../src/testing/index.ts";
import { anything, Ledger, play, quiet } from "./kit.ts";

async function collect(events: AsyncIterable<{ readonly type: string }>): Promise<string[]> {
  const types: string[] = [];
  for await (const { type } of events) types.push(type);
  return types;
}

test("from the first fact to the last, and the same to one who comes late", async () => {
  const ledger = new Ledger();
  const { t, run, facts } = await play(function* () {
    yield* ledger.act("a");
    yield* sleep("1h");
    yield* ledger.act("b");
  });
  const early = collect(run.events());
  await t.advance("2h");
  const all = (await facts()).map(({ type }) => type);
  expect(await early).toEqual(all);
  expect(await collect(run.events())).toEqual(all);
  expect(all.at(-1)).toBe("run.completed");
});

test("a listener that goes away is forgotten", async () => {
  const { t, run } = await play(function* () {
    yield* sleep("1h");
  });
  for await (const _fact of run.events()) break;
  await t.advance("2h");
  expect((await run.status()).status).toBe("completed");
});

test("over a restart it goes on with the new log", async () => {
  const flow = workflow({ name: "flow", input: anything }, function* (n: number): Steps<number> {
    yield* sleep("1m");
    return n < 2 ? yield* restart(n + 1) : n;
  });
  const t = testOrchestrator({ nodes: [flow], log: quiet });
  const run = await t.start(flow, 1);
  const seen = collect(run.events());
  await t.advance("1h");
  const types = await seen;
  expect(types.filter((type) => type === "run.started")).toHaveLength(2);
  expect(types.filter((type) => type === "run.restarted")).toHaveLength(1);
  expect(types.at(-1)).toBe("run.completed");
});

test("of an unknown run throws RUN_UNKNOWN", async () => {
  const { t } = await play(function* () {
    yield* sleep("1h");
  });
  await expect(collect(t.run("nobody").events())).rejects.toMatchObject({ code: "RUN_UNKNOWN" });
});
