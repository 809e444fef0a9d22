/** `/metrics`: what this process has done and how it does, as Prometheus reads it. Times are in seconds. */
import type { PerformanceMetrics } from "../engine/api.ts";
import type { HealthReport } from "../engine/health.ts";
import type { DurationBuckets } from "../engine/metrics/histogram.ts";
import type { DurationReport } from "../engine/metrics/metrics.ts";
import { type BucketSample, Exposition, type Labels } from "./exposition.ts";
import type { Route } from "./route.ts";
import type { Traffic } from "./traffic.ts";

const wellness = { healthy: 1, degraded: 0.5, unhealthy: 0 } as const;

interface Figures {
  readonly metrics: PerformanceMetrics;
  readonly durations: DurationReport;
  readonly health: HealthReport;
  readonly role: "owner" | "client";
  readonly leasesLost: number;
  readonly version: string;
}

export function metricsText({ metrics, durations, health, role, leasesLost, version }: Figures, traffic: Traffic): string {
  const out = new Exposition();
  out.gauge("onex_info", "Which onex this is.", [{ labels: { version }, value: 1 }]);
  out.gauge("onex_owner", "1 when this process drives runs of the store, 0 when it only looks and leaves messages.", [
    { value: role === "owner" ? 1 : 0 },
  ]);
  out.gauge("onex_health", "1 healthy, 0.5 degraded, 0 unhealthy.", [{ value: wellness[health.status] }]);
  out.gauge(
    "onex_component_health",
    "Of each part: 1 healthy, 0.5 degraded, 0 unhealthy.",
    Object.entries(health.components).map(([component, state]) => ({ labels: { component }, value: wellness[state] })),
  );
  out.gauge("onex_runs_active", "Root runs that are driven now.", [{ value: metrics.activeWorkflows }]);
  out.gauge("onex_runs_queued", "Root runs that wait for a slot.", [{ value: metrics.admission.queued }]);
  if (metrics.admission.max !== undefined)
    out.gauge("onex_runs_active_max", "Root runs that may be driven at once.", [{ value: metrics.admission.max }]);
  out.gauge("onex_calls_in_flight", "Calls of effects that have no answer yet.", [{ value: metrics.callsInFlight }]);
  out.counter("onex_commits_total", "Transactions written to the store.", [{ value: metrics.commits }]);
  out.counter("onex_steps_executed_total", "Steps that ran to an end, failed ones included.", [{ value: metrics.steps.executed }]);
  out.counter("onex_steps_failed_total", "Steps that failed.", [{ value: metrics.steps.failed }]);
  out.counter("onex_step_retries_total", "Attempts after the first.", [{ value: metrics.steps.retries }]);
  out.counter("onex_calls_redelivered_total", "Calls sent again after a process died with them unanswered.", [
    { value: metrics.redelivered },
  ]);
  out.counter("onex_runs_taken_over_total", "Runs taken up from the store.", [{ value: metrics.takenOver }]);
  out.counter("onex_leases_lost_total", "Times that others took the runs of this process, since its lease had run out.", [
    { value: leasesLost },
  ]);
  out.gauge(
    "onex_circuit_breaker_open",
    "1 while calls to the endpoint are held back, 0.5 while some are let through to try, 0 else.",
    metrics.circuitBreakers.map(({ endpoint, state }) => ({
      labels: { endpoint },
      value: state === "open" ? 1 : state === "half_open" ? 0.5 : 0,
    })),
  );
  out.counter(
    "onex_circuit_breaker_refused_total",
    "Attempts that the breaker held back.",
    metrics.circuitBreakers.map(({ endpoint, refused }) => ({ labels: { endpoint }, value: refused })),
  );
  out.histogram(
    "onex_run_duration_seconds",
    "How long runs took, by workflow and how they ended.",
    durations.runs.map(({ workflow, outcome, durations }) => inSeconds({ workflow, outcome }, durations)),
  );
  out.histogram("onex_run_initiation_seconds", "From the start of a run to the acceptance of its first action.", [
    inSeconds({}, durations.initiation),
  ]);
  out.histogram(
    "onex_call_duration_seconds",
    "How long attempts of effects took, by node.",
    durations.calls.map(({ node, durations }) => inSeconds({ node }, durations)),
  );
  out.counter(
    "onex_http_requests_total",
    "Requests that were answered, by route and status.",
    traffic.requests().map(({ method, route, status, count }) => ({ labels: { method, route, status: String(status) }, value: count })),
  );
  out.gauge("onex_http_event_streams", "Readers that follow a run now.", [{ value: traffic.streams }]);
  return out.toString();
}

function inSeconds(labels: Labels, { count, sumMs, buckets }: DurationBuckets): BucketSample {
  return { labels, count, sum: sumMs / 1000, buckets: buckets.map(({ leMs, count }) => ({ le: leMs / 1000, count })) };
}

/** @param version of this package. */
export function metricsRoute(version: string, traffic: Traffic): Route {
  return {
    method: "GET",
    path: "/metrics",
    id: "getMetrics",
    summary: "Figures of this process, as Prometheus reads them.",
    answers: {
      200: {
        description: "the text format, version 0.0.4",
        type: "text/plain",
        schema: { type: "string" },
        example: "# HELP onex_runs_active Root runs that are driven now.\n# TYPE onex_runs_active gauge\nonex_runs_active 2\n",
      },
    },
    problems: [],
    async handle({ orchestrator }) {
      const [metrics, health] = await Promise.all([orchestrator.getPerformanceMetrics(), orchestrator.healthCheck()]);
      const { role } = orchestrator;
      const { leasesLost } = orchestrator.stats();
      const text = metricsText({ metrics, durations: orchestrator.getDurations(), health, role, leasesLost, version }, traffic);
      return new Response(text, { status: 200, headers: { "content-type": "text/plain; version=0.0.4; charset=utf-8" } });
    },
  };
}
