/**
 * What is taken back when a step fails: what the engine does (API rule 22), said before it happens.
 *
 * From the spot that fails the failure climbs: at each block it takes with it what has settled beside it, at each scope
 * that is closed, at an `onError` it ends.
 *
 * N1 A scope takes back its own, newest first, one after the other (core/scope.ts, core/undo.ts).
 * N2 Scopes inside the run begin when they close and do not wait for each other; the run's own begins when all have ended.
 * N3 What surely ran before stands in the plan without a condition; what may be under way beside the failure has one.
 */
import type { EffectContract } from "../../node/contract.ts";
import { natural } from "../interpret.ts";
import { blockOf, namedOf, type Spot, spotsIn } from "./spot.ts";

/** How it is taken back; `none` and `irreversible` are not, `unknown` is what a node would say that is not known. */
export type Way = "node" | "step" | "event" | "child" | "irreversible" | "readonly" | "none" | "unknown";

export interface Taken {
  readonly spot: Spot;
  readonly way: Way;
  /** The node of a step's own `undo`, or why it cannot be taken back. */
  readonly by: string | undefined;
  /** Undefined: it has surely completed. `ran`: unless it was skipped. `unknown`: it failed, and may have happened all the same. */
  readonly only: "completed" | "ran" | "unknown" | undefined;
}

/** What one scope takes back, newest first; `cut` are several that are cancelled half done, of which each takes back its own. */
export interface Undone {
  /** Path of the scope; empty for the run. */
  readonly scope: string;
  readonly of: "run" | "group" | "branch" | "item" | "losers" | "cut";
  readonly taken: readonly Taken[];
}

export type Cause = "fails" | "timeout" | "limit" | "needs";

export interface UndoPlan {
  readonly spot: Spot;
  readonly cause: Cause;
  /** False: only when its code or an expression breaks. */
  readonly likely: boolean;
  /** In the order in which they close. */
  readonly undone: readonly Undone[];
  /** Where the failure ends; undefined: it fails the run. */
  readonly stays: { readonly spot: Spot; readonly how: "continue" | "body" | "collect" | "judged" } | undefined;
  /** What stays with the run for a later failure, where this one stays inside. */
  readonly left: readonly Taken[];
  /** `onFailure: stop`: what the run's own scope holds is named and not taken back. */
  readonly stopped: readonly Taken[];
}

export interface UndoOptions {
  /** What a failed run does, as the flow and the defaults of the run say. */
  readonly onFailure: "compensate" | "stop";
}

/** One plan for each way in which a spot can fail, in the order of the spots. */
export function undoPlans(run: Spot, options: UndoOptions): UndoPlan[] {
  const plans: UndoPlan[] = [];
  for (const spot of spotsIn(run))
    for (const [cause, likely] of causes(spot)) plans.push(new Climb(spot, cause, likely, options.onFailure).plan());
  return plans;
}

function causes(spot: Spot): [Cause, boolean][] {
  const { verb, timeout } = spot.step;
  const list: [Cause, boolean][] = [];
  if (namedOf(spot)?.any) list.push(["needs", true]);
  switch (verb.kind) {
    case "call":
      list.push(["fails", verb.node === "effect" || verb.node === "workflow"]);
      break;
    case "fail":
    case "rethrow":
      list.push(["fails", true]);
      break;
    case "read":
    case "set":
      list.push(["fails", false]);
      break;
    case "repeat":
      list.push(["limit", true]);
      break;
    default:
      break;
  }
  if (timeout !== undefined && verb.kind !== "call" && spot.role !== "run") list.push(["timeout", true]);
  return list;
}

class Climb {
  readonly #from: Spot;
  readonly #cause: Cause;
  readonly #likely: boolean;
  readonly #onFailure: "compensate" | "stop";
  readonly #undone: Undone[] = [];
  /** What the scope holds that the climb is in. */
  #open: Taken[] = [];

  constructor(from: Spot, cause: Cause, likely: boolean, onFailure: "compensate" | "stop") {
    this.#from = from;
    this.#cause = cause;
    this.#likely = likely;
    this.#onFailure = onFailure;
  }

  plan(): UndoPlan {
    this.#begin();
    let spot = this.#from;
    // What is done instead of a failed step stands beside it, not in its scope.
    let error = false;
    for (;;) {
      if (!error) {
        if (spot.scope && this.#cause !== "needs") this.#close(spot);
        else if (spot.scope && spot !== this.#from) this.#close(spot);
        if (spot.parent === undefined) return this.#end(undefined);
        if (spot.step.onError !== "fail") return this.#end({ spot, how: spot.step.onError === "continue" ? "continue" : "body" });
      }
      error = false;
      const parent = spot.parent as Spot;
      switch (spot.role) {
        case "step":
          if (namedOf(spot)?.judged) return this.#end({ spot, how: "judged" });
          this.#beside(spot, parent);
          break;
        case "item":
          if (parent.step.verb.kind === "each" && parent.step.verb.collect) return this.#end({ spot, how: "collect" });
          for (const inner of parent.inner) this.#add(held(inner, "completed"));
          break;
        case "stream":
        case "turn":
          for (const inner of parent.inner) if (inner.role !== "stream") this.#add(held(inner, "completed"));
          break;
        case "branch":
          this.#branch(spot, parent);
          break;
        case "error":
          this.#add(leftOver(parent));
          error = true;
          break;
        case "case":
        case "run":
          break;
      }
      spot = parent;
    }
  }

  #begin(): void {
    const spot = this.#from;
    if (this.#cause === "limit") this.#add(spot.inner.flatMap((inner) => held(inner, undefined)));
    else if (this.#cause === "timeout") this.#add(verbHeld(spot, "completed"));
    else if (this.#cause === "fails") this.#add(ownFailure(spot));
  }

  #add(taken: readonly Taken[]): void {
    // The one that failed, and earlier turns or other items of its kind, are two things to say.
    for (const one of taken)
      if (!this.#open.some(({ spot, only }) => spot === one.spot && (only === "unknown") === (one.only === "unknown")))
        this.#open.push(one);
  }

  #close(spot: Spot): void {
    const of = spot.role === "run" ? "run" : spot.step.verb.kind === "steps" ? "group" : "item";
    this.#push(spot.path, of);
  }
  #push(scope: string, of: Undone["of"]): void {
    if (this.#open.length > 0) this.#undone.push({ scope, of, taken: newestFirst(this.#open) });
    this.#open = [];
  }

  /** What stands in the block beside a step that fails: before it, surely; behind it, not yet; the rest may be under way. */
  #beside(spot: Spot, parent: Spot): void {
    const block = blockOf(parent);
    if (!block) return;
    const before = surelyBefore(spot);
    const behind = surelyBehind(spot);
    for (const other of parent.inner)
      if (other !== spot && !behind.has(other.index)) this.#add(held(other, before.has(other.index) ? undefined : "completed"));
  }

  #branch(spot: Spot, race: Spot): void {
    this.#push(`${race.path}/${spot.name}`, "branch");
    const kept: Taken[] = [];
    for (const other of race.inner) {
      if (other === spot) continue;
      const all = held(other, "completed");
      this.#open = all.filter((taken) => !taken.spot.step.keep);
      kept.push(...all.filter((taken) => taken.spot.step.keep));
      this.#push(`${race.path}/${other.name}`, "losers");
    }
    this.#open = kept;
  }

  #end(stays: UndoPlan["stays"]): UndoPlan {
    const runs = this.#undone.at(-1)?.of === "run" ? this.#undone.at(-1) : undefined;
    const stopped = runs && this.#onFailure === "stop" ? runs.taken : [];
    const cut = stopped.filter(isCut);
    const closed = stopped.length > 0 ? this.#undone.slice(0, -1) : this.#undone;
    return {
      spot: this.#from,
      cause: this.#cause,
      likely: this.#likely,
      undone: cut.length > 0 ? [...closed, { scope: "", of: "cut", taken: cut }] : closed,
      stays,
      left: stays ? newestFirst(this.#open) : [],
      stopped,
    };
  }
}

/** It may be under way beside a failure, in a scope or a run of its own. */
function isCut({ spot, way, only }: Taken): boolean {
  if (only !== "completed") return false;
  if (way === "child") return true;
  for (let at = spot; at.parent; at = at.parent) if (at.scope || at.role === "branch") return true;
  return false;
}

/** What its own failure leaves: an attempt that was not refused may have happened. */
function ownFailure(spot: Spot): Taken[] {
  const { verb } = spot.step;
  return verb.kind === "call" && verb.node === "effect" ? entry(spot, "unknown") : [];
}

/** What a spot leaves in the scope around it when it has settled well; `only` is said of all of it. */
function held(spot: Spot, only: Taken["only"]): Taken[] {
  const { step } = spot;
  let mine = only;
  if (step.onError !== "fail") mine ??= "completed";
  if (step.when) mine ??= "ran";
  const error = spot.error ? held(spot.error, "completed") : [];
  return [...verbHeld(spot, mine), ...error];
}

function verbHeld(spot: Spot, only: Taken["only"]): Taken[] {
  const { verb } = spot.step;
  switch (verb.kind) {
    case "call":
      return entry(spot, only);
    case "steps":
      return spot.inner.flatMap((inner) => held(inner, only ?? (sure(inner) ? undefined : "completed")));
    case "switch": {
      const whole = spot.inner.length === 1;
      return spot.inner.flatMap((inner) => held(inner, only ?? (whole ? undefined : "ran")));
    }
    case "each":
      return spot.inner.flatMap((inner) => held(inner, only ?? (inner.role === "stream" ? undefined : "ran")));
    case "race":
      return spot.inner.flatMap((inner) => held(inner, only ?? (spot.inner.length === 1 ? undefined : "completed")));
    case "repeat":
      return spot.inner.flatMap((inner) => held(inner, only));
    default:
      return [];
  }
}

/** Whether a step of a block has surely settled well when the block has: one that is judged may have failed. */
function sure(spot: Spot): boolean {
  return !namedOf(spot)?.judged;
}

/** What the failed work of a spot has left in the scope around it. */
function leftOver(spot: Spot): Taken[] {
  if (spot.scope) return [];
  const { verb } = spot.step;
  if (verb.kind === "race") return spot.inner.flatMap((inner) => held(inner, "completed").filter((taken) => taken.spot.step.keep));
  return verb.kind === "call" ? ownFailure(spot) : verbHeld(spot, "completed");
}

function entry(spot: Spot, only: Taken["only"]): Taken[] {
  const { verb, undo } = spot.step;
  if (verb.kind !== "call") return [];
  const made = (way: Way, by?: string): Taken[] => [{ spot, way, by, only }];
  const contract = spot.node?.contract;
  if (verb.node === "workflow") return made("child");
  if (verb.node === "reducer") return contract === undefined ? made("unknown") : contract.undoEvent ? made("event") : [];
  if (verb.node !== "effect") return [];
  const effect = contract as EffectContract | undefined;
  // A node that cannot be taken back, or needs not be, is not, whatever the step says.
  if (effect?.readonly) return made("readonly");
  if (effect?.irreversible !== undefined) return made("irreversible", effect.irreversible);
  if (undo) return made("step", "reference" in undo.verb ? undo.verb.reference : natural(undo.verb));
  if (!effect) return made("unknown");
  return effect.undo ? made("node") : made("none");
}

function newestFirst(taken: readonly Taken[]): Taken[] {
  return [...taken].sort((a, b) => b.spot.order - a.spot.order);
}

/**
 * Steps that have surely settled before it began. Of several of which `count` are enough, what all but fewer than `count` of
 * them stand behind has settled too.
 */
function surelyBefore(spot: Spot): Set<number> {
  const block = spot.parent && blockOf(spot.parent);
  const hard: number[][] = block?.steps.map(() => []) ?? [];
  block?.dependents.forEach((list, i) => {
    for (const { step, any } of list) if (!any) hard[step]?.push(i);
  });
  const known = new Map<number, Set<number>>();
  const before = (i: number): Set<number> => {
    const found = known.get(i);
    if (found) return found;
    const set = new Set<number>();
    known.set(i, set);
    for (const each of hard[i] ?? []) add(set, each, before(each));
    const any = block?.steps[i]?.any;
    if (!any) return set;
    const counts = new Map<number, number>();
    for (const name of any.of) {
      const member = block.index.get(name) ?? -1;
      for (const each of [member, ...before(member)]) counts.set(each, (counts.get(each) ?? 0) + 1);
    }
    for (const [each, count] of counts) if (count > any.of.length - any.count) set.add(each);
    return set;
  };
  return before(spot.index);
}
function add(set: Set<number>, one: number, more: ReadonlySet<number>): void {
  set.add(one);
  for (const each of more) set.add(each);
}

/** Steps that cannot begin before it has settled. */
function surelyBehind(spot: Spot): Set<number> {
  const behind = new Set<number>([spot.index]);
  const block = spot.parent && blockOf(spot.parent);
  // `inner` stands in an order in which everything comes after what it waits for.
  for (const { index } of spot.parent?.inner ?? []) {
    const any = block?.steps[index]?.any;
    if (any && any.of.filter((name) => !behind.has(block.index.get(name) ?? -1)).length < any.count) behind.add(index);
    if (behind.has(index)) for (const { step, any: some } of block?.dependents[index] ?? []) if (!some) behind.add(step);
  }
  return behind;
}

/** Whether `a` has surely settled before `b` begins. */
export function isBefore(a: Spot, b: Spot): boolean {
  const above = new Map<Spot, Spot>();
  for (let spot = a; spot.parent; spot = spot.parent) above.set(spot.parent, spot);
  for (let spot = b; spot.parent; spot = spot.parent) {
    const other = above.get(spot.parent);
    if (other === undefined) continue;
    if (other === spot) return false;
    return other.role === "step" && spot.role === "step" ? surelyBefore(spot).has(other.index) : spot.role === "error" && other !== spot;
  }
  return false;
}
