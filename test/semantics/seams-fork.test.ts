/** Where forks meet what was built apart from them: secrets, limits of runs, streams, delayed starts. */
import { describe, expect, test } from "vitest";
import { all, compute, each, effect, Fatal, signal, sleep, workflow } from "../../src/index.ts";
import { anything, Gate, Ledger } from "./kit.ts";
import { tested } from "./stage.ts";
import { double, fail, items, numbers } from "./stream-kit.ts";

const secret = "hunter2-hunter2";

describe("secrets", () => {
  test("a fork goes on with the true values, not with what is shown of them", async () => {
    const seen: unknown[] = [];
    let broken = true;
    const login = effect({ name: "login", input: anything, idempotent: true, irreversible: "a test" }, async (given: unknown) => {
      seen.push(given);
      return { token: "tok-1234567890-abcdef" };
    });
    const use = effect({ name: "use", input: anything, irreversible: "a test" }, async (given: unknown) => {
      seen.push(given);
      if (broken) throw new Fatal("BROKEN");
      return null;
    });
    const flow = workflow({ name: "flow", input: anything }, function* (given: { password: string }) {
      const got = (yield* login(given)) as { token: string };
      yield* use({ token: got.token, password: given.password });
      return "ok";
    });
    const t = tested({ nodes: [flow], secrets: { it: secret } });
    await t.start(flow, { password: secret }, { runId: "old" });
    await t.advance("1s");
    broken = false;
    const again = await t.retry("old", { runId: "new" });
    await t.advance("1s");
    expect((await again.status()).status).toBe("completed");
    expect(seen.at(-1)).toEqual({ token: "tok-1234567890-abcdef", password: secret });
    await t.fork("old", { runId: "newer" });
    await t.advance("1s");
    expect(seen.at(-2)).toEqual({ password: secret });
  });
});

test("what was told to be secret is so in the same turn, wherever it turns up", async () => {
  const echo = compute({ name: "echo", input: anything }, (given: { password: string }) => ({ said: `it is ${given.password}` }));
  const flow = workflow({ name: "flow", input: anything }, function* (given: { password: string }) {
    return yield* echo(given);
  });
  const t = tested({ nodes: [flow] });
  const run = await t.start(flow, { password: "korrekt-pferd" }, { runId: "old" });
  await t.advance("1s");
  expect(await run.result()).toEqual({ said: "it is korrekt-pferd" });
  expect(JSON.stringify(await run.facts())).not.toContain("korrekt-pferd");
  const fork = await t.fork("old", { from: "echo", runId: "fork" });
  await t.advance("1s");
  expect(await fork.result()).toEqual({ said: "it is korrekt-pferd" });
  expect(JSON.stringify(await fork.facts())).not.toContain("korrekt-pferd");
});

describe("limits of runs", () => {
  test("a fork takes its share of `concurrency`", async () => {
    let most = 0;
    let now = 0;
    let first = true;
    const gate = new Gate();
    const work = effect({ name: "work", input: anything, timeout: "1h", idempotent: true, irreversible: "t" }, async () => {
      most = Math.max(most, ++now);
      await (first ? undefined : gate.pass());
      first = false;
      now--;
    });
    const flow = workflow({ name: "flow", input: anything, concurrency: { limit: 1, key: () => "k" } }, function* () {
      yield* work(null);
    });
    const t = tested({ nodes: [flow] });
    const old = await t.start(flow, null, { runId: "old" });
    await t.advance("1s");
    expect((await old.status()).status).toBe("completed");
    const runs = [await t.start(flow, 1), await t.fork("old"), await t.fork("old")];
    await t.advance("1s");
    expect(most).toBe(1);
    gate.open();
    await t.advance("1s");
    for (const run of runs) expect((await run.status()).status).toBe("completed");
    expect(most).toBe(1);
  });
});

test("a fork that is cancelled in the queue takes back what it shares, past its limits, and gives its share back", async () => {
  const { act, back, lines, manners } = new Ledger();
  const gate = new Gate();
  manners.c = gate;
  manners["undo a"] = ["fatal", "ok"];
  const flow = workflow({ name: "flow", input: anything, concurrency: { limit: 1, key: () => "k" } }, function* (id: string) {
    yield* act("a");
    yield* act(id);
    return id;
  });
  manners.b = "fatal";
  const t = tested({ nodes: [flow, back], config: { maxConcurrentWorkflows: 1 } });
  await t.start(flow, "b", { runId: "old" });
  await t.advance("1s");
  // Its undo was refused for good, so "a" still stands: a fork may share it, and owes it.
  expect(lines).toEqual(["a", "b", "undo a"]);
  await t.start(flow, "c", { runId: "other" });
  await t.advance("1s");
  const fork = await t.retry("old", { runId: "fork" });
  await t.advance("1s");
  expect((await fork.status()).status).toBe("pending");
  expect(lines).toEqual(["a", "b", "undo a", "a", "c"]);
  await fork.cancel();
  await t.advance("1s");
  expect((await fork.status()).status).toBe("cancelled");
  expect(lines).toEqual(["a", "b", "undo a", "a", "c", "undo a"]);
  const next = await t.start(flow, "d", { runId: "next" });
  await t.advance("1s");
  expect((await next.status()).status).toBe("pending");
  gate.open();
  await t.advance("1s");
  expect((await next.status()).status).toBe("completed");
  await t.crash();
  expect((await fork.status()).status).toBe("cancelled");
});

describe("streams", () => {
  const note = (seen: unknown[], failing: () => boolean) =>
    effect({ name: "note", input: anything, irreversible: "a test" }, async (n: unknown) => {
      if (failing()) throw new Fatal("BROKEN");
      seen.push(n);
      return n;
    });
  test.each([
    [1, "0/note", [0, 1, 2, 3]],
    [1, "2/note", [2, 3]],
    [2, "0/note", [0]],
    [2, "3/note", [3]],
    [10, "rows", [0, 1, 2, 3]],
  ])("%d at once, a fork from %s does anew what may hang on it, once each", async (concurrency, from, anew) => {
    const seen: unknown[] = [];
    const { rows } = numbers(4);
    const act = note(seen, () => false);
    const flow = workflow({ name: "flow", input: anything }, function* () {
      return yield* each(rows(null), (n) => act(n), { concurrency });
    });
    const t = tested({ nodes: [flow] });
    await t.start(flow, null, { runId: "old" });
    await t.advance("1s");
    const forked = await t.fork("old", { from });
    await t.advance("1m");
    expect(await forked.result()).toEqual([0, 1, 2, 3]);
    expect(items(await forked.facts())).toHaveLength(4);
    expect(seen.slice(0, 4)).toEqual([0, 1, 2, 3]);
    expect(seen.slice(4)).toEqual(anew);
  });
  test.each([1, 3])(
    "a retry of a failed branch keeps what its neighbours did, and asks the stream behind it, %d at once",
    async (concurrency) => {
      const seen: unknown[] = [];
      let broken = true;
      const { rows, taken } = numbers(5);
      const act = effect({ name: "note", input: anything, irreversible: "a test" }, async (n: unknown) => {
        if (n === 2 && broken) throw new Fatal("BROKEN");
        seen.push(n);
        return n;
      });
      const flow = workflow({ name: "flow", input: anything }, function* () {
        return yield* each(rows(null), (n) => act(n), { concurrency });
      });
      const t = tested({ nodes: [flow] });
      const old = await t.start(flow, null, { runId: "old" });
      await t.advance("1m");
      expect((await old.status()).status).toBe("failed");
      broken = false;
      const again = await t.retry("old");
      await t.crash();
      await t.advance("1m");
      expect(await again.result()).toEqual([0, 1, 2, 3, 4]);
      expect(seen.filter((n) => n === 0 || n === 1)).toEqual([0, 1]);
      expect(taken[0]).toBe(0);
      expect(Math.min(...taken.slice(1))).toBeGreaterThanOrEqual(3);
    },
  );
  test("behind a stream its items are shared", async () => {
    const seen: unknown[] = [];
    let broken = true;
    const { rows, made } = numbers(4);
    const act = note(seen, () => broken);
    const flow = workflow({ name: "flow", input: anything }, function* () {
      const list = yield* rows(null);
      yield* act(list.length);
      return list;
    });
    const t = tested({ nodes: [flow] });
    await t.start(flow, null, { runId: "old" });
    await t.advance("1s");
    broken = false;
    const again = await t.retry("old");
    await t.advance("1s");
    expect(await again.result()).toEqual([0, 1, 2, 3]);
    expect(made).toEqual([0, 1, 2, 3]);
  });
  test("a step beside it is done anew, though an item that came meanwhile failed the run", async () => {
    const gate = new Gate();
    const { rows } = numbers(4, () => gate.pass());
    const later = function* () {
      yield* sleep("1s");
      return yield* double(2);
    };
    const flow = workflow({ name: "flow", input: anything }, function* () {
      return yield* all([each(rows(null), fail), later()]);
    });
    const t = tested({ nodes: [flow] });
    const old = await t.start(flow, null, { runId: "old" });
    await t.advance("2s");
    gate.open();
    await t.advance("1m");
    expect(items(await old.facts())).toEqual([[0, 0]]);
    const forked = await t.fork("old", { from: "1/double" });
    await t.advance("1m");
    expect((await forked.status()).error).toMatchObject({ code: "THROWN" });
    const facts = await forked.facts();
    const since = facts.slice(facts.findIndex(({ type }) => type === "run.forked"));
    expect(since.filter(({ type }) => type === "compute.completed")).toMatchObject([{ step: "1/double" }]);
  });
});
test("a fork of a delayed run has the run's whole time, and no more", async () => {
  const go = signal({ name: "go", payload: anything });
  const flow = workflow({ name: "flow", input: anything, timeout: "10m" }, function* () {
    return yield* go.wait();
  });
  const t = tested({ nodes: [flow] });
  const run = await t.start(flow, null, { startAt: new Date(Date.UTC(2030, 0, 1, 5)) });
  await t.advance("6h");
  expect((await run.status()).error?.code).toBe("RUN_TIMEOUT");
  const again = await t.fork(run.runId);
  await t.advance("9m");
  expect((await again.status()).status).toBe("waiting");
  await t.advance("2m");
  expect((await again.status()).error?.code).toBe("RUN_TIMEOUT");
});
