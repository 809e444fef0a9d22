/** `startAt`: a run that is stored now and begins later. */
import { expect, test } from "vitest";
import { now, signal, workflow } from "../../src/index.ts";
import { anything, Ledger } from "./kit.ts";
import { stage, tested } from "./stage.ts";

const start = Date.UTC(2030, 0, 1);
const hour = 3_600_000;
const flow = workflow({ name: "flow", input: anything, timeout: "30m" }, function* () {
  return yield* now();
});

test("it is pending until its time, over a crash too, and shows it", async () => {
  const t = tested({ nodes: [flow] });
  const run = await t.start(flow, null, { startAt: new Date(start + 2 * hour) });
  await t.advance("1h");
  expect(await run.status()).toMatchObject({ status: "pending", startAt: start + 2 * hour, steps: [] });
  await t.crash();
  await t.advance("59m");
  expect((await run.status()).status).toBe("pending");
  await t.advance("1m");
  expect(await run.result()).toBe(start + 2 * hour);
});

test("its timeout counts from its time", async () => {
  const sleeper = workflow({ name: "sleeper", input: anything, timeout: "30m" }, function* () {
    yield* signal({ name: "never", payload: anything }).wait();
  });
  const t = tested({ nodes: [sleeper] });
  const run = await t.start(sleeper, null, { startAt: start + 2 * hour });
  await t.advance("149m");
  expect((await run.status()).status).toBe("waiting");
  await t.advance("2m");
  expect((await run.status()).error?.code).toBe("RUN_TIMEOUT");
});

test("a time that has passed, or is now, begins at once", async () => {
  const t = tested({ nodes: [flow] });
  for (const startAt of [start, start - 1, new Date(0), -5]) {
    const run = await t.start(flow, null, { startAt });
    expect(await run.result()).toBe(start);
    expect((await run.status()).startAt).toBeUndefined();
  }
});

test.each([Number.NaN, new Date("no time"), Number.POSITIVE_INFINITY, 9e15])("%s is OPTION_INVALID", async (startAt) => {
  const t = tested({ nodes: [flow] });
  await expect(t.start(flow, null, { startAt })).rejects.toMatchObject({
    code: "OPTION_INVALID",
    message: expect.stringContaining("startAt"),
  });
});

test("a signal does not begin it early; a cancel ends it with nothing run", async () => {
  const { act, lines } = new Ledger();
  const go = signal({ name: "go", payload: anything });
  const waits = workflow({ name: "waits", input: anything }, function* () {
    try {
      yield* act("a");
      return yield* go.wait();
    } finally {
      yield* act("cleanup");
    }
  });
  const t = tested({ nodes: [waits] });
  const run = await t.start(waits, null, { startAt: start + hour });
  const other = await t.start(waits, null, { startAt: start + hour });
  await run.signal(go, "hello");
  await other.cancel("no more");
  await t.advance("10m");
  expect([(await run.status()).status, (await other.status()).status, lines]).toEqual(["pending", "cancelled", []]);
  await t.advance("50m");
  expect(await run.result()).toBe("hello");
  expect(lines).toEqual(["a", "cleanup"]);
});

test("the id is taken, and the same start is the same run", async () => {
  const t = tested({ nodes: [flow] });
  await t.start(flow, 1, { runId: "a", startAt: start + hour });
  await t.start(flow, 1, { runId: "a" });
  await expect(t.start(flow, 2, { runId: "a" })).rejects.toMatchObject({ code: "RUN_ID_CONFLICT" });
  expect(await t.list()).toHaveLength(1);
});

test("its turn comes by priority when many wait for a slot, its age counts from its time", async () => {
  const { flow, order, open } = stage();
  const t = tested({ nodes: [flow], maxConcurrentWorkflows: 1 });
  await t.start(flow, "a");
  await t.start(flow, "later", { startAt: start + hour });
  await t.start(flow, "soon", { startAt: start + hour, priority: 5 });
  await t.advance("30m");
  await t.start(flow, "b");
  await t.advance("1h");
  for (const id of ["a", "soon", "b", "later"]) {
    open(id);
    await t.advance("1s");
  }
  expect(order).toEqual(["a", "soon", "b", "later"]);
});
