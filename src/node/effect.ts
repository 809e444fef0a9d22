import type { Duration } from "../core/duration.ts";
import { type CallOptions, Op, type Operation, type Undoing } from "../core/operation.ts";
import type { RetryPolicy } from "../core/retry.ts";
import type { Declared, Gives } from "./compute.ts";
import { checkSpec, decoders, type EffectContext, type EffectContract, type Node, type Spec } from "./contract.ts";
import { limitsOf } from "./limits.ts";
import type { Complaint, In, Out, Schema } from "./schema.ts";
import type { Service } from "./service.ts";

export interface Effect<Input, Output> extends Node<"effect", Input, Output> {}
// biome-ignore lint/suspicious/noExplicitAny: a record of services of any type; each one's type is read by `Given`
export type Services = Readonly<Record<string, Service<any>>>;
export type Given<U> = { readonly [K in keyof U]: U[K] extends Service<infer T> ? T : never };
type EffectFn<I extends Schema, O, R, C> = O extends Schema
  ? (input: Out<I>, context: C) => Promise<In<O>>
  : (input: Out<I>, context: C) => Promise<R & Complaint<R>>;

type Reversal<Input, Output> =
  | { readonly undo?: (done: Undoing<Input, Output>) => Operation<unknown>; readonly irreversible?: never; readonly readonly?: never }
  | { readonly irreversible: string; readonly undo?: never; readonly readonly?: never }
  | { readonly readonly: true; readonly undo?: never; readonly irreversible?: never };

export interface EffectLimits<I extends Schema, U extends Services> {
  readonly uses?: U;
  readonly retry?: RetryPolicy | false;
  /** Of one attempt; default "30s". */
  readonly timeout?: Duration;
  /** Sent twice with the same key it happens once. `check` refuses retries without it. */
  readonly idempotent?: boolean;
  /** What to do with an attempt that a crash left unanswered; default "retry" when idempotent or readonly, else "pause". */
  readonly inDoubt?: "retry" | "fail" | "pause";
  /** Longest silence between two `progress()`. */
  readonly heartbeat?: Duration;
  /**
   * At most `limit` calls in flight at once in this process; with `key`, for each key. The others wait before their attempt
   * begins, by the priority of the step, then first come; waiting costs no attempt. A key needs a synchronous input schema.
   */
  readonly concurrency?: { readonly limit: number; readonly key?: (input: Out<I>) => string };
  /**
   * At most `limit` calls begin within any stretch of `per` in this process, such as `{ limit: 100, per: "1m" }`; with `key`,
   * for each key. The others wait as for `concurrency`. A process that takes over counts from nothing.
   */
  readonly rate?: { readonly limit: number; readonly per: Duration; readonly key?: (input: Out<I>) => string };
}
/** Those of `EffectLimits`. */
export const effectFields = ["uses", "retry", "timeout", "idempotent", "inDoubt", "heartbeat", "concurrency", "rate"] as const;
export type EffectSpec<I extends Schema, O, R, U extends Services> = Spec<I, O> & EffectLimits<I, U> & Reversal<Out<I>, Gives<O, R>>;

/**
 * An async function that touches the world, with a stable idempotency key and an abort signal.
 * Throws OnexError `NODE_INVALID`, `INVALID_DURATION`.
 */
export function effect<I extends Schema, R, O extends Declared = undefined, U extends Services = Record<never, never>>(
  spec: EffectSpec<I, O, R, U>,
  run: EffectFn<I, O, R, EffectContext & Given<U>>,
): Effect<In<I>, Gives<O, R>> {
  checkSpec("effect", spec, run, ["input", "output", ...effectFields, "undo", "irreversible", "readonly"]);
  const contract: EffectContract = {
    kind: "effect",
    name: spec.name,
    version: spec.version ?? "1.0.0",
    input: spec.input,
    output: spec.output,
    uses: spec.uses ?? {},
    retry: spec.retry,
    timeout: spec.timeout,
    heartbeat: spec.heartbeat,
    idempotent: spec.idempotent,
    readonly: spec.readonly,
    irreversible: spec.irreversible,
    inDoubt: spec.inDoubt,
    ...limitsOf(`effect ${spec.name}`, spec),
    undo: spec.undo as EffectContract["undo"],
    run: run as EffectContract["run"],
    ...decoders("effect", spec.name, spec.input, spec.output),
  };
  const call = (input: In<I>, options: CallOptions = {}) => new Op<Gives<O, R>>({ kind: "call", callee: contract, input, options });
  return Object.assign(call, { contract, run });
}
