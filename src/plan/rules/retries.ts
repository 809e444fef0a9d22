/** Retry policies that contradict themselves. */
import { type RetryPolicy, retryOf } from "../../core/retry.ts";
import type { Spots } from "../spots.ts";
import { attemptsWithin, callTiming, sayMs, waitsMs } from "../timing.ts";
import type { Family } from "./rules.ts";

/** Above so many attempts a policy says "as often as the budget allows". */
const counted = 10;
const waits = ["backoff", "delay", "maxDelay", "factor", "jitter", "within"] as const;

export const retries: Family = ({ flow, findings, contract }) => {
  function policy(given: RetryPolicy, at: Spots, keys: readonly string[], what: string): void {
    const retry = retryOf(given);
    const spot = (key: keyof RetryPolicy) => at(...keys, key);
    if (given.maxAttempts === 1) {
      const idle = waits.find((key) => given[key] !== undefined);
      if (idle)
        findings.warn(
          "MODIFIER_NEEDLESS",
          spot(idle).key,
          `${idle} changes nothing: ${what} is tried once; raise maxAttempts, or write \`retry: false\``,
        );
      return;
    }
    if (given.factor !== undefined && retry.backoff !== "exponential")
      findings.warn(
        "MODIFIER_NEEDLESS",
        spot("factor").key,
        `factor changes nothing: the backoff of ${what} is ${retry.backoff}; take it out, or write \`backoff: exponential\``,
      );
    if (retry.delayMs > retry.maxDelayMs)
      findings.warn(
        "RETRY_CAPPED",
        spot("delay").value,
        `the delay of ${what} is ${sayMs(retry.delayMs)}, and no wait is longer than maxDelay (${sayMs(retry.maxDelayMs)}${given.maxDelay === undefined ? " unless written" : ""}); write \`maxDelay: ${given.delay}\` or more beside it`,
      );
    const fitting = attemptsWithin(retry);
    if (fitting < retry.maxAttempts && (retry.maxAttempts <= counted || fitting === 1))
      findings.warn(
        "RETRY_BUDGET",
        spot("within").value,
        `only ${fitting} of the ${retry.maxAttempts} attempts of ${what} ${fitting === 1 ? "is" : "are"} sure to begin within ${given.within}: the waits between them take up to ${sayMs(waitsMs(retry))}; lengthen \`within\`, or shorten the waits`,
      );
  }

  if (flow.defaults.retry) policy(flow.defaults.retry, flow.at, ["defaults", "retry"], "an effect");

  return {
    step(step, { label, undoing }) {
      const { verb, retry } = step;
      if (verb.kind !== "call" || !retry || undoing) return;
      if (verb.node === "compute" || verb.node === "reducer") {
        if (retry.maxAttempts !== 1)
          findings.warn(
            "MODIFIER_NEEDLESS",
            step.at("retry").key,
            `retry changes nothing: ${label} calls a ${verb.node}, which is never retried, since it gives the same each time; take it out`,
          );
        return;
      }
      policy(retry, step.at, ["retry"], label);
      const timing = callTiming(step, flow.defaults, contract(step));
      if (timing && timing.retry.maxAttempts > 1 && timing.attemptMs >= timing.retry.withinMs)
        findings.warn(
          "RETRY_BUDGET",
          step.at("retry", "within").value,
          `an attempt of ${label} that times out is never retried: one attempt may take ${sayMs(timing.attemptMs)}, and all of them together have ${sayMs(timing.retry.withinMs)}; lengthen \`within\`, or shorten the timeout`,
        );
    },
  };
};
