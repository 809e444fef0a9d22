/** Random workflows, with signals, cancels and crashes at random moments. */
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { foldsAgree, listen, logsHold, outcome } from "./check.ts";
import { type Plan, play } from "./drive.ts";
import { found } from "./found.ts";
import { plant, shape } from "./tree.ts";

const figures = { plays: 0, runs: 0, facts: 0, folded: 0, crashes: 0 };
const plan = (calm: boolean): fc.Arbitrary<Plan> =>
  fc
    .record({
      shape,
      seed: fc.integer({ min: 1, max: 1_000_000 }),
      stop: fc.integer({ min: 0, max: 5 }).map((n) => n === 5),
      signals: fc.array(fc.constantFrom("a" as const, "b" as const), { maxLength: 3 }),
      cancel: fc.integer({ min: 0, max: 4 }).map((n) => n === 4),
      crashes: fc.array(fc.record({ gap: fc.integer({ min: 0, max: 4 }), turns: fc.integer({ min: 0, max: 16 }) }), {
        minLength: calm ? 1 : 0,
        maxLength: 4,
      }),
    })
    .map(({ shape, ...rest }) => ({ ...rest, tree: plant(shape, rest.seed, calm), calm }));

async function played(given: Plan) {
  const ears = listen();
  try {
    const all = await play(given);
    figures.plays++;
    figures.crashes += all.crashes;
    figures.runs += all.runs.length;
    for (const { facts } of all.runs) figures.facts += facts.length;
    return { all, heard: ears.heard };
  } finally {
    ears.stop();
  }
}

describe("random workflows", () => {
  test("a warm fold and a cold one are equal at every fact, and every log keeps its rules", async () => {
    await fc.assert(
      fc.asyncProperty(plan(false), async (given) => {
        const { all, heard } = await played(given);
        figures.folded += foldsAgree(all, heard);
        logsHold(all);
      }),
      { numRuns: 250, examples: found },
    );
  });

  test("crashes change nothing", async () => {
    await fc.assert(
      fc.asyncProperty(plan(true), async (given) => {
        const calm = await played({ ...given, crashes: [] });
        const crashed = await played(given);
        expect(outcome(crashed.all)).toEqual(outcome(calm.all));
        figures.folded += foldsAgree(crashed.all, crashed.heard);
        logsHold(crashed.all);
      }),
      { numRuns: 150 },
    );
    if (process.env.PROPERTY_RUNS) console.log(figures);
  });
});
