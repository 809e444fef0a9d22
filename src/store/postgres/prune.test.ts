/** A start that meets the removal of its own id: the run is not made again, whoever is first. */
import { afterAll, beforeAll, describe, expect, test, vi } from "vitest";
import { skipWithoutPostgres } from "../../../test/postgres/binaries.ts";
import { startPostgres, type TestServer } from "../../../test/postgres/server.ts";
import { begin, end, first, newRun } from "../suite/kit.ts";
import { loadDriver } from "./driver.ts";
import { configOf, greeting, Line } from "./line.ts";
import { postgres } from "./postgres.ts";
import { Prunes } from "./prune.ts";
import { Statements } from "./sql.ts";

describe.skipIf(skipWithoutPostgres("removing runs beside starts"))("prune", () => {
  let server: TestServer;
  beforeAll(async () => {
    server = await startPostgres({ settings: { fsync: "off" } });
  });
  afterAll(() => server.stop());

  test("a start that waits for the removal is answered with the run that was", async () => {
    const store = postgres(server.url()).open({ now: Date.now, setTimer: () => () => {}, warn: () => {} });
    await store.acquire("owner");
    await (await begin(store, "a", { at: 1 })).write(store, { ...end, at: 10 });
    const line = new Line({ driver: await loadDriver(), config: configOf(server.url(), 10_000), greeting });
    const parent = await begin(store, "parent");
    let waiting: Promise<readonly unknown[]> = Promise.resolve([]);
    await line.transact(async () => {
      expect(await new Prunes(new Statements("onex")).prune(line, 100, 10, { keepIdsMs: 1e15 }, 100)).toMatchObject({ runs: 1 });
      const child = { run: newRun("a", { parent: "parent" }), first: { ...first, epoch: 1 } };
      waiting = Promise.all([store.start(newRun("a"), first), parent.write(store, { children: [child] })]);
      await vi.waitFor(
        async () => {
          const [row] = await server.query("SELECT count(*)::int AS n FROM pg_stat_activity WHERE wait_event_type = 'Lock'");
          expect(row?.n).toBeGreaterThan(1);
        },
        // Less than a transaction may stand idle.
        { timeout: 12_000 },
      );
    });
    const [started, taken] = await waiting;
    expect(started).toMatchObject({ created: false, row: { id: "a", endedAt: 10 } });
    expect(taken).toMatchObject({ accepted: true, children: [undefined] });
    expect(await store.run("a")).toBeUndefined();
    await line.end();
    await store.close();
  });
});
