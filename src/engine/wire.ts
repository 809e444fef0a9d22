/**
 * What an orchestrator and a node host say to each other over HTTP. JSON, UTF-8; the words are those of ONEX.
 *
 *   POST URL         { "onex": 1, "action": { … } }      do this
 *   POST URL         { "onex": 1, "abort": { … } }       give that action up, or never begin it
 *   GET  URL/health                                      { "onex": 1, "status": "healthy", "nodes": [ … ], … }
 *
 * An answer is one JSON object (`application/json`), or, for who accepts `application/x-ndjson`, a line for each note of
 * progress and the answer as the last line:
 *
 *   { "onex": 1, "status": "progressed", "note": … }
 *   { "onex": 1, "status": "completed", "output": … }
 *   { "onex": 1, "status": "yielded", "index": n, "item": … }    of a stream
 *   { "onex": 1, "status": "failed", "error": { "code", "message", "details"? },
 *     "outcome": "none" | "unknown", "final"?: true, "retry_after_ms"?: n }
 *   { "onex": 1, "status": "aborted" }                   to an abort
 *
 * W1 `outcome: "none"` says that it did not happen, `"unknown"` that it may have; `final` that trying again is no use.
 * W2 A refusal is such a failure too, before anything was begun, with an HTTP status of its own: 400 ACTION_INVALID ·
 *    401 SIGNATURE_MISSING, SIGNATURE_INVALID, SIGNATURE_EXPIRED, SIGNATURE_REPLAYED (`signature.ts`) ·
 *    404 NODE_UNKNOWN · 409 STALE_EPOCH, LEASE_VIOLATION · 410 ACTION_EXPIRED, UNDONE, CANCELLED · 413 VALUE_TOO_LARGE ·
 *    415 ACTION_INVALID · 503 NODE_BUSY. Work that was begun is answered with 200, also when it failed.
 * W3 A connection that ends without a last line leaves the outcome unknown and aborts nothing: the same action sent again
 *    joins the work under way, or gets its recorded answer.
 *    With the header `onex-heartbeat: MS` a host promises a line at least that often, an empty one while there is nothing to
 *    say; who hears nothing for three times as long holds the connection for broken.
 * W4 Who reads is strict: unknown members, missing ones and wrong types are refused by name.
 *
 * A stream is asked for one item a request, with `taken` in the action: the index of the item, and how many came before it.
 * The answer is that item, or the end as `completed` with `{ "items": taken }`, or a failure.
 *
 * W5 The host keeps the iterator by `action_id` from one request to the next. The same index asked for again gets the same
 *    answer; the one after it advances the iterator; for any other one, and where the iterator is not held (any more), the
 *    stream is opened anew to go on behind `taken` items.
 * W6 `not_after` is the time of the item that is asked for. A host returns the iterator at an abort, and when nobody has
 *    asked it for anything by then and a minute more. Who stops asking before the end says so with an abort.
 * W7 Ownership is checked at every request of a stream, also where the answer is known already.
 */
import { type Failure, OnexError } from "../core/failure.ts";
import { isDeeper, type Json } from "../core/json.ts";
import type { NodeKind } from "../core/operation.ts";
import type { Action } from "./action.ts";
import { Reader } from "./wire-reader.ts";

/** Deepest nesting of a message: a value may be 200 deep, and stands in an envelope. */
const maxDepth = 256;

/** Asks a host to give an action up; one that comes later is refused. */
export interface Abort {
  readonly actionId: string;
  readonly runId: string;
  readonly leaseId: string;
  readonly epoch: number;
  /** When the action would have ended, ms since 1970: so long it is remembered. */
  readonly notAfter: number;
  readonly reason: Failure;
}
export type Message = { readonly action: Action } | { readonly abort: Abort };

export type Answer =
  | { readonly status: "completed"; readonly output: Json }
  | {
      readonly status: "failed";
      readonly error: Failure;
      readonly outcome: "none" | "unknown";
      readonly final?: boolean;
      readonly retryAfterMs?: number;
    }
  | { readonly status: "yielded"; readonly index: number; readonly item: Json }
  | { readonly status: "progressed"; readonly note: Json }
  | { readonly status: "aborted" };
/** What ends an exchange about an action. */
export type Ended = Answer & { readonly status: "completed" | "failed" | "yielded" };

/** Of an answer in lines: so often one comes, ms, an empty one if there is nothing to say (W3). */
export const beatHeader = "onex-heartbeat";
export const jsonType = "application/json";
export const linesType = "application/x-ndjson";

const kinds: Readonly<Record<NodeKind, { readonly action: string; readonly target: string }>> = {
  compute: { action: "EXECUTE_COMPUTATION", target: "COMPUTE" },
  effect: { action: "EXECUTE_SIDE_EFFECT", target: "EFFECT" },
  reducer: { action: "EXECUTE_AGGREGATION", target: "REDUCER" },
  workflow: { action: "EXECUTE_WORKFLOW", target: "ORCHESTRATOR" },
};

export function encodeAction(action: Action): string {
  const { metadata } = action;
  return JSON.stringify({
    onex: 1,
    action: {
      action_id: action.actionId,
      action_type: kinds[action.kind].action,
      target_node_type: kinds[action.kind].target,
      target_node: action.node,
      target_version: action.version,
      idempotency_key: action.idempotencyKey,
      run_id: action.runId,
      step: action.step,
      attempt: action.attempt,
      retry_count: action.attempt - 1,
      delivery: action.delivery,
      lease_id: action.leaseId,
      epoch: action.epoch,
      correlation_id: action.correlationId,
      priority: action.priority,
      timeout_ms: action.timeoutMs,
      not_after: action.notAfter,
      created_at: action.createdAt,
      dependencies: action.dependencies,
      payload: action.payload,
      ...(action.resume === undefined ? {} : { resume: action.resume }),
      ...(action.taken === undefined ? {} : { taken: action.taken }),
      ...(action.undoes === undefined ? {} : { undoes: action.undoes }),
      metadata: {
        workflow_type: metadata.workflowType,
        workflow_version: metadata.workflowVersion,
        ...(metadata.parentRunId === undefined ? {} : { parent_run_id: metadata.parentRunId }),
      },
    },
  });
}

export function encodeAbort(abort: Abort): string {
  return JSON.stringify({
    onex: 1,
    abort: {
      action_id: abort.actionId,
      run_id: abort.runId,
      lease_id: abort.leaseId,
      epoch: abort.epoch,
      not_after: abort.notAfter,
      reason: abort.reason,
    },
  });
}

/** Throws OnexError `ACTION_INVALID`, naming the member. */
export function decodeMessage(value: Json): Message {
  const reader = new Reader(value, "the message", "ACTION_INVALID");
  versionOf(reader);
  const action = reader.maybe("action");
  const abort = reader.maybe("abort");
  reader.end();
  if ((action === undefined) === (abort === undefined)) throw reader.refuse("has one of `action` and `abort`");
  return action === undefined ? { abort: readAbort(abort as Json) } : { action: readAction(action) };
}

function readAction(value: Json): Action {
  const reader = new Reader(value, "action", "ACTION_INVALID");
  const type = reader.text("action_type");
  const kind = (Object.keys(kinds) as NodeKind[]).find((candidate) => kinds[candidate].action === type);
  if (kind === undefined) throw reader.refuse(`action_type is ${JSON.stringify(type)}, which is none of ONEX's`);
  if (reader.text("target_node_type") !== kinds[kind].target)
    throw reader.refuse(`target_node_type does not fit ${type}: write ${kinds[kind].target}`);
  const attempt = reader.whole("attempt", 1);
  if (reader.whole("retry_count", 0) !== attempt - 1) throw reader.refuse("retry_count is not attempt - 1");
  const resume = reader.maybe("resume");
  const taken = reader.maybe("taken") === undefined ? undefined : reader.whole("taken", 0);
  const undoes = reader.maybeText("undoes");
  const metadata = new Reader(reader.any("metadata"), "action.metadata", "ACTION_INVALID");
  const parentRunId = metadata.maybeText("parent_run_id");
  const action: Action = {
    actionId: reader.text("action_id"),
    idempotencyKey: reader.text("idempotency_key"),
    kind,
    node: reader.text("target_node"),
    version: reader.text("target_version"),
    runId: reader.text("run_id"),
    step: reader.text("step"),
    attempt,
    delivery: reader.whole("delivery", 1),
    leaseId: reader.text("lease_id"),
    epoch: reader.whole("epoch", 0),
    correlationId: reader.text("correlation_id"),
    priority: reader.whole("priority", 1),
    timeoutMs: reader.number("timeout_ms"),
    notAfter: reader.number("not_after"),
    createdAt: reader.number("created_at"),
    dependencies: reader.texts("dependencies"),
    payload: reader.any("payload"),
    ...(resume === undefined ? {} : { resume }),
    ...(taken === undefined ? {} : { taken }),
    ...(undoes === undefined ? {} : { undoes }),
    metadata: {
      workflowType: metadata.prose("workflow_type"),
      workflowVersion: metadata.prose("workflow_version"),
      ...(parentRunId === undefined ? {} : { parentRunId }),
    },
  };
  metadata.end();
  reader.end();
  return action;
}

function readAbort(value: Json): Abort {
  const reader = new Reader(value, "abort", "ACTION_INVALID");
  const abort: Abort = {
    actionId: reader.text("action_id"),
    runId: reader.text("run_id"),
    leaseId: reader.text("lease_id"),
    epoch: reader.whole("epoch", 0),
    notAfter: reader.number("not_after"),
    reason: readFailure(reader.any("reason"), "abort.reason", "ACTION_INVALID"),
  };
  reader.end();
  return abort;
}

/** One line, without its end. */
export function encodeAnswer(answer: Answer): string {
  const { status } = answer;
  if (status === "completed") return JSON.stringify({ onex: 1, status, output: answer.output });
  if (status === "yielded") return JSON.stringify({ onex: 1, status, index: answer.index, item: answer.item });
  if (status === "progressed") return JSON.stringify({ onex: 1, status, note: answer.note });
  if (status === "aborted") return JSON.stringify({ onex: 1, status });
  const { error, outcome, final, retryAfterMs } = answer;
  return JSON.stringify({
    onex: 1,
    status,
    error,
    outcome,
    ...(final ? { final } : {}),
    ...(retryAfterMs === undefined ? {} : { retry_after_ms: retryAfterMs }),
  });
}

/** Throws OnexError `NODE_ANSWER_INVALID`, naming the member. */
export function decodeAnswer(value: Json): Answer {
  const reader = new Reader(value, "the answer", "NODE_ANSWER_INVALID");
  versionOf(reader);
  const answer = readAnswer(reader, reader.text("status"));
  reader.end();
  return answer;
}

function readAnswer(reader: Reader, status: string): Answer {
  switch (status) {
    case "completed":
      return { status, output: reader.any("output") };
    case "yielded":
      return { status, index: reader.whole("index", 0), item: reader.any("item") };
    case "progressed":
      return { status, note: reader.any("note") };
    case "aborted":
      return { status };
    case "failed": {
      const outcome = reader.text("outcome");
      if (outcome !== "none" && outcome !== "unknown") throw reader.refuse(`outcome is ${JSON.stringify(outcome)}: none or unknown`);
      const final = reader.maybe("final");
      if (final !== undefined && final !== true) throw reader.refuse("final is true or left out");
      const retryAfterMs = reader.maybe("retry_after_ms") === undefined ? undefined : reader.number("retry_after_ms");
      return {
        status,
        error: readFailure(reader.any("error"), "the answer's error", "NODE_ANSWER_INVALID"),
        outcome,
        ...(final ? { final } : {}),
        ...(retryAfterMs === undefined ? {} : { retryAfterMs }),
      };
    }
    default:
      throw reader.refuse(`status is ${JSON.stringify(status)}: completed, yielded, failed, progressed or aborted`);
  }
}

function readFailure(value: Json, where: string, refusal: "ACTION_INVALID" | "NODE_ANSWER_INVALID"): Failure {
  const reader = new Reader(value, where, refusal);
  const details = reader.maybe("details");
  const failure: Failure = { code: reader.text("code"), message: reader.prose("message"), ...(details === undefined ? {} : { details }) };
  reader.end();
  return failure;
}

function versionOf(reader: Reader): void {
  if (reader.whole("onex", 1) !== 1) throw reader.refuse("speaks another version of the protocol than 1: bring both sides to one version");
}

/** Text as JSON. Throws OnexError with `code` when it is none. */
export function parseJson(text: string, what: string, code: "ACTION_INVALID" | "NODE_ANSWER_INVALID"): Json {
  // Asked of the text: whatever walks the value could run out of stack.
  if (isDeeper(text, maxDepth)) throw new OnexError(code, `${what} is nested more than ${maxDepth} deep: flatten it`);
  try {
    return JSON.parse(text) as Json;
  } catch {
    throw new OnexError(code, `${what} is not JSON: ${JSON.stringify(text.slice(0, 60))}`);
  }
}
