/**
 * What holds in a run where neither a step, its node nor its file says otherwise. It comes from configuration and is
 * pinned in `run.started`: what a run decides by must be the same on every replay, whatever the configuration says later.
 */
import type { Duration } from "./duration.ts";
import type { RetryPolicy } from "./retry.ts";

export interface RunDefaults {
  /** Of effects that may be sent again (idempotent or readonly); built in: 3 attempts. */
  readonly retry?: RetryPolicy;
  /** Of one attempt of an effect; built in: "30s". */
  readonly stepTimeout?: Duration;
  /** What a failed run does; built in: "compensate". */
  readonly onFailure?: "compensate" | "stop";
  /** In a plan, steps that do not depend on one that failed still run before the run fails; built in: they are cancelled. */
  readonly goOn?: boolean;
  /** Steps of a plan at once (built in: 16), and branches of an `each` (built in: 10). */
  readonly concurrency?: number;
  /** Calls of nodes that one run may make, undos and cleanup apart; built in: no limit. */
  readonly maxActions?: number;
}

export const builtIn: RunDefaults = {};
