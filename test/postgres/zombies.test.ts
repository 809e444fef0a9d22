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
/** How long a pause and the time after it take about, ms. */
const roundMs = 2.6 * leaseMs;
/** Processes that drive runs. */
const busy = "SELECT pid FROM onex.leases l WHERE state = 'live' AND EXISTS (SELECT 1 FROM onex.runs r WHERE r.lease_no = l.lease_no)";

describe.skipIf(skipWithoutStore("orchestrators that were stopped for longer than their lease"))("PostgreSQL", () => {
  let server: TestServer;
  beforeAll(async () => {
    server = await startPostgres();
  });
  afterAll(() => server.stop());

  test(`three orchestrators, one of them stopped and woken ${figures.pauses} times`, { timeout: 400_000 }, async () => {
    const draw = new Draw();
    const { runs, pauses } = figures;
    const database = await server.createDatabase();
    const store = server.url(database);
    const gapMs = (pauses * roundMs) / runs;
    const fleet = await Fleet.play({ store, storeOptions: { leaseMs }, orchestrators: 3, runs, gapMs }, async (fleet) => {
      for (let round = 0; round < pauses; round++) {
        const pids = new Set((await server.query(busy, database)).map(({ pid }) => pid));
        const driving = fleet.orchestrators.filter(({ program }) => pids.has(program.pid));
        const { program } = draw.pick(driving.length > 0 ? driving : fleet.orchestrators);
        program.kill("SIGSTOP");
        // However long the others take to see it.
        const lives = `SELECT 1 FROM onex.leases WHERE state = 'live' AND pid = ${program.pid}`;
        while ((await server.query(lives, database)).length > 0) await pause(50);
        await pause(1.7 * leaseMs * draw.next());
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
