/**
 * A stream that a host serves: one call that is kept between requests and asked for an item by each of them (W5 of the
 * protocol).
 *
 * O1 At most one item is asked for. Asked for again, it is joined while it is under way and answered from the record after.
 * O2 The index behind the record advances the open call; any other one leaves it and opens a new one that goes on behind it.
 * O3 A call is left when it is aborted, when nobody asks anything of it until its last request's time and `keptMs` are over,
 *    and when the host closes.
 */
import type { FactBody } from "../../core/fact.ts";
import type { Failure } from "../../core/failure.ts";
import type { EffectContract } from "../../node/contract.ts";
import type { Action } from "../action.ts";
import type { Call } from "../call.ts";
import type { Ended } from "../wire.ts";
import { gone } from "./refusal.ts";
import { answerOf, Reply } from "./reply.ts";
import { callOf, refusalOf, type Workshop } from "./work.ts";

/** How much longer than its last request's time an iterator is kept, ms. */
const keptMs = 60_000;

export interface StreamHost {
  readonly workshop: Workshop;
  /** A call was opened. */
  opened(): void;
  /** A call has settled: its iterator is returned. */
  settled(): void;
  /** What is kept of it is now this answer. */
  answered(answer: Ended): void;
}

/** What a request means for a stream: its answer is known or on its way, or the open call comes to it next, or a call is opened for it. */
export type Step = "known" | "next" | "open";

export class HeldStream {
  /** Of what every request must say alike. */
  readonly digest: string;
  readonly #host: StreamHost;
  readonly #contract: EffectContract;
  /** Calls that have not settled: the open one, and those that were left. */
  #calls = 0;
  #call: Call | undefined;
  /** To the request for item `#index`. */
  #reply: Reply | undefined;
  #index = -1;
  /** Of the last request, ms since 1970. */
  #notAfter = 0;
  #stopIdle: (() => void) | undefined;
  #aborted: Failure | undefined;
  #resting = false;

  constructor(digest: string, contract: EffectContract, host: StreamHost) {
    this.digest = digest;
    this.#contract = contract;
    this.#host = host;
  }

  /** Whether an iterator of it is open, or on its way to be returned. */
  get underWay(): boolean {
    return this.#calls > 0;
  }

  stepFor(index: number): Step {
    if (this.#reply && index === this.#index) return "known";
    return this.#call && this.#reply?.answered && index === this.#index + 1 ? "next" : "open";
  }

  /** The reply to a request for item `taken`. Throws Refusal for one that was aborted. */
  ask(action: Action, taken: number): Reply {
    const step = this.stepFor(taken);
    this.#notAfter = Math.max(this.#notAfter, action.notAfter);
    if (step === "known" && this.#reply) {
      this.#idle();
      return this.#reply;
    }
    if (this.#aborted) throw gone(this.#aborted);
    if (step === "open") this.#leave({ code: "CANCELLED", message: `item ${taken} was asked for instead` });
    this.#stopIdle?.();
    const reply = new Reply();
    this.#reply = reply;
    this.#index = taken;
    if (step === "open") this.#open(action);
    this.#call?.pull(taken, action.notAfter);
    return reply;
  }

  #open(action: Action): void {
    const { workshop } = this.#host;
    this.#calls++;
    this.#host.opened();
    const over = (): void => {
      this.#calls--;
      this.#host.settled();
    };
    try {
      const report = (call: Call, fact: FactBody): void => {
        if (call === this.#call) this.#heard(fact);
      };
      this.#call = callOf(action, this.#contract, workshop, { report, over });
    } catch (error) {
      over();
      return this.#answer(refusalOf(error));
    }
    this.#call.start(undefined);
  }

  #heard(fact: FactBody): void {
    if (fact.type === "action.progressed") return this.#reply?.progressed(fact.note);
    const answer = answerOf(fact);
    if (!answer) return;
    if (answer.status !== "yielded") this.#call = undefined;
    this.#answer(answer);
    if (this.#resting) this.rest();
    else this.#idle();
  }
  #answer(answer: Ended): void {
    // What ends a call between two items is the answer to nobody: who asks for the next one opens another.
    if (this.#reply?.answered) return;
    this.#host.answered(answer);
    this.#reply?.end(answer);
  }

  /** O3: nothing is asked of it from now on, until somebody does. */
  #idle(): void {
    if (!this.#call || !this.#reply?.answered) return;
    const { clock } = this.#host.workshop;
    this.#stopIdle?.();
    this.#stopIdle = clock.setTimer(this.#notAfter + keptMs - clock.now(), () =>
      this.#leave({ code: "CANCELLED", message: "nobody asked for the next item" }),
    );
  }

  /** The owner gives it up: nothing more is given out under this action. */
  abort(why: Failure): void {
    this.#aborted ??= why;
    this.#stopIdle?.();
    this.#call?.abort(why);
  }
  /** The host closes: it ends after the item that is asked for. */
  rest(): void {
    this.#resting = true;
    if (this.#reply?.answered) this.#leave({ code: "NODE_CLOSED", message: "the node host closes" });
  }

  #leave(why: Failure): void {
    this.#stopIdle?.();
    const call = this.#call;
    this.#call = undefined;
    call?.abort(why);
    this.#reply?.end({ status: "failed", error: why, outcome: "unknown" });
  }
}
