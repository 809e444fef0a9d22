/**
 * How long a flow may take by what it declares: every attempt until its timeout, every backoff at its longest.
 *
 * What no text says is not counted: waiting for a free slot, a rate or a breaker, computes, the store, undoing, and what an
 * effect asks for with `RetryLater`.
 */
import type { RunDefaults } from "../../core/defaults.ts";
import { durationMs } from "../../core/duration.ts";
import { once, type Retry, type RetryPolicy, retryOf, usual } from "../../core/retry.ts";
import type { EffectContract, WorkflowContract } from "../../node/contract.ts";
import type { Flow } from "../flow.ts";
import { sayMs, waitsMs, worstMs } from "../timing.ts";
import { blockOf, type Spot, verbWords } from "./spot.ts";

export interface Span {
  /** The longest that it may take, ms; Infinity when nothing ends it. */
  readonly mostMs: number;
  /** It takes no less, ms. */
  readonly leastMs: number;
  /** Where `mostMs` comes from, in words; empty when there is nothing to say. */
  readonly why: string;
  /** What has no end, or is not known, in it. */
  readonly endless: readonly Endless[];
}
export interface Endless {
  readonly spot: Spot;
  readonly why: string;
  /** Nobody has given the node, which may say it. */
  readonly unknown: boolean;
}

/** The longest way through a flow. */
export interface LongestWay {
  readonly mostMs: number;
  readonly leastMs: number;
  /** Steps of the flow on the way, in order, with what each may take. */
  readonly way: readonly { readonly spot: Spot; readonly span: Span }[];
  readonly endless: readonly Endless[];
  /** Of the run, ms; undefined when it has none. */
  readonly timeoutMs: number | undefined;
}

const nothing: Span = { mostMs: 0, leastMs: 0, why: "", endless: [] };

/** The spans of all spots of a flow. */
export class Times {
  readonly #flow: Flow;
  readonly #defaults: RunDefaults;
  readonly #known = new Map<Spot, Span>();

  constructor(flow: Flow, defaults: RunDefaults) {
    this.#flow = flow;
    this.#defaults = defaults;
  }

  /** The longest way through the steps of a block. */
  longest(run: Spot): LongestWay {
    const { ends, starts } = this.#chains(run);
    let last: Spot | undefined;
    for (const spot of run.inner) if (last === undefined || longer(ends.get(spot), ends.get(last))) last = spot;
    const way: { readonly spot: Spot; readonly span: Span }[] = [];
    for (let spot = last; spot; spot = starts.get(spot)) way.unshift({ spot, span: this.of(spot) });
    const span = this.of(run);
    const timeout = this.#flow.timeout;
    return { ...span, way, timeoutMs: timeout === undefined ? undefined : durationMs(timeout) };
  }

  of(spot: Spot): Span {
    const known = this.#known.get(spot);
    if (known) return known;
    const span = this.#modified(spot);
    this.#known.set(spot, span);
    return span;
  }

  #modified(spot: Spot): Span {
    const { step } = spot;
    const work = this.#limited(spot, this.#verb(spot));
    const instead = spot.error ? this.of(spot.error) : nothing;
    return {
      ...work,
      mostMs: work.mostMs + instead.mostMs,
      // Skipped it takes no time, and a failure may come at once.
      leastMs: step.when || step.onError !== "fail" || spot.role === "case" ? 0 : work.leastMs,
      endless: [...work.endless, ...instead.endless],
    };
  }

  /** The timeout of a block or a wait is of the whole; that of a call is of one attempt, and counted there. */
  #limited(spot: Spot, span: Span): Span {
    const { timeout, verb } = spot.step;
    if (timeout === undefined || verb.kind === "call") return span;
    const limitMs = durationMs(timeout);
    if (span.mostMs <= limitMs) return span;
    return { mostMs: limitMs, leastMs: Math.min(span.leastMs, limitMs), why: "its timeout", endless: [] };
  }

  #verb(spot: Spot): Span {
    const { verb } = spot.step;
    switch (verb.kind) {
      case "call":
        if (verb.node === "effect") return this.#effect(spot);
        return verb.node === "workflow" ? this.#child(spot) : nothing;
      case "wait":
        return endless(spot, "it waits until the signal comes");
      case "sleep":
        if (verb.ms === undefined) return endless(spot, "how long it sleeps is known when it runs");
        return { mostMs: verb.ms, leastMs: verb.ms, why: "it sleeps", endless: [] };
      case "steps":
        return this.#block(spot);
      case "switch": {
        const cases = spot.inner.map((inner) => this.of(inner));
        const all = spot.step.verb.kind === "switch" && verb.cases.at(-1)?.when === undefined;
        return {
          mostMs: Math.max(0, ...cases.map(({ mostMs }) => mostMs)),
          leastMs: all ? Math.min(...spot.inner.map((inner) => this.#verb(inner).leastMs)) : 0,
          why: "its longest case",
          endless: cases.flatMap((span) => span.endless),
        };
      }
      case "race": {
        // Whatever settles first ends it, a failure too.
        const branches = spot.inner.map((inner) => this.of(inner));
        const mostMs = Math.min(...branches.map((span) => span.mostMs));
        const open = mostMs === Number.POSITIVE_INFINITY ? branches.flatMap((span) => span.endless) : [];
        return { mostMs, leastMs: Math.min(...branches.map((span) => span.leastMs)), why: "its shortest branch", endless: open };
      }
      case "repeat": {
        const [body] = spot.inner;
        const turn = body ? this.of(body) : nothing;
        return {
          mostMs: times(verb.max, turn.mostMs) + times(verb.max - 1, verb.everyMs),
          leastMs: turn.leastMs,
          why: `${verb.max} turns`,
          endless: turn.endless,
        };
      }
      case "each":
        return this.#each(spot);
      default:
        return nothing;
    }
  }

  #each(spot: Spot): Span {
    const inner = spot.inner.map((each) => this.of(each));
    if (inner.every(({ mostMs }) => mostMs === 0)) return nothing;
    const { verb } = spot.step;
    const many = verb.kind === "each" ? (verb.concurrency ?? this.#defaults.concurrency ?? 10) : 1;
    const body = inner.at(-1) ?? nothing;
    if (body.endless.length > 0) return { ...nothing, mostMs: Number.POSITIVE_INFINITY, endless: body.endless };
    const what = verb.kind === "each" && verb.batchSize !== undefined ? "batch" : "item";
    return endless(spot, `how many items there are is known when it runs: up to ${sayMs(body.mostMs)} for each ${what}, ${many} at once`);
  }

  #block(spot: Spot): Span {
    const { ends } = this.#chains(spot);
    const least = new Map<number, number>();
    let leastMs = 0;
    const block = blockOf(spot);
    for (const inner of spot.inner) {
      const end = (least.get(inner.index) ?? 0) + this.of(inner).leastMs;
      leastMs = Math.max(leastMs, end);
      // Of several of which some are enough, the first may be enough.
      for (const { step, any } of block?.dependents[inner.index] ?? []) if (!any) least.set(step, Math.max(least.get(step) ?? 0, end));
    }
    let most: Ended = { mostMs: 0, openMs: 0 };
    for (const end of ends.values()) if (longer(end, most)) most = end;
    return { mostMs: most.mostMs, leastMs, why: "its longest way", endless: spot.inner.flatMap((inner) => this.of(inner).endless) };
  }

  /** When each step of a block has ended at the latest, and the step before it on the longest way. */
  #chains(spot: Spot): { readonly ends: ReadonlyMap<Spot, Ended>; readonly starts: ReadonlyMap<Spot, Spot> } {
    const block = blockOf(spot);
    const byIndex = new Map(spot.inner.map((inner) => [inner.index, inner]));
    const ends = new Map<Spot, Ended>();
    const starts = new Map<Spot, Spot>();
    for (const inner of spot.inner) {
      const from = starts.get(inner);
      const before = (from && ends.get(from)) ?? { mostMs: 0, openMs: 0 };
      const { mostMs } = this.of(inner);
      const finite = mostMs === Number.POSITIVE_INFINITY ? 0 : mostMs;
      const end = { mostMs: before.mostMs + mostMs, openMs: before.openMs + finite };
      ends.set(inner, end);
      for (const { step } of block?.dependents[inner.index] ?? []) {
        const next = byIndex.get(step);
        const other = next && starts.get(next);
        if (next && (other === undefined || longer(end, ends.get(other)))) starts.set(next, inner);
      }
    }
    return { ends, starts };
  }

  /** API 4, point 10: the step's own words win, then the node's, then the file's defaults, then the run's. */
  #effect(spot: Spot): Span {
    const { step, node } = spot;
    const contract = node?.contract as EffectContract | undefined;
    if (!contract && (step.timeout === undefined || step.retry === undefined)) return endless(spot, "its node is not known", true);
    const { defaults } = this.#flow;
    const attemptMs = durationMs(step.timeout ?? contract?.timeout ?? defaults.timeout ?? this.#defaults.stepTimeout ?? "30s");
    const retry = retryFor(step.retry ?? contract?.retry ?? defaults.retry, contract, this.#defaults);
    return { ...attempts(retry, attemptMs), leastMs: 0, endless: [] };
  }

  #child(spot: Spot): Span {
    const { step, node } = spot;
    const own = step.timeout === undefined ? Number.POSITIVE_INFINITY : durationMs(step.timeout);
    const declared = (node?.contract as WorkflowContract | undefined)?.timeout;
    const attemptMs = Math.min(own, declared === undefined ? Number.POSITIVE_INFINITY : durationMs(declared));
    if (attemptMs === Number.POSITIVE_INFINITY)
      return endless(spot, node ? "the workflow has no timeout" : "its workflow is not known", !node);
    return { ...attempts(step.retry ? retryOf(step.retry) : once, attemptMs), leastMs: 0, endless: [] };
  }
}

interface Ended {
  readonly mostMs: number;
  /** The same without what has no end. */
  readonly openMs: number;
}
function longer(a: Ended | undefined, b: Ended | undefined): boolean {
  if (!a || !b) return a !== undefined;
  return a.mostMs === b.mostMs ? a.openMs > b.openMs : a.mostMs > b.mostMs;
}

function endless(spot: Spot, why: string, unknown = false): Span {
  return { mostMs: Number.POSITIVE_INFINITY, leastMs: 0, why: "", endless: [{ spot, why: `${verbWords(spot)}: ${why}`, unknown }] };
}

function times(count: number, ms: number): number {
  return count === 0 || ms === 0 ? 0 : count * ms;
}

function retryFor(policy: RetryPolicy | false | undefined, effect: EffectContract | undefined, run: RunDefaults): Retry {
  if (policy === false) return once;
  if (policy !== undefined) return retryOf(policy);
  if (!effect?.idempotent && !effect?.readonly) return once;
  return run.retry ? retryOf(run.retry) : usual;
}

/** All attempts until their timeout, in words. */
function attempts(retry: Retry, attemptMs: number): Pick<Span, "mostMs" | "why"> {
  const mostMs = worstMs(retry, attemptMs);
  if (retry.maxAttempts === 1) return { mostMs, why: `one attempt of ${sayMs(attemptMs)}` };
  const all = retry.maxAttempts * attemptMs + waitsMs(retry);
  const within = mostMs < all ? `, begun within ${sayMs(retry.withinMs)}` : "";
  return { mostMs, why: `${retry.maxAttempts} attempts of ${sayMs(attemptMs)}, up to ${sayMs(waitsMs(retry))} between them${within}` };
}
