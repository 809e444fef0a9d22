export { type Duration, duration } from "./core/duration.ts";
export type { Fact, RunStatus } from "./core/fact.ts";
export { type FailOptions, type Failure, Fatal, OnexError, RetryLater, RunCancelled, RunFailed, StepError } from "./core/failure.ts";
export type { Json } from "./core/json.ts";
export type {
  ChildOptions,
  EachOptions,
  NodeKind,
  Operation,
  Outcome,
  Performable,
  Result,
  StepOptions,
  Steps,
  Stream,
  Undoing,
} from "./core/operation.ts";
export type { RetryPolicy } from "./core/retry.ts";
export { Sanitizer } from "./core/sanitizer.ts";
export { all, attempt, compensate, each, now, race, random, restart, sleep, sleepUntil, uuid } from "./core/verbs.ts";
export type { OwnerView, RunView, StepView } from "./core/view.ts";
export type { Action } from "./engine/action.ts";
export type {
  ForkOptions,
  Orchestrator,
  OrchestratorOptions,
  PerformanceMetrics,
  ProcessInput,
  ProcessOutput,
  RetryOptions,
  Run,
  StartedRun,
  StartOptions,
} from "./engine/api.ts";
export type { CircuitBreakerOptions } from "./engine/breaker.ts";
export type { OrchestratorConfig } from "./engine/config.ts";
export { preset } from "./engine/config-presets.ts";
export { createOrchestrator } from "./engine/create.ts";
export type { HealthReport } from "./engine/health.ts";
export { createNodeHost, type NodeHost, type NodeHostOptions } from "./engine/host/host.ts";
export type { ScheduleOptions, Schedules, ScheduleView } from "./engine/schedules.ts";
export { type Compute, compute } from "./node/compute.ts";
export type { AnyNode, Contract, EffectContext, Log, Node, RunContext } from "./node/contract.ts";
export { type Effect, effect } from "./node/effect.ts";
export { type Reducer, reducer } from "./node/reducer.ts";
export type { In, Out, Schema } from "./node/schema.ts";
export { type Provided, type Service, service } from "./node/service.ts";
export { type Signal, signal } from "./node/signal.ts";
export { type StreamContext, type StreamEffect, stream } from "./node/stream.ts";
export { type Workflow, workflow } from "./node/workflow.ts";
export { loadWorkflow, onexReducer } from "./plan/load.ts";
export type { Plan } from "./plan/plan.ts";
export { planWorkflow } from "./plan/workflow.ts";
export { memory } from "./store/memory.ts";
export { sqlite } from "./store/sqlite/sqlite.ts";
export type { Store } from "./store/store.ts";
