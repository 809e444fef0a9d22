/**
 * The health of an orchestrator: probes that run side by side, each with a time of its own. One that fails or hangs says so
 * of itself and hides nothing of the others; the answer has the same shape always, and asking never throws.
 */
import { failureOf } from "../core/failure.ts";
import type { Engine } from "./engine.ts";
import { windowMs } from "./metrics/window.ts";
import type { AdmissionView, BreakerView } from "./views.ts";
import type { Clock } from "./world.ts";

export type ComponentHealth = "healthy" | "degraded" | "unhealthy";
export type CircuitState = BreakerView["state"];
type Component = "workflowRegistry" | "nodeClient" | "stateManager" | "scheduler";

export interface HealthReport {
  /** "unhealthy": the store or the scheduler is down, so runs do not go on; "degraded": something else is not as it should be. */
  readonly status: ComponentHealth;
  readonly components: { readonly [component in Component]: ComponentHealth };
  readonly capacity: {
    readonly activeWorkflows: number;
    readonly queuedWorkflows: number;
    /** Null: no limit. */
    readonly maxConcurrent: number | null;
    /** 0 without a limit. */
    readonly utilizationPercent: number;
  };
  /** Of the runs that ended within the last `windowMs`. */
  readonly performance: {
    readonly windowMs: number;
    readonly averageDurationMs: number;
    readonly thresholdMs: number;
    readonly recentWorkflows: number;
    readonly successRate: number;
  };
  /** The worst of the circuit breakers. */
  readonly circuitBreaker: CircuitState;
  /** Why it is not healthy, one sentence each. */
  readonly reasons: readonly string[];
  /** Ms since 1970. */
  readonly timestamp: number;
}

export interface HealthOptions {
  /** How long one probe may take, ms; default 2000. */
  readonly timeoutMs?: number;
}

/** How long a part may take to say how it is. */
export const probeMs = 2_000;
/** Fewer runs in the window say nothing about how well runs do. */
const enoughRuns = 10;
const poorSuccessRate = 50;

interface Finding {
  readonly health: ComponentHealth;
  readonly reason?: string;
}
const well: Finding = { health: "healthy" };
const bad = (health: ComponentHealth, reason: string): Finding => ({ health, reason });

export async function checkHealth(engine: Engine, thresholdMs: number, options: HealthOptions): Promise<HealthReport> {
  const { clock } = engine.world;
  const timeoutMs = options.timeoutMs ?? probeMs;
  const asks = <T>(name: string, ask: () => T | Promise<T>) => probe(clock, timeoutMs, name, ask);
  const [registry, breakers, nodes, store, drives, admission] = await Promise.all([
    asks("workflowRegistry", () => engine.registry.names("workflow").length),
    asks("circuit breakers", () => engine.parts.breakers()),
    // A host that hangs has half of the time, so that what is said of it comes within the whole.
    asks("nodeClient", async () => {
      if (!engine.closing) await engine.client.probe(timeoutMs / 2);
      return engine.parts.nodes();
    }),
    asks("stateManager", () => storeHealth(engine)),
    asks("scheduler", () => schedulerHealth(engine)),
    asks("admission", () => engine.parts.admission()),
  ]);
  const found: { readonly [component in Component]: Finding } = {
    workflowRegistry: "failed" in registry ? bad("unhealthy", registry.failed) : well,
    nodeClient: clientHealth(nodes, breakers),
    stateManager: "failed" in store ? bad("unhealthy", store.failed) : store.value,
    scheduler:
      "failed" in drives ? bad("unhealthy", drives.failed) : "failed" in admission ? bad("degraded", admission.failed) : drives.value,
  };
  const slots: AdmissionView = "failed" in admission ? { active: engine.activeCount, queued: 0, max: undefined } : admission.value;
  const recent = engine.metrics.recent();
  const totals = recent.totals();
  const performance = {
    windowMs,
    averageDurationMs: totals.averageDurationMs,
    thresholdMs,
    recentWorkflows: totals.totalWorkflows,
    successRate: totals.successRate,
  };
  const ended = recent.count("completed") + recent.count("failed");
  const rate = ended === 0 ? 100 : (recent.count("completed") / ended) * 100;
  const findings: Finding[] = [
    ...Object.values(found),
    slots.max !== undefined && slots.active >= slots.max
      ? bad("degraded", `${slots.active} runs are under way, as many as may be; ${slots.queued} wait`)
      : well,
    ended >= enoughRuns && performance.averageDurationMs > thresholdMs
      ? bad("degraded", `runs took ${performance.averageDurationMs} ms on average, more than ${thresholdMs}`)
      : well,
    ended >= enoughRuns && rate < poorSuccessRate ? bad("degraded", `${Math.round(100 - rate)} % of the last ${ended} runs failed`) : well,
  ];
  const down = found.stateManager.health === "unhealthy" || found.scheduler.health === "unhealthy";
  return {
    status: down ? "unhealthy" : findings.every(({ health }) => health === "healthy") ? "healthy" : "degraded",
    components: {
      workflowRegistry: found.workflowRegistry.health,
      nodeClient: found.nodeClient.health,
      stateManager: found.stateManager.health,
      scheduler: found.scheduler.health,
    },
    capacity: {
      activeWorkflows: slots.active,
      queuedWorkflows: slots.queued,
      maxConcurrent: slots.max ?? null,
      utilizationPercent: slots.max ? Math.round((slots.active / slots.max) * 10_000) / 100 : 0,
    },
    performance,
    circuitBreaker: circuitState("failed" in breakers ? [] : breakers.value),
    reasons: findings.flatMap(({ reason }) => (reason === undefined ? [] : [reason])),
    timestamp: clock.now(),
  };
}

type Answer<T> = { readonly value: T } | { readonly failed: string };

/** What `ask` answers, or why there is no answer, after `timeoutMs` at the latest. */
export function probe<T>(clock: Clock, timeoutMs: number, name: string, ask: () => T | Promise<T>): Promise<Answer<T>> {
  return new Promise((resolve) => {
    const stop = clock.setTimer(timeoutMs, () => resolve({ failed: `${name}: no answer within ${timeoutMs} ms` }));
    const over = (answer: Answer<T>): void => {
      stop();
      resolve(answer);
    };
    (async () => ask())().then(
      (value) => over({ value }),
      (error) => over({ failed: `${name}: ${failureOf(error, "").message}` }),
    );
  });
}

/** The store answers a read, and the owner still owns it. */
async function storeHealth(engine: Engine): Promise<Finding> {
  if (engine.error) return bad("unhealthy", `stateManager: ${engine.error.message}`);
  if (engine.closing) return bad("unhealthy", "stateManager: the orchestrator was closed");
  await engine.store.list({ limit: 1 });
  if (!engine.owner) return well;
  const owner = await engine.store.owner();
  if (owner?.leaseId === engine.leaseId) return well;
  if (engine.store.owners === "many")
    return bad(
      "degraded",
      `stateManager: the lease of this process on ${engine.store.name} is not live: others take its runs, and it begins anew`,
    );
  return bad("unhealthy", `stateManager: ${engine.store.name} is owned by another process, so what this one writes is refused`);
}

/** Somebody drives the runs of the store: this process, or the one that owns it. */
async function schedulerHealth(engine: Engine): Promise<Finding> {
  if (engine.error) return bad("unhealthy", `scheduler: ${engine.error.message}`);
  if (engine.closing) return bad("unhealthy", "scheduler: the orchestrator was closed, and drives no runs");
  if (engine.owner && !engine.store.trusted())
    return bad("degraded", `scheduler: ${engine.store.name} has not renewed the lease of this process in time, so it makes no calls`);
  if (engine.owner || (await engine.store.owner())) return well;
  if (engine.store.owners === "many")
    return bad("degraded", `scheduler: no orchestrator has a live lease on ${engine.store.name}, so its runs wait`);
  return bad("degraded", `scheduler: no process owns ${engine.store.name}, so its runs wait`);
}

function clientHealth(nodes: Answer<ReturnType<Engine["parts"]["nodes"]>>, breakers: Answer<readonly BreakerView[]>): Finding {
  if ("failed" in nodes) return bad("unhealthy", nodes.failed);
  if ("failed" in breakers) return bad("degraded", breakers.failed);
  const known = nodes.value.filter(({ status }) => status !== "unknown");
  const sick = known.filter(({ status }) => status !== "healthy");
  const open = breakers.value.filter(({ state }) => state !== "closed");
  if (sick.length === 0 && open.length === 0) return well;
  const names = [
    ...sick.map(({ node, status }) => `${node} is ${status}`),
    ...open.map(({ endpoint, state }) => `the circuit breaker of ${endpoint} is ${state}`),
  ];
  const none = known.length > 0 && known.every(({ status }) => status === "unhealthy");
  return bad(none ? "unhealthy" : "degraded", `nodeClient: ${names.join(", ")}`);
}

/** The worst of them; "closed" when there are none. */
export function circuitState(breakers: readonly BreakerView[]): CircuitState {
  if (breakers.some(({ state }) => state === "open")) return "open";
  return breakers.some(({ state }) => state === "half_open") ? "half_open" : "closed";
}
