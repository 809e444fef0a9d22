/** What we ask of ourselves, as ratios to the limit measured in the same run. */
import type { Figures } from "./stats.ts";
import type { StoreKind } from "./store.ts";

export interface Goal {
  readonly what: string;
  readonly value: string;
  readonly wanted: string;
  readonly met: boolean;
}

type Results = Readonly<Record<string, Figures>>;

export function goals(results: Results, store: StoreKind): Goal[] {
  const of = (name: string, figure: string): number | undefined => results[name]?.[figure];
  const found: Goal[] = [];
  const ask = (what: string, value: number | undefined, bound: "at least" | "at most", goal: number, unit = ""): void => {
    if (value === undefined || Number.isNaN(value)) return;
    const met = bound === "at least" ? value >= goal : value <= goal;
    found.push({ what, value: `${Number(value.toPrecision(3))}${unit}`, wanted: `${bound} ${goal}${unit}`, met });
  };
  const over = (a: number | undefined, b: number | undefined): number | undefined =>
    a === undefined || b === undefined ? undefined : a / b;
  const rows = of("limit", "stepsPerSecond");
  if (store === "sqlite") ask("limit: rows a second with 100 chains", rows, "at least", 40_000);
  // On a database the limit is a loop over rows that are ready: a process is compared with a journal, which has rows to make too.
  const journal = of("limit", "journalStepsPerSecond");
  if (journal === undefined) ask("throughput / limit", over(of("throughput", "stepsPerSecond"), rows), "at least", 0.25);
  else {
    ask("throughput", of("throughput", "stepsPerSecond"), "at least", 8_000, " steps/s");
    ask("throughput / bare journal", over(of("throughput", "stepsPerSecond"), journal), "at least", 0.25);
  }
  ask("throughput: round trips a step", of("throughput", "roundTripsPerStep"), "at most", 0.1);
  ask("start from another process: p50", of("elsewhere", "startP50Ms"), "at most", 5, " ms");
  ask("takeover with a lease of 5 s", of("elsewhere", "takeoverMs"), "at most", 6_000, " ms");
  ask("pure / throughput", over(of("pure", "stepsPerSecond"), of("throughput", "stepsPerSecond")), "at least", 2);
  ask("sequential p50 / limit with one chain", over(of("sequential", "p50Ms"), of("limit", "tenRowsP50Ms")), "at most", 3);
  ask("time to first step p50 / commit of one row", over(of("sequential", "firstStepP50Ms"), of("limit", "oneRowP50Ms")), "at most", 3);
  ask("fanout / limit for 1,000 rows", over(of("fanout", "ms"), rows === undefined ? undefined : 1_000_000 / rows), "at most", 5);
  ask("long: last 100 steps / first 100", of("long", "lastToFirst"), "at most", 1.5);
  ask("long: cold resume", of("long", "coldResumeMs"), "at most", 500, " ms");
  for (const shape of ["chain", "wide", "guarded", "switch"])
    ask(`check: 1,000 steps, ${shape}`, of("check", `${shape}Ms`), "at most", 1_000, " ms");
  ask("sleepers: memory each", of("sleepers", "bytesEach"), "at most", 256, " bytes");
  ask("sleepers: late p99", of("sleepers", "lateP99Ms"), "at most", 1_000, " ms");
  ask("sleepers: woken early", of("sleepers", "early"), "at most", 0);
  return found;
}
