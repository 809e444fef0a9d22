/**
 * `kill -9` of a random process, again and again: orchestrators, node hosts, and the client that starts the runs. Each is
 * started again. Nothing that was acknowledged is lost, and nothing that was recorded is done again.
 */
import { join } from "node:path";
import { setTimeout as pause } from "node:timers/promises";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { newFolder } from "../faults/processes.ts";
import { Draw, full } from "./draw.ts";
import { Fleet } from "./fleet.ts";
import { skipWithoutStore } from "./kit.ts";
import { startPostgres, type TestServer } from "./server.ts";

const figures = full ? { runs: 1_000, seconds: 60, everyMs: 300 } : { runs: 100, seconds: 6, everyMs: 300 };

/** Kills a process every so often for so long, then lets all end, and judges. */
async function play(store: string, storeOptions = {}): Promise<void> {
  const draw = new Draw();
  const { runs, seconds, everyMs } = figures;
  const kills = Math.floor((seconds * 1_000) / everyMs);
  const fleet = await Fleet.play({ store, storeOptions, orchestrators: 3, runs, gapMs: (0.8 * seconds * 1_000) / runs }, async (fleet) => {
    for (let kill = 0; kill < kills; kill++) {
      await draw.pick(fleet.members).kill();
      await pause(everyMs);
    }
    await fleet.settle();
  });
  const { report, figures: seen } = await fleet.judge(`kills, seed ${draw.seed}, ${kills} kills`);
  expect(report.violations).toEqual([]);
  expect(seen).toMatchObject({ runs, completed: runs });
  expect(Object.entries(report.checked).filter(([, count]) => count === 0)).toEqual([]);
  expect(seen.takenAgain, "runs were taken from owners that died").toBeGreaterThan(0);
  expect(seen.leases, "by one after the other").toBeGreaterThan(1);
}

const timeout = full ? 900_000 : 400_000;

describe.skipIf(skipWithoutStore("kills on PostgreSQL"))("PostgreSQL", () => {
  let server: TestServer;
  beforeAll(async () => {
    server = await startPostgres();
  });
  afterAll(() => server.stop());

  test(`three orchestrators, two hosts, ${figures.runs} runs of ten effects: a kill every ${figures.everyMs} ms`, { timeout }, async () => {
    await play(server.url(await server.createDatabase()), { leaseMs: 2_000 });
  });
});

// One owner at a time: `test/faults/kills.test.ts` kills it more often; here are the hosts and the client as well.
describe.runIf(full)("SQLite", () => {
  test(`the same on one file, where one owner follows another`, { timeout }, async () => {
    await play(join(newFolder(), "test.db"));
  });
});
