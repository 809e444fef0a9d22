/** What cannot end, or be tried, in the time that is left to it. */
import { durationMs } from "../../core/duration.ts";
import type { Step } from "../flow.ts";
import { callTiming, type Least, leastOf, leastOfBlock, sayMs } from "../timing.ts";
import type { Family } from "./rules.ts";
import { type Around, type Limit, limitWithin } from "./walk.ts";

export const deadlines: Family = ({ read, flow, findings, contract }) => {
  const { defaults } = flow;
  const runMs = flow.timeout === undefined ? undefined : durationMs(flow.timeout);
  const filesMs = defaults.timeout === undefined ? undefined : durationMs(defaults.timeout);
  if (runMs !== undefined && filesMs !== undefined && filesMs > runMs)
    findings.warn(
      "TIMEOUT_BEYOND",
      flow.at("defaults", "timeout").value,
      `one attempt of an effect may take ${sayMs(filesMs)}, longer than the run's timeout (${sayMs(runMs)}), which ends it first; shorten it, or give the run more time`,
    );
  /** What the file says for all steps is told once. */
  let toldFile = false;

  function ownTimeout(step: Step, limit: Limit, label: string): boolean {
    const declared = step.timeout ?? (step.verb.kind === "call" && step.verb.node === "effect" ? contract(step)?.timeout : undefined);
    if (declared === undefined || step.verb.kind === "set" || durationMs(declared) <= limit.ms) return false;
    const place = step.timeout === undefined && step.verb.kind === "call" ? step.verb.place : step.at("timeout").value;
    const whose =
      step.timeout === undefined ? `${contract(step)?.name} has a timeout of ${declared},` : `the timeout of ${label} is ${declared},`;
    findings.warn(
      "TIMEOUT_BEYOND",
      place,
      `${whose} longer than ${limit.what} (${sayMs(limit.ms)}), which ends it first; shorten it, or lengthen that one`,
    );
    return true;
  }

  function retried(step: Step, limit: Limit, label: string): void {
    const timing = callTiming(step, defaults, contract(step));
    if (!timing || timing.retry.maxAttempts < 2 || timing.worstMs <= limit.ms || timing.attemptMs > limit.ms) return;
    const { attemptSaid, retrySaid, retry, attemptMs, worstMs } = timing;
    if (attemptSaid === "built-in" && retrySaid === "built-in") return;
    const byFile = [attemptSaid, retrySaid].every((said) => said === "file" || said === "built-in");
    // The defaults of an ONEX contract stand in several sections of it.
    if (byFile && (toldFile || read.plan !== undefined)) return;
    toldFile ||= byFile;
    const place =
      retrySaid === "step"
        ? step.at("retry").value
        : attemptSaid === "step"
          ? step.at("timeout").value
          : byFile
            ? flow.at("defaults", retrySaid === "file" ? "retry" : "timeout").value
            : step.verb.kind === "call"
              ? step.verb.place
              : step.place;
    findings.warn(
      "RETRY_BEYOND",
      place,
      `${byFile ? "an effect" : label} may take ${sayMs(worstMs)} in all (${retry.maxAttempts} attempts of up to ${sayMs(attemptMs)}, and the waits between them), longer than ${limit.what} (${sayMs(limit.ms)}), which ends it first; make fewer or shorter attempts${read.plan === undefined ? ", or write `retry: { within }` below it" : ""}`,
    );
  }

  /** Sleeps that add up, where none of them alone is too long. */
  function together({ ms, longestMs }: Least, limitMs: number, place: Step["place"], what: string): void {
    if (ms <= limitMs || longestMs > limitMs) return;
    findings.warn(
      "TIMEOUT_CERTAIN",
      place,
      `${what} can never end in time: its sleeps take at least ${sayMs(ms)} in all, and its timeout is ${sayMs(limitMs)}; lengthen it`,
    );
  }

  /** Zero is no word for "none". */
  function zero(ms: number | undefined, place: Step["place"], what: string): void {
    if (ms === 0)
      findings.warn(
        "TIMEOUT_CERTAIN",
        place,
        `a timeout of 0 ends ${what} before it has begun; leave the timeout out where there is to be none`,
      );
  }

  zero(runMs, flow.at("timeout").value, "the run");
  zero(filesMs, flow.at("defaults", "timeout").value, "each attempt of an effect");
  if (runMs !== undefined) together(leastOfBlock(flow.body), runMs, flow.at("timeout").value, "the run");

  return {
    step(step, around: Around) {
      const { label, limit, undoing } = around;
      const { verb } = step;
      if (undoing) return;
      if (step.timeout !== undefined) zero(durationMs(step.timeout), step.at("timeout").value, label);
      const longer = limit !== undefined && ownTimeout(step, limit, label);
      if (limit && !longer) retried(step, limit, label);
      if (step.timeout !== undefined && !longer && verb.kind !== "call" && verb.kind !== "sleep")
        together(leastOf({ ...step, onError: "fail" }), durationMs(step.timeout), step.at("timeout").value, label);
      const inner = limitWithin(step, around);
      if (!inner) return;
      if (verb.kind === "sleep" && verb.ms !== undefined && verb.ms > inner.ms)
        findings.warn(
          "TIMEOUT_CERTAIN",
          step.at("sleep").value,
          `${label} sleeps for ${sayMs(verb.ms)}, longer than ${inner.what} (${sayMs(inner.ms)}), so it never ends by itself; shorten it, or lengthen the timeout`,
        );
      if (verb.kind === "repeat") {
        const turn = leastOf({ ...verb.body, when: undefined }).ms * (verb.body.when ? 0 : 1);
        const ms = (verb.max - 1) * verb.everyMs + verb.max * turn;
        if (ms > inner.ms && turn <= inner.ms)
          findings.warn(
            "REPEAT_BEYOND",
            step.at("max").value,
            `${label} never comes to its ${verb.max} turns: with the time between them they take at least ${sayMs(ms)}, and ${inner.what} is ${sayMs(inner.ms)}; lower \`max\` or \`every\`, or lengthen the timeout`,
          );
      }
    },
  };
};
