/** 2,000 runs of ten steps, 100 at once: durable effects, and computes that share their turn. */
import { tenComputes, tenEffects } from "../nodes.ts";
import { roundTrips } from "../round-trips.ts";
import { type Figures, timed } from "../stats.ts";
import { type StoreKind, withOrchestrator } from "../store.ts";

const runs = 2_000;
const atOnce = 100;

export function throughput(store: StoreKind): Promise<Figures> {
  return many(store, tenEffects);
}
export function pure(store: StoreKind): Promise<Figures> {
  return many(store, tenComputes);
}

function many(store: StoreKind, workflow: typeof tenEffects | typeof tenComputes): Promise<Figures> {
  return withOrchestrator(store, [workflow], async (orchestrator) => {
    const play = (count: number): Promise<number> => {
      let left = count;
      const client = async (): Promise<void> => {
        while (left-- > 0) await (await orchestrator.start<{ n: number }, { n: number }>(workflow, { n: 0 })).result();
      };
      return timed(() => Promise.all(Array.from({ length: atOnce }, client)));
    };
    // Over a network the first runs wait for the connection, the schema and the lease.
    if (store === "postgres") await play(atOnce);
    const cpuBefore = process.cpuUsage();
    const tripsBefore = await roundTrips(store);
    const commitsBefore = orchestrator.stats().commits;
    const ms = await play(runs);
    const cpu = process.cpuUsage(cpuBefore);
    const steps = runs * 10;
    return {
      stepsPerSecond: (steps / ms) * 1000,
      cpuSecondsPer1000Steps: (cpu.user + cpu.system) / 1000 / steps,
      commitsPerStep: (orchestrator.stats().commits - commitsBefore) / steps,
      ...(store === "postgres" ? { roundTripsPerStep: ((await roundTrips(store)) - tripsBefore) / steps } : {}),
    };
  });
}
