/** Starts by the clock: a tick starts exactly one run, whatever crashes and whatever overlaps. */
import { describe, expect, test } from "vitest";
import { z } from "zod";
import { sleep, workflow } from "../../src/index.ts";
import { anything } from "./kit.ts";
import { stage, type Tested, tested } from "./stage.ts";

const start = Date.UTC(2030, 0, 1);
const minute = 60_000;
const at = (time: string): string => `s@2030-01-01T${time}Z`;
const quick = workflow({ name: "quick", input: anything }, function* (input) {
  yield* sleep("1s");
  return input;
});
const ids = async (t: Tested, filter: object = {}) => (await t.list(filter)).map(({ id }) => id).reverse();

describe("a schedule", () => {
  test("starts a run at each of its times, with its input and priority, named after the tick", async () => {
    const t = tested({ nodes: [quick] });
    const put = await t.schedules.put({ id: "s", workflow: quick, cron: "*/10 * * * *", input: { a: 1 }, priority: 7 });
    expect(put).toMatchObject({
      workflow: "quick",
      timezone: "UTC",
      overlap: "skip",
      catchUp: "one",
      paused: false,
      nextAt: start + 10 * minute,
    });
    await t.advance("35m");
    expect(await ids(t)).toEqual([at("00:10:00"), at("00:20:00"), at("00:30:00")]);
    const run = t.run(at("00:20:00"));
    expect(await run.result()).toEqual({ a: 1 });
    expect(await run.status()).toMatchObject({ scheduledAt: start + 20 * minute, startedAt: start + 20 * minute });
    expect((await t.list())[0]?.priority).toBe(7);
    expect(await t.schedules.get("s")).toMatchObject({
      nextAt: start + 40 * minute,
      last: { at: start + 30 * minute, runId: at("00:30:00") },
      started: 3,
      skipped: 0,
    });
  });

  test("is kept over a crash", async () => {
    const t = tested({ nodes: [quick] });
    await t.schedules.put({ id: "s", workflow: "quick", cron: "*/10 * * * *" });
    await t.advance("15m");
    await t.crash();
    await t.advance("10m");
    expect(await ids(t)).toEqual([at("00:10:00"), at("00:20:00")]);
    expect(await t.run(at("00:20:00")).result()).toEqual({});
  });

  test("ticks by the clocks of its zone", async () => {
    const t = tested({ nodes: [quick] });
    await t.schedules.put({ id: "s", workflow: quick, cron: "30 2 * * *", timezone: "Asia/Kolkata" });
    await t.advance("3d");
    expect((await ids(t))[0]).toBe(at("21:00:00"));
    expect(await ids(t)).toHaveLength(3);
  });

  test("that is put again stays as it is; with other times it goes on with those", async () => {
    const t = tested({ nodes: [quick] });
    await t.schedules.put({ id: "s", workflow: quick, cron: "0 * * * *" });
    await t.advance("30m");
    await t.schedules.put({ id: "s", workflow: quick, cron: "0 * * * *" });
    expect((await t.schedules.get("s"))?.nextAt).toBe(start + 60 * minute);
    await t.schedules.put({ id: "s", workflow: quick, cron: "*/40 * * * *", input: "new" });
    await t.advance("15m");
    expect(await ids(t)).toEqual([at("00:40:00")]);
    expect(await t.run(at("00:40:00")).result()).toBe("new");
    expect(await t.schedules.list()).toHaveLength(1);
  });

  test("that is paused does not tick, stays paused when it is put again, and goes on from when it is resumed", async () => {
    const t = tested({ nodes: [quick] });
    const put = () => t.schedules.put({ id: "s", workflow: quick, cron: "*/10 * * * *", catchUp: "all" });
    await put();
    await t.advance("15m");
    expect((await t.schedules.pause("s")).nextAt).toBeUndefined();
    expect((await put()).paused).toBe(true);
    await t.advance("1h");
    expect((await t.schedules.resume("s")).nextAt).toBe(start + 80 * minute);
    await t.advance("10m");
    expect(await ids(t)).toEqual([at("00:10:00"), at("01:20:00")]);
    await t.schedules.put({ id: "s", workflow: quick, cron: "*/10 * * * *", catchUp: "all", paused: true });
    await t.advance("1h");
    expect(await ids(t)).toHaveLength(2);
  });

  test("that is removed does not tick, and its run goes on", async () => {
    const t = tested({ nodes: [quick] });
    await t.schedules.put({ id: "s", workflow: quick, cron: "*/10 * * * *" });
    await t.advance("10m");
    expect([await t.schedules.remove("s"), await t.schedules.remove("s"), await t.schedules.get("s")]).toEqual([true, false, undefined]);
    await t.advance("1h");
    expect(await t.run(at("00:10:00")).result()).toEqual({});
    expect(await ids(t)).toHaveLength(1);
    await expect(t.schedules.pause("s")).rejects.toMatchObject({ code: "SCHEDULE_UNKNOWN" });
    await expect(t.schedules.resume("s")).rejects.toMatchObject({ code: "SCHEDULE_UNKNOWN" });
  });

  test("that makes no sense is refused, in words", async () => {
    const strict = workflow({ name: "strict", input: z.object({ n: z.number() }) }, function* () {});
    const t = tested({ nodes: [strict] });
    const put = (over: object) => t.schedules.put({ id: "s", workflow: strict, cron: "* * * * *", input: { n: 1 }, ...over });
    for (const [over, code, words] of [
      [{ cron: "every day" }, "SCHEDULE_INVALID", "cron"],
      [{ cron: "0 0 30 2 *" }, "SCHEDULE_INVALID", "never ticks"],
      [{ timezone: "Mars/Phobos" }, "SCHEDULE_INVALID", "timezone"],
      [{ overlap: "drop" }, "SCHEDULE_INVALID", "overlap"],
      [{ catchUp: "two" }, "SCHEDULE_INVALID", "catchUp"],
      [{ priority: 0 }, "SCHEDULE_INVALID", "priority"],
      [{ id: "x".repeat(500) }, "SCHEDULE_INVALID", "480"],
      [{ id: "" }, "OPTION_INVALID", "id of a schedule"],
      [{ catchUpWithin: "soon" }, "INVALID_DURATION", "soon"],
      [{ workflow: "nobody" }, "WORKFLOW_UNKNOWN", "nobody"],
      [{ input: { n: "x" } }, "INPUT_INVALID", "strict"],
    ] as const)
      await expect(put(over), words).rejects.toMatchObject({ code, message: expect.stringContaining(words) });
    expect(await t.schedules.list()).toEqual([]);
  });

  test("whose workflow went wrong for its input says so, and ticks on", async () => {
    let limit = 10;
    const fussy = workflow({ name: "fussy", input: z.number().refine((n) => n < limit) }, function* () {});
    const t = tested({ nodes: [fussy] });
    await t.schedules.put({ id: "s", workflow: fussy, cron: "* * * * *", input: 5 });
    limit = 3;
    await t.advance("1m");
    expect(await t.schedules.get("s")).toMatchObject({ started: 0, error: { code: "INPUT_INVALID" }, nextAt: start + 2 * minute });
    limit = 10;
    await t.advance("1m");
    expect(await t.schedules.get("s")).toMatchObject({ started: 1 });
    expect((await t.schedules.get("s"))?.error).toBeUndefined();
  });

  test("its runs are admitted like all others", async () => {
    const { flow, open, order } = stage();
    const t = tested({ nodes: [flow], maxConcurrentWorkflows: 1, whenFull: "refuse" });
    await t.start(flow, "a");
    await t.schedules.put({ id: "s", workflow: flow, cron: "* * * * *", input: "s" });
    await t.advance("3m");
    expect(await t.schedules.get("s")).toMatchObject({ started: 1, skipped: 2 });
    expect(order).toEqual(["a"]);
    open("a");
    await t.advance("1s");
    expect(order).toEqual(["a", "s"]);
  });
});

describe("overlap", () => {
  async function play(overlap: "skip" | "queue" | "allow" | "cancel") {
    const { flow, open, order } = stage();
    const t = tested({ nodes: [flow] });
    await t.schedules.put({ id: "s", workflow: flow, cron: "*/10 * * * *", input: "x", overlap });
    return { t, open, order, view: () => t.schedules.get("s") };
  }

  test("skip leaves a tick out while the last run has not ended", async () => {
    const { t, open, view } = await play("skip");
    await t.advance("35m");
    expect(await ids(t)).toEqual([at("00:10:00")]);
    expect(await view()).toMatchObject({ started: 1, skipped: 2 });
    open("x");
    await t.advance("10m");
    expect(await ids(t)).toEqual([at("00:10:00"), at("00:40:00")]);
  });

  test("queue lets one tick wait for the end of the last run", async () => {
    const { t, open, view } = await play("queue");
    await t.advance("35m");
    expect(await ids(t)).toEqual([at("00:10:00")]);
    expect(await view()).toMatchObject({ started: 1, skipped: 1, waiting: start + 20 * minute });
    await t.crash();
    await t.advance("1m");
    open("x");
    await t.advance("1s");
    expect(await ids(t)).toEqual([at("00:10:00"), at("00:20:00")]);
    expect(await t.run(at("00:20:00")).status()).toMatchObject({ scheduledAt: start + 20 * minute, startedAt: start + 36 * minute });
    expect((await view())?.waiting).toBeUndefined();
  });

  test("a tick that waits is left out when the schedule is paused", async () => {
    const { t, open, view } = await play("queue");
    await t.advance("25m");
    await t.schedules.pause("s");
    open("x");
    await t.advance("1h");
    expect(await ids(t)).toEqual([at("00:10:00")]);
    expect(await view()).toMatchObject({ started: 1, skipped: 1, paused: true });
  });

  test("allow starts beside", async () => {
    const { t } = await play("allow");
    await t.advance("35m");
    expect(await ids(t, { status: "running" })).toEqual([at("00:10:00"), at("00:20:00"), at("00:30:00")]);
  });

  test("cancel ends the last run, and starts when it has ended", async () => {
    const { t, open, view } = await play("cancel");
    await t.advance("1210s");
    expect(await ids(t, { status: "cancelled" })).toEqual([at("00:10:00")]);
    expect(await ids(t, { status: "running" })).toEqual([at("00:20:00")]);
    expect((await t.run(at("00:10:00")).status()).error?.message).toContain("ticked again");
    open("x");
    await t.advance("5m");
    expect(await view()).toMatchObject({ started: 2, skipped: 0 });
  });

  test("cancel waits for what the cancelled run cleans up", async () => {
    const tidy = workflow({ name: "tidy", input: anything }, function* () {
      try {
        yield* sleep("1h");
      } finally {
        yield* sleep("30s");
      }
    });
    const t = tested({ nodes: [tidy] });
    await t.schedules.put({ id: "s", workflow: tidy, cron: "* * * * *", overlap: "cancel" });
    await t.advance("125s");
    expect(await ids(t)).toEqual([at("00:01:00")]);
    await t.advance("25s");
    expect(await ids(t)).toEqual([at("00:01:00"), at("00:02:00")]);
    expect(await t.run(at("00:02:00")).status()).toMatchObject({ startedAt: start + 150_000 });
  });
});

describe("catchUp", () => {
  async function play(options: object, downFor: "5h" | "270m" = "270m") {
    const t = tested({ nodes: [quick] });
    await t.schedules.put({ id: "s", workflow: quick, cron: "0 * * * *", overlap: "allow", ...options });
    await t.advance("1h");
    await t.crash(downFor);
    await t.advance("1m");
    return (await ids(t)).map((id) => id.slice(13, 15));
  }

  test("the last missed tick is started by default", async () => expect(await play({})).toEqual(["01", "05"]));
  test("all of them, oldest first", async () => expect(await play({ catchUp: "all" })).toEqual(["01", "02", "03", "04", "05"]));
  test("those that are not too old", async () => expect(await play({ catchUp: "all", catchUpWithin: "100m" })).toEqual(["01", "04", "05"]));
  test("none", async () => expect(await play({ catchUp: "none" })).toEqual(["01"]));
  test("none, but for one that is on time", async () => expect(await play({ catchUp: "none" }, "5h")).toEqual(["01", "06"]));
});
