// biome-ignore-all lint/correctness/useYield: a workflow may end at once
/** `restart(input)` goes on under the same id with a fresh log (API rule 20). */
import { expect, test } from "vitest";
import { z } from "zod";
import { attempt, effect, restart, type Steps, signal, sleep, workflow } from "../../src/index.ts";
import { testOrchestrator } from "../../src/testing/index.ts";
import { anything, Ledger, quiet } from "./kit.ts";

const tick = signal({ name: "tick", payload: z.number() });

function loop(body: (round: number) => Steps<unknown>) {
  const flow = workflow({ name: "loop", input: z.object({ round: z.number() }) }, function* ({ round }): Steps<unknown> {
    const result = yield* body(round);
    return result === "again" ? yield* restart({ round: round + 1 }) : result;
  });
  const t = testOrchestrator({ nodes: [flow], log: quiet });
  return { t, flow, start: () => t.start(flow, { round: 1 }, { runId: "run", correlationId: "c", priority: 7 }) };
}

test("keeps the id; result waits for the current one", async () => {
  const { t, start } = loop(function* (round) {
    yield* sleep("1h");
    return round < 3 ? "again" : `done in ${round}`;
  });
  const run = await start();
  const result = run.result();
  await t.advance("90m");
  expect(await run.status()).toMatchObject({ runId: "run", status: "waiting", input: { round: 2 }, correlationId: "c" });
  await t.advance("2h");
  expect(await result).toBe("done in 3");
  expect(await t.run("run").result()).toBe("done in 3");
});

test("begins a new log, and the old one stays under a name of its own", async () => {
  const { t, start } = loop(function* (round) {
    yield* sleep("1s");
    return round < 2 ? "again" : "done";
  });
  const run = await start();
  await t.advance("1m");
  const facts = await run.facts();
  expect(facts[0]).toMatchObject({ type: "run.started", input: { round: 2 }, priority: 7 });
  expect(facts.at(-1)).toMatchObject({ type: "run.completed" });
  const old = (await t.list()).find(({ id }) => id.startsWith("run~"));
  expect((await t.run(old?.id ?? "").facts()).at(-1)).toMatchObject({ type: "run.restarted", input: { round: 2 } });
});

test("signals that nobody took move along", async () => {
  const { t, start } = loop(function* (round) {
    if (round === 1) {
      yield* sleep("1h");
      return "again";
    }
    return [yield* tick.wait(), yield* tick.wait(), yield* tick.wait()];
  });
  const run = await start();
  await run.signal(tick, 1);
  await run.signal(tick, 2);
  await t.advance("2h");
  await t.crash();
  await run.signal(tick, 3);
  await t.advance("1s");
  expect(await run.result()).toEqual([1, 2, 3]);
});

test("signal and cancel by that id reach the current one", async () => {
  const { t, start } = loop(function* (round) {
    yield* sleep(round === 1 ? "1s" : "24h");
    return "again";
  });
  const run = await start();
  await t.advance("1m");
  await run.cancel("enough");
  await t.advance("1s");
  await expect(run.result()).rejects.toMatchObject({ code: "RUN_CANCELLED", reason: "enough" });
});

test("what completed is not taken back, what is unknown is, before the new log begins", async () => {
  const ledger = new Ledger();
  ledger.manners.b = "throw";
  const { t, start } = loop(function* (round) {
    if (round === 2) {
      yield* ledger.act("c");
      return "done";
    }
    yield* ledger.act("a");
    yield* attempt(sleep("1s"));
    try {
      yield* ledger.act("b");
    } catch {}
    return "again";
  });
  const run = await start();
  await t.advance("1m");
  expect(ledger.lines).toEqual(["a", "b", "undo b?", "c"]);
  expect((await run.status()).status).toBe("completed");
});

test("a crash between two rounds loses neither", async () => {
  const ledger = new Ledger();
  const { t, start } = loop(function* (round) {
    yield* ledger.again(`round ${round}`);
    yield* sleep("1m");
    return round < 4 ? "again" : "done";
  });
  const run = await start();
  for (let i = 0; i < 6; i++) {
    await t.advance("59s");
    await t.crash();
  }
  expect(ledger.lines).toEqual(["round 1", "round 2", "round 3", "round 4"]);
  expect(await run.result()).toBe("done");
});

test("keys of the same step differ from round to round", async () => {
  const ledger = new Ledger();
  const { t, start } = loop(function* (round) {
    yield* ledger.again("a");
    return round < 3 ? "again" : "done";
  });
  await start();
  await t.advance("1m");
  expect(new Set(ledger.keys.map(({ key }) => key)).size).toBe(3);
});

test("the children of each round are runs of their own", async () => {
  const child = workflow({ name: "child", input: z.number() }, function* (n) {
    return n;
  });
  const { t, start } = loop(function* (round) {
    const n = yield* child(round);
    return round < 3 ? "again" : n;
  });
  const run = await start();
  await t.advance("1m");
  expect(await run.result()).toBe(3);
  expect((await t.list({ workflow: "child" })).map(({ id }) => id).sort()).toEqual(["run#2/child", "run#3/child", "run/child"]);
});

test("of a child: the parent waits for the current one", async () => {
  const child = workflow({ name: "child", input: z.number() }, function* (n): Steps<string> {
    yield* sleep("1s");
    return n < 3 ? yield* restart(n + 1) : `after ${n}`;
  });
  const parent = workflow({ name: "parent", input: anything }, function* () {
    return yield* child(1);
  });
  const t = testOrchestrator({ nodes: [parent], log: quiet });
  const run = await t.start(parent, null);
  await t.advance("1m");
  expect(await run.result()).toBe("after 3");
});

test("epochs go on rising after a restart: behind an effect it is the same run", async () => {
  const epochs: number[] = [];
  const see = effect({ name: "see", input: anything, idempotent: true, readonly: true }, async (_, { epoch }) => {
    epochs.push(epoch);
  });
  const flow = workflow({ name: "flow", input: anything }, function* (round: number): Steps<unknown> {
    yield* see(null);
    return round < 3 ? yield* restart(round + 1) : null;
  });
  const t = testOrchestrator({ nodes: [flow], log: quiet });
  const run = await t.start(flow, 1);
  await t.advance("1s");
  await run.result();
  expect(epochs).toEqual([1, 3, 5]);
});
