/**
 * The network between each orchestrator and PostgreSQL fails in every way that it can: connections are cut, what passes is
 * late, in pieces, or held back, the answer to a commit is lost, a request is lost, and a transaction is done twice.
 */
import { setTimeout as pause } from "node:timers/promises";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { Draw, full } from "./draw.ts";
import { Fleet } from "./fleet.ts";
import { skipWithoutStore } from "./kit.ts";
import { type Counts, FaultProxy } from "./proxy.ts";
import { startPostgres, type TestServer } from "./server.ts";

const leaseMs = 1_000;
const figures = full ? { runs: 600, faults: 200 } : { runs: 60, faults: 24 };
/** A statement that may write. */
const writes = /\b(INSERT|UPDATE|DELETE|COMMIT)\b/i;

/** One thing that goes wrong, for as long as it takes; some go wrong with the next request that fits. */
type Fault = (proxy: FaultProxy, draw: Draw) => Promise<void> | void;
const faults: Readonly<Record<string, Fault>> = {
  cut: (proxy) => void proxy.cut(),
  "answer lost": (proxy) => proxy.dropAnswerOf(writes),
  "request lost": (proxy) => proxy.dropRequestOf(writes),
  doubled: (proxy, draw) => proxy.duplicate(writes, draw.between(1, 5)),
  late: async (proxy, draw) => {
    proxy.delay(draw.between(5, 80));
    await pause(draw.between(50, 400));
    proxy.delay(0);
  },
  "in pieces": async (proxy, draw) => {
    proxy.slice(draw.between(1, 64));
    await pause(draw.between(50, 400));
    proxy.slice();
  },
  // At times for longer than a lease.
  dark: async (proxy, draw) => {
    proxy.blackhole();
    await pause(leaseMs * 2 * draw.next());
    proxy.heal();
  },
};

describe.skipIf(skipWithoutStore("a network that fails before PostgreSQL"))("PostgreSQL", () => {
  let server: TestServer;
  beforeAll(async () => {
    server = await startPostgres();
  });
  afterAll(() => server.stop());

  test(`${figures.faults} faults between three orchestrators and their store`, { timeout: 600_000 }, async () => {
    const draw = new Draw();
    const { runs } = figures;
    const store = server.url(await server.createDatabase());
    const proxies = new Map<string, FaultProxy>();
    for (const name of ["orchestrator-0", "orchestrator-1", "orchestrator-2", "starter"]) proxies.set(name, await FaultProxy.before(store));
    const played: Record<string, number> = {};
    try {
      const options = { store: (name: string) => proxies.get(name)?.url ?? store, storeOptions: { leaseMs }, orchestrators: 3 };
      const fleet = await Fleet.play({ ...options, runs, gapMs: (figures.faults * 250) / runs }, async (fleet) => {
        // Each kind once, until it has happened, and then what is drawn.
        const kinds = Object.keys(faults);
        for (let i = 0; i < figures.faults; i++) {
          const kind = kinds[i] ?? draw.pick(kinds);
          // What is waited for happens at an orchestrator: who starts runs has soon written all that it will.
          const proxy = draw.pick([...proxies.values()].slice(0, i < kinds.length ? 3 : undefined));
          const happened = Promise.resolve(faults[kind]?.(proxy, draw));
          await (i < kinds.length ? happened : Promise.race([happened, pause(leaseMs * 2)]));
          played[kind] = (played[kind] ?? 0) + 1;
          await pause(draw.between(20, 200));
        }
        for (const proxy of proxies.values()) proxy.heal();
        await fleet.settle();
      });
      const counts = sum([...proxies.values()].map((proxy) => proxy.counts));
      const { report, figures: seen } = await fleet.judge(
        `network, seed ${draw.seed}, ${JSON.stringify(played)}, ${JSON.stringify(counts)}`,
      );
      expect(report.violations).toEqual([]);
      expect(seen).toMatchObject({ runs, completed: runs });
      expect(Object.values(report.checked)).not.toContain(0);
      expect(Object.entries(counts).filter(([name, count]) => count === 0 && name !== "refused")).toEqual([]);
    } finally {
      for (const proxy of proxies.values()) await proxy.close();
    }
  });
});

function sum(all: readonly Counts[]): Counts {
  const total: Counts = { connections: 0, cut: 0, answersLost: 0, requestsLost: 0, doubled: 0, refused: 0 };
  for (const counts of all) for (const name of Object.keys(total) as (keyof Counts)[]) total[name] += counts[name];
  return total;
}
