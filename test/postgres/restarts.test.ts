/** PostgreSQL ends at once and recovers as after a crash, again and again: whoever used it goes on, and nothing is lost. */
import { setTimeout as pause } from "node:timers/promises";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { Draw, full } from "./draw.ts";
import { Fleet } from "./fleet.ts";
import { skipWithoutStore } from "./kit.ts";
import { startPostgres, type TestServer } from "./server.ts";

const figures = full ? { runs: 600, restarts: 10 } : { runs: 60, restarts: 2 };

describe.skipIf(skipWithoutStore("restarts of PostgreSQL"))("PostgreSQL", () => {
  let server: TestServer;
  beforeAll(async () => {
    server = await startPostgres();
  });
  afterAll(() => server.stop());

  test(`restarted ${figures.restarts} times under three orchestrators`, { timeout: 400_000 }, async () => {
    const draw = new Draw();
    const { runs, restarts } = figures;
    const store = server.url(await server.createDatabase());
    let kills = 0;
    const fleet = await Fleet.play({ store, orchestrators: 3, runs, gapMs: (restarts * 1_500) / runs }, async (fleet) => {
      for (let restart = 0; restart < restarts; restart++) {
        await pause(draw.between(200, 1_500));
        if (draw.next() < 0.3) {
          kills++;
          await server.kill();
          await pause(draw.between(0, 500));
          await server.start();
        } else await server.restart("immediate");
      }
      await fleet.settle();
    });
    const { report, figures: seen } = await fleet.judge(`restarts, seed ${draw.seed}, ${restarts} restarts, of these ${kills} by kill -9`);
    expect(report.violations).toEqual([]);
    expect(seen).toMatchObject({ runs, completed: runs });
    expect(Object.values(report.checked)).not.toContain(0);
  });
});
