/**
 * The facts of a run: what happened, never changed once written, and the whole state of the run.
 * A fact is either news from outside (an answer, a timer, a message) or the record of a wish of the core
 * (`action.dispatched`, `timer.set`, …): then it must match an open wish, on replay too.
 */
import type { RunDefaults } from "./defaults.ts";
import type { Failure } from "./failure.ts";
import type { Json } from "./json.ts";

/** A signal that came and was not yet taken by a `wait`. */
export interface Mail {
  readonly seq: number;
  readonly name: string;
  readonly payload: Json;
}

/** A run whose facts another one shares: those before `until`, after those of the origins listed before it. */
export interface Origin {
  readonly runId: string;
  /** How often it was restarted. */
  readonly round: number;
  readonly until: number;
}

/** A run above a child: its workflow, "name@version", and a digest of what it was asked. */
export interface Ancestor {
  readonly workflow: string;
  readonly digest: string;
}

export type FactBody =
  | {
      readonly type: "run.started";
      readonly workflow: string;
      readonly version: string;
      readonly input: Json;
      readonly correlationId: string;
      /** Seeds the run's jitter. */
      readonly seed: number;
      readonly priority: number;
      /** Absolute end of the run's time, ms. */
      readonly deadline?: number;
      readonly stepInputs?: Readonly<Record<string, Readonly<Record<string, Json>>>>;
      readonly parent?: {
        readonly runId: string;
        readonly step: string;
        /** The end of the parent's time, ms: no round of the child lasts longer. */
        readonly deadline?: number;
      };
      /** The runs above it, the root first, as far as their logs tell. */
      readonly ancestors?: readonly Ancestor[];
      /** It was to begin then and not before, ms. */
      readonly startAt?: number;
      /** W3C Trace Context: the span that the run's spans are children of, in every process. */
      readonly traceparent?: string;
      /** The tick of the schedule that started it, ms. */
      readonly scheduledAt?: number;
      /** As configured when the run began; a log without them has the built-in ones. */
      readonly defaults?: RunDefaults;
      /** Hash of the YAML definition that the run is pinned to. */
      readonly definition?: string;
      /** How many logs this id has had before: 1 after the first `restart`. */
      readonly round?: number;
      /** A fork: whose its first facts are. Steps that were begun there keep the keys of that run. */
      readonly origins?: readonly Origin[];
      /** Signals that moved along from before a `restart`. */
      readonly mail?: readonly Mail[];
    }
  | {
      readonly type: "lease.acquired";
      readonly leaseId: string;
      readonly epoch: number;
      /** The process whose lease it is. */
      readonly by?: { readonly host: string; readonly pid: number };
    }
  /** A far side has seen a higher epoch, of a state that the store has lost: the owner goes on above that. Nothing is taken. */
  | { readonly type: "lease.raised"; readonly epoch: number }
  /** What stands before it happened in another run; here this run begins. */
  | {
      readonly type: "run.forked";
      readonly from: string;
      /** The step, or the path of a block, that is done anew; left out: all that follows. */
      readonly step?: string;
      /** How many facts of the other log stand before that point. */
      readonly position: number;
      /** When the other run was at that point, ms: timers that it waited for have as long to go as they had then. */
      readonly since: number;
      /** Whether this run must take back what it shares, should it fail. */
      readonly owes: boolean;
      /** The input of the step, instead of the one that the workflow gives. */
      readonly input?: Json;
    }
  | {
      readonly type: "action.dispatched";
      readonly step: string;
      readonly attempt: number;
      readonly node: string;
      readonly input: Json;
      readonly notAfter: number;
    }
  | { readonly type: "action.progressed"; readonly step: string; readonly attempt: number; readonly note: Json }
  /** A stream has yielded: `index` counts from 0 over all attempts of the step. */
  | { readonly type: "action.item"; readonly step: string; readonly attempt: number; readonly index: number; readonly item: Json }
  | { readonly type: "action.completed"; readonly step: string; readonly attempt: number; readonly output: Json }
  | {
      readonly type: "action.failed";
      readonly step: string;
      readonly attempt: number;
      readonly error: Failure;
      /** "none": it did not happen (only `Fatal` says so); "unknown": it may have. */
      readonly outcome: "none" | "unknown";
      readonly final?: boolean;
      readonly retryAfterMs?: number;
      /** False: nobody tried, for a reason outside of the step; it uses up none of the attempts that it has. */
      readonly counts?: false;
    }
  | { readonly type: "step.failed"; readonly step: string; readonly node: string; readonly attempts: number; readonly error: Failure }
  | { readonly type: "compute.completed"; readonly step: string; readonly node: string; readonly digest: string; readonly output: Json }
  | { readonly type: "compute.failed"; readonly step: string; readonly node: string; readonly digest: string; readonly error: Failure }
  | {
      readonly type: "reducer.applied";
      readonly step: string;
      readonly node: string;
      readonly key: string;
      readonly input: Json;
      readonly state: Json;
    }
  | { readonly type: "state.read"; readonly step: string; readonly node: string; readonly key: string; readonly state: Json }
  | { readonly type: "value.recorded"; readonly step: string; readonly value: Json }
  | { readonly type: "timer.set"; readonly step: string; readonly due: number; readonly purpose: "sleep" | "retry" | "timeout" }
  | { readonly type: "timer.fired"; readonly step: string }
  | { readonly type: "signal.awaited"; readonly step: string; readonly name: string }
  | { readonly type: "signal.received"; readonly seq: number; readonly name: string; readonly payload: Json }
  | { readonly type: "signal.rejected"; readonly seq: number; readonly name: string; readonly error: Failure }
  | {
      readonly type: "child.started";
      readonly step: string;
      readonly runId: string;
      readonly node: string;
      readonly input: Json;
    }
  | {
      readonly type: "child.ended";
      readonly step: string;
      readonly runId: string;
      readonly status: "completed" | "failed" | "cancelled";
      readonly output?: Json;
      readonly error?: Failure;
      readonly notUndone?: readonly string[];
    }
  | { readonly type: "undo.failed"; readonly step: string; readonly error: Failure }
  | { readonly type: "cancel.requested"; readonly reason?: string }
  | { readonly type: "run.paused"; readonly code: string; readonly step?: string; readonly message: string }
  | { readonly type: "run.resumed"; readonly step?: string; readonly as?: "retry" | "fail" | "output"; readonly output?: Json }
  /** From here on the run is pinned to another definition of its workflow; all that stands before it fits that one too. */
  | { readonly type: "run.migrated"; readonly version: string; readonly definition?: string }
  /** It was asked to go on with another definition, and cannot. */
  | {
      readonly type: "migration.refused";
      readonly version: string;
      readonly definition?: string;
      /** The step that stands in the way; nothing happened in it, and the run may have no such step. */
      readonly because?: string;
      readonly message: string;
    }
  | { readonly type: "run.compensating" }
  | { readonly type: "run.completed"; readonly output: Json; readonly notUndone?: readonly string[] }
  | { readonly type: "run.failed"; readonly error: Failure; readonly step?: string; readonly notUndone: readonly string[] }
  | { readonly type: "run.cancelled"; readonly reason?: string; readonly notUndone: readonly string[] }
  | { readonly type: "run.restarted"; readonly input: Json };

/** One thing that happened; `at` is store time in ms and never decreases within a run. */
export type Fact = FactBody & { readonly at: number };

export type FactOf<T extends FactBody["type"]> = Extract<Fact, { readonly type: T }>;
export type Started = FactOf<"run.started">;

/** The four facts that end a log. */
export type FinalBody = Extract<FactBody, { readonly type: "run.completed" | "run.failed" | "run.cancelled" | "run.restarted" }>;

export function isFinal(fact: FactBody): fact is FinalBody {
  return fact.type === "run.completed" || fact.type === "run.failed" || fact.type === "run.cancelled" || fact.type === "run.restarted";
}

export type RunStatus = "pending" | "running" | "waiting" | "paused" | "compensating" | "completed" | "failed" | "cancelled";
