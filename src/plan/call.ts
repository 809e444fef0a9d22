/** Calls of nodes: what a step says beside what the node and the file say (API 4, point 10). */
import { OnexError } from "../core/failure.ts";
import { type Json, toJson } from "../core/json.ts";
import type { CallOptions, Operation, Steps, Undoing } from "../core/operation.ts";
import { call, readState } from "../core/structure.ts";
import type { AnyNode } from "../node/contract.ts";
import { kindOf } from "./cel/value.ts";
import type { Step, StreamCall, Verb } from "./flow.ts";
import { Frame } from "./frame.ts";
import { type At, natural, type PlanRun, runStep } from "./interpret.ts";
import { fill } from "./template.ts";

const usualPriority = 100;

export function* callNode(run: PlanRun, step: Step, verb: Verb & { readonly kind: "call" }, at: At, name: string): Steps<Json> {
  const node = run.node(verb.node, verb.reference);
  const input = verb.with ? fill(verb.with, at.frame) : {};
  const options = callOptions(run, step, verb, at, name);
  const work = () => call(node.contract, input, options);
  const output = at.undoing ? yield* work() : yield* run.slots.hold(at.priority ?? usualPriority, at.order, work);
  return asJson(output, node, `${at.path}${name}`);
}

/**
 * The stream that an `each` consumes. It takes no slot: it waits for its consumers, whose calls need slots, so one that
 * held the last slot would wait for itself.
 */
export function streamOf(run: PlanRun, step: StreamCall, at: At): { readonly stream: Operation<unknown>; readonly node: AnyNode } {
  const { verb } = step;
  const node = run.node(verb.node, verb.reference);
  const input = verb.with ? fill(verb.with, at.frame) : {};
  return { stream: call(node.contract, input, callOptions(run, step, verb, at, natural(verb))), node };
}

/** An item, or a batch of them, as expressions read it. */
export function itemAsJson(item: unknown, node: AnyNode, where: string): Json {
  return toJson(undated(item), `step ${where}: item of ${node.contract.name}`);
}

export function* readNode(run: PlanRun, verb: Verb & { readonly kind: "read" }, at: At, name: string): Steps<Json> {
  const node = run.node("reducer", verb.reference);
  const key = verb.key ? fill(verb.key, at.frame) : "";
  if (typeof key === "object")
    throw new OnexError("EXPRESSION_FAILED", `${at.path}${name}: the key of ${verb.reference} must be text, and it is ${kindOf(key)}`);
  return asJson(yield* readState(node.contract, String(key), name), node, `${at.path}${name}`);
}

function callOptions(run: PlanRun, step: Step, verb: Verb & { readonly kind: "call" }, at: At, name: string): CallOptions {
  const { undo } = step;
  return {
    step: name,
    ...(step.timeout === undefined ? {} : { timeout: step.timeout }),
    ...(step.retry === undefined ? {} : { retry: step.retry }),
    ...(at.priority === undefined ? {} : { priority: at.priority }),
    ...(step.keep ? { keep: true } : {}),
    ...(verb.node === "effect" ? { defaults: run.flow.defaults } : {}),
    ...(undo ? { undo: (done: Undoing<Json, Json>) => undoStep(run, undo, at, name, done) } : {}),
  };
}

/** The body of `undo`, with `done` in scope; the output is null when the outcome is unknown. */
function undoStep(run: PlanRun, undo: Step, at: At, name: string, done: Undoing<Json, Json>): Steps<Json> {
  const frame = new Frame(at.frame, { done: { input: done.input, output: done.output ?? null, idempotencyKey: done.idempotencyKey } });
  return runStep(run, undo, { ...at, frame, path: `${at.path}${name}~undo/`, undoing: true }, natural(undo.verb));
}

/** What a node gave, as expressions read it: a schema may have made dates and the like of it. */
function asJson(output: unknown, node: AnyNode, where: string): Json {
  const { output: schema, kind, decodeItem } = node.contract;
  if (schema === undefined && decodeItem === undefined && kind !== "reducer") return output as Json;
  return toJson(undated(output), `step ${where}: output of ${node.contract.name}`);
}
function undated(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(undated);
  return value instanceof Date ? value.toISOString() : value;
}
