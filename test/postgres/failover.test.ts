/** The primary dies and its synchronous standby takes over, again and again: what was acknowledged is there. */
import { existsSync } from "node:fs";
import { setTimeout as pause } from "node:timers/promises";
import { describe, expect, test } from "vitest";
import { findBinaries, program } from "./binaries.ts";
import { Draw, full } from "./draw.ts";
import { Fleet } from "./fleet.ts";
import { skipWithoutStore } from "./kit.ts";
import { FaultProxy } from "./proxy.ts";
import { startPostgres, type TestServer } from "./server.ts";

const failovers = 4;
const runs = 400;

describe.skipIf(!full || skipWithoutStore("failover of PostgreSQL"))("PostgreSQL", () => {
  test(`three orchestrators, ${failovers} times another primary`, { timeout: 600_000 }, async (context) => {
    if (!existsSync(program(await findBinaries(), "pg_basebackup"))) return context.skip("the server comes without pg_basebackup");
    const draw = new Draw();
    let primary = await startPostgres();
    const database = await primary.createDatabase();
    const proxy = await FaultProxy.before(primary.url(database));
    try {
      const fleet = await Fleet.play(
        { store: proxy.url, storeOptions: { leaseMs: 2_000 }, orchestrators: 3, runs, gapMs: 50 },
        async (fleet) => {
          for (let failover = 0; failover < failovers; failover++) {
            const standby = await followed(primary);
            const before = fleet.done();
            while (fleet.done() < Math.min(before + 50, runs * 10)) await pause(20);
            await primary.kill();
            await pause(draw.between(0, 1_500));
            await standby.promote();
            proxy.moveTo(standby.url(database));
            await primary.stop();
            primary = standby;
          }
          await fleet.settle();
        },
      );
      const { report, figures: seen } = await fleet.judge(`failover, seed ${draw.seed}, ${failovers} failovers`);
      expect(report.violations).toEqual([]);
      expect(seen).toMatchObject({ runs, completed: runs });
      expect(Object.entries(report.checked).filter(([, count]) => count === 0)).toEqual([]);
    } finally {
      await proxy.close();
      await primary.stop();
    }
  });
});

/** A standby that has all that this server acknowledges from now on. */
async function followed(primary: TestServer): Promise<TestServer> {
  const standby = await startPostgres({ standbyOf: primary });
  // After the copy was made: the standby itself is to wait for nobody.
  await primary.query("ALTER SYSTEM SET synchronous_standby_names = '*'");
  await primary.query("SELECT pg_reload_conf()");
  while ((await primary.query("SELECT 1 FROM pg_stat_replication WHERE sync_state = 'sync'")).length === 0) await pause(20);
  return standby;
}
