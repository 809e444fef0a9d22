/** The guard (API rule 11): what gives another answer on replay is refused while a workflow, compute, reducer or undo advances. */
import { expect, test } from "vitest";
import { compute, effect, reducer, sleep } from "../../src/index.ts";
import { anything, playOut } from "./kit.ts";

const sins: [string, () => unknown, RegExp][] = [
  ["Date.now", () => Date.now(), /yield\* now\(\)/],
  // biome-ignore lint/complexity/useDateNow: what a user may write
  ["new Date()", () => new Date().getTime(), /new Date\(yield\* now\(\)\)/],
  ["Date()", () => Date(), /now\(\)/],
  ["Math.random", () => Math.random(), /yield\* random\(\)/],
  ["crypto.randomUUID", () => crypto.randomUUID(), /yield\* uuid\(\)/],
  ["fetch", () => fetch("http://localhost"), /in an effect/],
  ["setTimeout", () => setTimeout(() => {}, 1), /yield\* sleep/],
  ["setInterval", () => setInterval(() => {}, 1), /yield\* sleep/],
  ["setImmediate", () => setImmediate(() => {}), /yield\* sleep/],
];

test.each(sins)("%s in a workflow fails the run and says what to write", async (_name, sin, advice) => {
  const { view } = await playOut(function* () {
    yield* sleep("1s");
    sin();
    return null;
  });
  expect((await view()).error?.code).toBe("NONDETERMINISTIC");
  expect((await view()).error?.message).toMatch(advice);
});

test("in a compute and in a reducer it fails the step", async () => {
  const dice = compute({ name: "dice", input: anything }, () => Math.random());
  const clock = reducer({ name: "clock", event: anything, initial: 0 }, () => Date.now());
  for (const node of [dice, clock]) {
    const { view } = await playOut(function* () {
      yield* node(1);
    });
    expect((await view()).error?.code).toBe("NONDETERMINISTIC");
  }
});

test("effects are free, and so is a Date of a known time", async () => {
  const free = effect({ name: "free", input: anything, readonly: true }, async () => [
    typeof Date.now(),
    typeof Math.random(),
    crypto.randomUUID().length,
  ]);
  const { view } = await playOut(function* () {
    const known = new Date(0).toISOString();
    return [yield* free(1), known, new Date(2030, 1, 1) instanceof Date, Date.parse("2030-01-01")];
  });
  expect((await view()).output).toEqual([["number", "number", 36], "1970-01-01T00:00:00.000Z", true, Date.UTC(2030, 0, 1)]);
});
