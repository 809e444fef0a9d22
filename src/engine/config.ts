/**
 * The configuration of an orchestrator, as the ONEX templates name it. What is left out stays as it is without it; a group
 * that says how effects are retried is filled up with the templates' defaults. A value that could have no effect here is
 * refused with the reason.
 */
import type { Json } from "../core/json.ts";

export type FailureStrategy = "fail_fast" | "continue_on_error" | "retry" | "compensate";

export interface RetryConfig {
  /** Attempts after the first; 0 to 10, default 3. */
  readonly maxRetries?: number;
  /** Before the first of them; 100 to 60000, default 1000. The wait is drawn between 0 and this (full jitter). */
  readonly retryDelayMs?: number;
  /** Whether the wait grows; default true. */
  readonly exponentialBackoff?: boolean;
  /** How it grows; 1 to 5, default 2. */
  readonly backoffMultiplier?: number;
  /** Longest wait; at least `retryDelayMs`, at most an hour, default 30000. */
  readonly maxRetryDelayMs?: number;
}
export interface ParallelConfig {
  /** Steps of a plan, and branches of an `each`, at once; 1 to 100, default 16 and 10. */
  readonly maxParallelSteps?: number;
  /** One endpoint stands for a node; what balances load stands behind it. */
  readonly loadBalancingEnabled?: false;
  /** A step runs in this process, or in that of its endpoint. */
  readonly stepIsolation?: false;
}
export interface TimeoutConfig {
  /** Of a run that has neither a timeout nor a deadline, children apart; 1000 to 3600000, default none. */
  readonly globalMs?: number;
  /** Of one attempt of an effect; 100 to 300000, default 30000. */
  readonly stepMs?: number;
  /** How long `close()` waits for calls in flight; 0 to 3600000, default 10000. */
  readonly shutdownMs?: number;
}
/** For a store that is owned by leases; memory and SQLite are owned through a lock, and refuse it. */
export interface LeaseConfig {
  /** Default 300. */
  readonly ttlSeconds?: number;
  /** How long before its end a lease is renewed; less than `ttlSeconds`, default 60. */
  readonly renewMarginSeconds?: number;
}

export interface OrchestratorConfig {
  /** For effects that are idempotent or readonly and say nothing themselves. */
  readonly retry?: RetryConfig;
  readonly parallel?: ParallelConfig;
  readonly timeouts?: TimeoutConfig;
  /**
   * For workflows that say no `onFailure`. "compensate" (the default) undoes what the run did; "fail_fast" stops and undoes
   * nothing; "retry" is "compensate" with a `retry` group, the templates' if none is given; "continue_on_error": in a plan,
   * steps that do not depend on the failed one still run, then the run fails and is compensated. Code decides by `attempt`.
   */
  readonly failureStrategy?: FailureStrategy;
  /** Plans are graphs: their order cannot be switched off. */
  readonly dependencyResolutionEnabled?: true;
  /** A plan with a cycle cannot run, so it is always refused. */
  readonly cycleDetectionEnabled?: true;
  /** Every action is a fact of its run. */
  readonly trackActions?: true;
  /** Calls of nodes that one run may make, undos apart; 1 to 50000, default no limit. More end it with `ACTIONS_EXHAUSTED`. */
  readonly maxActionsPerWorkflow?: number;
  /** The templates' domain_specific_config: effects get it as the service named "domain". */
  readonly domain?: { readonly [key: string]: Json };
  /** Failures that open a circuit breaker; 1 to 1000, default 5. */
  readonly circuitBreakerThreshold?: number;
  /** How long it stays open; 1 to 3600, default 60. */
  readonly circuitBreakerTimeoutSeconds?: number;
  /** The older name of `timeouts.globalMs`; both must agree. */
  readonly orchestrationTimeoutMs?: number;
  /** What a run may take to be held good; default 5000. */
  readonly performanceThresholdMs?: number;
  /** Runs under way at once; 1 to 1000000, default no limit. */
  readonly maxConcurrentWorkflows?: number;
  readonly lease?: LeaseConfig;
}

/** Values of a template that have another home here, and which one. */
export const elsewhere: Readonly<Record<string, string>> = {
  "parallel.batchSize": "it is said where the batch is, as `each(items, branch, { batchSize })` or `batchSize` in YAML",
  workflowConfig: "workflows are registered by `nodes`",
  nodeClientConfig: "calls are configured by `timeouts.stepMs`, `circuitBreakerThreshold` and the option `endpoints`",
  stateConfig: "state is configured by the option `store`",
  retryConfig: "it is named `retry`",
  schedulerConfig: "scheduling is configured by `maxConcurrentWorkflows` and `parallel`",
  domainSpecificConfig: "it is named `domain`",
  parallelConfig: "it is named `parallel`",
  timeoutConfig: "it is named `timeouts`",
};
