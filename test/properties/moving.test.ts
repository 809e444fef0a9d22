/** Random workflows are moved to a version that does the same, at random moments, between crashes: nothing changes by it. */
import fc from "fast-check";
import { expect, test } from "vitest";
import { foldsAgree, listen, logsHold, outcome } from "./check.ts";
import { type Plan, type Played, play } from "./drive.ts";
import { plant, shape } from "./tree.ts";

const moments = (most: number) =>
  fc.array(fc.record({ gap: fc.integer({ min: 0, max: 3 }), turns: fc.integer({ min: 0, max: 12 }) }), { minLength: 1, maxLength: most });
const plan = (calm: boolean): fc.Arbitrary<Plan & Required<Pick<Plan, "moves">>> =>
  fc
    .record({
      shape,
      seed: fc.integer({ min: 1, max: 1_000_000 }),
      signals: fc.array(fc.constantFrom("a" as const, "b" as const), { maxLength: 3 }),
      cancel: fc.integer({ min: 0, max: 4 }).map((n) => n === 4),
      crashes: fc.oneof(fc.constant([]), moments(3)),
      moves: moments(5),
    })
    .map(({ shape, ...rest }) => ({ ...rest, stop: false, tree: plant(shape, rest.seed, calm), calm }));

let moved = 0;

async function played(given: Plan): Promise<Played> {
  const ears = listen();
  try {
    const all = await play(given);
    foldsAgree(all, ears.heard);
    logsHold(all);
    for (const { row, facts } of all.runs) {
      const moves = facts.filter((fact) => fact.type === "run.migrated");
      moved += moves.length;
      expect(row.version, "the store says what the log says").toBe(moves.at(-1)?.version ?? "1.0.0");
      // The very same program fits whatever was done.
      expect(facts.filter((fact) => fact.type === "migration.refused")).toEqual([]);
    }
    return all;
  } finally {
    ears.stop();
  }
}

test("moved, the folds agree and every log keeps its rules", async () => {
  await fc.assert(
    fc.asyncProperty(plan(false), async (given) => void (await played(given))),
    { numRuns: 60 },
  );
  // It moves runs: usually far more of them.
  expect(moved).toBeGreaterThan(30);
});

test("moves change nothing", async () => {
  await fc.assert(
    fc.asyncProperty(plan(true), async (given) => {
      const { moves: _, ...still } = given;
      const calm = await play({ ...still, crashes: [] });
      expect(outcome(await played(given))).toEqual(outcome(calm));
    }),
    { numRuns: 40 },
  );
});
