/** How a run ends. */
import type { FinalBody, RunStatus } from "./fact.ts";
import { type Failure, Fatal, failureOf, OnexError, StepError } from "./failure.ts";
import type { Settled } from "./fiber.ts";
import type { Json } from "./json.ts";
import { placeOf } from "./place.ts";

export type Verdict =
  | { readonly how: "cancelled"; readonly reason: string | undefined }
  | { readonly how: "failed"; readonly error: Failure; readonly step?: string }
  | { readonly how: "restarted"; readonly input: Json }
  | { readonly how: "completed"; readonly output: Json };

/** The timer of the run's own time. */
export const deadline = "~deadline";
export const timedOut: Verdict = { how: "failed", error: { code: "RUN_TIMEOUT", message: "the run did not end within its time" } };

/** How a run ends whose root has settled by itself; `finish` makes the returned value fit to be recorded. */
export function judge(settled: Settled, finish: (returned: unknown) => Json): Verdict {
  if (settled.how === "ok") {
    try {
      return { how: "completed", output: finish(settled.value) };
    } catch (error) {
      return { how: "failed", error: failureOf(error, "WORKFLOW_THREW") };
    }
  }
  const error = settled.how === "failed" ? settled.error : undefined;
  if (error instanceof StepError)
    return { how: "failed", error: failureOf(error, error.code), ...(error.step === "" ? {} : { step: error.step }) };
  if (error instanceof Fatal || error instanceof OnexError) return { how: "failed", error: failureOf(error, error.code) };
  const thrown = failureOf(error, "WORKFLOW_THREW");
  const place = error instanceof Error ? placeOf(error.stack ?? "") : "";
  return { how: "failed", error: { code: "WORKFLOW_THREW", message: place === "" ? thrown.message : `${thrown.message} (${place})` } };
}

/** The last fact of a run. */
export function finalFact(verdict: Verdict, notUndone: readonly string[]): FinalBody {
  switch (verdict.how) {
    case "completed":
      return { type: "run.completed", output: verdict.output, ...(notUndone.length > 0 ? { notUndone } : {}) };
    case "restarted":
      return { type: "run.restarted", input: verdict.input };
    case "cancelled":
      return { type: "run.cancelled", notUndone, ...(verdict.reason === undefined ? {} : { reason: verdict.reason }) };
    case "failed":
      return { type: "run.failed", error: verdict.error, notUndone, ...(verdict.step === undefined ? {} : { step: verdict.step }) };
  }
}

export function statusOf(final: FinalBody): RunStatus {
  switch (final.type) {
    case "run.completed":
      return "completed";
    case "run.failed":
      return "failed";
    case "run.cancelled":
      return "cancelled";
    case "run.restarted":
      return "running";
  }
}
