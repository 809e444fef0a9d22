import type { Duration } from "../core/duration.ts";
import { type CallOptions, Op } from "../core/operation.ts";
import { type ComputeContract, checkSpec, decoders, type Node, type Spec } from "./contract.ts";
import type { Complaint, In, Out, Schema } from "./schema.ts";

export interface Compute<Input, Output> extends Node<"compute", Input, Output> {}
export type Declared = Schema | undefined;
/** What the caller gets: the declared output, else what the function returns. */
export type Gives<O, R> = O extends Schema ? Out<O> : R;
// A conditional over the *whole* function type: only so is the declared type the context of `return`.
type ComputeFn<I extends Schema, O, R> = O extends Schema ? (input: Out<I>) => In<O> : (input: Out<I>) => R & Complaint<R>;

export interface ComputeSpec<I extends Schema, O> extends Spec<I, O> {
  readonly threads?: boolean;
  readonly timeout?: Duration;
}

/**
 * A pure function: the same input, the same output, no clock, no I/O. It runs inside the turn.
 * Throws OnexError `NODE_INVALID`; `NOT_BUILT` for `threads` and `timeout`.
 */
export function compute<I extends Schema, R, O extends Declared = undefined>(
  spec: ComputeSpec<I, O>,
  run: ComputeFn<I, O, R>,
): Compute<In<I>, Gives<O, R>> {
  checkSpec("compute", spec, run, ["input", "output"], ["threads", "timeout"]);
  const contract: ComputeContract = {
    kind: "compute",
    name: spec.name,
    version: spec.version ?? "1.0.0",
    input: spec.input,
    output: spec.output,
    run: run as ComputeContract["run"],
    ...decoders("compute", spec.name, spec.input, spec.output),
  };
  const call = (input: In<I>, options: CallOptions = {}) => new Op<Gives<O, R>>({ kind: "call", callee: contract, input, options });
  return Object.assign(call, { contract, run });
}
