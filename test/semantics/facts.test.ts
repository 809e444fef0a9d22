import { expect, test } from "vitest";
import { createOrchestrator, type Fact, memory, sleep, workflow } from "../../src/index.ts";
import { anything, Ledger, play, quiet } from "./kit.ts";

async function played() {
  const ledger = new Ledger();
  const played = await play(function* () {
    for (let i = 0; i < 40; i++) {
      yield* ledger.act(`a${i}`);
      if (i % 10 === 9) yield* sleep("1h");
    }
  });
  await played.t.advance("5h");
  return { ...played, all: await played.facts() };
}

test("facts are read a page at a time, from anywhere", async () => {
  const { run, all } = await played();
  expect(all.length).toBeGreaterThan(80);
  for (const after of [0, 1, 2, 3, 17, all.length - 1, all.length, all.length + 5])
    for (const limit of [1, 2, 7, 1000]) expect(await run.facts({ after, limit })).toEqual(all.slice(after, after + limit));
  expect(await run.facts({ after: 5 })).toEqual(all.slice(5));
  expect(await run.facts({ limit: 5 })).toEqual(all.slice(0, 5));
});

test("and so are those of a fork, whose first turn is long", async () => {
  const { t, run } = await played();
  const forked = await t.fork(run.runId, { from: "act#36" });
  await t.advance("5h");
  const all = await forked.facts();
  for (let after = 0; after <= all.length; after++) expect(await forked.facts({ after, limit: 3 })).toEqual(all.slice(after, after + 3));
});

test("events go on from anywhere, and end where the run did", async () => {
  const { run, all } = await played();
  for (const after of [0, 1, 40, all.length - 1, all.length]) {
    const seen: Fact[] = [];
    for await (const fact of run.events({ after })) seen.push(fact);
    expect(seen).toEqual(all.slice(after));
  }
});

test("events that wait end at once when they are told to", async () => {
  const { run } = await play(function* () {
    yield* sleep("1h");
  });
  const gone = new AbortController();
  const seen: string[] = [];
  const reading = (async () => {
    for await (const { type } of run.events({ signal: gone.signal })) {
      seen.push(type);
      if (type === "timer.set") setImmediate(() => gone.abort());
    }
  })();
  await reading;
  expect(seen.at(-1)).toBe("timer.set");
  for await (const _fact of run.events({ signal: AbortSignal.abort() })) throw new Error("it was told to end");
});

test("a start that comes again while the first is on its way finds it in the store", async () => {
  const flow = workflow({ name: "flow", input: anything }, function* () {
    yield* sleep("1h");
  });
  const orchestrator = createOrchestrator({ store: memory(), nodes: [flow], log: quiet });
  const starts = Array.from({ length: 5 }, async () => {
    const run = await orchestrator.start(flow, 1, { runId: "r" });
    return { existed: run.existed, status: (await run.status()).workflow };
  });
  const found = await Promise.all(starts);
  expect(found.map(({ existed }) => existed).sort()).toEqual([false, true, true, true, true]);
  await orchestrator.close();
});
