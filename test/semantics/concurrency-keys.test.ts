/** `concurrency` of a workflow: so many root runs of one key are under way at once. */
import { describe, expect, test } from "vitest";
import { z } from "zod";
import { all, sleep, workflow } from "../../src/index.ts";
import { anything } from "./kit.ts";
import { stage, tested } from "./stage.ts";

function keyed(limit: number) {
  const { work, ...rest } = stage();
  const flow = workflow(
    { name: "flow", input: z.object({ id: z.string(), of: z.string() }), concurrency: { limit, key: ({ of }) => of } },
    function* ({ id }) {
      yield* work(id);
      return id;
    },
  );
  return { ...rest, work, flow };
}

describe("concurrency", () => {
  test("as many of one key as the limit says; the end of one admits the next, by priority and age", async () => {
    const { flow, order, open } = keyed(2);
    const t = tested({ nodes: [flow] });
    const start = (id: string, of: string, priority = 100) => t.start(flow, { id, of }, { runId: id, priority });
    for (const id of ["a1", "a2", "a3", "a4"]) await start(id, "a");
    await start("a0", "a", 1);
    await start("b1", "b");
    await t.advance("1s");
    expect([...order].sort()).toEqual(["a1", "a2", "b1"].sort());
    open("a2");
    await t.advance("1s");
    open("a1");
    await t.advance("1s");
    expect(order.slice(3)).toEqual(["a0", "a3"]);
    for (const id of ["a0", "a3", "a4", "b1"]) open(id);
    await t.advance("1s");
    expect((await t.list({ status: "completed" })).length).toBe(6);
  });

  test("a run that sleeps is under way, over a crash too", async () => {
    const nap = workflow({ name: "nap", input: anything, concurrency: { limit: 1 } }, function* () {
      yield* sleep("1h");
    });
    const t = tested({ nodes: [nap] });
    const [one, two] = [await t.start(nap, 1), await t.start(nap, 2)];
    await t.advance("30m");
    await t.crash();
    const three = await t.start(nap, 3, { priority: 1 });
    await t.advance("1m");
    expect(await Promise.all([one, two, three].map(async (run) => (await run.status()).status))).toEqual(["waiting", "pending", "pending"]);
    await t.advance("30m");
    expect(await Promise.all([one, two, three].map(async (run) => (await run.status()).status))).toEqual([
      "completed",
      "pending",
      "waiting",
    ]);
    await t.advance("2h");
    expect((await two.status()).status).toBe("completed");
  });

  test("a run that failed or was cancelled gives its place up, one that is paused keeps it", async () => {
    const { work, open } = stage();
    const flow = workflow({ name: "flow", input: z.string(), concurrency: { limit: 1 } }, function* (id) {
      yield* work(id);
      if (id === "a") throw new Error("a fails");
    });
    const t = tested({ nodes: [flow] });
    const runs = [];
    for (const id of ["a", "b", "c"]) runs.push(await t.start(flow, id));
    open("a");
    await t.advance("1s");
    await runs[1]?.cancel();
    open("b");
    await t.advance("1s");
    open("c");
    await t.advance("1s");
    expect(await Promise.all(runs.map(async (run) => (await run.status()).status))).toEqual(["failed", "cancelled", "completed"]);
  });

  test("children neither wait nor count", async () => {
    const { work, order, open } = stage();
    const flow = workflow({ name: "flow", input: z.string(), concurrency: { limit: 1 } }, function* (id) {
      yield* work(id);
    });
    const parent = workflow({ name: "parent", input: anything }, function* () {
      yield* all([flow("x"), flow("y")]);
    });
    const t = tested({ nodes: [flow, parent] });
    await t.start(flow, "root");
    await t.start(parent, null);
    await t.advance("1s");
    expect([...order].sort()).toEqual(["root", "x", "y"]);
    for (const id of ["root", "x", "y"]) open(id);
    await t.advance("1s");
    expect((await t.list({ status: "completed" })).length).toBe(4);
  });

  test("a full key does not hold back others, with slots too", async () => {
    const { flow, order, open } = keyed(1);
    const t = tested({ nodes: [flow], maxConcurrentWorkflows: 2 });
    const start = (id: string, of: string) => t.start(flow, { id, of }, { runId: id });
    // More of the full key than the queue is asked for at once.
    for (let i = 0; i < 260; i++) await start(`a${i}`, "a");
    await start("b", "b");
    await start("c", "c");
    await t.advance("1s");
    expect([...order].sort()).toEqual(["a0", "b"]);
    open("b");
    await t.advance("1s");
    expect(order[2]).toBe("c");
    for (let i = 0; i < 260; i++) open(`a${i}`);
    open("c");
    await t.advance("1s");
    expect((await t.list({ status: "completed" })).length).toBe(262);
  });

  test("a key that throws or is no string is INPUT_INVALID, and nothing is stored", async () => {
    const bad = (key: (input: string) => string) =>
      workflow({ name: "bad", input: z.string(), concurrency: { limit: 1, key } }, function* () {});
    for (const [key, words] of [
      [(input: string) => input.padStart(-1).at(9)?.at(0) as string, /gave undefined/],
      [(async () => "x") as never, /must give a string, at once/],
      [() => String(Math.random()), /Math\.random/],
    ] as const) {
      const flow = bad(key);
      const t = tested({ nodes: [flow] });
      await expect(t.start(flow, "x")).rejects.toMatchObject({ code: "INPUT_INVALID", message: expect.stringMatching(words) });
      expect(await t.list()).toEqual([]);
    }
  });
});
