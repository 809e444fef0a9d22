// biome-ignore-all lint/correctness/useYield: a workflow may end at once
/** Kept per name, first in first out; checked where the schema is known (API rule 21). */
import { expect, test } from "vitest";
import { z } from "zod";
import { all, signal, sleep } from "../../src/index.ts";
import { anything, play } from "./kit.ts";

const note = signal({ name: "note", payload: z.object({ n: z.number(), tag: z.string().default("none") }) });
const other = signal({ name: "other", payload: anything });

test("one that comes before its wait is kept for it", async () => {
  const { t, run, view } = await play(function* () {
    yield* sleep("1h");
    return (yield* note.wait()).n;
  });
  await run.signal(note, { n: 7 });
  await t.crash();
  await t.advance("1h");
  expect((await view()).output).toBe(7);
});

test("first in, first out for each name", async () => {
  const { t, run, view } = await play(function* () {
    yield* sleep("1m");
    const got = [(yield* note.wait()).n, yield* other.wait(), (yield* note.wait()).n, (yield* note.wait()).n];
    return got;
  });
  for (const n of [1, 2]) await run.signal(note, { n });
  await run.signal(other, "x");
  await t.advance("1m");
  await run.signal(note, { n: 3 });
  await t.advance("1s");
  expect((await view()).output).toEqual([1, "x", 2, 3]);
});

test("one messageId counts once", async () => {
  const { t, run, view } = await play(function* () {
    return [(yield* note.wait()).n, (yield* note.wait()).n];
  });
  await run.signal(note, { n: 1 }, { messageId: "m" });
  await run.signal(note, { n: 1 }, { messageId: "m" });
  await t.advance("1s");
  expect((await view()).status).toBe("waiting");
  await run.signal(note, { n: 2 }, { messageId: "n" });
  await t.advance("1s");
  expect((await view()).output).toEqual([1, 2]);
});

test("the workflow gets what the schema makes of it", async () => {
  const { t, run, view } = await play(function* () {
    return yield* note.wait();
  });
  await run.signal(note, { n: 1 });
  await t.advance("1s");
  expect((await view()).output).toEqual({ n: 1, tag: "none" });
});

test("a bad payload is refused where the sender names the signal itself", async () => {
  const { run, log } = await play(function* () {
    return yield* note.wait();
  });
  await expect(run.signal(note, { n: "one" } as never)).rejects.toMatchObject({
    code: "SIGNAL_INVALID",
    message: expect.stringContaining("n:"),
  });
  expect(await log()).not.toContain("signal.received");
});

test("a bad payload by name is recorded as rejected, and the wait goes on", async () => {
  const { t, run, view, facts } = await play(function* () {
    return (yield* note.wait()).n;
  });
  await run.signal("note", { n: "one" });
  await t.advance("1s");
  expect(await view()).toMatchObject({ status: "waiting" });
  expect((await view()).steps).toMatchObject([{ step: "note", status: "waiting" }]);
  expect((await facts()).find((fact) => fact.type === "signal.rejected")).toMatchObject({
    name: "note",
    error: { code: "SIGNAL_INVALID" },
  });
  await t.crash();
  await run.signal("note", { n: 2 });
  await t.advance("1s");
  expect((await view()).output).toBe(2);
});

test("a bad one that came early is passed over by the wait", async () => {
  const { t, run, view } = await play(function* () {
    yield* sleep("1m");
    return (yield* note.wait()).n;
  });
  await run.signal("note", { n: "one" });
  await run.signal("note", { n: 2 });
  await t.advance("1m");
  expect((await view()).output).toBe(2);
});

test("a bad one does not cost the wait its place", async () => {
  const { t, run, view } = await play(function* () {
    const { first, second } = yield* all({ first: note.wait(), second: note.wait() });
    return [first.n, second.n];
  });
  await run.signal("note", { n: "bad" });
  await run.signal("note", { n: 1 });
  await run.signal("note", { n: 2 });
  await t.advance("1s");
  expect((await view()).output).toEqual([1, 2]);
});

test("a wait can be named", async () => {
  const { view } = await play(function* () {
    return yield* note.wait({ step: "approval" });
  });
  expect((await view()).steps).toMatchObject([{ step: "approval", kind: "signal", status: "waiting" }]);
});

test("a payload that is no JSON is refused", async () => {
  const { run } = await play(function* () {
    return yield* other.wait();
  });
  await expect(run.signal("other", new Date() as never)).rejects.toMatchObject({ code: "OUTPUT_NOT_JSON" });
});

test("an unknown run and an ended one are told apart", async () => {
  const { t, run } = await play(function* () {
    return 1;
  });
  await expect(run.signal(other, 1)).rejects.toMatchObject({ code: "RUN_ENDED" });
  await expect(t.run("nobody").signal("other", 1)).rejects.toMatchObject({ code: "RUN_UNKNOWN" });
});
