/**
 * Figures of the runs that this process drives, fed with accepted turns.
 *
 * M1 Memory is bounded: histograms have fixed buckets, names are capped, a run's meter dies with the run.
 * M2 A run is counted when it ends, once, with how it ended; those under way are counted apart.
 * M3 All time comes from the world's clock or from the facts.
 */
import type { Fact, FinalBody, Started } from "../../core/fact.ts";
import { undoWorkflow } from "../../core/undo.ts";
import { Capped } from "./capped.ts";
import { type DurationBuckets, type DurationStats, Histogram } from "./histogram.ts";
import { Outcomes, type RunOutcome, type RunTotals } from "./outcomes.ts";
import { LastRuns, type Tier, worst } from "./tier.ts";
import { Window, windowMs } from "./window.ts";

export interface TypeMetrics extends RunTotals {
  readonly byOutcome: { readonly [outcome in RunOutcome]: DurationStats };
  /** Of the last ten that completed. */
  readonly performanceTier: Tier;
}
export interface StepMetrics {
  /** Steps that ran to an end, failed ones included. */
  readonly executed: number;
  readonly failed: number;
  /** Attempts after the first. */
  readonly retries: number;
  /** Attempts of effects, from the intent to the answer, by node. */
  readonly byNode: Readonly<Record<string, DurationStats>>;
}
export interface RunMetrics extends RunTotals {
  /** The worst of the types'. */
  readonly performanceTier: Tier;
  readonly byOutcome: { readonly [outcome in RunOutcome]: DurationStats };
  readonly byType: Readonly<Record<string, TypeMetrics>>;
  /** From the call of `start` to the acceptance of the run's first action, or of its first turn if it has none. */
  readonly initiation: DurationStats;
  /** Runs that ended within the last `windowMs`. */
  readonly window: RunTotals & { readonly windowMs: number; readonly byOutcome: { readonly [outcome in RunOutcome]: DurationStats } };
  readonly steps: StepMetrics;
}

/** Durations of all that this process drove, as buckets. */
export interface DurationReport {
  readonly runs: readonly { readonly workflow: string; readonly outcome: RunOutcome; readonly durations: DurationBuckets }[];
  /** Attempts of effects, by node. */
  readonly calls: readonly { readonly node: string; readonly durations: DurationBuckets }[];
  readonly initiation: DurationBuckets;
}

/** What is measured of a run while it is driven here. */
export interface Meter {
  /** When it was asked for; undefined once its initiation is measured, and for a run that was not started here. */
  askedAt: number | undefined;
  firstTurnAt: number | undefined;
  /** Attempts under way, by step. */
  readonly calls: Map<string, { readonly node: string; readonly at: number }>;
}

export class Metrics {
  readonly #elapsed: () => number;
  readonly #thresholdMs: number;
  readonly #all = new Outcomes();
  readonly #window = new Window();
  readonly #types = new Capped(() => ({ outcomes: new Outcomes(), last: new LastRuns() }));
  readonly #nodes = new Capped(() => new Histogram());
  readonly #initiation = new Histogram();
  readonly #meters = new WeakMap<object, Meter>();
  #executed = 0;
  #failed = 0;
  #retries = 0;

  /** @param elapsed monotonic time, ms. */
  constructor(elapsed: () => number, thresholdMs: number) {
    this.#elapsed = elapsed;
    this.#thresholdMs = thresholdMs;
  }

  /** A run was made because of a `start` that came at `askedAt`. */
  asked(run: object, askedAt: number): void {
    this.#meter(run).askedAt = askedAt;
  }

  /** A turn of the run was accepted; `rests` when it wants nothing more now. */
  accepted(run: object, facts: readonly Fact[], rests: boolean): void {
    let acts = false;
    for (const fact of facts) {
      switch (fact.type) {
        case "action.dispatched":
          acts = true;
          if (fact.attempt > 1) this.#retries++;
          this.#meter(run).calls.set(fact.step, fact);
          break;
        case "child.started":
          acts = true;
          break;
        case "action.completed":
          this.#executed++;
          this.#answered(run, fact);
          break;
        case "action.failed":
          this.#answered(run, fact);
          break;
        case "step.failed":
          this.#failed++;
          if (fact.attempts > 0) this.#executed++;
          break;
        case "compute.failed":
          this.#failed++;
          this.#executed++;
          break;
        case "compute.completed":
        case "reducer.applied":
          this.#executed++;
          break;
      }
    }
    const meter = this.#meters.get(run);
    if (meter?.askedAt !== undefined) this.#initiated(meter, meter.askedAt, acts, rests);
  }

  #initiated(meter: Meter, askedAt: number, acts: boolean, rests: boolean): void {
    const now = this.#elapsed();
    meter.firstTurnAt ??= now;
    if (!acts && !rests) return;
    this.#initiation.add((acts ? now : meter.firstTurnAt) - askedAt);
    meter.askedAt = undefined;
  }

  #answered(run: object, fact: { readonly step: string; readonly at: number }): void {
    const calls = this.#meters.get(run)?.calls;
    const call = calls?.get(fact.step);
    if (!call) return;
    calls?.delete(fact.step);
    this.#nodes.of(call.node).add(Math.max(0, fact.at - call.at));
  }

  #meter(run: object): Meter {
    let meter = this.#meters.get(run);
    if (!meter) {
      meter = { askedAt: undefined, firstTurnAt: undefined, calls: new Map() };
      this.#meters.set(run, meter);
    }
    return meter;
  }

  /**
   * M2. A log that is closed by `restart` has not ended, and an undo of a child is no workflow of the user's.
   * What was started for later has its time from then on.
   */
  ended(started: Pick<Started, "workflow" | "at" | "startAt"> | undefined, final: Fact & FinalBody): void {
    if (!started || final.type === "run.restarted" || started.workflow === undoWorkflow.name) return;
    const outcome: RunOutcome = final.type === "run.completed" ? "completed" : final.type === "run.failed" ? "failed" : "cancelled";
    const ms = Math.max(0, final.at - Math.max(started.at, started.startAt ?? 0));
    const type = this.#types.of(started.workflow);
    type.outcomes.add(outcome, ms);
    if (outcome === "completed") type.last.add(ms);
    this.#all.add(outcome, ms);
    this.#window.add(this.#elapsed(), outcome, ms);
  }

  /** Of the last ten runs of that type that completed here. */
  tierOf(type: string): Tier {
    return this.#types.find(type)?.last.tier(this.#thresholdMs) ?? "optimal";
  }
  /** What ended within the last five minutes. */
  recent(): Outcomes {
    return this.#window.sum(this.#elapsed());
  }

  durations(): DurationReport {
    return {
      runs: this.#types.entries().flatMap(([workflow, type]) => type.outcomes.buckets().map((ended) => ({ workflow, ...ended }))),
      calls: this.#nodes.entries().map(([node, histogram]) => ({ node, durations: histogram.buckets() })),
      initiation: this.#initiation.buckets(),
    };
  }

  report(): RunMetrics {
    const byType: Record<string, TypeMetrics> = {};
    for (const [type, { outcomes, last }] of this.#types.entries())
      byType[type] = { ...outcomes.totals(), byOutcome: outcomes.byOutcome(), performanceTier: last.tier(this.#thresholdMs) };
    const recent = this.recent();
    return {
      ...this.#all.totals(),
      performanceTier: worst(Object.values(byType).map((type) => type.performanceTier)),
      byOutcome: this.#all.byOutcome(),
      byType,
      initiation: this.#initiation.stats(),
      window: { windowMs, ...recent.totals(), byOutcome: recent.byOutcome() },
      steps: {
        executed: this.#executed,
        failed: this.#failed,
        retries: this.#retries,
        byNode: Object.fromEntries(this.#nodes.entries().map(([node, histogram]) => [node, histogram.stats()])),
      },
    };
  }
}
