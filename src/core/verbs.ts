/** The verbs that a workflow performs with `yield*`, beside the calls of nodes. */
import { type Duration, durationMs } from "./duration.ts";
import { OnexError } from "./failure.ts";
import type { Json } from "./json.ts";
import {
  type EachOptions,
  Op,
  type Operation,
  type Outcome,
  type Performable,
  type Result,
  type Results,
  type Stream,
} from "./operation.ts";

/** All at once; when one fails, the others are cancelled and settled before the failure goes on. */
export function all<const P extends readonly Performable<unknown>[]>(branches: P): Operation<Results<P>>;
export function all<const P extends Readonly<Record<string, Performable<unknown>>>>(branches: P): Operation<Results<P>>;
export function all(branches: readonly Performable<unknown>[] | Readonly<Record<string, Performable<unknown>>>): Operation<never> {
  return new Op({ kind: "all", branches, bare: false });
}

/** The first to succeed or fail decides; the rest are cancelled and settled before the workflow goes on. */
export function race<const P extends Readonly<Record<string, Performable<unknown>>>>(
  branches: P,
): Operation<{ [K in keyof P & string]: { readonly winner: K; readonly value: Result<P[K]> } }[keyof P & string]> {
  return new Op({ kind: "race", branches });
}

/**
 * One branch for each item, at most `concurrency` (default 10) at once; results in the order of the items.
 * A stream is consumed as it arrives: a branch begins when its item is recorded, and the next item is asked for only when
 * there is room for it. The first branch that fails cancels the others and the stream.
 */
export function each<T, R>(
  items: readonly T[] | Stream<T>,
  branch: (batch: readonly T[], index: number) => Performable<R>,
  options: EachOptions<readonly T[]> & { readonly batchSize: number },
): Operation<R[]>;
export function each<T, R>(
  items: readonly T[] | Stream<T>,
  branch: (item: T, index: number) => Performable<R>,
  options?: EachOptions<T>,
): Operation<R[]>;
export function each(
  items: readonly unknown[] | Stream<unknown>,
  branch: (item: never, index: number) => Performable<unknown>,
  options: EachOptions<never> = {},
): Operation<never> {
  return new Op({ kind: "each", items, branch, options, bare: false });
}

/** A failure as a value: for when failing is an answer and not an accident. */
export function attempt<T>(work: Performable<T>): Operation<Outcome<T>> {
  return new Op({ kind: "attempt", work });
}

/** Waits, durably; the run is put down meanwhile. Throws OnexError INVALID_DURATION. */
export function sleep(duration: Duration): Operation<void> {
  return new Op({ kind: "sleep", ms: durationMs(duration), step: undefined });
}

/** Waits until a moment (a Date, or ms since 1970). Throws OnexError INVALID_DURATION when it is none. */
export function sleepUntil(time: Date | number): Operation<void> {
  const due = Number(time);
  if (!Number.isFinite(due))
    throw new OnexError("INVALID_DURATION", `sleepUntil: ${String(time)} is not a time: give a Date, or ms since 1970`);
  return new Op({ kind: "sleepUntil", due, step: undefined });
}

/** Performs the given operations, last first, as undos; without arguments, all that this scope owes so far. */
export function compensate(...undo: readonly Performable<unknown>[]): Operation<void> {
  return new Op({ kind: "compensate", work: undo });
}

/** Goes on as a fresh run under the same id: for loops without end. */
export function restart(input: Json): Operation<never> {
  return new Op({ kind: "restart", input });
}

/** The time, ms since 1970, recorded. */
export function now(): Operation<number> {
  return new Op({ kind: "value", of: "now" });
}
/** A number in [0, 1), recorded. */
export function random(): Operation<number> {
  return new Op({ kind: "value", of: "random" });
}
/** A UUID, recorded. */
export function uuid(): Operation<string> {
  return new Op({ kind: "value", of: "uuid" });
}
