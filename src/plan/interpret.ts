/**
 * A flow → operations. The interpreter decides nothing about durability: it names steps by their path and performs the
 * same operations that a workflow in code does, so replay, retry and undo are those of the core.
 *
 * P1 A step's id is its path: `price`, `packed/pick`, `load/0/read`. What stands in for a failed step is `price~error`.
 * P2 A body without a name of its own (of each, repeat, race) is a step under its key: `load/0/charge-card`.
 * P3 Whatever a step throws is a StepError with its path, so that the run says where it failed.
 */
import { builtIn, type RunDefaults } from "../core/defaults.ts";
import { durationMs } from "../core/duration.ts";
import { Fatal, failureOf, OnexError, StepError } from "../core/failure.ts";
import type { Json } from "../core/json.ts";
import type { Check, NodeKind, Steps } from "../core/operation.ts";
import { group, sleepFor, sleepTill, waitSignal } from "../core/structure.ts";
import type { AnyNode, NodeSource, RunContext } from "../node/contract.ts";
import { runBlock } from "./block.ts";
import { callNode, readNode } from "./call.ts";
import { timestamp } from "./cel/functions.ts";
import { kindOf } from "./cel/value.ts";
import type { Expression } from "./expression.ts";
import type { Flow, Step, Verb } from "./flow.ts";
import { Frame } from "./frame.ts";
import { runEach, runRace, runRepeat } from "./loops.ts";
import { Slots } from "./slots.ts";
import { fill, type Template } from "./template.ts";

/** One run of a flow. */
export interface PlanRun {
  readonly flow: Flow;
  readonly defaults: RunDefaults;
  readonly slots: Slots;
  node(kind: NodeKind, reference: string): AnyNode;
  signal(name: string): Check;
}
/** Where a step runs. */
export interface At {
  readonly frame: Frame;
  /** Of the fiber: what comes before the step's own name. */
  readonly path: string;
  readonly order: number;
  readonly priority: number | undefined;
  /** Undos run beside the workflow and take no slot. */
  readonly undoing: boolean;
}
export interface How {
  /** It has failed before it began. */
  readonly failure?: StepError | undefined;
  /** A body under a key, in a scope of its own or not. */
  readonly body?: "scoped" | "plain" | undefined;
  /** Already under a path and in a scope that are its own: a branch of a race. */
  readonly branch?: boolean;
}

export function* interpret(
  flow: Flow,
  input: Json,
  config: Json,
  context: RunContext,
  nodes: NodeSource,
  signal: (name: string) => Check,
  defaults: RunDefaults = builtIn,
): Steps<Json> {
  const found = new Map<string, AnyNode>();
  const run: PlanRun = {
    flow,
    defaults,
    slots: new Slots(flow.concurrency ?? defaults.concurrency ?? 16),
    signal,
    node(kind, reference) {
      const key = `${kind} ${reference}`;
      const node = found.get(key) ?? nodes.find(kind, reference);
      if (!node)
        throw new OnexError("NODE_UNKNOWN", `there is no ${kind} "${reference}" among the nodes of this orchestrator: add it to \`nodes\``);
      found.set(key, node);
      return node;
    },
  };
  const frame = new Frame(undefined, {
    input,
    config,
    values: flow.values,
    run: { id: context.runId, correlationId: context.correlationId },
  });
  return yield* runBlock(run, flow.body, { frame, path: "", order: 0, priority: undefined, undoing: false }, true);
}

/** A step with its modifiers, under the name `name`. */
export function* runStep(run: PlanRun, step: Step, outer: At, name: string, how: How = {}): Steps<Json> {
  const at = step.priority === undefined ? outer : { ...outer, priority: step.priority };
  try {
    if (how.failure) throw how.failure;
    if (step.when && !holds(step.when, at.frame, "when")) return skipped(step, at, name);
    const value = yield* runVerb(run, step, at, name, how);
    return step.outcome ? { ok: true, value, error: null } : value;
  } catch (thrown) {
    const error = asStepError(thrown, at.path + name);
    if (step.onError === "fail" || !(error instanceof StepError)) throw error;
    const failure = { code: error.code, message: error.message, step: error.step, details: error.details ?? null };
    if (step.onError === "continue") return step.outcome ? { ok: false, value: null, error: failure } : null;
    const instead = yield* runStep(run, step.onError, { ...at, frame: new Frame(at.frame, { error: failure }) }, `${name}~error`);
    return step.outcome ? { ok: true, value: instead, error: null } : instead;
  }
}

function skipped(step: Step, at: At, name: string): Json {
  const value = step.fallback ? fill(step.fallback, at.frame) : null;
  if (!step.outcome) return value;
  const error = { code: "STEP_SKIPPED", message: `${name} was skipped`, step: at.path + name, details: null };
  return { ok: false, value, error };
}

function runVerb(run: PlanRun, step: Step, at: At, name: string, how: How): Steps<Json> {
  const { verb } = step;
  switch (verb.kind) {
    case "set":
    case "fail":
    case "rethrow":
      return plain(verb, at, name);
    case "steps":
      if (how.branch && step.onError === "fail" && step.timeout === undefined) return runBlock(run, verb.block, at, false);
      return under(name, runBlock(run, verb.block, inside(at, name), false), step, true);
    case "switch":
      if (step.timeout === undefined) return runSwitch(run, verb.cases, at, name, how);
      return under(name, runSwitch(run, verb.cases, inside(at, name), "case", {}), step, false);
    case "each":
      return under(name, runEach(run, verb, inside(at, name)), step, false);
    case "race":
      return under(name, runRace(run, verb.branches, inside(at, name)), step, false);
    case "repeat":
      return under(name, runRepeat(run, verb, inside(at, name)), step, false);
    default: {
      const timed = step.timeout !== undefined && verb.kind !== "call";
      if (how.body === undefined && !timed) return leaf(run, step, verb, at, name);
      return under(name, leaf(run, step, verb, inside(at, name), natural(verb)), timed ? step : untimed, how.body === "scoped");
    }
  }
}

type Leaf = Verb & { readonly kind: "call" | "read" | "wait" | "sleep" };
const untimed = { timeout: undefined };

function leaf(run: PlanRun, step: Step, verb: Leaf, at: At, name: string): Steps<Json> {
  switch (verb.kind) {
    case "call":
      return callNode(run, step, verb, at, name);
    case "read":
      return readNode(run, verb, at, name);
    case "wait":
      return runWait(run, verb.signal, name);
    case "sleep":
      return runSleep(verb.ms, verb.time, at, name);
  }
}

/** How a step is called that has no name of its own. */
export function natural(verb: Verb): string {
  if (verb.kind === "call" || verb.kind === "read") return verb.reference.replace(/@.*/, "");
  return verb.kind === "wait" ? verb.signal : verb.kind;
}

export function inside(at: At, name: string): At {
  return { ...at, path: `${at.path}${name}/` };
}

function* under(name: string, work: Steps<Json>, { timeout }: Pick<Step, "timeout">, scoped: boolean): Steps<Json> {
  return yield* group(name, work, { timeout, scoped });
}

// biome-ignore lint/correctness/useYield: performs nothing
function* plain(verb: Verb & { readonly kind: "set" | "fail" | "rethrow" }, at: At, name: string): Steps<Json> {
  if (verb.kind === "set") return fill(verb.value, at.frame);
  if (verb.kind === "rethrow") throw rethrown(fill(verb.error, at.frame), at.path + name);
  const code = fill(verb.code, at.frame);
  const message = verb.message && fill(verb.message, at.frame);
  const details = verb.details && fill(verb.details, at.frame);
  const failure = { code: codeOf(code), message: String(message ?? code), ...(details === undefined ? {} : { details }) };
  throw new StepError(failure, { step: at.path + name, node: "", attempts: 1 });
}

function rethrown(error: Json, step: string): StepError {
  const given = (typeof error === "object" && error !== null && !Array.isArray(error) ? error : { message: error }) as {
    readonly [key: string]: Json;
  };
  const failure = {
    code: codeOf(given.code ?? null),
    message: String(given.message ?? "failed"),
    ...(given.details == null ? {} : { details: given.details }),
  };
  return new StepError(failure, { step: typeof given.step === "string" ? given.step : step, node: "", attempts: 1 });
}

function codeOf(code: Json): string {
  return typeof code === "string" && /^[A-Z][A-Z0-9_]*$/.test(code) ? code : "STEP_FAILED";
}

function* runSwitch(run: PlanRun, cases: readonly Step[], at: At, name: string, how: How): Steps<Json> {
  for (const step of cases) {
    if (step.when && !holds(step.when, at.frame, "when")) continue;
    // Its `when` has been asked.
    return yield* runStep(run, { ...step, when: undefined }, at, name, how);
  }
  return null;
}

function* runWait(run: PlanRun, signal: string, name: string): Steps<Json> {
  return (yield* waitSignal(signal, run.signal(signal), name)) as Json;
}

function* runSleep(ms: number | undefined, time: Template | undefined, at: At, name: string): Steps<Json> {
  if (ms !== undefined) yield* sleepFor(ms, name);
  else {
    const value = time ? fill(time, at.frame) : null;
    const length = lengthOf(value);
    if (length !== undefined) yield* sleepFor(length, name);
    else yield* sleepTill(timestamp(value).getTime(), name);
  }
  return null;
}

/** A duration written as text; anything else is a moment. */
function lengthOf(value: Json): number | undefined {
  return typeof value === "string" && /^\d+(?:\.\d+)?(?:ms|s|m|h|d)$/.test(value) ? durationMs(value) : undefined;
}

export function holds(condition: Expression, frame: Frame, what: string): boolean {
  const value = condition.evaluate(frame);
  if (typeof value !== "boolean")
    throw new OnexError("EXPRESSION_FAILED", `${what}: \`${condition.text}\` must be true or false, and it is ${kindOf(value)}`);
  return value;
}

/** P3. What is a bug and not an answer is left as it is. */
export function asStepError(thrown: unknown, step: string): unknown {
  if (thrown instanceof StepError && thrown.step !== "") return thrown;
  if (thrown instanceof StepError || thrown instanceof Fatal || thrown instanceof OnexError)
    return new StepError(failureOf(thrown, thrown.code), { step, node: thrown instanceof StepError ? thrown.node : "", attempts: 1 });
  return thrown;
}
