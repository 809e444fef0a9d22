import { type Check, Op, type Operation } from "../core/operation.ts";
import { check, type Out, type Schema } from "./schema.ts";

/** A message from outside: a workflow waits for it, a client sends it. */
export interface Signal<P extends Schema> {
  readonly name: string;
  readonly payload: P;
  wait(options?: { readonly step?: string }): Operation<Out<P>>;
}

/** Kept per name, first in first out; one that comes before its `wait` is kept for it. */
export function signal<const P extends Schema>(spec: { readonly name: string; readonly payload: P }): Signal<P> {
  const checkPayload: Check = (payload) => check(spec.payload, payload, `signal ${spec.name}`) as ReturnType<Check>;
  return {
    name: spec.name,
    payload: spec.payload,
    wait: (options) => new Op<Out<P>>({ kind: "wait", name: spec.name, check: checkPayload, step: options?.step }),
  };
}
