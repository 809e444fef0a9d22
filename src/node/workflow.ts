import type { Duration } from "../core/duration.ts";
import { type CallOptions, Op, type Steps } from "../core/operation.ts";
import type { Declared, Gives } from "./compute.ts";
import { checkSpec, decoders, type Node, type RunContext, type Spec, type WorkflowContract } from "./contract.ts";
import type { Complaint, In, Out, Schema } from "./schema.ts";

export interface Workflow<Input, Output, Name extends string = string> extends Node<"workflow", Input, Output> {
  readonly contract: WorkflowContract & { readonly name: Name };
}
type WorkflowFn<I extends Schema, O, R> = O extends Schema
  ? (input: Out<I>, context: RunContext) => Steps<In<O>>
  : (input: Out<I>, context: RunContext) => Steps<R & Complaint<R>>;

export interface WorkflowSpec<I extends Schema, O, N extends string> extends Spec<I, O, N> {
  /** Of the whole run. */
  readonly timeout?: Duration;
  /** What a failed run does; default as `config.failureStrategy` says, else "compensate". */
  readonly onFailure?: "compensate" | "stop";
  readonly concurrency?: { readonly limit: number; readonly key?: (input: Out<I>) => string };
}

/**
 * A generator that decides and never acts: it coordinates the other nodes, and is itself a node.
 * Throws OnexError `NODE_INVALID`; `NOT_BUILT` for `concurrency`.
 */
export function workflow<const N extends string, I extends Schema, R, O extends Declared = undefined>(
  spec: WorkflowSpec<I, O, N>,
  run: WorkflowFn<I, O, R>,
): Workflow<In<I>, Gives<O, R>, N> {
  checkSpec("workflow", spec, ["concurrency"]);
  const decoding = decoders("workflow", spec.name, spec.input, spec.output);
  const contract: WorkflowContract & { readonly name: N } = {
    kind: "workflow",
    name: spec.name,
    version: spec.version ?? "1.0.0",
    input: spec.input,
    output: spec.output,
    timeout: spec.timeout,
    onFailure: spec.onFailure,
    plan: undefined,
    begin: (input, context) => (run as (input: unknown, context: RunContext) => Steps<unknown>)(decoding.decodeInput(input), context),
    ...decoding,
  };
  const call = (input: In<I>, options: CallOptions = {}) => new Op<Gives<O, R>>({ kind: "call", callee: contract, input, options });
  return Object.assign(call, { contract, run });
}
