/**
 * How long the parts of a flow take by what is declared: pure arithmetic over times in ms.
 *
 * T1 `leastOf` is a time that no run of a part that succeeds can undercut: only sleeps count, and the pauses of nothing
 *    that may be left out. A call may answer at once.
 * T2 `mostMs` is a time that a part cannot exceed, `Infinity` where nothing bounds it. A call is not bounded: it may wait
 *    for a slot, a rate or a breaker before its timeout begins.
 * T3 `worstMs` of a call is what its attempts may take when each one uses all its time, and each wait between two of them
 *    is as long as jitter can make it: full jitter draws between nothing and the whole wait.
 */
import { durationMs } from "../core/duration.ts";
import { backoffMs, once, type Retry, retryOf, usual } from "../core/retry.ts";
import type { Contract } from "../node/contract.ts";
import type { Block, Flow, Step } from "./flow.ts";

/** Who says how long a call may take, or how often it is tried; "step" wins over "node", and that over "file". */
type Said = "step" | "node" | "file" | "built-in";

export interface CallTiming {
  /** Of one attempt. */
  readonly attemptMs: number;
  readonly attemptSaid: Said;
  readonly retry: Retry;
  readonly retrySaid: Said;
  /** From the first attempt to the end of the last one (T3). */
  readonly worstMs: number;
}

const builtInAttemptMs = 30_000;

/**
 * What one call of an effect may take. Without its contract it is known only where the step says both; undefined
 * otherwise, and for what is no effect.
 */
export function callTiming(step: Step, defaults: Flow["defaults"], contract: Contract | undefined): CallTiming | undefined {
  if (step.verb.kind !== "call" || step.verb.node !== "effect") return undefined;
  if (!contract && (step.timeout === undefined || step.retry === undefined)) return undefined;
  const timeout = first(step.timeout, contract?.timeout, defaults.timeout);
  const policy = first(step.retry, contract?.retry, defaults.retry);
  const repeatable = contract?.idempotent === true || contract?.readonly === true;
  const attemptMs = timeout.value === undefined ? builtInAttemptMs : durationMs(timeout.value);
  const retry = policy.value ? retryOf(policy.value) : policy.value === false || !repeatable ? once : usual;
  return { attemptMs, attemptSaid: timeout.said, retry, retrySaid: policy.said, worstMs: worstMs(retry, attemptMs) };
}

/** All attempts until their timeout, with the longest waits between; none begins past `within` (T3). */
export function worstMs(retry: Retry, attemptMs: number): number {
  return Math.min(retry.maxAttempts * attemptMs + waitsMs(retry), retry.withinMs + attemptMs);
}

function first<T>(step: T | undefined, node: T | undefined, file: T | undefined): { readonly value: T | undefined; readonly said: Said } {
  if (step !== undefined) return { value: step, said: "step" };
  if (node !== undefined) return { value: node, said: "node" };
  return file !== undefined ? { value: file, said: "file" } : { value: undefined, said: "built-in" };
}

/** The waits between all attempts, each at its longest (T3). */
export function waitsMs(retry: Retry): number {
  let sumMs = 0;
  for (let attempt = 1; attempt < retry.maxAttempts; attempt++) {
    const waitMs = backoffMs(retry, attempt);
    // From here on every wait is the same.
    if (retry.backoff === "fixed" || waitMs >= retry.maxDelayMs) return sumMs + waitMs * (retry.maxAttempts - attempt);
    sumMs += waitMs;
  }
  return sumMs;
}

/** How many attempts begin within the budget when each fails at once and each wait is at its longest. */
export function attemptsWithin(retry: Retry): number {
  if (retry.withinMs === Number.POSITIVE_INFINITY) return retry.maxAttempts;
  let sumMs = 0;
  for (let attempt = 1; attempt < retry.maxAttempts; attempt++) {
    sumMs += backoffMs(retry, attempt);
    if (sumMs > retry.withinMs) return attempt;
  }
  return retry.maxAttempts;
}

/** A time, and the longest single sleep in it. */
export interface Least {
  readonly ms: number;
  readonly longestMs: number;
}
const none: Least = { ms: 0, longestMs: 0 };

/** The least time of a step that runs, with its body (T1). */
export function leastOf(step: Step): Least {
  // What stands in for a failure may come at any moment.
  if (step.onError !== "fail" && step.verb.kind !== "sleep") return none;
  const { verb } = step;
  switch (verb.kind) {
    case "sleep":
      return { ms: verb.ms ?? 0, longestMs: verb.ms ?? 0 };
    case "steps":
      return leastOfBlock(verb.block);
    case "switch":
      // Without a default none may be taken.
      return verb.cases.some(({ when }) => when === undefined) ? least(verb.cases.map(leastOf)) : none;
    case "race":
      return least([...verb.branches.values()].map(leastUnlessSkipped));
    case "repeat":
      return leastUnlessSkipped(verb.body);
    default:
      return none;
  }
}

/** The critical path through a block. */
export function leastOfBlock(block: Block): Least {
  return alongPath(block, leastUnlessSkipped, none, (a, b) => (b.ms > a.ms ? b : a), plus, false);
}

function leastUnlessSkipped(step: Step): Least {
  return step.when ? none : leastOf(step);
}
function least(all: readonly Least[]): Least {
  return all.reduce((a, b) => (b.ms < a.ms ? b : a), all[0] ?? none);
}
function plus(a: Least, b: Least): Least {
  return { ms: a.ms + b.ms, longestMs: Math.max(a.longestMs, b.longestMs) };
}

/** The longest time of a step (T2). */
export function mostMs(step: Step): number {
  const own = step.timeout !== undefined && step.verb.kind !== "call" ? durationMs(step.timeout) : Number.POSITIVE_INFINITY;
  const instead = typeof step.onError === "string" ? 0 : mostMs(step.onError);
  return Math.min(own, mostOfVerb(step)) + instead;
}

function mostOfVerb({ verb }: Step): number {
  switch (verb.kind) {
    case "set":
    case "fail":
    case "rethrow":
      return 0;
    case "sleep":
      return verb.ms ?? Number.POSITIVE_INFINITY;
    case "steps":
      return alongPath(verb.block, mostMs, 0, Math.max, (a, b) => a + b, true);
    case "switch":
      return Math.max(...verb.cases.map(mostMs));
    case "race":
      return Math.min(...[...verb.branches.values()].map(mostMs));
    case "repeat":
      return verb.max * mostMs(verb.body) + (verb.max - 1) * verb.everyMs;
    default:
      return Number.POSITIVE_INFINITY;
  }
}

/** The longest path through a block, in time proportional to steps and edges; `any` edges count only where `anys` says so. */
function alongPath<T>(block: Block, of: (step: Step) => T, zero: T, longer: (a: T, b: T) => T, add: (a: T, b: T) => T, anys: boolean): T {
  const left = block.steps.map(() => 0);
  for (const list of block.dependents) for (const { step } of list) left[step] = (left[step] ?? 0) + 1;
  const begins: T[] = block.steps.map(() => zero);
  const ready = block.steps.map((_, i) => i).filter((i) => left[i] === 0);
  let longest = zero;
  for (let i = ready.pop(); i !== undefined; i = ready.pop()) {
    const named = block.steps[i];
    if (!named) continue;
    const ends = add(begins[i] ?? zero, of(named.body));
    longest = longer(longest, ends);
    for (const { step, any } of block.dependents[i] ?? []) {
      if (anys || !any) begins[step] = longer(begins[step] ?? zero, ends);
      left[step] = (left[step] ?? 0) - 1;
      if (left[step] === 0) ready.push(step);
    }
  }
  return longest;
}

/** A length of time as durations are written, in at most three units: "1d 2h", "1m 5s", "250ms"; without an end in words. */
export function sayMs(ms: number): string {
  if (ms === Number.POSITIVE_INFINITY) return "no end";
  const parts: string[] = [];
  let left = Math.round(ms);
  for (const [unit, size] of units) {
    const count = Math.floor(left / size);
    left -= count * size;
    if (count > 0) parts.push(`${count}${unit}`);
  }
  return parts.length === 0 ? "0s" : parts.slice(0, 3).join(" ");
}
const units = [
  ["d", 86_400_000],
  ["h", 3_600_000],
  ["m", 60_000],
  ["s", 1_000],
  ["ms", 1],
] as const;
