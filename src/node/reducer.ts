import { toJson } from "../core/json.ts";
import { type CallOptions, Op, type Operation } from "../core/operation.ts";
import { checkSpec, decoders, type Node, type ReducerContract } from "./contract.ts";
import type { In, Out, Schema } from "./schema.ts";

export interface Reducer<Input, State, Key extends readonly unknown[]> extends Node<"reducer", Input, State> {
  /** The state now, as a recorded step. */
  read(...key: Key): Operation<State>;
}
export interface ReducerSpec<E extends Schema, S extends Schema | undefined, T> {
  readonly name: string;
  readonly version?: string;
  readonly event: E;
  /** Needed when `initial` does not say enough (`[]`, `null`); declared, it is checked at run time. */
  readonly state?: S;
  readonly initial: State<S, T>;
  /** The event that takes this one back, applied when the scope is undone. */
  readonly undo?: (event: Out<E>) => In<E>;
}
type State<S, T> = S extends Schema ? Out<S> : T;

/**
 * The only writer of shared state: (state, event) → state, keyed, one writer, each event applied exactly once.
 * Throws OnexError `NODE_INVALID`.
 */
export function reducer<E extends Schema, T, S extends Schema | undefined = undefined, K extends string = never>(
  spec: ReducerSpec<E, S, T> & { readonly key?: (event: Out<E>) => K },
  run: NoInfer<(state: State<S, T>, event: Out<E>) => State<S, T>>,
): Reducer<In<E>, State<S, T>, [K] extends [never] ? [] : [key: string]> {
  checkSpec("reducer", spec, run, ["event", "state", "initial", "key", "undo"]);
  const contract: ReducerContract = {
    kind: "reducer",
    name: spec.name,
    version: spec.version ?? "1.0.0",
    input: spec.event,
    output: spec.state,
    state: spec.state,
    initial: toJson(spec.initial, `reducer ${spec.name}: initial`),
    keyOf: (spec.key as ReducerContract["keyOf"] | undefined) ?? (() => ""),
    undoEvent: spec.undo as ReducerContract["undoEvent"],
    run: run as ReducerContract["run"],
    ...decoders("reducer", spec.name, spec.event, spec.state),
  };
  const call = (event: In<E>, options: CallOptions = {}) => new Op<State<S, T>>({ kind: "call", callee: contract, input: event, options });
  const read = (key?: unknown) =>
    new Op<State<S, T>>({ kind: "read", callee: contract, key: key === undefined ? "" : String(key), step: undefined });
  return Object.assign(call, { contract, run, read });
}
