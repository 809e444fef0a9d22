import { describe, expect, test } from "vitest";
import { memory } from "./memory.ts";
import { fenceTests, type SuiteRunner, storeSuite } from "./suite.ts";

/** A runner that only notes what it is given. */
function noting(): SuiteRunner & { readonly tests: string[]; readonly skipped: string[] } {
  const tests: string[] = [];
  const skipped: string[] = [];
  return {
    tests,
    skipped,
    describe: (_name, body) => body(),
    test: (name) => void tests.push(name),
    expect: () => ({ toEqual() {} }),
    skip: (name) => void skipped.push(name),
  };
}

function make(): { store: ReturnType<typeof memory>; loseOwner: () => void } {
  const store = memory();
  return { store, loseOwner: store.kill };
}

describe("the suite", () => {
  test("no two scenarios have one name", () => {
    const runner = noting();
    storeSuite(runner, "one", { make });
    const forOne = runner.tests.length;
    expect(new Set(runner.tests).size).toBe(forOne);
    const many = noting();
    storeSuite(many, "many", { make, owners: "many" });
    expect(new Set(many.tests).size).toBe(many.tests.length);
    expect(many.tests.filter((name) => !runner.tests.includes(name)).length).toBeGreaterThan(10);
  });

  test("a declined scenario is noted with its reason, and not run", () => {
    const runner = noting();
    storeSuite(runner, "some", { make, skip: [{ reason: "one owner", tests: fenceTests }] });
    expect(runner.skipped).toEqual(fenceTests.map((name) => `${name} (declined: one owner)`));
    expect(runner.tests.some((name) => fenceTests.includes(name))).toBe(false);
  });

  test("a scenario that does not exist cannot be declined", () => {
    expect(() => storeSuite(noting(), "x", { make, skip: [{ reason: "r", tests: ["no such"] }] })).toThrow(/no scenario of the suite/);
  });
});
