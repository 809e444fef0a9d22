import { OnexError } from "../core/failure.ts";
import { onlyFields, shown } from "../core/fields.ts";
import { type Check, Op, type Operation } from "../core/operation.ts";
import { checkSchema } from "./contract.ts";
import { check, type Out, type Schema } from "./schema.ts";

/** A message from outside: a workflow waits for it, a client sends it. */
export interface Signal<P extends Schema> {
  readonly name: string;
  readonly payload: P;
  wait(options?: { readonly step?: string }): Operation<Out<P>>;
}

/** Kept per name, first in first out; one that comes before its `wait` is kept for it. Throws OnexError `NODE_INVALID`. */
export function signal<const P extends Schema>(spec: { readonly name: string; readonly payload: P }): Signal<P> {
  onlyFields("NODE_INVALID", "the definition of a signal", spec, ["name", "payload"]);
  if (typeof spec.name !== "string" || spec.name === "")
    throw new OnexError("NODE_INVALID", `signal ${shown(spec.name)}: give it a name, as in signal({ name: "approval", payload: … })`);
  checkSchema(`signal ${spec.name}`, "payload", spec.payload);
  const checkPayload: Check = (payload) => check(spec.payload, payload, `signal ${spec.name}`) as ReturnType<Check>;
  return {
    name: spec.name,
    payload: spec.payload,
    wait: (options) => new Op<Out<P>>({ kind: "wait", name: spec.name, check: checkPayload, step: options?.step }),
  };
}
