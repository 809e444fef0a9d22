import { expect, test } from "vitest";
import { now, sleep, sleepUntil } from "../../src/index.ts";
import { play, playOut } from "./kit.ts";

test("goes on when the time has passed, and not before", async () => {
  const { t, view } = await play(function* () {
    const before = yield* now();
    yield* sleep("24h");
    return (yield* now()) - before;
  });
  await t.advance("23h");
  expect((await view()).status).toBe("waiting");
  await t.advance("1h");
  expect(await view()).toMatchObject({ status: "completed", output: 24 * 3_600_000 });
});

test("survives a crash, also one that lasts past its end", async () => {
  const { t, view } = await play(function* () {
    yield* sleep("1h");
    return "awake";
  });
  await t.advance("30m");
  await t.crash();
  await t.advance("29m");
  expect((await view()).endedAt).toBeUndefined();
  await t.crash();
  await t.advance("1m");
  expect((await view()).output).toBe("awake");
});

test("longer than a timer of Node can be", async () => {
  const { t, view } = await play(function* () {
    yield* sleep("90d");
    return "awake";
  });
  await t.advance("89d");
  expect((await view()).endedAt).toBeUndefined();
  await t.advance("1d");
  expect((await view()).output).toBe("awake");
});

test("sleepUntil takes a Date or a number, and a time that has passed is at once", async () => {
  const { view } = await playOut(function* () {
    const start = yield* now();
    yield* sleepUntil(new Date(start + 5_000));
    const first = (yield* now()) - start;
    yield* sleepUntil(start + 7_000);
    const second = (yield* now()) - start;
    yield* sleepUntil(0);
    return [first, second, (yield* now()) - start];
  });
  expect((await view()).output).toEqual([5_000, 7_000, 7_000]);
});

test("what is no time or no duration is refused where it stands", () => {
  expect(() => sleepUntil(new Date("soon"))).toThrow(expect.objectContaining({ code: "INVALID_DURATION" }));
  expect(() => sleep("soon" as never)).toThrow(expect.objectContaining({ code: "INVALID_DURATION" }));
});
