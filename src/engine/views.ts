/** What metrics and health show of the parts of the engine; each part says it of itself. */
import type { NodeKind } from "../core/operation.ts";

export type HealthStatus = "healthy" | "degraded" | "unhealthy" | "unknown";

/** A circuit breaker, as it stands now. */
export interface BreakerView {
  /** A URL, or `local:NODE` for one in this process. */
  readonly endpoint: string;
  readonly state: "closed" | "open" | "half_open";
  /** Calls that ended within the window. */
  readonly calls: number;
  /** Those of them that failed. */
  readonly failures: number;
  /** Attempts that it held back since the process began. */
  readonly refused: number;
  /** When an open one lets probes through, ms since 1970. */
  readonly probeAt?: number;
}

/** A node that calls go to, as its calls and probes have found it. */
export interface NodeView {
  readonly node: string;
  readonly kind: NodeKind;
  readonly endpoint: string;
  readonly status: HealthStatus;
  readonly calls: number;
  readonly failures: number;
  readonly lastError?: string;
  readonly checkedAt?: number;
  readonly latencyMs?: number;
}

/** How many runs are under way, and how many wait for a slot. */
export interface AdmissionView {
  readonly active: number;
  readonly queued: number;
  /** Undefined: no limit. */
  readonly max: number | undefined;
}

export interface Parts {
  breakers(): readonly BreakerView[];
  nodes(): readonly NodeView[];
  admission(): AdmissionView | Promise<AdmissionView>;
}
