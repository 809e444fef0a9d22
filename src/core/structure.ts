/** The operations that a plan is interpreted with, beside the verbs that users write: they name their own steps. */
import type { Duration } from "./duration.ts";
import { type Callee, type CallOptions, type Check, type EachOptions, Op, type Operation, type Performable } from "./operation.ts";

export { Latch } from "./operation.ts";

/** All at once, in the scope and under the path of the caller; when one fails, the others are cancelled and settled. */
export function gather(branches: readonly Performable<unknown>[]): Operation<unknown[]> {
  return new Op({ kind: "all", branches, bare: true });
}

/**
 * `work` under the path `key/`. `scoped` gives it an undo scope of its own (API rule 22). Past `timeout` the work is
 * cancelled and settled, then it fails with `STEP_TIMEOUT`.
 */
export function group<T>(
  key: string,
  work: Performable<T>,
  options: { readonly timeout?: Duration | undefined; readonly scoped: boolean },
): Operation<T> {
  return new Op({ kind: "group", key, work, timeout: options.timeout, scoped: options.scoped });
}

/** `each` over a stream, in the scope and under the path of the caller: the branches name their own steps. */
export function consume<T>(
  stream: Operation<unknown>,
  branch: (item: unknown, index: number) => Performable<T>,
  options: EachOptions<never>,
): Operation<T[]> {
  return new Op({ kind: "each", items: stream, branch, options, bare: true });
}

/** Calls a node, with what a plan may say beside the options of code. */
export function call(callee: Callee, input: unknown, options: CallOptions): Operation<unknown> {
  return new Op({ kind: "call", callee, input, options });
}

/** Reads a reducer's state as the step `step`. */
export function readState(callee: Callee, key: string, step: string): Operation<unknown> {
  return new Op({ kind: "read", callee, key, step });
}

/** Waits for a signal by name as the step `step`. */
export function waitSignal(name: string, check: Check, step: string): Operation<unknown> {
  return new Op({ kind: "wait", name, check, step });
}

/** Sleeps for `ms` as the step `step`. */
export function sleepFor(ms: number, step: string): Operation<void> {
  return new Op({ kind: "sleep", ms, step });
}

/** Sleeps until `due` (ms since 1970) as the step `step`. */
export function sleepTill(due: number, step: string): Operation<void> {
  return new Op({ kind: "sleepUntil", due, step });
}
