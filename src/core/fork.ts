/**
 * What a fork shares with the run that it is made from: the facts before the fork point, the answers of what was under way
 * there, and what branches beside it did meanwhile, so that no recorded result is lost and nothing is done twice.
 *
 * K1 Facts are folded one at a time, so any beginning of a log is a history, and so is one whose open calls are answered next.
 * K2 What cannot be shared is refused with the step to fork from instead: a call without an answer, an effect that was taken back.
 *    A stream is shared without its end: it only reads, so it is asked again behind the items that are shared.
 * K3 What was begun later beside the point, and whether the point survives the answers (a parallel failure may give it up),
 *    is for the program to say: `alongside`, `survives`.
 */
import { type Fact, type FactOf, isFinal, type Origin, type Started } from "./fact.ts";
import { fits } from "./fits.ts";
import type { Replay } from "./replay.ts";

/** Where a run is forked: at its first fact of a step, or, without a step, behind its first `position` facts. */
export interface ForkPoint {
  readonly step?: string;
  readonly position: number;
}

export interface Shared {
  /** What happened before the fork point, `run.started` left out. */
  readonly before: readonly Fact[];
  /** Answers, from later on, to what was under way there. */
  readonly answers: readonly Fact[];
  readonly origins: readonly Origin[];
  readonly since: number;
  readonly owes: boolean;
}

export interface Refused {
  readonly code: "FORK_IMPOSSIBLE" | "FORK_STEP_OPEN" | "FORK_UNDONE";
  readonly message: string;
  /** The earlier step from which it could be forked. */
  readonly step?: string;
}

/** Whether a step is that step, or stands in the block of that path. */
function within(path: string): (step: string) => boolean {
  return (step) => step === path || step.startsWith(`${path}/`) || step.startsWith(`${path}~timeout`);
}

/** Where a step, or the block of that path, began; undefined when it never did. */
export function pointOf(facts: readonly Fact[], path: string): ForkPoint | undefined {
  const inside = within(path);
  const position = facts.findIndex(
    (fact) => "step" in fact && fact.step !== undefined && inside(fact.step) && fact.type !== "run.forked" && !isFinal(fact),
  );
  const first = facts[position];
  // The clock of a retry or a timeout is no step, and what takes back is none to go on from.
  const clock = first?.type === "timer.set" && first.purpose !== "sleep" && first.step === path;
  return !first || clock || path.includes(undo) ? undefined : { step: path, position };
}

/** Where a run goes on when it is tried again: at what failed it, else where it stood when it was stopped. */
export function retryPoint(facts: readonly Fact[]): ForkPoint | Refused {
  const last = facts.at(-1);
  if (last?.type === "run.completed" || last?.type === "run.restarted")
    return refused("FORK_IMPOSSIBLE", "it completed: nothing of it failed; to do a part of it anew, fork it from a step");
  const failed = last?.type === "run.failed" && last.step !== undefined ? pointOf(facts, last.step) : undefined;
  if (failed) return failed;
  const end = facts.findIndex((fact) => stops(fact) || fact.type === "run.compensating" || isFinal(fact));
  if (end < 0)
    return pausedPoint(facts) ?? refused("FORK_IMPOSSIBLE", "it is paused and nothing has failed it: resume it, or fork it from a step");
  const first = stops(facts[end] as Fact) ? undefined : facts.find((fact) => fact.type === "step.failed" || fact.type === "compute.failed");
  return (first && "step" in first && first.step !== undefined && pointOf(facts, first.step)) || { position: end };
}

/** The step that waits for a person. */
function pausedPoint(facts: readonly Fact[]): ForkPoint | undefined {
  const at = facts.findLastIndex((fact) => fact.type === "run.paused" && fact.step !== undefined);
  const fact = facts[at];
  if (fact?.type !== "run.paused" || fact.step === undefined) return undefined;
  const settled = facts.slice(at).some((later) => later.type === "run.resumed" && later.step === fact.step);
  return settled ? undefined : pointOf(facts, fact.step);
}

/**
 * What a fork of `runId` at that point shares, or why there is none. The answers of steps in `without` are left out, the
 * facts of `beside` are shared too.
 */
export function shareUntil(
  runId: string,
  facts: readonly Fact[],
  point: ForkPoint,
  without: ReadonlySet<string>,
  beside: ReadonlySet<Fact> = new Set(),
): Shared | Refused {
  const { position } = point;
  const past = facts.slice(0, position);
  if (past.some(stops)) return refused("FORK_IMPOSSIBLE", "it belongs to the cleanup of a run that was stopped; fork from an earlier step");
  const undone = firstUndone(facts, position);
  if (undone !== undefined)
    return refused("FORK_UNDONE", `step "${undone}" before it was taken back later, so it cannot be shared`, undone);
  const opening = new Openings();
  const streams = new Set(facts.flatMap((fact) => (fact.type === "action.item" ? [fact.step] : [])));
  const kept: { readonly fact: Fact; readonly from: number }[] = [];
  const keep = (fact: Fact, from: number): void => {
    // The new run begins with the pin that the old one had last.
    if (fact.type === "run.migrated" || fact.type === "migration.refused") return;
    // Of that run alone: this one has epochs of its own.
    if (fact.type === "lease.raised") return;
    // A new owner matters only to what is under way: it is then in doubt.
    if (fact.type === "lease.acquired" && !opening.calls) return;
    opening.fold(fact);
    kept.push({ fact, from });
  };
  past.forEach((fact, i) => {
    if (i > 0 && !(fact.type === "run.paused" && fact.step === undefined)) keep(fact, i);
  });
  const shared = kept.length;
  for (const { fact, from } of answersTo(facts, position, new Set(opening.steps.keys()), without, beside)) keep(fact, from);
  const open = opening.first(streams);
  if (open !== undefined) {
    const message = `step "${open}" was under way there, and the run holds no answer of it`;
    return refused("FORK_STEP_OPEN", message, open.split(undo)[0]);
  }
  const started = facts[0] as Started;
  const last = facts.at(-1);
  return {
    before: kept.slice(0, shared).map(({ fact }) => fact),
    answers: kept.slice(shared).map(({ fact }) => fact),
    origins: originsOf(
      runId,
      started,
      kept.map(({ from }) => from),
    ),
    since: (facts[position - 1] as Fact).at,
    // What a run did that completed, was restarted or is still there is its own.
    owes: last?.type === "run.failed" || last?.type === "run.cancelled",
  };
}

/**
 * What branches beside the fork point did from there on, by themselves and to an end: the facts that a fresh replay takes
 * although the step of the point has not been done; or the step that gave that one up. Throws OnexError `HISTORY_MISMATCH`.
 */
export function alongside(
  replay: Replay,
  started: Started,
  facts: readonly Fact[],
  point: ForkPoint,
  shared: Shared,
  without: ReadonlySet<string>,
): ReadonlySet<Fact> | { readonly without: string } {
  const { step, position } = point;
  const beside = new Set<Fact>();
  if (step === undefined) return beside;
  const last = shared.origins.length - 1;
  const origins = shared.origins.map((origin, i) => (i === last ? { ...origin, until: Number.POSITIVE_INFINITY } : origin));
  for (const fact of [{ ...started, origins }, ...shared.before]) replay.apply(fact);
  const isHere = within(step);
  const answers = new Set(shared.answers);
  const ended = endedAfter(facts, position);
  let over = false;
  for (const fact of facts.slice(position)) {
    over ||= stops(fact) || fact.type === "run.compensating" || isFinal(fact);
    if (!answers.has(fact)) {
      if (over || !("step" in fact) || fact.step === undefined) continue;
      const owner = ended.has(fact.step) ? fact.step : stepOf(fact.step);
      if (!ended.has(owner) || without.has(owner) || isHere(owner) || !fits(replay, fact)) continue;
      beside.add(fact);
    } else if (isUnasked(replay, fact)) return { without: fact.step };
    replay.apply(fact);
    if (!replay.wants(isHere)) return { without: "step" in fact ? stepOf(fact.step ?? "") : "" };
  }
  return beside;
}

/** Steps that began at `position` or later, ended by themselves, and were not taken back. */
function endedAfter(facts: readonly Fact[], position: number): ReadonlySet<string> {
  const opening = new Openings();
  const last = new Map<string, Fact>();
  const barred = new Set<string>();
  for (const fact of facts.slice(0, position)) if ("step" in fact && fact.step !== undefined) barred.add(fact.step);
  for (const fact of facts.slice(position)) {
    opening.fold(fact);
    if (!("step" in fact) || fact.step === undefined) continue;
    const end = fact.step.indexOf(undo);
    // Nobody knows what `compensate(…)` took back.
    if (end >= 0 && byHand.test(fact.step.slice(0, end))) return new Set();
    if (end >= 0) barred.add(fact.step.slice(0, end)).add(fact.step);
    else if (fact.type === "run.paused") barred.add(fact.step);
    else last.set(fact.step, fact);
  }
  const ended = new Set<string>();
  for (const [step, fact] of last) {
    const state = opening.steps.get(step);
    if (!barred.has(step) && (state === undefined || state === "answered") && !isGivenUp(fact)) ended.add(step);
  }
  return ended;
}
const byHand = /(?:^|\/)compensate(?:#\d+)?\/\d+$/;

/**
 * Folds a fork into a fresh replay, and that somebody takes it. Answers undefined when its point is still to come then, else
 * the step whose answer gave it up; "" when it was none. Throws OnexError `HISTORY_MISMATCH`.
 */
export function survives(
  replay: Replay,
  started: Started,
  { before, answers }: Pick<Shared, "before" | "answers">,
  forked: FactOf<"run.forked">,
): { readonly without: string } | undefined {
  for (const fact of [started, ...before]) replay.apply(fact);
  const isHere = within(forked.step ?? "");
  for (const fact of answers) {
    if (isUnasked(replay, fact)) return { without: fact.step };
    replay.apply(fact);
    if (forked.step !== undefined && !replay.wants(isHere)) return { without: "step" in fact ? stepOf(fact.step ?? "") : "" };
  }
  replay.apply(forked);
  if (forked.step === undefined || !replay.wants(isHere)) return undefined;
  // Who takes the run ends a stream that an item of it has aborted, and that may fail what stands around both.
  const aborting = answers.find((fact) => fact.type === "action.item" && replay.command(`a:${fact.step}`) !== undefined);
  replay.apply({ type: "lease.acquired", leaseId: "", epoch: 1, at: forked.at });
  return replay.wants(isHere) ? undefined : { without: aborting?.type === "action.item" ? aborting.step : "" };
}

/** An item that the stream was asked for only when what is done anew had made room for it. */
function isUnasked(replay: Replay, fact: Fact): fact is FactOf<"action.item"> {
  return fact.type === "action.item" && !replay.expects(fact);
}

/** Whether the step that begins at that position has an input that could be another one. */
export function takesInput(facts: readonly Fact[], { step, position }: ForkPoint): boolean {
  const fact = facts[position];
  return fact !== undefined && "step" in fact && fact.step === step && withInput.has(fact.type);
}
const withInput: ReadonlySet<Fact["type"]> = new Set([
  "action.dispatched",
  "compute.completed",
  "compute.failed",
  "reducer.applied",
  "child.started",
  "step.failed",
  "run.paused",
]);

const undo = "~undo/";

/** The facts that stop a run from outside: what follows is cleanup. */
function stops(fact: Fact): boolean {
  return fact.type === "cancel.requested" || (fact.type === "timer.fired" && fact.step === "~deadline");
}

/** The step that a timer of it belongs to: its retries, its timeout. */
function stepOf(id: string): string {
  return id.replace(/(?:@\d+|~timeout\d*)$/, "");
}

/** Calls, children and sleeps that have begun and not ended. */
class Openings {
  readonly steps = new Map<string, "call" | "child" | "sleep" | "answered">();

  get calls(): boolean {
    for (const state of this.steps.values()) if (state === "call") return true;
    return false;
  }
  /** The first that waits for an answer of the outside. */
  first(except: ReadonlySet<string>): string | undefined {
    for (const [step, state] of this.steps) if ((state === "call" || state === "child") && !except.has(step)) return step;
    return undefined;
  }

  fold(fact: Fact): void {
    const { steps } = this;
    switch (fact.type) {
      case "action.dispatched":
        return void steps.set(fact.step, "call");
      case "child.started":
        return void steps.set(fact.step, "child");
      case "action.failed":
        return void steps.set(fact.step, "answered");
      case "child.ended":
        return void (fact.status === "completed" ? steps.delete(fact.step) : steps.set(fact.step, "answered"));
      case "run.paused":
        // The output that a person gave did not fit.
        if (fact.step !== undefined && (fact.code === "IN_DOUBT" || fact.code === "POISON")) steps.set(fact.step, "call");
        return;
      case "run.resumed":
        if (fact.step !== undefined && (fact.as === "output" || fact.as === "fail")) steps.delete(fact.step);
        return;
      case "timer.set":
        if (fact.purpose === "sleep") steps.set(fact.step, "sleep");
        return;
      case "timer.fired":
        if (steps.get(fact.step) === "sleep") steps.delete(fact.step);
        return;
      case "action.completed":
      case "step.failed":
        steps.delete(fact.step);
    }
  }
}

/** The later facts about steps that were open at `position`, until they end. */
function answersTo(
  facts: readonly Fact[],
  position: number,
  open: ReadonlySet<string>,
  without: ReadonlySet<string>,
  beside: ReadonlySet<Fact>,
): { readonly fact: Fact; readonly from: number }[] {
  const found: { readonly fact: Fact; readonly from: number }[] = [];
  const last = new Map<string, number>();
  for (let from = position; from < facts.length; from++) {
    const fact = facts[from] as Fact;
    if (beside.has(fact) || fact.type === "lease.acquired" || (fact.type === "run.resumed" && fact.step === undefined)) {
      found.push({ fact, from });
      continue;
    }
    // That an undo failed is said of the step, and is none of its answers.
    if (!("step" in fact) || fact.step === undefined || fact.type === "run.forked" || fact.type === "undo.failed" || isFinal(fact))
      continue;
    const step = open.has(fact.step) ? fact.step : stepOf(fact.step);
    if (!open.has(step) || without.has(step)) continue;
    // The clock of a child starts anew with the child.
    if (fact.step.includes("~timeout", step.length)) continue;
    found.push({ fact, from });
    last.set(step, from);
  }
  // A failure of which the run made nothing answered an abort: the step was given up, and that is not shared.
  return found.filter(({ fact, from }) => !(isGivenUp(fact) && last.get(fact.step) === from));
}

function isGivenUp(fact: Fact): fact is Fact & { readonly type: "action.failed" | "child.ended" } {
  return fact.type === "action.failed" || (fact.type === "child.ended" && fact.status === "cancelled");
}

/** The first step before `position` whose effect was taken back after it. */
function firstUndone(facts: readonly Fact[], position: number): string | undefined {
  const spared = new Set<string>();
  for (const fact of facts) if (fact.type === "undo.failed" && fact.error.code !== "NOT_UNDONE") spared.add(fact.step);
  const begun = new Set<string>();
  const undone = new Set<string>();
  let anything = false;
  facts.forEach((fact, i) => {
    const step = "step" in fact ? fact.step : undefined;
    const end = step?.indexOf(undo) ?? -1;
    if (step === undefined || end < 0) return;
    const owner = step.slice(0, end);
    if (i < position) begun.add(owner);
    else if (!begun.has(owner) && !spared.has(owner)) {
      undone.add(owner);
      // `compensate(…)` names no step: nobody knows what it took back.
      if (byHand.test(owner)) anything = true;
    }
  });
  if (undone.size === 0) return undefined;
  for (const fact of facts.slice(0, position)) {
    if (!("step" in fact) || fact.step === undefined || fact.step.includes(undo)) continue;
    if (undone.has(fact.step) || (anything && (fact.type === "action.dispatched" || fact.type === "child.started"))) return fact.step;
  }
  return undefined;
}

/** Whose the shared facts are, `run.started` with the first of them. */
function originsOf(runId: string, started: Started, from: readonly number[]): Origin[] {
  const earlier = started.origins ?? [];
  const origins: Origin[] = [];
  from.forEach((index, i) => {
    const { runId: id, round } = earlier.find(({ until }) => index < until) ?? { runId, round: started.round ?? 0 };
    const until = i + 2;
    const last = origins.at(-1);
    if (last?.runId === id && last.round === round) origins[origins.length - 1] = { ...last, until };
    else origins.push({ runId: id, round, until });
  });
  return origins;
}

function refused(code: Refused["code"], message: string, step?: string): Refused {
  return { code, message, ...(step === undefined ? {} : { step }) };
}
