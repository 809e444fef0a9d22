/** The public face of the process that drives runs. */
import type { Tracer } from "@opentelemetry/api";
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
import type { CircuitBreakerOptions } from "./breaker.ts";
import type { OrchestratorConfig } from "./config.ts";
import type { CircuitState, HealthOptions, HealthReport } from "./health.ts";
import type { DurationReport, RunMetrics } from "./metrics/metrics.ts";
import type { Tier } from "./metrics/tier.ts";
import type { Schedules } from "./schedules.ts";
import type { AdmissionView, BreakerView } from "./views.ts";
import type { WorkflowRegistry } from "./workflow-registry.ts";

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
  /** The W3C header of that name: the run belongs to that trace. Default the span that is active where `start` is called. */
  readonly traceparent?: string;
}

export interface ForkOptions {
  /** The step, or the path of a block, that is done anew with all that follows it; left out: everything. */
  readonly from?: string;
  /** Instead of the input of that step; without `from`, the input of the run. */
  readonly input?: Json;
  /** The same id for the same fork is the same run; default a UUIDv7. */
  readonly runId?: string;
  /** Goes on under this version of the workflow; default the one that the run is pinned to. */
  readonly version?: string;
  /** Default that of the run. */
  readonly correlationId?: string;
}
export type RetryOptions = Pick<ForkOptions, "from" | "runId">;

export interface Run<Output = unknown> {
  readonly runId: string;
  /** Throws RunFailed, RunCancelled; OnexError `RESULT_TIMEOUT`, `RUN_UNKNOWN`, `RUN_PRUNED`, `ORCHESTRATOR_CLOSED`, `STORE_FAILED`. */
  result(options?: { readonly timeout?: Duration }): Promise<Output>;
  status(): Promise<RunView>;
  /** All of them, or a page: at most `limit` of those behind the first `after`. */
  facts(options?: { readonly after?: number; readonly limit?: number }): Promise<readonly Fact[]>;
  /**
   * What was accepted so far, behind the first `after` facts, and what follows, until the run ends. They are read from the
   * store as they are taken; `signal` ends the iteration at once, also while it waits.
   */
  events(options?: { readonly after?: number; readonly signal?: AbortSignal }): AsyncIterable<Fact>;
  /** Throws OnexError `SIGNAL_INVALID`, `RUN_ENDED`, `RUN_UNKNOWN`. */
  signal<P extends Schema>(signal: Signal<P>, payload: In<P>, options?: { readonly messageId?: string }): Promise<void>;
  signal(signal: string, payload: Json, options?: { readonly messageId?: string }): Promise<void>;
  /** Also lifts a pause, so that what was done can be taken back. Throws OnexError `RUN_ENDED`, `RUN_UNKNOWN`. */
  cancel(reason?: string): Promise<void>;
  /**
   * Begins nothing new until `resume()`: calls in flight end and are recorded, signals and timers are kept. Children go on.
   * Throws OnexError `RUN_ENDED`, `RUN_UNKNOWN`.
   */
  pause(options?: { readonly reason?: string }): Promise<void>;
  /** Goes on after a pause, or settles a step that is in doubt. */
  resume(options?: { readonly step: string } & ({ readonly as: "retry" | "fail" } | { readonly output: Json })): Promise<void>;
  /**
   * Asks whoever drives the run to go on with another definition or version of its workflow. It does so when all that was
   * done fits that one too; else it goes on as before, and `status().notMoved` says why. A version in code must be held by
   * that process. Throws OnexError `MIGRATION_INVALID` for another workflow, `RUN_ENDED`, `RUN_UNKNOWN`.
   */
  migrate(to: Workflow<never, unknown>): Promise<void>;
}

/** A run as `start`, `fork` and `retry` hand it out. */
export interface StartedRun<Output = unknown> extends Run<Output> {
  /** Whether it was there already: somebody asked the same under this id before. */
  readonly existed: boolean;
}

/** What may be left out may be `null` as well. */
export interface ProcessInput<Type extends string = string, Context = Json> {
  readonly workflowType: Type;
  /** The newest that fits "1", "1.2" or "1.2.0"; default the newest of all. */
  readonly workflowVersion?: string | null;
  /** The input of the workflow. */
  readonly workflowContext?: Context | null;
  readonly stepInputs?: StartOptions["stepInputs"] | null;
  readonly correlationId?: string | null;
  /** The run's id: the same key is the same run. */
  readonly idempotencyKey?: string | null;
  readonly priority?: number | null;
  /** Absolute. */
  readonly deadline?: Date | number | null;
}
/** A step, with the template's names beside ours. */
export interface ProcessStep extends StepView {
  /** The same as `step`: its path, which no other step of the run has. */
  readonly stepName: string;
  readonly result: Json;
  readonly success: boolean;
  readonly errorMessage: string | null;
}
export interface ProcessOutput<Type extends string = string, Output = Json> {
  readonly workflowType: Type;
  readonly workflowId: string;
  readonly correlationId: string;
  readonly timestamp: number;
  readonly success: boolean;
  readonly finalState: RunStatus;
  readonly workflowResult: { readonly steps: readonly ProcessStep[]; readonly finalOutput: Output | null };
  readonly errorMessage: string | null;
  readonly errorCode: string | null;
  readonly processingTimeMs: number;
  readonly stepsExecuted: number;
  readonly nodesInvolved: number;
  readonly metadata: {
    readonly workflowVersion: string;
    readonly retryCount: number;
    readonly compensationApplied: boolean;
    /** Of the last ten runs of this type that completed, this one among them. */
    readonly performanceTier: Tier;
    /** Names in `stepInputs` that no step had. */
    readonly unusedStepInputs: readonly string[];
  };
}

export interface OrchestratorOptions<N extends readonly AnyNode[]> {
  readonly store: Store;
  /** What can be started or named from outside. Nodes that these call in code come with them. */
  readonly nodes: N;
  readonly provide?: readonly Provided[];
  /** Where computes and effects live that are not in this process: node name → URL of a node host, from configuration. */
  readonly endpoints?: Readonly<Record<string, string>>;
  /**
   * What calls of these are signed with, shared with their hosts (`createNodeHost({ secret })`): at least 16 characters, best
   * 32 random bytes. Default `ONEX_NODE_SECRET`, else calls are not signed.
   */
  readonly endpointSecret?: string;
  /** The settings of the ONEX templates; `preset("production")` and the like are a start. */
  readonly config?: OrchestratorConfig;
  /** When calls to an endpoint that fails are held back; each endpoint has a breaker of its own. */
  readonly circuitBreaker?: CircuitBreakerOptions;
  /** Default: warnings and errors to stderr. */
  readonly log?: Log;
  /**
   * Spans for OpenTelemetry: by this tracer; `true`: by the provider that is registered whenever a run begins; `false`: none.
   * Default: those of the provider that is registered when the orchestrator is made, none without one.
   */
  readonly tracing?: boolean | Tracer;
  /**
   * Values that are secret wherever they turn up: sealed in the store, `[redacted]` in logs, errors and all that is shown.
   * Each at least 6 characters. What stands under a secret's name, or has the shape of one, is found without.
   */
  readonly secrets?: readonly string[] | Readonly<Record<string, string>>;
  /**
   * The key that seals secrets in the store: 32 bytes in base64 or hex, or a passphrase. Default `ONEX_SECRET_KEY`, else a
   * random one that the store keeps apart (`FILE-key` beside the SQLite file).
   */
  readonly secretKey?: string;
  /** Runs whose next wake is further away than this are put down, ms; default 1000. */
  readonly parkAfterMs?: number;
  /** How long an aborted call may take to settle before it is given up, ms; default 5000. */
  readonly abortGraceMs?: number;
  /** Largest value that is recorded, bytes of JSON; default 1 MiB, at most 16 MiB. */
  readonly maxValueBytes?: number;
  /** How many runs a child may stand below its root, 1 to 100; default 32. A deeper one fails its step with `WORKFLOW_DEPTH`. */
  readonly maxWorkflowDepth?: number;
  /** Root runs that are driven at once; default any number. A run that sleeps or waits for a signal is put down, and does not count; children never do. */
  readonly maxConcurrentWorkflows?: number;
  /** What a start gets when that many are driven: its turn later ("queue", the default), or `ADMISSION_REFUSED`. A client's start is always queued. */
  readonly whenFull?: "queue" | "refuse";
  /**
   * How long a start waits while a database answers none, ms; default 30 000. Then it is `START_TIMEOUT`, and whether it was taken is not
   * known: starting again with the same `runId` makes no second run.
   */
  readonly startTimeoutMs?: number;
}
/** Of the runs that ended in this process since it was made; those under way are counted in `activeWorkflows` alone. */
export interface PerformanceMetrics extends RunMetrics {
  /** Runs that are driven now; those that were put down are not. */
  readonly activeWorkflows: number;
  /** The worst of `circuitBreakers`. */
  readonly circuitBreakerStatus: CircuitState;
  readonly circuitBreakers: readonly BreakerView[];
  readonly admission: AdmissionView;
  readonly performanceThresholdMs: number;
  readonly commits: number;
  /** Calls sent again after a process died with them unanswered. */
  readonly redelivered: number;
  /** Runs taken up from the store: queued ones, those that were put down and woke, and those of a process that died. */
  readonly takenOver: number;
  readonly callsInFlight: number;
}
export type Named<N extends readonly AnyNode[]> = {
  readonly [W in N[number] as W extends Workflow<infer _I, infer _O, infer Name> ? Name : never]: W;
};
export type InputOf<W> = W extends (input: infer I, options?: never) => unknown ? I : never;
export type OutputOf<W> = W extends Node<"workflow", never, infer O> ? O : never;

export interface Orchestrator<N extends readonly AnyNode[] = readonly AnyNode[]> {
  /** Resolves when the start is in the store. Throws OnexError `INPUT_INVALID`, `RUN_ID_CONFLICT`, `WORKFLOW_UNKNOWN`, `OPTION_INVALID`, `ADMISSION_REFUSED`, `START_TIMEOUT`. */
  start<I, O>(workflow: Workflow<I, O>, input: NoInfer<I>, options?: StartOptions): Promise<StartedRun<O>>;
  run<O = unknown>(runId: string, workflow?: Workflow<never, O>): Run<O>;
  /**
   * A new run that shares what the ended or paused run `runId` did before the step `from`, and goes on from there. Steps that
   * it shares are not done again; should it fail, it takes them back only if the other run failed and has not done so.
   * Throws OnexError `RUN_UNKNOWN`, `RUN_NOT_ENDED`, `RUN_ID_CONFLICT`, `WORKFLOW_UNKNOWN`, `INPUT_INVALID`; `FORK_IMPOSSIBLE`,
   * `FORK_STEP_OPEN`, `FORK_UNDONE` when the run cannot be shared up to there.
   */
  fork(runId: string, options?: ForkOptions): Promise<StartedRun>;
  /** A fork from the earliest step that failed or was taken back, or from `from`. Throws what `fork` throws. */
  retry(runId: string, options?: RetryOptions): Promise<StartedRun>;
  /** The template's door: start by type, wait, and never throw for a run that failed. */
  process<T extends keyof Named<N> & string>(
    input: ProcessInput<T, InputOf<Named<N>[T]>>,
  ): Promise<ProcessOutput<T, OutputOf<Named<N>[T]>>>;
  /** How the run stands, as a copy; undefined when there is no such run. */
  getWorkflowStatus(workflowId: string): Promise<RunView | undefined>;
  /** Figures of the runs that this process drove. */
  getPerformanceMetrics(): Promise<PerformanceMetrics>;
  /** How long its runs and calls took, in buckets, for systems that collect figures. */
  getDurations(): DurationReport;
  /** Never throws; a part that fails or hangs is reported, and hides nothing of the others. */
  healthCheck(options?: HealthOptions): Promise<HealthReport>;
  /** The workflows that can be started by type. */
  readonly registry: WorkflowRegistry;
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
    /** Times that others took the runs of this process, since its lease had run out. */
    readonly leasesLost: number;
    readonly callsInFlight: number;
  };
  /** Starts nothing new, waits for calls in flight, aborts the rest, puts all runs down. Default grace `config.timeouts.shutdownMs`, else 10 s. */
  close(options?: { readonly graceMs?: number }): Promise<void>;
}
