/** Checks a configuration: every complaint at once, each with its path, what was given and what is allowed. */
import { OnexError } from "../core/failure.ts";
import { type Json, toJson } from "../core/json.ts";
import { didYouMean } from "../plan/suggest.ts";
import { elsewhere, type OrchestratorConfig, type RetryConfig } from "./config.ts";

/** What is wrong with a value, in words that follow "give"; undefined when nothing is. */
type Rule = (value: unknown) => string | undefined;
interface Complaint {
  readonly path: string;
  readonly given: string;
  readonly allowed: string;
}

const whole =
  (from: number, to: number): Rule =>
  (value) =>
    Number.isInteger(value) && (value as number) >= from && (value as number) <= to
      ? undefined
      : `give a whole number from ${from} to ${to}`;
const between =
  (from: number, to: number): Rule =>
  (value) =>
    typeof value === "number" && value >= from && value <= to ? undefined : `give a number from ${from} to ${to}`;
const flag: Rule = (value) => (typeof value === "boolean" ? undefined : "give true or false");
const only =
  (fixed: boolean, why: string): Rule =>
  (value) =>
    value === fixed ? undefined : `only ${fixed} is possible: ${why}`;
const oneOf =
  (...words: readonly string[]): Rule =>
  (value) =>
    words.includes(value as string) ? undefined : `give ${words.join(", ")}`;
const plainData: Rule = (value) => {
  if (!isMap(value)) return "give an object of plain data";
  try {
    toJson(value, "domain");
    return undefined;
  } catch (error) {
    return (error as Error).message;
  }
};

/** By path; a path with others under it is a group. */
const rules: Readonly<Record<string, Rule>> = {
  "retry.maxRetries": whole(0, 10),
  "retry.retryDelayMs": whole(100, 60_000),
  "retry.exponentialBackoff": flag,
  "retry.backoffMultiplier": between(1, 5),
  "retry.maxRetryDelayMs": whole(100, 3_600_000),
  "parallel.maxParallelSteps": whole(1, 100),
  "parallel.loadBalancingEnabled": only(false, "one endpoint stands for a node, and what balances load stands behind it"),
  "parallel.stepIsolation": only(false, "a step runs in this process, or in that of its endpoint"),
  "timeouts.globalMs": whole(1_000, 3_600_000),
  "timeouts.stepMs": whole(100, 300_000),
  "timeouts.shutdownMs": whole(0, 3_600_000),
  failureStrategy: oneOf("fail_fast", "continue_on_error", "retry", "compensate"),
  dependencyResolutionEnabled: only(true, "a plan is a graph, and its order follows from it"),
  cycleDetectionEnabled: only(true, "a plan with a cycle cannot run"),
  trackActions: only(true, "every action is a fact of its run"),
  maxActionsPerWorkflow: whole(1, 50_000),
  domain: plainData,
  circuitBreakerThreshold: whole(1, 1_000),
  circuitBreakerTimeoutSeconds: between(1, 3_600),
  orchestrationTimeoutMs: whole(1_000, 3_600_000),
  performanceThresholdMs: between(1, 86_400_000),
  maxConcurrentWorkflows: whole(1, 1_000_000),
  "lease.ttlSeconds": between(1, 86_400),
  "lease.renewMarginSeconds": between(0, 86_400),
};
const groups = new Set(Object.keys(rules).flatMap((path) => (path.includes(".") ? [path.slice(0, path.indexOf("."))] : [])));

/** The templates' defaults of a group that says how effects are retried. */
export function fullRetry(retry: RetryConfig = {}): Required<RetryConfig> {
  return {
    maxRetries: retry.maxRetries ?? 3,
    retryDelayMs: retry.retryDelayMs ?? 1_000,
    exponentialBackoff: retry.exponentialBackoff ?? true,
    backoffMultiplier: retry.backoffMultiplier ?? 2,
    maxRetryDelayMs: retry.maxRetryDelayMs ?? Math.max(30_000, retry.retryDelayMs ?? 0),
  };
}

/** All waits of a step that fails until its attempts run out, ms: the sum of the capped delays. */
export function longestRetriesMs(retry: Required<RetryConfig>): number {
  let sum = 0;
  for (let i = 0; i < retry.maxRetries; i++)
    sum += Math.min(
      retry.exponentialBackoff ? retry.retryDelayMs * retry.backoffMultiplier ** i : retry.retryDelayMs,
      retry.maxRetryDelayMs,
    );
  return sum;
}

/** Throws OnexError `CONFIG_INVALID` that lists every complaint; they stand in `details` as well. */
export function checkConfig(config: unknown, storeKind: string): asserts config is OrchestratorConfig {
  const complaints: Complaint[] = [];
  const found = new Map<string, unknown>();
  if (isMap(config)) walk(config, "", found, complaints);
  else complaints.push({ path: "config", given: shown(config), allowed: "give an object" });
  if (complaints.length === 0) across(config as OrchestratorConfig, storeKind, complaints);
  if (complaints.length === 0) return;
  const lines = complaints.map(({ path, given, allowed }) => `\n  ${path} is ${given}: ${allowed}`);
  throw new OnexError("CONFIG_INVALID", `the configuration has ${count(complaints.length)}:${lines.join("")}`, {
    details: complaints as unknown as Json,
  });
}

function walk(map: object, prefix: string, found: Map<string, unknown>, complaints: Complaint[]): void {
  for (const [key, value] of Object.entries(map)) {
    if (value === undefined) continue;
    const path = prefix + key;
    const rule = Object.hasOwn(rules, path) ? rules[path] : undefined;
    if (rule) {
      const allowed = rule(value);
      if (allowed !== undefined) complaints.push({ path, given: shown(value), allowed });
      else found.set(path, value);
    } else if (groups.has(path)) {
      if (isMap(value)) walk(value, `${path}.`, found, complaints);
      else complaints.push({ path, given: shown(value), allowed: "give an object" });
    } else complaints.push({ path, given: shown(value), allowed: `there is no such field${homeOf(path, prefix)}` });
  }
}

function homeOf(path: string, prefix: string): string {
  if (Object.hasOwn(elsewhere, path)) return `; ${elsewhere[path]}`;
  const near = [...Object.keys(rules), ...groups].filter((known) => known.startsWith(prefix));
  const guess = didYouMean(path, near);
  return guess === "" ? "" : `.${guess}`;
}

/** What holds between fields. */
function across(config: OrchestratorConfig, storeKind: string, complaints: Complaint[]): void {
  const { timeouts = {}, orchestrationTimeoutMs, lease } = config;
  const complain = (path: string, given: unknown, allowed: string) => complaints.push({ path, given: shown(given), allowed });
  if (timeouts.globalMs !== undefined && orchestrationTimeoutMs !== undefined && timeouts.globalMs !== orchestrationTimeoutMs)
    complain(
      "orchestrationTimeoutMs",
      orchestrationTimeoutMs,
      `it is the older name of timeouts.globalMs, which is ${timeouts.globalMs}: give one of them`,
    );
  const globalMs = timeouts.globalMs ?? orchestrationTimeoutMs;
  const globalPath = timeouts.globalMs === undefined ? "orchestrationTimeoutMs" : "timeouts.globalMs";
  if (globalMs !== undefined && timeouts.stepMs !== undefined && globalMs < timeouts.stepMs)
    complain(globalPath, globalMs, `a run needs at least the time of one attempt, timeouts.stepMs = ${timeouts.stepMs}`);
  const retry = fullRetry(config.retry);
  if (retry.maxRetryDelayMs < retry.retryDelayMs)
    complain("retry.maxRetryDelayMs", retry.maxRetryDelayMs, `give at least retry.retryDelayMs = ${retry.retryDelayMs}`);
  const waits = longestRetriesMs(retry);
  const retries = config.retry !== undefined || config.failureStrategy === "retry";
  if (retries && globalMs !== undefined && waits >= globalMs)
    complain(globalPath, globalMs, `the waits of \`retry\` can take ${waits} ms together: give more time, or fewer or shorter retries`);
  if (config.failureStrategy === "retry" && retry.maxRetries === 0)
    complain("retry.maxRetries", 0, 'the failureStrategy "retry" needs at least 1');
  if (!lease) return;
  const { ttlSeconds = 300, renewMarginSeconds = 60 } = lease;
  if (renewMarginSeconds >= ttlSeconds)
    complain("lease.renewMarginSeconds", renewMarginSeconds, `give less than lease.ttlSeconds = ${ttlSeconds}`);
  else if (storeKind === "memory" || storeKind === "sqlite")
    complain(
      "lease",
      lease,
      `the store ${storeKind} is owned through a lock that ends with its process, so nothing is renewed: leave it out`,
    );
}

function isMap(value: unknown): value is object {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

/** A value in a message; text that may be long is cut. */
function shown(value: unknown): string {
  const text = typeof value === "string" || (typeof value === "object" && value !== null) ? (JSON.stringify(value) ?? "") : String(value);
  return text.length > 60 ? `${text.slice(0, 57)}...` : text;
}

function count(complaints: number): string {
  return complaints === 1 ? "an error" : `${complaints} errors`;
}
