import { describe, expect, test } from "vitest";
import { typedOf } from "./typed.ts";

const day = 86_400_000;

describe("what was typed after prune", () => {
  test("is read", () => {
    expect(typedOf({ olderThan: "30d" })).toEqual({ olderThanMs: 30 * day, limit: Number.POSITIVE_INFINITY, options: {} });
    expect(typedOf({ olderThan: "0s", status: "failed, cancelled", workflow: "w", limit: "7", keepIds: "1d" })).toEqual({
      olderThanMs: 0,
      limit: 7,
      options: { statuses: ["failed", "cancelled"], workflow: "w", keepIdsMs: day },
    });
  });

  test.each([
    [{}, "--older-than 30d is those that ended more than 30 days ago"],
    [{ olderThan: "30" }, "--older-than 30: write a number and s, m, h or d"],
    [{ olderThan: "1d", keepIds: "for ever" }, "--keep-ids for ever: write a number"],
    [{ olderThan: "1d", status: "running" }, "--status running: only runs that have ended are removed"],
    [{ olderThan: "1d", status: "completd" }, 'Did you mean "completed"?'],
    [{ olderThan: "1d", status: "" }, "only runs that have ended"],
    [{ olderThan: "1d", limit: "0" }, "--limit 0: write a number of runs, from 1"],
    [{ olderThan: "1d", limit: "many" }, "--limit many"],
  ])("%j is refused", (flags, says) => {
    expect(() => typedOf(flags)).toThrow(expect.objectContaining({ code: "USAGE", message: expect.stringContaining(says) }));
  });
});
