/** How a call ended that gave no output, as its far side or the way there tells it. */
import { type Failure, Fatal, OnexError } from "../../core/failure.ts";
import type { Answer } from "../wire.ts";

/** Thrown by a transport; what the far side refuses for good is `Fatal` instead. */
export class CallFailed extends OnexError {
  /** "none": it did not happen; "unknown": it may have. */
  readonly outcome: "none" | "unknown";
  /** Trying again is no use. */
  readonly final: boolean;
  readonly retryAfterMs: number | undefined;
  /** False: it says nothing about the step, which is tried again as if this had not been tried. */
  readonly counts: boolean;

  constructor(
    failure: Failure,
    how: {
      readonly outcome: "none" | "unknown";
      readonly final?: boolean | undefined;
      readonly retryAfterMs?: number | undefined;
      readonly counts?: false;
    },
  ) {
    super(failure.code, failure.message, { details: failure.details });
    this.name = "CallFailed";
    this.outcome = how.outcome;
    this.final = how.final ?? false;
    this.retryAfterMs = how.retryAfterMs;
    this.counts = how.counts ?? true;
  }
}

/** A failure that the far side answered with, as it is thrown here. */
export function thrownOf(answer: Answer & { readonly status: "failed" }): Fatal | CallFailed {
  const { error, outcome, final } = answer;
  if (outcome === "none" && final)
    return new Fatal(error.code, { message: error.message, ...(error.details === undefined ? {} : { details: error.details }) });
  return new CallFailed(error, answer);
}
