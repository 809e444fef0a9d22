/** `rate` of an effect: how many of its calls begin within a time that slides. */
import { expect, test } from "vitest";
import { z } from "zod";
import { all, attempt, effect, type Steps, sleep, workflow } from "../../src/index.ts";
import { testOrchestrator } from "../../src/testing/index.ts";
import { anything, play, playOut, quiet } from "./kit.ts";

function timed(
  rate: { readonly limit: number; readonly per: "1s" | "10s" | "1m"; readonly key?: (id: string) => string },
  more: object = {},
) {
  const begun: { readonly id: string; readonly at: number }[] = [];
  let zero: number | undefined;
  const call = effect(
    { name: "call", input: z.string(), idempotent: true, irreversible: "no", rate, ...more },
    async (id, { deadline }) => {
      zero ??= deadline;
      begun.push({ id, at: (deadline - zero) / 1000 });
      return id;
    },
  );
  return { call, begun, times: () => begun.map(({ id, at }) => `${id} ${at}`) };
}

test("no stretch of `per` holds more than `limit` starts; the others wait in their order", async () => {
  const { call, times } = timed({ limit: 2, per: "10s" });
  const { run } = await playOut(function* () {
    return yield* all(["a", "b", "c", "d", "e"].map((id) => call(id)));
  });
  expect(times()).toEqual(["a 0", "b 0", "c 10", "d 10", "e 20"]);
  expect(await run.result()).toEqual(["a", "b", "c", "d", "e"]);
});

test("the window slides: room comes when the oldest start is past, not at full periods", async () => {
  const { call, times } = timed({ limit: 2, per: "10s" });
  await playOut(function* () {
    yield* call("a");
    yield* sleep("6s");
    yield* call("b");
    yield* sleep("1s");
    yield* all([call("c"), call("d")]);
  });
  expect(times()).toEqual(["a 0", "b 6", "c 10", "d 16"]);
});

test("it holds over all runs, and lower priority numbers go first", async () => {
  const { call, begun } = timed({ limit: 1, per: "1s" });
  const flow = workflow({ name: "flow", input: z.string() }, function* (id) {
    yield* call(id);
  });
  const t = testOrchestrator({ nodes: [flow], log: quiet });
  for (const [id, priority] of [
    ["a", 100],
    ["late", 900],
    ["b", 100],
    ["soon", 1],
  ] as const)
    await t.start(flow, id, { priority });
  await t.advance("10s");
  expect(begun.map(({ id }) => id)).toEqual(["a", "soon", "b", "late"]);
});

test("with a key each key has a rate of its own", async () => {
  const { call, times } = timed({ limit: 1, per: "1m", key: (id) => id[0] as string });
  await playOut(function* () {
    yield* all(["a1", "a2", "b1", "b2"].map((id) => call(id)));
  });
  expect(times().sort()).toEqual(["a1 0", "a2 60", "b1 0", "b2 60"]);
});

test("each attempt counts as a start", async () => {
  const starts: number[] = [];
  const call = effect(
    {
      name: "call",
      input: anything,
      idempotent: true,
      irreversible: "no",
      rate: { limit: 1, per: "10s" },
      retry: { maxAttempts: 3, backoff: "fixed", delay: "1s", jitter: "none" },
    },
    async (_input, { deadline }) => {
      starts.push(deadline);
      throw new Error("again");
    },
  );
  await playOut(function* () {
    yield* attempt(call(null));
  });
  expect(starts.map((at) => (at - (starts[0] as number)) / 1000)).toEqual([0, 10, 20]);
});

test("who leaves the line takes no start with it", async () => {
  const { call, times } = timed({ limit: 1, per: "10s" });
  const flow = workflow({ name: "flow", input: z.string() }, function* (id) {
    yield* call(id);
  });
  const t = testOrchestrator({ nodes: [flow], log: quiet });
  for (const id of ["a", "b", "c"]) await t.start(flow, id, { runId: id });
  await t.advance("1s");
  await t.run("b").cancel();
  await t.advance("1m");
  expect(times()).toEqual(["a 0", "c 10"]);
});

test("`within` fails a retry whose next start would be too late: LIMIT_REACHED", async () => {
  const call = effect(
    {
      name: "call",
      input: anything,
      idempotent: true,
      irreversible: "no",
      rate: { limit: 1, per: "1m" },
      retry: { maxAttempts: 3, backoff: "fixed", delay: "1s", jitter: "none", within: "30s" },
    },
    async () => {
      throw new Error("again");
    },
  );
  const { t, run } = await play(function* () {
    yield* call(null);
  });
  await t.advance("2s");
  await expect(run.result()).rejects.toMatchObject({ code: "LIMIT_REACHED", message: expect.stringContaining("`rate`") });
});

test("concurrency and rate together: nothing is taken while one of them refuses", async () => {
  const { call, times } = timed({ limit: 3, per: "10s" }, { concurrency: { limit: 1 } });
  await playOut(function* () {
    yield* all([
      ...["a", "b", "c", "d"].map((id) => call(id)),
      (function* (): Steps<void> {
        yield* sleep("5s");
        yield* call("e", { priority: 1 });
      })(),
    ]);
  });
  expect(times()).toEqual(["a 0", "b 0", "c 0", "e 10", "d 10"]);
});

test("a crash while they wait: they go in the next process, which counts from nothing", async () => {
  const { call, begun } = timed({ limit: 1, per: "1m" });
  const { t, run } = await play(function* () {
    yield* all([call("a"), call("b"), call("c")]);
  });
  await t.advance("1s");
  expect(begun.map(({ id }) => id)).toEqual(["a"]);
  await t.crash();
  await t.advance("1s");
  expect(begun.map(({ id }) => id)).toEqual(["a", "b"]);
  await t.advance("1m");
  await run.result();
  expect(begun.map(({ id }) => id)).toEqual(["a", "b", "c"]);
});
