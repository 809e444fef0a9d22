/** `rate` of a workflow: so many root runs of one key begin within any window of time. */
import { expect, test } from "vitest";
import { z } from "zod";
import { sleep, workflow } from "../../src/index.ts";
import { anything } from "./kit.ts";
import { tested } from "./stage.ts";

const Input = z.object({ id: z.number(), of: z.string() });
const flow = workflow({ name: "flow", input: Input, rate: { limit: 2, per: "1m", key: ({ of }) => of } }, function* ({ id }) {
  yield* sleep("1ms");
  return id;
});
const make = () => tested({ nodes: [flow] });
const done = async (t: ReturnType<typeof make>) => (await t.list({ status: "completed" })).map(({ id }) => id).sort();

test("within any window so many begin, and the others when it has moved on", async () => {
  const t = make();
  for (let id = 0; id < 7; id++) {
    await t.start(flow, { id, of: "a" }, { runId: `a${id}` });
    if (id === 0) await t.advance("30s");
  }
  await t.start(flow, { id: 0, of: "b" }, { runId: "b" });
  await t.advance("1s");
  expect(await done(t)).toEqual(["a0", "a1", "b"]);
  await t.advance("30s");
  expect(await done(t)).toEqual(["a0", "a1", "a2", "b"]);
  await t.advance("28s");
  expect(await done(t)).toEqual(["a0", "a1", "a2", "b"]);
  await t.advance("2s");
  expect(await done(t)).toEqual(["a0", "a1", "a2", "a3", "b"]);
  await t.advance("10m");
  expect((await done(t)).length).toBe(8);
  // Each began at least a minute after the one before the last.
  const began = [];
  for (let id = 0; id < 7; id++) began.push((await t.run(`a${id}`).facts()).find(({ type }) => type === "lease.acquired")?.at ?? 0);
  for (let i = 2; i < 7; i++) expect((began[i] ?? 0) - (began[i - 2] ?? 0)).toBeGreaterThanOrEqual(60_000);
});

test("a crash forgets nothing of the window", async () => {
  const t = make();
  for (let id = 0; id < 4; id++) await t.start(flow, { id, of: "a" }, { runId: `a${id}` });
  await t.advance("30s");
  await t.crash();
  await t.start(flow, { id: 9, of: "a" }, { runId: "a9" });
  await t.advance("29s");
  expect(await done(t)).toEqual(["a0", "a1"]);
  await t.advance("2s");
  expect(await done(t)).toEqual(["a0", "a1", "a2", "a3"]);
  await t.advance("1m");
  expect((await done(t)).length).toBe(5);
});

test("what is cancelled in the queue, and a start that is the same run, use nothing up", async () => {
  const t = make();
  for (let id = 0; id < 4; id++) await t.start(flow, { id, of: "a" }, { runId: `a${id}` });
  await t.start(flow, { id: 0, of: "a" }, { runId: "a0" });
  await t.run("a2").cancel();
  await t.advance("61s");
  await t.start(flow, { id: 8, of: "a" }, { runId: "a8" });
  await t.advance("1s");
  expect(await done(t)).toEqual(["a0", "a1", "a3", "a8"]);
});

test("with concurrency and slots all limits hold", async () => {
  const nap = workflow({ name: "nap", input: anything, concurrency: { limit: 3 }, rate: { limit: 2, per: "10s" } }, function* () {
    yield* sleep("30s");
  });
  const t = tested({ nodes: [nap], maxConcurrentWorkflows: 1 });
  for (let i = 0; i < 6; i++) await t.start(nap, i);
  const waiting = async () => (await t.list({ status: "waiting" })).length;
  await t.advance("1s");
  expect(await waiting()).toBe(2);
  await t.advance("10s");
  expect(await waiting()).toBe(3);
  await t.advance("10s");
  expect(await waiting()).toBe(3);
  await t.advance("5m");
  expect((await t.list({ status: "completed" })).length).toBe(6);
});
