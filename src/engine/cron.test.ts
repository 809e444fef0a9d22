import { describe, expect, test } from "vitest";
import { cronTimes, dueTicks } from "./cron.ts";

const ms = (iso: string): number => Date.parse(iso);
const iso = (at: number | undefined): string => (at === undefined ? "never" : new Date(at).toISOString().replace(".000Z", "Z"));
const times = (cron: string, zone: string, from: string, count: number): string[] => {
  const next = cronTimes("schedule s", cron, zone);
  const found: string[] = [];
  for (let at: number | undefined = ms(from); found.length < count; found.push(iso(at))) at = at === undefined ? at : next(at);
  return found;
};

describe("the times of a schedule", () => {
  test("are those of its zone", () => {
    expect(times("30 9 * * MON-FRI", "America/New_York", "2030-01-04T14:29:59.999Z", 2)).toEqual([
      "2030-01-04T14:30:00Z",
      "2030-01-07T14:30:00Z",
    ]);
    expect(times("*/20 * * * * *", "UTC", "2030-01-01T00:00:00Z", 2)).toEqual(["2030-01-01T00:00:20Z", "2030-01-01T00:00:40Z"]);
    expect(times("@daily", "Asia/Tokyo", "2030-01-01T00:00:00Z", 1)).toEqual(["2030-01-01T15:00:00Z"]);
  });

  test("that a change of clocks leaves out tick right after it", () => {
    expect(times("30 2 * * *", "Europe/Berlin", "2030-03-29T12:00:00Z", 3)).toEqual([
      "2030-03-30T01:30:00Z",
      "2030-03-31T01:00:00Z",
      "2030-04-01T00:30:00Z",
    ]);
  });

  test("that come twice tick once", () => {
    expect(times("30 2 * * *", "Europe/Berlin", "2030-10-26T12:00:00Z", 2)).toEqual(["2030-10-27T00:30:00Z", "2030-10-28T01:30:00Z"]);
  });

  test("every hour is every hour, through both changes", () => {
    expect(times("0 * * * *", "Europe/Berlin", "2030-03-31T00:00:00Z", 3)).toEqual([
      "2030-03-31T01:00:00Z",
      "2030-03-31T02:00:00Z",
      "2030-03-31T03:00:00Z",
    ]);
    expect(times("0 * * * *", "Europe/Berlin", "2030-10-26T23:30:00Z", 4)).toEqual([
      "2030-10-27T00:00:00Z",
      "2030-10-27T01:00:00Z",
      "2030-10-27T02:00:00Z",
      "2030-10-27T03:00:00Z",
    ]);
  });

  test("that never come are never", () => {
    expect(times("0 0 30 2 *", "UTC", "2030-01-01T00:00:00Z", 1)).toEqual(["never"]);
  });

  test.each([
    ["bad", "UTC", /cron is "bad".*30 2 \* \* \*/],
    ["", "UTC", /cron is ""/],
    ["2030-01-01T00:00:00", "UTC", /cron is "2030/],
    ["61 * * * *", "UTC", /"61 \* \* \* \*" cannot be read: Invalid value for minute: 61/],
    ["* * * *", "UTC", /cannot be read/],
    ["* * * * *", "Mars/Phobos", /timezone is "Mars\/Phobos".*Europe\/Berlin/],
  ])("cron %j in %s is SCHEDULE_INVALID", (cron, zone, words) => {
    expect(() => cronTimes("schedule s", cron, zone)).toThrow(
      expect.objectContaining({ code: "SCHEDULE_INVALID", message: expect.stringMatching(words) }),
    );
  });
});

describe("the ticks that are due", () => {
  const hourly = cronTimes("schedule s", "0 * * * *", "UTC");
  const day = 86_400_000;
  const due = (from: string, now: string, catchUp: "one" | "all" | "none", withinMs = day, next = hourly) =>
    dueTicks(next, ms(from), ms(now), catchUp, withinMs).map(iso);

  test("a tick on time is due, whatever is caught up with", () => {
    for (const how of ["one", "all", "none"] as const)
      expect(due("2030-01-01T05:00:00Z", "2030-01-01T05:00:00.004Z", how)).toEqual(["2030-01-01T05:00:00Z"]);
    expect(due("2030-01-01T05:00:00Z", "2030-01-01T05:00:00Z", "all", 0)).toEqual(["2030-01-01T05:00:00Z"]);
  });

  test("after a downtime: the last, all, or none", () => {
    const missed = ["2030-01-01T05:00:00Z", "2030-01-01T08:30:00Z"] as const;
    expect(due(...missed, "one")).toEqual(["2030-01-01T08:00:00Z"]);
    expect(due(...missed, "all")).toEqual(["05", "06", "07", "08"].map((hour) => `2030-01-01T${hour}:00:00Z`));
    expect(due(...missed, "none")).toEqual([]);
    expect(due("2030-01-01T05:00:00Z", "2030-01-01T08:00:59Z", "none")).toEqual(["2030-01-01T08:00:00Z"]);
  });

  test("none that is older than the limit", () => {
    const missed = ["2030-01-01T05:00:00Z", "2030-01-01T08:30:00Z"] as const;
    expect(due(...missed, "one", 20 * 60_000)).toEqual([]);
    expect(due(...missed, "all", 100 * 60_000)).toEqual(["2030-01-01T07:00:00Z", "2030-01-01T08:00:00Z"]);
  });

  test("of every second of a week, the last one is found, and all are at most 1000", () => {
    const secondly = cronTimes("schedule s", "* * * * * *", "UTC");
    const week = ["2030-01-01T00:00:00Z", "2030-01-08T00:00:00.500Z"] as const;
    expect(due(...week, "one", 30 * day, secondly)).toEqual(["2030-01-08T00:00:00Z"]);
    const all = due(...week, "all", 30 * day, secondly);
    expect([all.length, all[0], all[999]]).toEqual([1000, "2030-01-01T00:00:00Z", "2030-01-01T00:16:39Z"]);
  });

  test("the last of a burst is found behind a long gap", () => {
    const burst = cronTimes("schedule s", "* * 3 * * *", "UTC");
    expect(due("2030-01-01T03:00:00Z", "2030-01-02T02:00:00Z", "one", day, burst)).toEqual(["2030-01-01T03:59:59Z"]);
  });
});
