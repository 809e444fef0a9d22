/** A fleet that is renewed one process after the other: two versions of the package on one schema, while its tables change. */
import { setTimeout as pause } from "node:timers/promises";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { migrations, schemaVersion } from "../../src/store/postgres/migrations.ts";
import { newFolder } from "../faults/processes.ts";
import { Fleet } from "./fleet.ts";
import { skipWithoutStore } from "./kit.ts";
import { newerPackage } from "./packages.ts";
import { startPostgres, type TestServer } from "./server.ts";

/** Whoever could read the tables still can. */
const added = {
  sql: "ALTER TABLE @.turns ADD COLUMN more text; ALTER TABLE @.runs ADD COLUMN more text;",
  minReader: migrations.at(-1)?.minReader ?? 1,
};
const changed = { sql: "ALTER TABLE @.runs RENAME COLUMN more TO other;", minReader: schemaVersion + 2 };

describe.skipIf(skipWithoutStore("two versions of the package on one PostgreSQL schema"))("PostgreSQL", () => {
  let server: TestServer;
  beforeAll(async () => {
    server = await startPostgres();
  });
  afterAll(() => server.stop());

  test("what is added to the tables disturbs nobody; what is changed ends the owners of before, and they are refused", {
    timeout: 400_000,
  }, async () => {
    const database = await server.createDatabase();
    const version = async () => (await server.query("SELECT max(version) AS version FROM onex.migrations", database))[0]?.version;
    const live = async () => await server.query("SELECT lease_no FROM onex.leases WHERE state = 'live' ORDER BY 1", database);
    const [next, after] = [newerPackage(newFolder(), [added]), newerPackage(newFolder(), [added, changed])];
    const runs = 60;
    const options = { store: server.url(database), storeOptions: { leaseMs: 4_000 }, orchestrators: 3, runs, gapMs: 150 };
    const fleet = await Fleet.play(options, async (fleet) => {
      const [first, ...others] = fleet.orchestrators as [Fleet["members"][0], ...Fleet["members"]];
      const before = await live();
      expect(before).toHaveLength(3);

      first.programs = next;
      await first.kill();
      await first.says("up");
      while ((await version()) !== schemaVersion + 1) await pause(20);
      const soFar = fleet.done();
      while (fleet.done() < Math.min(soFar + 20, 10 * runs)) await pause(20);
      // The two of before hold what they held.
      expect(await live()).toEqual(expect.arrayContaining(before.slice(1)));
      expect(others.flatMap(({ ends }) => ends)).toEqual([]);

      for (const member of [first, ...others, fleet.starter]) member.programs = after;
      await first.kill();
      // They end by themselves, and are started as the new version.
      for (const member of others) while (member.ends.length === 0) await pause(20);
      await fleet.starter.kill();
      await fleet.settle();
    });
    const { report, figures: seen } = await fleet.judge("two versions");
    expect(report.violations).toEqual([]);
    expect(seen).toMatchObject({ runs, completed: runs });
    expect(await version()).toBe(schemaVersion + 2);
    // Each was told so while it ran.
    const refused = Object.keys(seen.ends).filter((end) => end.startsWith("orchestrator 70"));
    expect(refused).toEqual([
      expect.stringContaining(`STORE_FOREIGN: ${refused[0]?.match(/postgres:\S+/)?.[0]} has schema ${schemaVersion + 2} of a newer onex`),
    ]);
  });
});
