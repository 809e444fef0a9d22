/** The templates' configurations for an environment. */
import { OnexError } from "../core/failure.ts";
import { didYouMean, oneOf } from "../plan/suggest.ts";
import type { OrchestratorConfig } from "./config.ts";

export type Environment = "production" | "staging" | "development";

const presets: Readonly<Record<Environment, OrchestratorConfig>> = {
  production: {
    retry: { maxRetries: 5, retryDelayMs: 500, exponentialBackoff: true },
    parallel: { maxParallelSteps: 10 },
    timeouts: { globalMs: 180_000 },
  },
  staging: {
    retry: { maxRetries: 3, retryDelayMs: 1_000, exponentialBackoff: true },
    parallel: { maxParallelSteps: 5 },
    timeouts: { globalMs: 300_000 },
    failureStrategy: "continue_on_error",
  },
  development: {
    retry: { maxRetries: 1, retryDelayMs: 100, exponentialBackoff: false },
    parallel: { maxParallelSteps: 2 },
    timeouts: { globalMs: 600_000 },
  },
};

/**
 * The configuration of an environment; what `own` says wins, value by value. A run is limited to 3 (production), 5
 * (staging) or 10 minutes: a workflow that waits for longer says its own `timeout`. Throws OnexError `CONFIG_INVALID` for another environment.
 */
export function preset(environment: Environment, own: OrchestratorConfig = {}): OrchestratorConfig {
  const names = Object.keys(presets);
  if (!names.includes(environment))
    throw new OnexError(
      "CONFIG_INVALID",
      `there is no preset "${environment}": give ${oneOf(names)}.${didYouMean(String(environment), names)}`,
    );
  const base = presets[environment];
  // The older name of the run's timeout says it as well as the newer one.
  const timeouts = own.orchestrationTimeoutMs === undefined ? base.timeouts : {};
  return {
    ...base,
    ...own,
    retry: { ...base.retry, ...own.retry },
    parallel: { ...base.parallel, ...own.parallel },
    timeouts: { ...timeouts, ...own.timeouts },
  };
}
