/** From the options of an orchestrator to what its parts are set to: the one place where configuration is read. */
import type { RunDefaults } from "../core/defaults.ts";
import { toJson } from "../core/json.ts";
import type { Provided } from "../node/service.ts";
import type { StoreHost } from "../store/store.ts";
import type { LeaseConfig, OrchestratorConfig } from "./config.ts";
import { checkConfig, fullRetry } from "./config-check.ts";

/** What a run may take to be held good, by the template's default. */
const performanceThresholdMs = 5_000;

export interface Configured {
  /** Pinned in the runs that begin here; undefined when nothing of it is configured. */
  readonly runDefaults: RunDefaults | undefined;
  /** Of a root run that has neither a timeout nor a deadline. */
  readonly runTimeoutMs: number | undefined;
  readonly shutdownMs: number;
  readonly performanceThresholdMs: number;
  readonly maxConcurrentWorkflows: number | undefined;
  readonly circuitBreaker: { readonly failureThreshold?: number; readonly openMs?: number } | undefined;
  readonly lease: Required<LeaseConfig> | undefined;
  /** Services that the configuration provides. */
  readonly provide: readonly Provided[];
}

/** Throws OnexError `CONFIG_INVALID` with every complaint. */
export function settingsOf(config: OrchestratorConfig | undefined, storeKind: string): Configured {
  if (config !== undefined) checkConfig(config, storeKind);
  const { timeouts = {}, domain, circuitBreakerThreshold, circuitBreakerTimeoutSeconds, ...rest } = config ?? {};
  const copy = domain && toJson(domain, "config.domain");
  const breaker = {
    ...(circuitBreakerThreshold === undefined ? {} : { failureThreshold: circuitBreakerThreshold }),
    ...(circuitBreakerTimeoutSeconds === undefined ? {} : { openMs: circuitBreakerTimeoutSeconds * 1_000 }),
  };
  return {
    runDefaults: config && runDefaultsOf(config),
    runTimeoutMs: timeouts.globalMs ?? rest.orchestrationTimeoutMs,
    shutdownMs: timeouts.shutdownMs ?? 10_000,
    performanceThresholdMs: rest.performanceThresholdMs ?? performanceThresholdMs,
    maxConcurrentWorkflows: rest.maxConcurrentWorkflows,
    circuitBreaker: Object.keys(breaker).length === 0 ? undefined : breaker,
    lease: rest.lease && { ttlSeconds: 300, renewMarginSeconds: 60, ...rest.lease },
    provide: copy === undefined ? [] : [{ service: "domain", make: () => copy }],
  };
}

/** What a store is told of it. */
export function leaseOf({ lease }: Pick<Configured, "lease">): Pick<StoreHost, "lease"> {
  if (lease === undefined) return {};
  const { ttlSeconds, renewMarginSeconds } = lease;
  return { lease: { ttlMs: ttlSeconds * 1_000, renewMarginMs: renewMarginSeconds * 1_000 } };
}

function runDefaultsOf(config: OrchestratorConfig): RunDefaults | undefined {
  const { failureStrategy: strategy, timeouts, parallel, maxActionsPerWorkflow: maxActions } = config;
  const retry = config.retry || strategy === "retry" ? fullRetry(config.retry) : undefined;
  const defaults: RunDefaults = {
    ...(retry
      ? {
          retry: {
            maxAttempts: retry.maxRetries + 1,
            backoff: retry.exponentialBackoff ? "exponential" : "fixed",
            delay: `${retry.retryDelayMs}ms`,
            maxDelay: `${retry.maxRetryDelayMs}ms`,
            factor: retry.backoffMultiplier,
          },
        }
      : {}),
    ...(timeouts?.stepMs === undefined ? {} : { stepTimeout: `${timeouts.stepMs}ms` }),
    ...(strategy === undefined ? {} : { onFailure: strategy === "fail_fast" ? "stop" : "compensate" }),
    ...(strategy === "continue_on_error" ? { goOn: true } : {}),
    ...(parallel?.maxParallelSteps === undefined ? {} : { concurrency: parallel.maxParallelSteps }),
    ...(maxActions === undefined ? {} : { maxActions }),
  };
  return Object.keys(defaults).length === 0 ? undefined : defaults;
}
