/** The rules of the whole: `coordination_rules`, and what stands in `workflow_metadata`, `workflow_coordination` and `error_handling` beside them. */
import type { Cursor } from "../cursor.ts";
import { type Mode, modes, type OnFailure, type RetryRule, type Rules } from "./model.ts";
import { flagOf, ignored, mapOf, nameRest, numberOf, textOf, unsupported, wordOf } from "./say.ts";

/** The longest time that ONEX knows: a day. */
const dayMs = 86_400_000;
const strategies: Readonly<Record<string, OnFailure>> = {
  fail_fast: "stop",
  stop: "stop",
  abort: "stop",
  none: "stop",
  continue: "continue",
  continue_on_error: "continue",
  retry: "retry",
  rollback: "compensate",
  compensate: "compensate",
};

/** The parts of a contract that hold rules. */
export interface RuleHomes {
  readonly metadata: Cursor | undefined;
  readonly coordination: Cursor | undefined;
  readonly rules: Cursor | undefined;
  readonly errorHandling: Cursor | undefined;
}

/** What is said nowhere is as ONEX has it: sequential, fail fast, ten minutes. */
export function readRules({ metadata, coordination, rules, errorHandling }: RuleHomes, otherwise: Mode = "sequential"): Rules {
  const word = rules?.get("failure_recovery_strategy") ?? rules?.get("failure_strategy");
  const strategy = wordOf(word, Object.keys(strategies));
  const onFailure = strategies[strategy ?? "fail_fast"] ?? "stop";
  const parallelSteps = numberOf(rules?.get("max_parallel_steps"), 1, 10_000);
  const branches = numberOf(rules?.get("max_parallel_branches") ?? coordination?.get("max_parallel_branches"), 1, 10_000);
  const policy = mapOf(errorHandling?.get("retry_policy"));
  const concurrency = parallelSteps ?? branches;
  const batchSize = numberOf(rules?.get("batch_size"), 1, 100_000);
  const read: Rules = {
    mode: modeOf([metadata, coordination, rules], flagOf(rules?.get("parallel_execution_allowed")), rules, otherwise),
    onFailure,
    concurrency,
    batchSize,
    timeoutMs:
      numberOf(rules?.get("timeout_ms"), 1, dayMs) ??
      numberOf(metadata?.get("timeout_ms"), 1, dayMs) ??
      numberOf(coordination?.get("timeout_ms"), 1, dayMs) ??
      600_000,
    stepTimeoutMs: numberOf(rules?.get("step_timeout_ms"), 1, dayMs),
    retry: strategy === "none" ? { retries: 0, baseMs: 1000, multiplier: 2, maxMs: undefined } : retryOf(rules, policy, onFailure),
    minPercent: percentOf(rules, onFailure),
  };
  checkValues(rules);
  nameRest(policy, ["max_retries", "initial_delay_ms", "max_delay_ms", "exponential_base"]);
  nameRest(errorHandling, ["retry_policy"]);
  return read;
}

/** The first home that says it wins: the workflow's metadata, its coordination, its rules. */
function modeOf(homes: readonly (Cursor | undefined)[], parallel: boolean | undefined, rules: Cursor | undefined, otherwise: Mode): Mode {
  const said = homes.flatMap((home) => {
    const cursor = home?.get("execution_mode");
    const mode = wordOf(cursor, [...modes, "mixed"]);
    // "mixed" is parallel wherever nothing has to wait.
    return cursor && mode ? [{ cursor, mode: mode === "mixed" ? "parallel" : mode }] : [];
  });
  const mode: Mode = said[0]?.mode ?? (parallel === true ? "parallel" : otherwise);
  for (const other of said.slice(1))
    if (other.mode !== mode)
      other.cursor.warn("ONEX_CONFLICT", `${other.cursor.path} is ${other.mode}, and ${said[0]?.cursor.path} says ${mode}, which counts`);
  if (parallel !== false || mode === "sequential") return mode;
  const cursor = rules?.get("parallel_execution_allowed");
  cursor?.warn("ONEX_CONFLICT", `${cursor.path} is false and the mode is ${mode}: the steps run one after the other`);
  return "sequential";
}

function retryOf(rules: Cursor | undefined, policy: Cursor | undefined, onFailure: OnFailure): RetryRule | undefined {
  const retries =
    numberOf(rules?.get("max_retries"), 0, 1000) ??
    numberOf(policy?.get("max_retries"), 0, 1000) ??
    (onFailure === "retry" ? 3 : undefined);
  const rule = {
    baseMs:
      numberOf(rules?.get("retry_backoff_ms") ?? rules?.get("retry_delay_ms"), 0, dayMs) ??
      numberOf(policy?.get("initial_delay_ms"), 0, dayMs) ??
      1000,
    multiplier:
      numberOf(rules?.get("retry_backoff_multiplier"), 1, 100, false) ?? numberOf(policy?.get("exponential_base"), 1, 100, false) ?? 2,
    maxMs: numberOf(policy?.get("max_delay_ms"), 0, dayMs),
  };
  return retries === undefined ? undefined : { retries, ...rule };
}

/** Without a word about it, a run that continues completes whatever fails. */
function percentOf(rules: Cursor | undefined, onFailure: OnFailure): number {
  const partial = rules?.get("allow_partial_completion");
  const allowed = flagOf(partial);
  const cursor = rules?.get("min_required_steps_completion_percent");
  const percent = numberOf(cursor, 0, 100, false);
  if (onFailure !== "continue") {
    if (partial && allowed === true)
      ignored(partial, "only steps that continue after a failure can complete a run in part; this strategy stops it");
    if (cursor && percent !== undefined && percent < 100) ignored(cursor, "the strategy stops the run at the first failure");
    return 0;
  }
  if (allowed === false) return 100;
  return percent ?? 0;
}

/** What says how onex runs in any case is silent; what says otherwise is named. */
function checkValues(rules: Cursor | undefined): void {
  for (const key of ["detect_cycles", "fail_on_cycle", "dependency_resolution_enabled"]) {
    const cursor = rules?.get(key);
    if (cursor && flagOf(cursor) === false) ignored(cursor, "cycles are always refused, and dependencies always kept");
  }
  const points = rules?.get("synchronization_points");
  if (points && Array.isArray(points.value) && points.value.length > 0)
    unsupported(points, "there are no synchronization points beside dependencies; let the steps behind it depend on those before it");
  textOf(rules?.get("load_balance_strategy"));
  nameRest(rules, ruleKeys, ruleReasons);
}

const ruleKeys: readonly string[] = [
  "failure_recovery_strategy",
  "failure_strategy",
  "execution_mode",
  "parallel_execution_allowed",
  "max_parallel_steps",
  "max_parallel_branches",
  "batch_size",
  "max_retries",
  "retry_backoff_ms",
  "retry_delay_ms",
  "retry_backoff_multiplier",
  "timeout_ms",
  "step_timeout_ms",
  "dependency_resolution_enabled",
  "detect_cycles",
  "fail_on_cycle",
  "allow_partial_completion",
  "min_required_steps_completion_percent",
  "synchronization_points",
];
const stored = "every run is stored, step by step, whatever this says";
const ruleReasons: Readonly<Record<string, string>> = {
  enable_load_balancing: "one orchestrator runs a run; there is nothing to balance between",
  load_balance_strategy: "one orchestrator runs a run; there is nothing to balance between",
  resource_constraints: "memory, processors and disks are limited by what starts the process",
  emit_step_metrics: "the orchestrator's own metrics are always there",
  emit_workflow_events: "each fact of a run is an event; `run.events()` gives them",
  emit_dependency_graph: "`onex check` reads the graph; no event holds it",
  recovery_enabled: stored,
  checkpoint_enabled: stored,
  checkpoint_interval_ms: stored,
  state_persistence_enabled: stored,
  rollback_enabled: "say failure_recovery_strategy: compensate",
  circuit_breaker_enabled: "not of a workflow; an effect has its own",
  dead_letter_queue_enabled: "a run that failed stays in the store with its error",
};
export const coordinationReasons: Readonly<Record<string, string>> = {
  ...ruleReasons,
  step_templates: "templates help a program that writes steps; the steps here stand in the graph",
  lifecycle: "the graph says in which order steps run; a shutdown has no steps",
  subscriptions: "topics start no runs; `onex run` and `orchestrator.start` do",
  publications: "topics are not published to; each fact of a run is an event",
};
