/**
 * An orchestrator is stopped for longer than its lease and goes on where it was, again and again. Whoever took its runs
 * meanwhile keeps them: the one that wakes can write nothing for them, and no host takes its calls.
 */
import { setTimeout as pause } from "node:timers/promises";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { Draw, full } from "./draw.ts";
import { Fleet } from "./fleet.ts";
import { skipWithoutStore } from "./kit.ts";
import { startPostgres, type TestServer } from "./server.ts";

const leaseMs = 1_000;
const figures = full ? { runs: 600, pauses: 30 } : { runs: 60, pauses: 3 };
/** How long a pause and the time after it take in the middle, ms. */
const roundMs = 2.6 * leaseMs;

describe.skipIf(skipWithoutStore("orchestrators that were stopped for longer than their lease"))("PostgreSQL", () => {
  let server: TestServer;
  beforeAll(async () => {
    server = await startPostgres();
  });
  afterAll(() => server.stop());

  test(`three orchestrators, one of them stopped and woken ${figures.pauses} times`, { timeout: 400_000 }, async () => {
    const draw = new Draw();
    const { runs, pauses } = figures;
    const store = server.url(await server.createDatabase());
    const gapMs = (pauses * roundMs) / runs;
    const fleet = await Fleet.play({ store, storeOptions: { leaseMs }, orchestrators: 3, runs, gapMs }, async (fleet) => {
      for (let round = 0; round < pauses; round++) {
        const { program } = draw.pick(fleet.orchestrators);
        program.kill("SIGSTOP");
        await pause(leaseMs * (1.3 + 1.7 * draw.next()));
        program.kill("SIGCONT");
        await pause(draw.between(0, 600));
      }
      await fleet.settle();
    });
    const { report, figures: seen } = await fleet.judge(`zombies, seed ${draw.seed}, ${pauses} pauses`);
    expect(report.violations).toEqual([]);
    expect(seen).toMatchObject({ runs, completed: runs });
    expect(Object.entries(report.checked).filter(([, count]) => count === 0)).toEqual([]);
    expect(seen.takenAgain, "runs were taken from one that was stopped").toBeGreaterThan(0);
    // Nobody was killed, and one that lost its lease goes on under another one.
    expect(Object.keys(seen.ends).filter((end) => end.startsWith("orchestrator"))).toEqual(["orchestrator 0"]);
  });
});
