/**
 * One delivery of an EFFECT's attempt, from the accepted intent to its answer.
 *
 * C1 It reports at most one answer, and none after `drop`.
 * C2 Timeout, silence and cancel abort the signal and wait for the function to settle, at most `abortGraceMs`;
 *    then the attempt is given up with its outcome unknown.
 * C3 Only `Fatal` reports outcome "none"; whatever else ends it leaves the outcome unknown.
 * C4 A stream's call reports items on the way, each asked for by `pull`; its clocks run only while one is asked for.
 */
import type { CommandOf } from "../core/command.ts";
import { durationMs } from "../core/duration.ts";
import type { FactBody } from "../core/fact.ts";
import { type Failure, Fatal, failureOf, OnexError, RetryLater } from "../core/failure.ts";
import { type Json, toJson } from "../core/json.ts";
import { placeOf } from "../core/place.ts";
import { type EffectContext, type EffectContract, type Log, recordedOutput } from "../node/contract.ts";
import { type Checked, checkMaybe } from "../node/schema.ts";
import { type Action, actionOf, type Origin } from "./action.ts";
import type { NodeClient } from "./client/client.ts";
import { CallFailed } from "./client/failed.ts";
import type { Raise } from "./client/outranked.ts";
import { Feed } from "./feed.ts";
import { type LetGo, letGo } from "./let-go.ts";
import type { Services } from "./services.ts";
import type { AttemptSpan, Delivery } from "./tracing/tracing.ts";
import { checkSize } from "./values.ts";
import type { Clock } from "./world.ts";

/** What a call needs of its run and process. */
export interface CallHost extends Origin {
  readonly log: Log;
  readonly clock: Clock;
  readonly client: NodeClient;
  readonly services: Services;
  readonly abortGraceMs: number;
  readonly maxValueBytes: number;
  now(): number;
  raise?: Raise;
  /** A delivery leaves: its span, where somebody traces. */
  attempt?(delivery: Delivery): AttemptSpan | undefined;
  /** The answer, or a note on the way. */
  report(call: Call, fact: FactBody): void;
  /** It no longer counts as in flight. */
  over(call: Call): void;
}

export class Call {
  readonly step: string;
  readonly attempt: number;
  readonly #host: CallHost;
  readonly #command: CommandOf<"deliver">;
  readonly #contract: EffectContract;
  #deadline: number;
  readonly #stops: (() => void)[] = [];
  #controller: AbortController | undefined;
  #aborted: Failure | undefined;
  #stopSilence: (() => void) | undefined;
  #stopExpiry: (() => void) | undefined;
  /** Of a stream. */
  readonly #feed: Feed | undefined;
  #done = false;
  #startedAt = 0;
  #span: AttemptSpan | undefined;

  constructor(host: CallHost, command: CommandOf<"deliver">, deadline: number) {
    this.#host = host;
    this.#command = command;
    this.#contract = command.callee as EffectContract;
    this.step = command.step;
    this.attempt = command.attempt;
    this.#deadline = deadline;
    if (this.#contract.item) this.#feed = new Feed(this.#contract, host.maxValueBytes, (item, index) => this.#yielded(item, index));
  }

  /** A stream's call that nothing is asked of. */
  get idle(): boolean {
    return this.#feed?.idle ?? false;
  }

  /** It may be let go: the stream is asked again, behind what is recorded. */
  get mayRest(): boolean {
    return this.idle && (this.#contract.inDoubt ?? "retry") === "retry";
  }

  /** Asks a stream for item number `index` within its time; the first that is asked for says how many are recorded. */
  pull(index: number, deadline = this.#host.now() + this.#command.timeoutMs): void {
    if (this.#done || this.#aborted || !this.#feed) return;
    this.#deadline = deadline;
    this.#feed.pull(index);
    this.#expire();
    this.#listen();
  }
  #yielded(item: Json, index: number): void {
    if (this.#done || this.#aborted) return;
    this.#stopExpiry?.();
    this.#stopSilence?.();
    this.#host.report(this, { type: "action.item", step: this.step, attempt: this.attempt, index, item });
  }

  /** Makes the call. `decoded` is the validated input, when the turn has it already. */
  start(decoded: Checked | undefined): void {
    this.#startedAt = this.#host.clock.elapsed();
    this.#span = this.#host.attempt?.(this.#command);
    if (!this.#feed) {
      this.#expire();
      this.#listen();
    }
    const services = this.#host.services.of(this.#contract);
    if (decoded && !(services instanceof Promise)) this.#invoke(decoded, services);
    else
      Promise.all([decoded ?? checkMaybe(this.#contract.input, this.#command.input), services]).then(
        ([checked, given]) => this.#invoke(checked, given),
        (error) => this.#threw(error),
      );
  }

  #expire(): void {
    this.#stopExpiry = this.#host.clock.setTimer(this.#deadline - this.#host.now(), () =>
      this.abort({
        code: "STEP_TIMEOUT",
        message: `${this.#contract.name} did not ${this.#feed ? "yield" : "answer"} within ${this.#command.timeoutMs} ms`,
      }),
    );
  }

  #invoke(checked: Checked, services: Record<string, unknown>): void {
    if (this.#done) return;
    if (checked.problem !== undefined)
      return this.#threw(new Fatal("INPUT_INVALID", { message: `effect ${this.#contract.name}: input: ${checked.problem}` }));
    let answer: unknown;
    try {
      answer = this.#span ? this.#span.within(() => this.#make(checked.value, services)) : this.#make(checked.value, services);
    } catch (error) {
      return this.#threw(error);
    }
    if (answer instanceof Promise)
      answer.then(
        (value) => this.#returned(value),
        (error) => this.#threw(error),
      );
    else
      Promise.resolve(answer).then(
        (value) => this.#returned(value),
        (error) => this.#threw(error),
      );
  }

  #make(input: unknown, services: Record<string, unknown>): unknown {
    const context = this.#context(services);
    const call = (given: EffectContext): unknown =>
      this.#host.client.call({
        ...{ contract: this.#contract, input, context: given, raise: this.#host.raise },
        action: (taken) => this.#action(taken),
      });
    return this.#feed ? this.#feed.run((taken) => call(Object.assign(context, { taken })), this.#signal()) : call(context);
  }

  #action(taken: number | undefined): Action {
    const action = actionOf(this.#host, this.#command, this.#host.now(), this.#deadline, this.#span?.headers);
    return taken === undefined ? action : { ...action, taken };
  }

  #context(services: Record<string, unknown>): EffectContext {
    const call = this;
    const host = this.#host;
    return {
      ...services,
      runId: host.runId,
      correlationId: host.correlationId,
      epoch: host.epoch,
      leaseId: host.leaseId,
      attempt: this.attempt,
      log: host.log,
      resume: this.#command.resume,
      // Of a stream it is that of the item under way.
      get deadline() {
        return call.#deadline;
      },
      // Made only for those who ask: most effects use one of them or none.
      get signal() {
        return call.#signal();
      },
      get idempotencyKey() {
        return host.keyOf(call.step);
      },
      get actionId() {
        return host.actionIdOf(call.step, call.attempt);
      },
      progress: (note) => this.#progress(note),
    };
  }

  #signal(): AbortSignal {
    this.#controller ??= new AbortController();
    if (this.#aborted && !this.#controller.signal.aborted) this.#controller.abort(new OnexError(this.#aborted.code, this.#aborted.message));
    return this.#controller.signal;
  }

  #progress(note: Json | undefined): void {
    if (this.#done) return;
    this.#listen();
    if (note === undefined) return;
    const json = toJson(note, `effect ${this.#contract.name}: progress note`);
    checkSize(json, this.#host.maxValueBytes, `effect ${this.#contract.name}: progress note`);
    this.#host.report(this, { type: "action.progressed", step: this.step, attempt: this.attempt, note: json });
  }

  /** Starts the longest silence anew. */
  #listen(): void {
    const { heartbeat } = this.#contract;
    if (heartbeat === undefined || this.idle) return;
    this.#stopSilence?.();
    this.#stopSilence = this.#host.clock.setTimer(durationMs(heartbeat), () =>
      this.abort({ code: "HEARTBEAT_TIMEOUT", message: `${this.#contract.name} made no progress for ${heartbeat}` }),
    );
  }

  /** C2. */
  abort(why: Failure): void {
    if (this.#done || this.#aborted) return;
    this.#aborted = why;
    this.#controller?.abort(new OnexError(why.code, why.message));
    this.#stops.push(this.#host.clock.setTimer(this.#host.abortGraceMs, () => this.#failed(why, "unknown", {})));
  }

  /** Ends it without an answer: it stays in doubt. */
  drop(why: LetGo): void {
    if (this.#done) return;
    this.#controller?.abort(letGo(why));
    this.#end();
  }

  #returned(value: unknown): void {
    if (this.#done) return;
    // Too late to count as an answer in time: the attempt has timed out, and may have happened.
    if (this.#aborted && this.#aborted.code !== "CANCELLED") return this.#failed(this.#aborted, "unknown", {});
    try {
      const output = recordedOutput(this.#contract, value);
      checkSize(output, this.#host.maxValueBytes, `effect ${this.#contract.name}: output`);
      this.#end();
      this.#host.client.ended(this.#contract, this.#host.clock.elapsed() - this.#startedAt, undefined);
      this.#host.report(this, { type: "action.completed", step: this.step, attempt: this.attempt, output });
    } catch (error) {
      this.#failed(failureOf(error, "OUTPUT_INVALID"), "unknown", { final: true });
    }
  }

  #threw(error: unknown): void {
    if (this.#done) return;
    if (error instanceof Fatal) return this.#failed(failureOf(error, error.code), "none", { final: true });
    if (error instanceof CallFailed) return this.#toldFailed(error);
    if (this.#aborted) return this.#failed(this.#aborted, "unknown", {});
    const thrown = failureOf(error, "EFFECT_THREW");
    const place = thrown.code === "EFFECT_THREW" && error instanceof Error ? placeOf(error.stack ?? "") : "";
    const failure = place === "" ? thrown : { ...thrown, message: `${thrown.message} (${place})` };
    this.#failed(failure, "unknown", error instanceof RetryLater ? { retryAfterMs: durationMs(error.after) } : {});
  }

  /** The transport knows how it ended. */
  #toldFailed({ code, message, details, outcome, final, retryAfterMs, counts }: CallFailed): void {
    // What an earlier delivery did is not known from this one.
    const known = this.#command.delivery === 1 ? outcome : "unknown";
    if (this.#aborted) return this.#failed(this.#aborted, known, {});
    this.#failed({ code, message, ...(details === undefined ? {} : { details }) }, known, {
      ...(final ? { final } : {}),
      ...(retryAfterMs === undefined ? {} : { retryAfterMs }),
      ...(counts || known === "unknown" ? {} : { counts }),
    });
  }

  #failed(
    error: Failure,
    outcome: "none" | "unknown",
    more: { readonly final?: boolean; readonly retryAfterMs?: number; readonly counts?: false },
  ): void {
    this.#end();
    const refused = outcome === "none" && more.final;
    this.#host.client.ended(
      this.#contract,
      this.#host.clock.elapsed() - this.#startedAt,
      refused || error.code === "CANCELLED" ? undefined : error,
    );
    this.#host.report(this, { type: "action.failed", step: this.step, attempt: this.attempt, error, outcome, ...more });
  }

  #end(): void {
    this.#done = true;
    this.#stopSilence?.();
    this.#stopExpiry?.();
    for (const stop of this.#stops) stop();
    this.#span?.over();
    this.#host.over(this);
  }
}
