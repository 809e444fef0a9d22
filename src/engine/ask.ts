/**
 * A COMPUTE that lives elsewhere is asked: no intent is written, its answer is a fact of a later turn.
 *
 * K1 It may be asked any number of times, by this process and by its successor: it is pure, so it is never in doubt.
 * K2 What the compute answers is final, a failure too. What goes wrong on the way is tried again by the usual policy.
 * K3 It answers once, and not after `cancel` or `drop`.
 * K4 Each time it is sent it passes the gate, and waits there while the breaker of its endpoint is open. What the compute
 *    answers shows that the endpoint works, a failure too.
 */
import type { CommandOf } from "../core/command.ts";
import type { FactBody } from "../core/fact.ts";
import { type Failure, Fatal, failureOf, OnexError } from "../core/failure.ts";
import { jitter, nextDelayMs, usual } from "../core/retry.ts";
import { type Contract, recordedOutput } from "../node/contract.ts";
import { actionOf } from "./action.ts";
import type { Outcome } from "./breaker.ts";
import type { CallHost } from "./call.ts";
import { CallFailed } from "./client/failed.ts";
import type { Gate, Pass } from "./gate.ts";
import { type LetGo, letGo } from "./let-go.ts";
import type { AttemptSpan } from "./tracing/tracing.ts";
import { checkSize } from "./values.ts";

export interface Asker {
  readonly gate: Gate;
  readonly priority: number;
  answer(fact: FactBody): void;
  /** It no longer counts as in flight. */
  over(): void;
}

export class Ask {
  readonly key: string;
  readonly #host: CallHost;
  readonly #wish: CommandOf<"compute">;
  readonly #contract: Contract;
  readonly #asker: Asker;
  readonly #timeoutMs: number;
  #delivery = 0;
  /** Deliveries that were not let in. */
  #uncounted = 0;
  #firstAt = 0;
  #cut: AbortController | undefined;
  #stop: (() => void) | undefined;
  #pass: Pass | undefined;
  #span: AttemptSpan | undefined;
  #done = false;

  constructor(host: CallHost, wish: CommandOf<"compute">, asker: Asker) {
    this.key = wish.key;
    this.#host = host;
    this.#wish = wish;
    this.#contract = wish.callee as Contract;
    this.#asker = asker;
    this.#timeoutMs = wish.timeoutMs ?? 30_000;
  }

  start(): void {
    this.#firstAt = this.#host.clock.elapsed();
    this.#enter();
  }

  /** Not sent now: it waits at the gate, or to be tried again. */
  get idle(): boolean {
    return !this.#done && this.#cut === undefined;
  }

  #enter(): void {
    if (this.#done) return;
    const { gate, priority } = this.#asker;
    if (!gate.guards(this.#contract)) return this.#send();
    const go = (pass: Pass): void => {
      this.#pass = pass;
      this.#send();
    };
    const wanted = () => !this.#done;
    const answer = gate.enter({ node: this.#contract, input: undefined, priority, giveUpAt: undefined, wanted, go, giveUp: () => {} });
    // A node without keys, asked without a time to give up, is let through or waits.
    if (answer && !("code" in answer)) go(answer);
  }
  #leave(outcome: Outcome): void {
    this.#pass?.leave(outcome);
    this.#pass = undefined;
  }

  #send(): void {
    const { clock, client } = this.#host;
    const cut = new AbortController();
    const late = new CallFailed(
      { code: "STEP_TIMEOUT", message: `${this.#contract.name} did not answer within ${this.#timeoutMs} ms` },
      { outcome: "unknown" },
    );
    this.#cut = cut;
    this.#pass?.begin();
    this.#delivery++;
    this.#stop = clock.setTimer(this.#timeoutMs, () => cut.abort(late));
    const from = clock.elapsed();
    const now = this.#host.now();
    const { step, callee, input } = this.#wish;
    const work = {
      step,
      callee,
      input,
      attempt: 1,
      delivery: this.#delivery,
      timeoutMs: this.#timeoutMs,
      priority: this.#asker.priority,
      resume: undefined,
    };
    const span = this.#host.attempt?.(work);
    const action = () => actionOf(this.#host, work, now, now + this.#timeoutMs, span?.headers);
    const send = () => client.ask(action, cut.signal, { raise: this.#host.raise });
    this.#span = span;
    (span ? span.within(send) : send()).then(
      (output) => this.#answered(output, clock.elapsed() - from),
      (error) => this.#threw(error, clock.elapsed() - from),
    );
  }

  #answered(value: unknown, tookMs: number): void {
    if (this.#done) return;
    this.#span?.over();
    this.#host.client.ended(this.#contract, tookMs, undefined);
    this.#leave("success");
    try {
      const output = recordedOutput(this.#contract, value);
      checkSize(output, this.#host.maxValueBytes, `compute ${this.#contract.name}: output`);
      this.#end({ type: "compute.completed", ...this.#base, output });
    } catch (error) {
      this.#failed(failureOf(error, "OUTPUT_INVALID"));
    }
  }

  #threw(error: unknown, tookMs: number): void {
    if (this.#done) return;
    this.#stop?.();
    this.#span?.over();
    this.#cut = undefined;
    const failure = failureOf(error, "NODE_UNREACHABLE");
    this.#host.client.ended(this.#contract, tookMs, error instanceof Fatal ? undefined : failure);
    this.#leave(outcomeOf(error));
    if (!(error instanceof CallFailed) || error.final) return this.#failed(failure);
    if (!error.counts) this.#uncounted++;
    const { clock } = this.#host;
    const delayMs = nextDelayMs(
      usual,
      {
        attempt: this.#delivery - this.#uncounted,
        code: failure.code,
        elapsedMs: clock.elapsed() - this.#firstAt,
        afterMs: error.retryAfterMs,
      },
      jitter(this.#host.started?.seed ?? 0, this.#wish.step, this.#delivery),
    );
    if (delayMs === undefined) return this.#failed(failure);
    this.#stop = clock.setTimer(delayMs, () => this.#enter());
  }

  #failed(error: Failure): void {
    this.#end({ type: "compute.failed", ...this.#base, error });
  }
  get #base() {
    return { step: this.#wish.step, node: this.#contract.name, digest: this.#wish.digest };
  }

  /** Its branch was given up: nobody waits for the answer. */
  cancel(): void {
    this.#give(new OnexError("CANCELLED", "the step was cancelled"));
  }
  /** The run is let go: its next owner asks again. */
  drop(why: LetGo): void {
    this.#give(letGo(why));
  }
  #give(why: OnexError): void {
    if (this.#done) return;
    this.#end(undefined);
    this.#cut?.abort(why);
  }

  #end(fact: FactBody | undefined): void {
    this.#done = true;
    this.#stop?.();
    this.#leave("ignored");
    this.#asker.over();
    if (fact) this.#asker.answer(fact);
  }
}

/** How it looks to the breaker of its endpoint. */
function outcomeOf(error: unknown): Outcome {
  if (error instanceof Fatal) return "success";
  return error instanceof CallFailed && (error.final || error.retryAfterMs !== undefined) ? "ignored" : "failure";
}
