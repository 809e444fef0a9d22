/**
 * The unit of delegated work: what one delivery of a step's attempt says to whoever does it.
 *
 *   actionId         hash of run, step and attempt: the same for every delivery of that attempt, new for each retry
 *   idempotencyKey   hash of run and step: the same for all attempts
 *   leaseId, epoch   who owns the run: a far side refuses the work of an owner that was succeeded
 */
import type { FactOf } from "../core/fact.ts";
import type { Json } from "../core/json.ts";
import type { Callee, NodeKind } from "../core/operation.ts";

export interface Action {
  readonly actionId: string;
  readonly idempotencyKey: string;
  readonly kind: NodeKind;
  readonly node: string;
  /** Of the node: a version, the beginning of one, or `*` for the newest. */
  readonly version: string;
  readonly runId: string;
  /** Path of the step. */
  readonly step: string;
  /** From 1; a retry is the next attempt. */
  readonly attempt: number;
  /** From 1; the same attempt sent again is the next delivery. */
  readonly delivery: number;
  readonly leaseId: string;
  readonly epoch: number;
  readonly correlationId: string;
  /** 1 to 1000, lower goes first. */
  readonly priority: number;
  readonly timeoutMs: number;
  /** It must not be begun, nor go on, after this; ms since 1970. */
  readonly notAfter: number;
  readonly createdAt: number;
  /** Actions that this one waits for: none, since an action is made when all that it depends on has ended. */
  readonly dependencies: readonly string[];
  /** The recorded input, before the schema's defaults and transforms. */
  readonly payload: Json;
  /** The last note that `progress` left. */
  readonly resume?: Json;
  /** Of a stream: the index of the item that is asked for, which is how many were taken before it. */
  readonly taken?: number;
  /** Idempotency key of the step that this one takes back. */
  readonly undoes?: string;
  readonly metadata: ActionMetadata;
  /** What travels beside it: the trace that it belongs to. */
  readonly headers?: Readonly<Record<string, string>>;
}
export interface ActionMetadata {
  readonly workflowType: string;
  readonly workflowVersion: string;
  readonly parentRunId?: string;
}

/** What an action says of its run and owner. */
export interface Origin {
  readonly runId: string;
  readonly correlationId: string;
  readonly leaseId: string;
  readonly epoch: number;
  readonly started: FactOf<"run.started"> | undefined;
  keyOf(step: string): string;
  actionIdOf(step: string, attempt: number): string;
}

/** What is to be done: a `deliver` command, or the question of an asked compute. */
export interface Work {
  readonly step: string;
  readonly attempt: number;
  readonly delivery: number;
  readonly callee: Pick<Callee, "kind" | "name" | "version">;
  readonly input: Json;
  readonly timeoutMs: number;
  readonly priority: number;
  readonly resume: Json | undefined;
}

const undoing = "~undo/";

/** @param hash a digest that nobody can steer, hex. */
export function actionIdOf(hash: (text: string) => string, idempotencyKey: string, attempt: number): string {
  return hash(`${idempotencyKey}\0${attempt}`).slice(0, 32);
}

/** The action of one delivery; equal arguments give equal actions. Times in ms since 1970. */
export function actionOf(origin: Origin, work: Work, createdAt: number, notAfter: number, headers?: Action["headers"]): Action {
  const { runId, correlationId, leaseId, epoch, started } = origin;
  const { step, attempt, delivery, callee, timeoutMs, priority } = work;
  const undone = step.lastIndexOf(undoing);
  return {
    actionId: origin.actionIdOf(step, attempt),
    idempotencyKey: origin.keyOf(step),
    kind: callee.kind,
    node: callee.name,
    version: callee.version,
    runId,
    step,
    attempt,
    delivery,
    leaseId,
    epoch,
    correlationId,
    priority,
    timeoutMs,
    notAfter,
    createdAt,
    dependencies: [],
    payload: work.input,
    ...(work.resume === undefined ? {} : { resume: work.resume }),
    ...(undone < 0 ? {} : { undoes: origin.keyOf(step.slice(0, undone)) }),
    metadata: {
      workflowType: started?.workflow ?? "",
      workflowVersion: started?.version ?? "",
      ...(started?.parent ? { parentRunId: started.parent.runId } : {}),
    },
    ...(headers ? { headers } : {}),
  };
}
