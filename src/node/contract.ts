/** What a node promises: its name, kind, version, schemas and limits. */
import type { RunDefaults } from "../core/defaults.ts";
import { OnexError } from "../core/failure.ts";
import { durationAt, onlyFields, shown } from "../core/fields.ts";
import { copyJson, type Json, toJson } from "../core/json.ts";
import type { Callee, Check, ChildOptions, NodeKind, Operation, Performable, StepOptions, Steps } from "../core/operation.ts";
import { type RetryPolicy, retryOf } from "../core/retry.ts";
import { check, type Schema } from "./schema.ts";
import type { Service } from "./service.ts";

export interface Log {
  debug(message: string, fields?: object): void;
  info(message: string, fields?: object): void;
  warn(message: string, fields?: object): void;
  error(message: string, fields?: object): void;
}
export interface RunContext {
  readonly runId: string;
  readonly correlationId: string;
  /** In a workflow: silent while replaying. */
  readonly log: Log;
}
export interface EffectContext extends RunContext {
  /**
   * Aborted on timeout (`STEP_TIMEOUT`, `HEARTBEAT_TIMEOUT`) and cancel (`CANCELLED`), and when this process lets the run go, which goes on
   * elsewhere or later: it closes (`ORCHESTRATOR_CLOSED`), its lease has lapsed (`LEASE_LOST`), another has the run (`FENCED`), the run is
   * paused (`PAUSED`). `signal.reason.code` says which.
   */
  readonly signal: AbortSignal;
  /** The same for all attempts of this step, other for every other step. */
  readonly idempotencyKey: string;
  /** Rises each time a process takes the run: a fencing token for what stands behind the effect. */
  readonly epoch: number;
  /** Of the process that drives the run: with `epoch` it names who may act for the run. */
  readonly leaseId: string;
  /** The same for every delivery of this attempt, another one for the next attempt. */
  readonly actionId: string;
  readonly attempt: number;
  /** When this attempt times out, ms since 1970. */
  readonly deadline: number;
  /** Says that it is alive, and leaves a note that the next attempt reads as `resume`. */
  progress(note?: Json): void;
  readonly resume: Json | undefined;
}

export interface Contract extends Callee {
  readonly kind: NodeKind;
  readonly name: string;
  readonly version: string;
  readonly input: Schema;
  readonly output: Schema | undefined;
}
export interface ComputeContract extends Contract {
  readonly kind: "compute";
  /** The bare function over the decoded input. */
  readonly run: (input: never) => unknown;
}
export interface EffectContract extends Contract {
  readonly kind: "effect";
  readonly uses: Readonly<Record<string, Service<unknown>>>;
  /** Calls in flight at once, of each key of the decoded input. */
  readonly concurrency?: { readonly limit: number; readonly key?: ((input: never) => string) | undefined } | undefined;
  /** Starts of calls within a time that slides, of each key of the decoded input. */
  readonly rate?: { readonly limit: number; readonly perMs: number; readonly key?: ((input: never) => string) | undefined } | undefined;
  readonly run: (input: never, context: never) => Promise<unknown> | AsyncIterable<unknown>;
  /** Of a stream: what each item is. */
  readonly item?: Schema;
}
export interface ReducerContract extends Contract {
  readonly kind: "reducer";
  readonly state: Schema | undefined;
  readonly initial: Json;
  keyOf(event: never): string;
  readonly run: (state: never, event: never) => unknown;
}
/** Holds back root runs of a workflow: at most so many of one key. */
export interface RunLimit {
  readonly limit: number;
  keyOf(input: never): string;
}
export interface WorkflowContract extends Contract {
  readonly kind: "workflow";
  /** Of how many may be under way at once. */
  readonly concurrency?: RunLimit;
  /** Of how many may begin within `perMs`. */
  readonly rate?: RunLimit & { readonly perMs: number };
  /** Undefined: as the defaults of the run say. */
  readonly onFailure: "compensate" | "stop" | undefined;
  /** Begins the generator over a recorded input; `nodes` finds what a plan names, `defaults` are those of the run. */
  begin(input: Json, context: RunContext, nodes: NodeSource, defaults?: RunDefaults): Steps<unknown>;
  /** Set on a workflow that came as data (YAML). */
  readonly plan: PlanSource | undefined;
}
/** Where a plan finds the nodes it names: `charge-card`, or `charge-card@2` pinned by major. */
export interface NodeSource {
  find(kind: NodeKind, reference: string): AnyNode | undefined;
  /** Names of the nodes of a kind, for "did you mean". */
  names(kind: NodeKind): readonly string[];
}
/** A workflow as data: pinned by its text. */
export interface PlanSource {
  readonly file: string;
  readonly text: string;
  readonly hash: string;
  /** All that is needed to make it again: text, schemas, configuration. */
  readonly definition: string;
  /** What is wrong once the nodes are known: unknown nodes, inputs that do not fit. Throws OnexError `CONTRACT_INVALID` with every complaint. */
  bind(nodes: NodeSource): void;
  /** Checks a payload at the door; undefined for a signal it does not declare. */
  signal(name: string): Check | undefined;
}

/** What every list of nodes holds: the call takes `never`, so any node fits. */
export interface AnyNode {
  (input: never, options?: never): Performable<unknown>;
  readonly contract: Contract;
}
export interface Node<Kind extends NodeKind, Input, Output> {
  (input: Input, options?: Kind extends "workflow" ? ChildOptions : StepOptions): Operation<Output>;
  readonly contract: Contract & { readonly kind: Kind };
  /** The function itself, for unit tests. */
  readonly run: (...args: never) => unknown;
}

export interface Spec<I extends Schema, O, N extends string = string> {
  readonly name: N;
  /** Default "1.0.0". */
  readonly version?: string;
  readonly input: I;
  /** Declared, it is checked at run time; left out, it is inferred from the function. */
  readonly output?: O;
}

/** The form of a node's name. */
export const nodeName = /^[a-z][a-z0-9]*(?:-[a-z0-9]+)*$/;
const semver = /^\d+\.\d+\.\d+(?:-[0-9A-Za-z.-]+)?$/;

/**
 * Checks what every definer takes. `fields` are those of this kind beside `name` and `version`.
 * Throws OnexError `NODE_INVALID`, `INVALID_DURATION`, `NOT_BUILT`.
 */
export function checkSpec(
  word: NodeKind | "stream",
  spec: {
    readonly name: string;
    readonly version?: string;
    readonly input?: Schema;
    readonly output?: unknown;
    readonly timeout?: string;
    readonly heartbeat?: string;
    readonly retry?: RetryPolicy | false;
  },
  run: unknown,
  fields: readonly string[],
  notBuilt: readonly string[] = [],
): void {
  onlyFields("NODE_INVALID", named(word, spec), spec, ["name", "version", ...fields, ...notBuilt]);
  const { name, version, timeout, heartbeat, retry } = spec;
  if (typeof name !== "string" || !nodeName.test(name))
    throw new OnexError("NODE_INVALID", `${word} ${shown(name)}: a name is kebab-case, such as "charge-card"`);
  const where = `${word} ${name}`;
  if (version !== undefined && !semver.test(version))
    throw new OnexError("NODE_INVALID", `${where}: version "${version}" is not semver, such as "1.0.0"`);
  for (const field of word === "reducer" ? ["event", "state"] : word === "stream" ? ["input", "item"] : ["input", "output"])
    checkSchema(where, field, (spec as Record<string, unknown>)[field]);
  if (typeof run !== "function") throw new OnexError("NODE_INVALID", `${where}: the function, its second argument, is missing`);
  for (const field of notBuilt)
    if ((spec as Record<string, unknown>)[field] !== undefined)
      throw new OnexError("NOT_BUILT", `${where}: \`${field}\` is declared in the API but not built yet; leave it out`);
  if (timeout !== undefined) durationAt(`${where}: timeout`, timeout);
  if (heartbeat !== undefined) durationAt(`${where}: heartbeat`, heartbeat);
  if (retry === undefined || retry === false) return;
  onlyFields("NODE_INVALID", `${where}: retry`, retry, retryFields);
  retryOf(retry);
}
const retryFields = ["maxAttempts", "backoff", "delay", "maxDelay", "factor", "jitter", "within", "except"] as const;

function named(word: string, spec: unknown): string {
  const name = (spec as { readonly name?: unknown } | null | undefined)?.name;
  return typeof name === "string" ? `${word} ${name}` : `the definition of the ${word}`;
}

/** Throws OnexError `NODE_INVALID` for what is no schema; `output` and `state` may be left out. */
export function checkSchema(where: string, field: string, schema: unknown): void {
  if (schema === undefined && (field === "output" || field === "state")) return;
  if (typeof (schema as Partial<Schema> | null | undefined)?.["~standard"]?.validate !== "function")
    throw new OnexError(
      "NODE_INVALID",
      `${where}: \`${field}\` is ${schema === undefined ? "missing" : "no schema"}: give one of zod or any library of Standard Schema, such as z.object({})`,
    );
}

/** How a stream's recorded items reach its consumer. Throws OnexError `OUTPUT_INVALID`. */
export function itemDecoder(name: string, item: Schema): (recorded: Json) => unknown {
  return (recorded) => decoded(item, recorded, `stream ${name}: item`, "OUTPUT_INVALID");
}

/** How recorded values reach the node's own functions. */
export function decoders(kind: NodeKind, name: string, input: Schema, output: Schema | undefined): Pick<Callee, "decode" | "decodeInput"> {
  return {
    decodeInput: (recorded) => decoded(input, recorded, `${kind} ${name}: input`, "INPUT_INVALID"),
    decode: output === undefined ? copyJson : (recorded) => decoded(output, recorded, `${kind} ${name}: output`, "OUTPUT_INVALID"),
  };
}

function decoded(schema: Schema, recorded: Json, where: string, code: string): unknown {
  const verdict = check(schema, recorded, where);
  if (verdict.problem !== undefined) throw new OnexError(code, `${where}: ${verdict.problem}`);
  return verdict.value;
}

/**
 * What a node returned, as it is recorded: plain JSON, and under the declared schema valid.
 * Throws OnexError `OUTPUT_NOT_JSON`, `OUTPUT_INVALID`.
 */
export function recordedOutput(contract: Contract, returned: unknown): Json {
  const where = `${contract.kind} ${contract.name}: output`;
  const json = toJson(returned, where);
  if (contract.output !== undefined) decoded(contract.output, json, where, "OUTPUT_INVALID");
  return json;
}
