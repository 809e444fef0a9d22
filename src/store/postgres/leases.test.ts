/** What the end of a lease means, in the words of the database: who writes nothing any more, and who may call another's lease lapsed. */
import { setTimeout as pause } from "node:timers/promises";
import { afterAll, afterEach, beforeAll, describe, expect, test } from "vitest";
import { skipWithoutPostgres } from "../../../test/postgres/binaries.ts";
import { FaultProxy } from "../../../test/postgres/proxy.ts";
import { startPostgres, type TestServer } from "../../../test/postgres/server.ts";
import type { OpenStore, TurnWrite } from "../store.ts";
import { begin, end, first, Log, newRun, signal, turnZero } from "../suite/kit.ts";
import { postgres } from "./postgres.ts";

/** So short that it may run out in a test, and so long that none does. */
const [leaseMs, longMs] = [500, 60_000];

describe.skipIf(skipWithoutPostgres("leases in PostgreSQL"))("leases", () => {
  let server: TestServer;
  let schemas = 0;
  let schema = "";
  const opened: OpenStore[] = [];
  beforeAll(async () => {
    server = await startPostgres({ settings: { fsync: "off" } });
  });
  afterEach(async () => {
    for (const store of opened.splice(0)) await store.close();
  });
  afterAll(() => server.stop());

  function open(ms = leaseMs, url = server.url()): OpenStore {
    const store = postgres(url, { schema, leaseMs: ms }).open({
      now: () => Date.now(),
      setTimer(ms, callback) {
        const timer = setTimeout(callback, ms);
        return () => clearTimeout(timer);
      },
      warn: () => {},
    });
    opened.push(store);
    return store;
  }
  function fresh(): void {
    schema = `l${++schemas}`;
  }
  async function one(text: string): Promise<Readonly<Record<string, unknown>>> {
    return (await server.query(text.replaceAll("@.", `${schema}.`)))[0] ?? {};
  }
  /** Asks until the answer of `SELECT … AS yes` is true. */
  async function until(text: string): Promise<void> {
    while ((await one(text)).yes !== true) await pause(5);
  }
  /** The lease of one that has died, which runs out in so many ms. */
  const bereave = (ms: number): Promise<unknown> =>
    one(`INSERT INTO @.leases (lease_no, lease_id, pid, host, state, expires_at)
         VALUES (nextval('@.lease_numbers'), 'dead', 1, 'h', 'live', clock_timestamp() + ${ms} * interval '1 millisecond')`);
  const buried = "SELECT state = 'lapsed' AS yes FROM @.leases WHERE lease_id = 'dead'";

  const lapse = "UPDATE @.leases SET state = 'lapsed', ended_at = clock_timestamp()";

  test.each<[string, Partial<TurnWrite>]>([
    ["a turn", {}],
    ["a turn with company", { messages: [signal("b", "m")] }],
    ["the end of a run", end],
  ])("whose lease was called lapsed writes nothing, also while its runs are not freed: %s", async (_, more) => {
    fresh();
    const store = open(longMs);
    await store.acquire("L");
    const [a, b] = [await begin(store, "a"), await begin(store, "b")];
    // The rows of the runs name the lease until somebody frees them, and it hears of it when it renews, in a long time.
    await one(lapse);
    await expect(store.append([a.next(more)])).rejects.toMatchObject({ code: "OWNERSHIP_LOST" });
    expect([await one("SELECT count(*) AS turns FROM @.turns"), await store.inbox(b.runNo, 0)]).toEqual([{ turns: "2" }, []]);
  });

  test("whose lease was called lapsed makes and takes no run", async () => {
    fresh();
    const store = open(longMs);
    const { row } = await store.start(newRun("a"), first);
    await store.acquire("L");
    await one(lapse);
    await expect(store.append([turnZero(newRun("b"))])).rejects.toMatchObject({ code: "OWNERSHIP_LOST" });
    const other = open(longMs);
    await other.acquire("L2");
    await one(lapse);
    await expect(other.append([new Log(row.runNo, 0).next({ take: true })])).rejects.toMatchObject({ code: "OWNERSHIP_LOST" });
    expect([await store.run("b"), (await store.turns(row.runNo)).length]).toEqual([undefined, 1]);
  });

  test("a lease that was called lapsed never comes back, though its holder goes on renewing", async () => {
    fresh();
    const store = open(3_000);
    let tell = (_: string): void => {};
    const told = new Promise<string>((resolve) => (tell = resolve));
    await store.acquire("L", tell);
    await one(lapse);
    const before = await one("SELECT expires_at::text AS at FROM @.leases");
    expect(await told).toMatch(/others have ended it/);
    expect([await one("SELECT expires_at::text AS at FROM @.leases"), store.trusted()]).toEqual([before, false]);
  });

  test("who has just come calls no lease lapsed before it has renewed for a whole lease of its own", async () => {
    fresh();
    await open().run("a");
    await bereave(-1);
    // Longer than its thread takes to begin.
    const own = 2_000;
    const store = open(own);
    await store.acquire("L");
    await until(buried);
    const { ms } = await one(`SELECT extract(epoch FROM d.ended_at - l.started_at) * 1000 AS ms
      FROM @.leases d, @.leases l WHERE d.lease_id = 'dead' AND l.lease_id = 'L'`);
    expect(Number(ms)).toBeGreaterThanOrEqual(own);
  });

  test("after an outage nobody's lease is called lapsed for a whole lease", async () => {
    fresh();
    const proxy = await FaultProxy.before(server.url());
    const store = open(leaseMs, proxy.url);
    await store.acquire("L");
    // It has proved that it may.
    await bereave(-1);
    await until(buried);
    await one("UPDATE @.leases SET lease_id = 'dead before' WHERE lease_id = 'dead'");
    proxy.blackhole();
    await bereave(100);
    await until("SELECT bool_and(expires_at < clock_timestamp()) AS yes FROM @.leases");
    proxy.cut();
    const { at } = await one("SELECT clock_timestamp()::text AS at");
    proxy.heal();
    await until(buried);
    const { ms } = await one(
      `SELECT extract(epoch FROM ended_at - '${at}'::timestamptz) * 1000 AS ms FROM @.leases WHERE lease_id = 'dead'`,
    );
    expect(Number(ms)).toBeGreaterThanOrEqual(leaseMs);
    await store.close();
    await proxy.close();
  });
});
