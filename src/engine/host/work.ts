/** An action that a host has taken: under way, then answered once; everybody who delivers it gets that one answer. */
import type { FactBody } from "../../core/fact.ts";
import { type Failure, failureOf } from "../../core/failure.ts";
import type { EffectContract } from "../../node/contract.ts";
import type { Action } from "../action.ts";
import { Call, type CallHost } from "../call.ts";
import { checkSize } from "../values.ts";
import type { Ended } from "../wire.ts";
import { answerOf, Reply } from "./reply.ts";

/** What work needs of its host. */
export type Workshop = Pick<CallHost, "log" | "clock" | "client" | "services" | "abortGraceMs" | "maxValueBytes">;

export class Work extends Reply {
  /** Of what every delivery must say alike. */
  readonly digest: string;
  readonly #keep: (answer: Ended) => Promise<void> | undefined;
  #call: Call | undefined;
  #aborted: Failure | undefined;

  /** @param keep records an answer; it is given out when that has been done. */
  constructor(digest: string, keep: (answer: Ended) => Promise<void> | undefined = () => undefined) {
    super();
    this.digest = digest;
    this.#keep = keep;
  }

  /** It ends by `notAfter` and the grace. */
  start(action: Action, contract: EffectContract, workshop: Workshop): void {
    if (this.#aborted) return this.#answered({ status: "failed", error: this.#aborted, outcome: "none" });
    try {
      this.#call = callOf(action, contract, workshop, { report: (_call, fact) => this.#reported(fact), over: () => {} });
      this.#call.start(undefined);
    } catch (error) {
      this.#answered(refusalOf(error));
    }
  }

  /** Asks it to stop; its answer says what became of it. */
  abort(why: Failure): void {
    this.#aborted ??= why;
    this.#call?.abort(why);
  }
  /** The host closes: work under way has its time to end. */
  rest(): void {}

  #reported(fact: FactBody): void {
    if (fact.type === "action.progressed") return this.progressed(fact.note);
    const answer = answerOf(fact);
    if (!answer) return;
    // The record is the answer; the input and its call are let go.
    this.#call = undefined;
    this.#answered(answer);
  }
  #answered(answer: Ended): void {
    const kept = this.#keep(answer);
    if (!kept) return this.end(answer);
    kept.then(
      () => this.end(answer),
      (error) => this.end({ status: "failed", error: failureOf(error, "RECORD_FAILED"), outcome: "unknown" }),
    );
  }
}

/** The same call as an orchestrator makes of an effect of its own, with the same checks. Throws OnexError `VALUE_TOO_LARGE`. */
export function callOf(action: Action, contract: EffectContract, workshop: Workshop, hear: Pick<CallHost, "report" | "over">): Call {
  const { runId, correlationId, leaseId, epoch, step, attempt, delivery, timeoutMs, priority, payload: input, resume } = action;
  checkSize(input, workshop.maxValueBytes, `effect ${contract.name}: input`);
  const host: CallHost = {
    ...workshop,
    ...hear,
    runId,
    correlationId,
    leaseId,
    epoch,
    started: undefined,
    keyOf: () => action.idempotencyKey,
    actionIdOf: () => action.actionId,
    now: () => workshop.clock.now(),
  };
  const command = { type: "deliver", key: step, step, attempt, callee: contract, input, timeoutMs, priority, delivery, resume } as const;
  return new Call(host, command, action.notAfter);
}

/** A call that could not be made. */
export function refusalOf(error: unknown): Ended {
  return { status: "failed", error: failureOf(error, "INPUT_INVALID"), outcome: "none", final: true };
}
