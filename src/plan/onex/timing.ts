/** Retries against timeouts: the waits between attempts alone must not take longer than one attempt may. */

import type { Duration } from "../../core/duration.ts";
import type { RetryPolicy } from "../../core/retry.ts";
import { worstCaseRetryMs } from "../../core/retry.ts";
import type { Cursor } from "../cursor.ts";
import type { Findings } from "../finding.ts";
import type { OnexWorkflow, RetryRule } from "./model.ts";
import { listOf, mapOf, numberOf } from "./say.ts";

/** So many retries with the waits of a rule; false: none. ONEX draws no jitter, and caps a wait only where it says so. */
export function policyOf(retries: number, rule: Omit<RetryRule, "retries"> | undefined): RetryPolicy | false {
  if (retries === 0) return false;
  const { baseMs = 1000, multiplier = 2, maxMs } = rule ?? {};
  const longestMs = Math.min(Math.ceil(baseMs * multiplier ** (retries - 1)), 86_400_000);
  return {
    maxAttempts: retries + 1,
    backoff: "exponential",
    delay: ms(baseMs),
    maxDelay: ms(maxMs ?? longestMs),
    factor: multiplier,
    jitter: "none",
  };
}
export function ms(value: number): Duration {
  return `${value}ms`;
}

/** Names the effects whose waits between attempts, all together, are longer than their timeout. */
export function checkRetries({ rules, steps }: OnexWorkflow, findings: Findings): void {
  for (const step of steps) {
    if (step.kind !== "effect" || !step.enabled) continue;
    const retries = step.retries ?? rules.retry?.retries ?? 0;
    const timeoutMs = step.timeoutMs ?? rules.stepTimeoutMs;
    const policy = policyOf(retries, rules.retry);
    if (policy === false || timeoutMs === undefined) continue;
    const worstMs = worstCaseRetryMs(policy);
    if (worstMs > timeoutMs)
      findings.warn(
        "ONEX_TIMING",
        step.place,
        `the step "${step.id}" waits up to ${worstMs} ms between its ${retries + 1} attempts, longer than its timeout of ${timeoutMs} ms; the timeout is of one attempt, and waits do not count`,
      );
  }
}

/** `timing_constraints.validations`: sums that the contract states must be those that its own figures give. */
export function checkValidations(section: Cursor | undefined): void {
  for (const item of listOf(mapOf(section)?.get("validations"))) {
    const config = mapOf(mapOf(item)?.get("retry_config"));
    const stated = item.get("worst_case_retry_ms");
    const retries = numberOf(config?.get("max_retries"), 0, 999);
    const baseMs = numberOf(config?.get("base_delay_ms"), 0, 86_400_000);
    const statedMs = numberOf(stated, 0, Number.MAX_SAFE_INTEGER, false);
    if (retries === undefined || baseMs === undefined || stated === undefined || statedMs === undefined) continue;
    const strategy = config?.get("backoff_strategy")?.value;
    const policy = policyOf(retries, { baseMs, multiplier: 2, maxMs: numberOf(config?.get("max_delay_ms"), 0, 86_400_000) });
    const backoff = strategy === "linear" || strategy === "fixed" ? strategy : strategy === "constant" ? "fixed" : "exponential";
    const worstMs =
      policy === false ? 0 : worstCaseRetryMs({ ...policy, backoff }, numberOf(config?.get("jitter_factor"), 0, 1, false) ?? 0);
    const operation = item.get("operation")?.value;
    const name = typeof operation === "string" ? operation : item.path;
    if (worstMs !== statedMs)
      stated.warn("ONEX_TIMING", `${name} says that its retries wait ${statedMs} ms at worst; they wait ${worstMs} ms`);
    const timeoutMs = numberOf(item.get("timeout_ms"), 0, Number.MAX_SAFE_INTEGER);
    if (timeoutMs !== undefined && worstMs > timeoutMs)
      stated.warn("ONEX_TIMING", `the retries of ${name} wait ${worstMs} ms at worst, longer than its timeout of ${timeoutMs} ms`);
  }
}
