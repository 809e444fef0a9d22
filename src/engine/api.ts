/** The public face of the process that drives runs. */
import type { Duration } from "../core/duration.ts";
import type { Fact, RunStatus } from "../core/fact.ts";
import type { Json } from "../core/json.ts";
import type { RunView, StepView } from "../core/view.ts";
import type { AnyNode, Log, Node } from "../node/contract.ts";
import type { Reducer } from "../node/reducer.ts";
import type { In, Schema } from "../node/schema.ts";
import type { Provided } from "../node/service.ts";
import type { Signal } from "../node/signal.ts";
import type { Workflow } from "../node/workflow.ts";
import type { RunRow, Store } from "../store/store.ts";
import type { Schedules } from "./schedules.ts";

export interface StartOptions {
  /** The same id is the same run; with another input it is `RUN_ID_CONFLICT`. Default a UUIDv7. */
  readonly runId?: string;
  readonly correlationId?: string;
  /** 1 to 1000, lower goes first; default 100. */
  readonly priority?: number;
  /** Of the whole run; the workflow's own when left out. */
  readonly timeout?: Duration;
  /** Begins at that time or later, ms since 1970; until then it is `pending`. A time that has passed is now. */
  readonly startAt?: Date | number;
  readonly version?: string;
  /** Merged shallowly over the input of the step of that name. */
  readonly stepInputs?: Readonly<Record<string, Readonly<Record<string, Json>>>>;
}

export interface Run<Output = unknown> {
  readonly runId: string;
  /** Throws RunFailed, RunCancelled; OnexError `RESULT_TIMEOUT`, `RUN_UNKNOWN`, `ORCHESTRATOR_CLOSED`, `STORE_FAILED`. */
  result(options?: { readonly timeout?: Duration }): Promise<Output>;
  status(): Promise<RunView>;
  facts(): Promise<readonly Fact[]>;
  /** What was accepted so far and what follows, until the run ends. */
  events(): AsyncIterable<Fact>;
  /** Throws OnexError `SIGNAL_INVALID`, `RUN_ENDED`, `RUN_UNKNOWN`. */
  signal<P extends Schema>(signal: Signal<P>, payload: In<P>, options?: { readonly messageId?: string }): Promise<void>;
  signal(signal: string, payload: Json, options?: { readonly messageId?: string }): Promise<void>;
  cancel(reason?: string): Promise<void>;
  /** Goes on after a pause, or settles a step that is in doubt. */
  resume(options?: { readonly step: string } & ({ readonly as: "retry" | "fail" } | { readonly output: Json })): Promise<void>;
}

export interface ProcessInput<Type extends string = string, Context = Json> {
  readonly workflowType: Type;
  readonly workflowContext?: Context;
  readonly stepInputs?: StartOptions["stepInputs"];
  readonly correlationId?: string;
  readonly idempotencyKey?: string;
  readonly priority?: number;
  /** Absolute. */
  readonly deadline?: Date | number;
}
export interface ProcessOutput<Type extends string = string, Output = Json> {
  readonly workflowType: Type;
  readonly workflowId: string;
  readonly correlationId: string;
  readonly timestamp: number;
  readonly success: boolean;
  readonly finalState: RunStatus;
  readonly workflowResult: { readonly steps: readonly StepView[]; readonly finalOutput: Output | null };
  readonly errorMessage: string | null;
  readonly errorCode: string | null;
  readonly processingTimeMs: number;
  readonly stepsExecuted: number;
  readonly nodesInvolved: number;
  readonly metadata: {
    readonly workflowVersion: string;
    readonly retryCount: number;
    readonly compensationApplied: boolean;
    readonly performanceTier: "optimal" | "good" | "degraded" | "poor";
    /** Names in `stepInputs` that no step had. */
    readonly unusedStepInputs: readonly string[];
  };
}

export interface OrchestratorOptions<N extends readonly AnyNode[]> {
  readonly store: Store;
  /** What can be started or named from outside. Nodes that these call in code come with them. */
  readonly nodes: N;
  readonly provide?: readonly Provided[];
  /** Where nodes live that are not in this process: node name → URL, from configuration. Not built yet: `NOT_BUILT`. */
  readonly endpoints?: Readonly<Record<string, string>>;
  /** Default: warnings and errors to stderr. */
  readonly log?: Log;
  /** Runs whose next wake is further away than this are put down, ms; default 1000. */
  readonly parkAfterMs?: number;
  /** How long an aborted call may take to settle before it is given up, ms; default 5000. */
  readonly abortGraceMs?: number;
  /** Largest value that is recorded, bytes of JSON; default 1 MiB, at most 16 MiB. */
  readonly maxValueBytes?: number;
  /** Root runs that are driven at once; default any number. A run that sleeps or waits for a signal is put down, and does not count; children never do. */
  readonly maxConcurrentWorkflows?: number;
  /** What a start gets when that many are driven: its turn later ("queue", the default), or `ADMISSION_REFUSED`. A client's start is always queued. */
  readonly whenFull?: "queue" | "refuse";
}
export type Named<N extends readonly AnyNode[]> = {
  readonly [W in N[number] as W extends Workflow<infer _I, infer _O, infer Name> ? Name : never]: W;
};
export type InputOf<W> = W extends (input: infer I, options?: never) => unknown ? I : never;
export type OutputOf<W> = W extends Node<"workflow", never, infer O> ? O : never;

export interface Orchestrator<N extends readonly AnyNode[] = readonly AnyNode[]> {
  /** Resolves when the start is in the store. Throws OnexError `INPUT_INVALID`, `RUN_ID_CONFLICT`, `WORKFLOW_UNKNOWN`, `OPTION_INVALID`, `ADMISSION_REFUSED`. */
  start<I, O>(workflow: Workflow<I, O>, input: NoInfer<I>, options?: StartOptions): Promise<Run<O>>;
  run<O = unknown>(runId: string, workflow?: Workflow<never, O>): Run<O>;
  /** The template's door: start by type, wait, and never throw for a run that failed. */
  process<T extends keyof Named<N> & string>(
    input: ProcessInput<T, InputOf<Named<N>[T]>>,
  ): Promise<ProcessOutput<T, OutputOf<Named<N>[T]>>>;
  read<S, K extends readonly unknown[]>(reducer: Reducer<never, S, K>, ...key: K): Promise<S>;
  /** Starts by the clock. */
  readonly schedules: Schedules;
  /** Runs in the store, newest first. */
  list(filter?: {
    readonly status?: RunStatus;
    readonly workflow?: string;
    readonly limit?: number;
    readonly before?: number;
  }): Promise<readonly RunRow[]>;
  /** Whether this process owns the store, or is a client of the one that does. Without a workflow in `nodes` it stays a client. */
  readonly role: "owner" | "client";
  /** Resolves when nothing that this process can drive is due, in flight or asleep for less than `parkAfterMs`. */
  idle(): Promise<void>;
  /** Rejects with the error that stopped the engine (`STORE_FAILED`, `OWNERSHIP_LOST`); resolves at `close()`. */
  readonly stopped: Promise<void>;
  /** Figures of this process since it was made. */
  stats(): {
    readonly commits: number;
    readonly steps: number;
    readonly redelivered: number;
    readonly takenOver: number;
    readonly callsInFlight: number;
  };
  /** Starts nothing new, waits for calls in flight, aborts the rest, puts all runs down. Default grace 10 s. */
  close(options?: { readonly graceMs?: number }): Promise<void>;
}
