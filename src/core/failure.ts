/** What goes wrong, in the few classes that a user holds in the head; every code stands in docs/errors.md. */
import type { Duration } from "./duration.ts";
import type { Json } from "./json.ts";

/** A failure as it is recorded and shown. */
export interface Failure {
  readonly code: string;
  readonly message: string;
  readonly details?: Json;
}

/** A failure in one line; one that was thrown without a message says its code once. */
export function sentenceOf(failure: Failure): string {
  return failure.message === failure.code ? failure.code : `${failure.code}: ${failure.message}`;
}

/** Every error of onex itself: a code of docs/errors.md, and what to do. */
export class OnexError extends Error {
  readonly code: string;
  readonly details: Json | undefined;
  constructor(code: string, message: string, options: { readonly details?: Json | undefined; readonly cause?: unknown } = {}) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    this.name = "OnexError";
    this.code = code;
    this.details = options.details;
  }
}

/** What a workflow catches when a step fails. */
export class StepError extends Error {
  readonly code: string;
  readonly step: string;
  readonly node: string;
  readonly attempts: number;
  readonly details: Json | undefined;
  constructor(failure: Failure, at: { readonly step: string; readonly node: string; readonly attempts: number }) {
    super(failure.message);
    this.name = "StepError";
    this.code = failure.code;
    this.step = at.step;
    this.node = at.node;
    this.attempts = at.attempts;
    this.details = failure.details;
  }
}

/** What `result()` throws when the run failed. */
export class RunFailed extends OnexError {
  readonly runId: string;
  readonly step: string | undefined;
  readonly error: Json;
  readonly notUndone: readonly string[];
  constructor(runId: string, failure: Failure, step: string | undefined, notUndone: readonly string[]) {
    super(failure.code, `run ${runId} failed${step === undefined ? "" : ` at step ${step}`}: ${sentenceOf(failure)}`, {
      details: failure.details,
    });
    this.name = "RunFailed";
    this.runId = runId;
    this.step = step;
    this.error = failure as unknown as Json;
    this.notUndone = notUndone;
  }
}

/** What `result()` throws when the run was cancelled. */
export class RunCancelled extends OnexError {
  readonly runId: string;
  readonly reason: string | undefined;
  constructor(runId: string, reason: string | undefined) {
    super("RUN_CANCELLED", `run ${runId} was cancelled${reason === undefined ? "" : `: ${reason}`}`);
    this.name = "RunCancelled";
    this.runId = runId;
    this.reason = reason;
  }
}

export interface FailOptions {
  readonly message?: string;
  readonly details?: Json;
  readonly cause?: unknown;
}

/** Thrown in an effect or workflow: do not try again, it did not happen. Any other error is retried by the policy. */
export class Fatal extends Error {
  readonly code: string;
  readonly details: Json | undefined;
  constructor(code: string, options: FailOptions = {}) {
    super(options.message ?? code, options.cause === undefined ? undefined : { cause: options.cause });
    this.name = "Fatal";
    this.code = code;
    this.details = options.details;
  }
}

/** Thrown in an effect: try again, but when I say. */
export class RetryLater extends Error {
  readonly code: string;
  readonly after: Duration;
  readonly details: Json | undefined;
  constructor(after: Duration, options: FailOptions & { readonly code?: string } = {}) {
    super(options.message ?? `asked to be tried again after ${after}`, options.cause === undefined ? undefined : { cause: options.cause });
    this.name = "RetryLater";
    this.code = options.code ?? "RETRY_LATER";
    this.after = after;
    this.details = options.details;
  }
}

/** Whatever was thrown, as a failure: its own code if it has one in capitals, else `fallback`. */
export function failureOf(thrown: unknown, fallback: string): Failure {
  if (thrown instanceof Error) {
    const { code, details } = thrown as { code?: unknown; details?: unknown };
    return {
      code: typeof code === "string" && /^[A-Z][A-Z0-9_]*$/.test(code) ? code : fallback,
      message: thrown.message,
      ...(thrown instanceof OnexError || thrown instanceof StepError || thrown instanceof Fatal || thrown instanceof RetryLater
        ? details === undefined
          ? {}
          : { details: details as Json }
        : {}),
    };
  }
  return { code: fallback, message: String(thrown) };
}
