/** Starting the same twice, asking for what is not there, waiting too long. */
import { expect, test } from "vitest";
import { z } from "zod";
import { sleep, workflow } from "../../src/index.ts";
import { testOrchestrator } from "../../src/testing/index.ts";
import { quiet } from "./kit.ts";

let begun = 0;
const flow = workflow({ name: "flow", input: z.object({ n: z.number(), m: z.number().optional() }) }, function* ({ n }) {
  begun++;
  yield* sleep("1h");
  return n;
});
const other = workflow({ name: "other", input: z.object({ n: z.number() }) }, function* () {
  yield* sleep("1h");
});
const make = () => testOrchestrator({ nodes: [flow, other], log: quiet });

test("the same id with the same input is the same run, also at once, later, after a crash and after its end", async () => {
  const t = make();
  begun = 0;
  const [one, two] = await Promise.all([t.start(flow, { n: 1, m: 2 }, { runId: "a" }), t.start(flow, { m: 2, n: 1 }, { runId: "a" })]);
  expect([one.runId, two.runId]).toEqual(["a", "a"]);
  await t.start(flow, { n: 1, m: 2 }, { runId: "a" });
  expect(begun).toBe(1);
  await t.crash();
  await t.start(flow, { n: 1, m: 2 }, { runId: "a" });
  await t.advance("1h");
  expect(await (await t.start(flow, { n: 1, m: 2 }, { runId: "a" })).result()).toBe(1);
  expect(await t.list()).toHaveLength(1);
});

test("another input or another workflow under the same id is RUN_ID_CONFLICT", async () => {
  const t = make();
  await t.start(flow, { n: 1 }, { runId: "a" });
  await expect(t.start(flow, { n: 2 }, { runId: "a" })).rejects.toMatchObject({
    code: "RUN_ID_CONFLICT",
    message: expect.stringContaining("another input"),
  });
  await expect(t.start(other, { n: 1 }, { runId: "a" })).rejects.toMatchObject({
    code: "RUN_ID_CONFLICT",
    message: expect.stringContaining("workflow flow"),
  });
  await t.advance("2h");
  await expect(t.start(flow, { n: 2 }, { runId: "a" })).rejects.toMatchObject({ code: "RUN_ID_CONFLICT" });
});

test("without an id each start is a run of its own, and ids rise with time", async () => {
  const t = make();
  const ids: string[] = [];
  for (let i = 0; i < 3; i++) {
    ids.push((await t.start(flow, { n: 1 })).runId);
    await t.advance("1s");
  }
  expect(new Set(ids).size).toBe(3);
  expect([...ids].sort()).toEqual(ids);
});

test("an acknowledged start survives a crash", async () => {
  const t = make();
  const run = await t.start(flow, { n: 5 });
  await t.crash();
  await t.advance("1h");
  expect(await run.result()).toBe(5);
});

test("an unknown run is RUN_UNKNOWN", async () => {
  const t = make();
  const run = t.run("nobody");
  for (const ask of [() => run.result(), () => run.status(), () => run.facts(), () => run.cancel(), () => run.resume()])
    await expect(ask()).rejects.toMatchObject({ code: "RUN_UNKNOWN", message: expect.stringContaining("nobody") });
});

test("an ended run takes no messages: RUN_ENDED", async () => {
  const t = make();
  const run = await t.start(flow, { n: 1 });
  await t.advance("1h");
  for (const ask of [() => run.signal("x", 1), () => run.cancel(), () => run.resume()])
    await expect(ask()).rejects.toMatchObject({ code: "RUN_ENDED" });
});

test("a result that waited too long is RESULT_TIMEOUT, and the run goes on", async () => {
  const t = make();
  const run = await t.start(flow, { n: 1 });
  const waiting = run.result({ timeout: "1m" }).catch((error) => error.code);
  await t.advance("1m");
  expect(await waiting).toBe("RESULT_TIMEOUT");
  await t.advance("1h");
  expect(await run.result({ timeout: "1m" })).toBe(1);
});

test("list gives the newest first, and filters", async () => {
  const t = make();
  await t.start(flow, { n: 1 }, { runId: "a" });
  await t.start(other, { n: 1 }, { runId: "b" });
  await t.start(flow, { n: 2 }, { runId: "c" });
  const ids = async (filter?: Parameters<typeof t.list>[0]) => (await t.list(filter)).map(({ id }) => id);
  expect(await ids()).toEqual(["c", "b", "a"]);
  expect(await ids({ workflow: "flow" })).toEqual(["c", "a"]);
  expect(await ids({ limit: 1 })).toEqual(["c"]);
  await t.run("a").cancel();
  await t.advance("1s");
  expect(await ids({ status: "cancelled" })).toEqual(["a"]);
});
