import { type CallOptions, Op, type StepOptions, type Stream } from "../core/operation.ts";
import { type Contract, checkSpec, decoders, type EffectContext, type EffectContract, itemDecoder } from "./contract.ts";
import { type EffectLimits, effectFields, type Given, type Services } from "./effect.ts";
import { limitsOf } from "./limits.ts";
import type { In, Out, Schema } from "./schema.ts";

/** An effect that yields items: `each(rows(input), …)` consumes as they arrive, `yield* rows(input)` collects. */
export interface StreamEffect<Input, Item> {
  (input: Input, options?: StepOptions): Stream<Item>;
  readonly contract: Contract & { readonly kind: "effect" };
  /** The function itself, for unit tests. */
  readonly run: (...args: never) => unknown;
}
export interface StreamContext extends EffectContext {
  /** Items recorded before this call began: go on behind them. */
  readonly taken: number;
}

interface StreamSpec<I extends Schema, T extends Schema, U extends Services> extends EffectLimits<I, U> {
  readonly name: string;
  /** Default "1.0.0". */
  readonly version?: string;
  readonly input: I;
  /** What each item is; recorded as it was yielded, and consumed as the schema gives it. */
  readonly item: T;
}

/**
 * An async generator that reads from the world; each item is durable before the next is asked for.
 *
 * `timeout` is of one item, from being asked for to being yielded (default "30s"), and `heartbeat` counts in that time only.
 * A failed attempt is retried by `retry` (default 3 attempts in all) and a call that a crash has cut off is sent again:
 * both begin anew with `taken` items recorded. A stream only reads, so it is `readonly`: it owes no undo.
 * An item that does not fit its schema fails the step, which is then not retried.
 * `concurrency` and `rate` count whole calls: a stream under way has its place until it ends.
 * Throws OnexError `NODE_INVALID`, `INVALID_DURATION`.
 */
export function stream<I extends Schema, T extends Schema, U extends Services = Record<never, never>>(
  spec: StreamSpec<I, T, U>,
  run: (input: Out<I>, context: StreamContext & Given<U>) => AsyncIterable<In<T>>,
): StreamEffect<In<I>, Out<T>> {
  checkSpec("stream", spec, run, ["input", "item", "readonly", ...effectFields]);
  const contract: EffectContract = {
    kind: "effect",
    name: spec.name,
    version: spec.version ?? "1.0.0",
    input: spec.input,
    output: undefined,
    item: spec.item,
    uses: spec.uses ?? {},
    retry: spec.retry,
    timeout: spec.timeout,
    heartbeat: spec.heartbeat,
    idempotent: spec.idempotent,
    readonly: true,
    inDoubt: spec.inDoubt,
    ...limitsOf(`stream ${spec.name}`, spec),
    run: run as EffectContract["run"],
    ...decoders("effect", spec.name, spec.input, undefined),
    decodeItem: itemDecoder(spec.name, spec.item),
  };
  const call = (input: In<I>, options: CallOptions = {}) =>
    new Op({ kind: "call", callee: contract, input, options }) as unknown as Stream<Out<T>>;
  return Object.assign(call, { contract, run });
}
