import { expect, test } from "vitest";
import { durationAt, onlyFields } from "./fields.ts";

const said = (run: () => unknown): string => {
  try {
    run();
    return "nothing";
  } catch (error) {
    const { code, message } = error as { code: string; message: string };
    return `${code} ${message}`;
  }
};

test("only known fields of an object; what is undefined is left out", () => {
  expect(said(() => onlyFields("X", "fork", { from: "a", input: undefined, odd: undefined }, ["from", "input"]))).toBe("nothing");
  expect(said(() => onlyFields("X", "fork", { step: "a" }, ["from", "input"]))).toBe("X fork: there is no `step`; it takes from, input");
  expect(said(() => onlyFields("X", "fork", "a", ["from"]))).toBe('X fork is "a": give an object of from');
  expect(said(() => onlyFields("X", "fork", null, ["from"]))).toBe("X fork is null: give an object of from");
  expect(said(() => onlyFields("X", "fork", ["a"], ["from"]))).toBe('X fork is ["a"]: give an object of from');
});

test("a duration says where it stands", () => {
  expect(durationAt("rate.per", "1m")).toBe(60_000);
  expect(said(() => durationAt("rate.per", "minute"))).toMatch(/^INVALID_DURATION rate\.per: "minute" is not a duration/);
  expect(said(() => durationAt("rate.per", 60))).toMatch(/^INVALID_DURATION rate\.per is 60: write .* as text, such as "30s"/);
  expect(said(() => durationAt("rate.per", undefined))).toMatch(/^INVALID_DURATION rate\.per is undefined/);
});
