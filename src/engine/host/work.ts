/** An action that a host has taken: under way, then answered once; everybody who delivers it gets that one answer. */
import type { FactBody } from "../../core/fact.ts";
import { type Failure, failureOf } from "../../core/failure.ts";
import type { Json } from "../../core/json.ts";
import type { EffectContract, Log } from "../../node/contract.ts";
import type { Action } from "../action.ts";
import { Call, type CallHost } from "../call.ts";
import type { NodeClient } from "../client/client.ts";
import type { Services } from "../services.ts";
import { checkSize } from "../values.ts";
import type { Answer } from "../wire.ts";
import type { Clock } from "../world.ts";

export type Ended = Answer & { readonly status: "completed" | "failed" };
export interface Listener {
  progressed(note: Json): void;
  ended(answer: Ended): void;
}
/** What work needs of its host. */
export interface Workshop {
  readonly log: Log;
  readonly clock: Clock;
  readonly client: NodeClient;
  readonly services: Services;
  readonly abortGraceMs: number;
  readonly maxValueBytes: number;
}

export class Work {
  /** Of what every delivery must say alike. */
  readonly digest: string;
  readonly #listeners = new Set<Listener>();
  #call: Call | undefined;
  #answer: Ended | undefined;

  constructor(digest: string) {
    this.digest = digest;
  }

  /** Tells `listener` what comes, at once when it is answered already; the answer stops it. */
  listen(listener: Listener): () => void {
    if (this.#answer) {
      listener.ended(this.#answer);
      return () => {};
    }
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  /** Makes the same call as an orchestrator does of an effect of its own, with the same checks; it ends by `notAfter` and the grace. */
  start(action: Action, contract: EffectContract, workshop: Workshop): void {
    const { runId, correlationId, leaseId, epoch, step, attempt, delivery, timeoutMs, priority } = action;
    const host: CallHost = {
      ...workshop,
      runId,
      correlationId,
      leaseId,
      epoch,
      started: undefined,
      keyOf: () => action.idempotencyKey,
      actionIdOf: () => action.actionId,
      now: () => workshop.clock.now(),
      report: (_call, fact) => this.#reported(fact),
      over: () => {},
    };
    const input = action.payload;
    const command = { type: "deliver", key: step, step, attempt, callee: contract, input, timeoutMs, priority, delivery } as const;
    try {
      checkSize(input, workshop.maxValueBytes, `effect ${contract.name}: input`);
      this.#call = new Call(host, { ...command, resume: action.resume }, action.notAfter);
      this.#call.start(undefined);
    } catch (error) {
      this.#end({ status: "failed", error: failureOf(error, "INPUT_INVALID"), outcome: "none", final: true });
    }
  }

  /** Asks it to stop; its answer says what became of it. */
  abort(why: Failure): void {
    this.#call?.abort(why);
  }

  #reported(fact: FactBody): void {
    if (fact.type === "action.progressed") for (const listener of this.#listeners) listener.progressed(fact.note);
    else if (fact.type === "action.completed") this.#end({ status: "completed", output: fact.output });
    else if (fact.type === "action.failed") {
      const { error, outcome, final, retryAfterMs } = fact;
      this.#end({
        status: "failed",
        error,
        outcome,
        ...(final ? { final } : {}),
        ...(retryAfterMs === undefined ? {} : { retryAfterMs }),
      });
    }
  }

  #end(answer: Ended): void {
    if (this.#answer) return;
    this.#answer = answer;
    // The record is the answer; the input and its call are let go.
    this.#call = undefined;
    for (const listener of [...this.#listeners]) listener.ended(answer);
    this.#listeners.clear();
  }
}
