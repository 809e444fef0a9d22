/**
 * The facts of a run: what happened, never changed once written, and the whole state of the run.
 * A fact is either news from outside (an answer, a timer, a message) or the record of a wish of the core
 * (`action.dispatched`, `timer.set`, …): then it must match an open wish, on replay too.
 */
import type { Failure } from "./failure.ts";
import type { Json } from "./json.ts";

/** A signal that came and was not yet taken by a `wait`. */
export interface Mail {
  readonly seq: number;
  readonly name: string;
  readonly payload: Json;
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
      readonly parent?: { readonly runId: string; readonly step: string };
      /** It was to begin then and not before, ms. */
      readonly startAt?: number;
      /** The tick of the schedule that started it, ms. */
      readonly scheduledAt?: number;
      /** Hash of the YAML definition that the run is pinned to. */
      readonly definition?: string;
      /** How many logs this id has had before: 1 after the first `restart`. */
      readonly round?: number;
      /** Signals that moved along from before a `restart`. */
      readonly mail?: readonly Mail[];
    }
  | { readonly type: "lease.acquired"; readonly leaseId: string; readonly epoch: number }
  | {
      readonly type: "action.dispatched";
      readonly step: string;
      readonly attempt: number;
      readonly node: string;
      readonly input: Json;
      readonly notAfter: number;
    }
  | { readonly type: "action.progressed"; readonly step: string; readonly attempt: number; readonly note: Json }
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
