/**
 * One EFFECT step from its first attempt to its end.
 *
 * asking ─dispatched─► open ─completed─► end
 *   ▲                   │ └─failed─► backoff ─timer─► asking, or end
 *   │                   └─taken (a crash left it unanswered)─► open again | paused | end, as `inDoubt` says
 *
 * E1 Every delivery of an attempt carries the input of the first one (durability: the recorded bytes are sent again).
 * E2 Only `Fatal` says that it did not happen; any other end without a result leaves the outcome unknown.
 * E3 Cancelled, it settles when its call has: aborted and answered, given up after a grace period, or lost in a crash.
 *
 * A stream is one more of these (stream.ts): the protected members are what it sees.
 */
import type { RunDefaults } from "../defaults.ts";
import { durationMs } from "../duration.ts";
import type { Fact, FactBody, FactOf } from "../fact.ts";
import { type Failure, failureOf, StepError } from "../failure.ts";
import type { Fiber, Pending } from "../fiber.ts";
import { type Json, sameJson } from "../json.ts";
import { mismatch } from "../mismatch.ts";
import type { Callee, CallOptions } from "../operation.ts";
import { jitter, nextDelayMs, once, type Retry, retryOf, undoing, usual } from "../retry.ts";
import type { Desk, News } from "./desk.ts";

/** After so many deliveries without an answer an attempt is held to kill its process. */
const poisonAfter = 5;

export class EffectStep implements Pending, News {
  readonly #desk: Desk;
  readonly #fiber: Fiber;
  readonly #step: string;
  readonly #callee: Callee;
  #input: Json;
  readonly #options: CallOptions;
  readonly #retry: Retry;
  readonly #timeoutMs: number;
  #state: "asking" | "open" | "backoff" | "paused" | "ended" = "asking";
  #attempt = 1;
  /** Attempts that used up nothing: the far side let nobody in. */
  #uncounted = 0;
  #delivery = 0;
  /** Deliveries of this attempt when a person last had it sent again. */
  #pardoned = 0;
  #firstAt = 0;
  #unknown = false;
  #resume: Json | undefined;
  #cancelled = false;
  #pausedFor: "IN_DOUBT" | "POISON" | undefined;

  constructor(desk: Desk, fiber: Fiber, step: string, callee: Callee, input: Json, options: CallOptions) {
    this.#desk = desk;
    this.#fiber = fiber;
    this.#step = step;
    this.#callee = callee;
    this.#input = desk.stepInput(step, input);
    this.#options = options;
    this.#retry = retryFor(callee, options, desk.defaults, fiber.undoing);
    this.#timeoutMs = durationMs(options.timeout ?? callee.timeout ?? options.defaults?.timeout ?? desk.defaults.stepTimeout ?? "30s");
    desk.expect(step, this);
    desk.busy(1);
    this.#ask();
  }

  #ask(): void {
    this.#state = "asking";
    this.#delivery = 0;
    this.#pardoned = 0;
    this.#desk.wish({
      type: "dispatch",
      key: `d:${this.#step}`,
      step: this.#step,
      attempt: this.#attempt,
      callee: this.#callee,
      input: this.#input,
      timeoutMs: this.#timeoutMs,
      priority: this.#priority,
      giveUpAt: this.#attempt > 1 && this.#retry.withinMs !== Number.POSITIVE_INFINITY ? this.#firstAt + this.#retry.withinMs : undefined,
    });
  }

  get #priority(): number {
    return this.#options.priority ?? this.#desk.priority;
  }

  #deliver(): void {
    this.#delivery++;
    this.#desk.wish({
      type: "deliver",
      key: `x:${this.#step}`,
      step: this.#step,
      attempt: this.#attempt,
      callee: this.#callee,
      input: this.#input,
      timeoutMs: this.#timeoutMs,
      priority: this.#priority,
      delivery: this.#delivery,
      resume: this.#resume,
    });
    this.sent();
  }

  /** The call is wished for, also when it is sent again. */
  protected sent(): void {}
  /** What the workflow gets for a recorded output. Throws OnexError `OUTPUT_INVALID`. */
  protected result(output: Json): unknown {
    return this.#callee.decode(output);
  }
  /** Throws OnexError `OUTPUT_INVALID` when an output that a person gives does not fit. */
  protected checkGiven(output: Json): void {
    this.#callee.decode(output);
  }
  protected get attempt(): number {
    return this.#attempt;
  }
  /** A call is under way and wanted. */
  protected get live(): boolean {
    return this.#state === "open" && !this.#cancelled;
  }
  /** The deliveries before this one do not count as poison: something came of the call since, or nothing was asked of it. */
  protected pardon(): void {
    this.#pardoned = this.#delivery - 1;
  }

  /** Whether this news is about the attempt under way; late news of an earlier one is not. */
  awaits(fact: FactBody): boolean {
    switch (fact.type) {
      case "action.completed":
      case "action.failed":
      case "action.progressed":
        return this.isAt(fact.attempt);
      default:
        return false;
    }
  }
  protected isAt(attempt: number): boolean {
    return (this.#state === "open" || this.#state === "paused") && this.#attempt === attempt;
  }

  on(fact: Fact): void {
    switch (fact.type) {
      case "action.dispatched":
        return this.#dispatched(fact);
      case "action.progressed":
        this.#resume = fact.note;
        return;
      case "action.completed":
        this.#check(fact);
        return this.#completed(fact.output);
      case "action.failed":
        this.#check(fact);
        return this.#failed(fact);
      case "step.failed":
        if (this.#state !== "asking") throw mismatch(fact, `has an attempt of it under way`);
        this.#desk.withdraw(`d:${this.#step}`);
        return this.#end(fact.error, this.#attempt - 1, true);
      case "timer.set":
        this.#desk.wish({ type: "arm", key: `t:${fact.step}`, step: fact.step, due: fact.due });
        return;
      case "timer.fired":
        this.#desk.forget(fact.step);
        this.#desk.busy(1);
        this.#attempt++;
        return this.#ask();
      case "run.resumed":
        return this.#settledByPerson(fact);
      case "run.forked":
        if (this.#state !== "asking") throw mismatch(fact, "has it under way already");
        this.#input = fact.input ?? null;
        return this.#ask();
      default:
        throw mismatch(fact, `expects an answer of effect ${this.#callee.name} there`);
    }
  }

  #dispatched(fact: FactOf<"action.dispatched">): void {
    if (this.#state !== "asking") throw mismatch(fact, "has it under way already");
    if (fact.node !== this.#callee.name) throw mismatch(fact, `calls ${this.#callee.name} there`);
    if (fact.attempt !== this.#attempt) throw mismatch(fact, `is at attempt ${this.#attempt} there, not ${fact.attempt}`);
    if (!sameJson(fact.input, this.#input)) throw mismatch(fact, `calls ${this.#callee.name} there with another input`);
    this.#desk.withdraw(`d:${this.#step}`);
    this.#state = "open";
    if (this.#attempt === 1) this.#firstAt = fact.at;
    this.#deliver();
    if (this.#cancelled) this.#abort();
  }

  #check(fact: FactOf<"action.completed"> | FactOf<"action.failed">): void {
    if (!this.isAt(fact.attempt)) throw mismatch(fact, `has no attempt ${fact.attempt} of it under way`);
  }

  #completed(output: Json): void {
    this.#owe(output);
    this.#close();
    try {
      this.#fiber.resume(this.result(output));
    } catch (error) {
      this.#fiber.fail(error);
    }
  }

  #failed(fact: FactOf<"action.failed">): void {
    this.#desk.withdraw(`x:${this.#step}`);
    this.#desk.withdraw(`a:${this.#step}`);
    if (fact.outcome === "unknown") this.#unknown = true;
    if (this.#cancelled || fact.final) return this.#end(fact.error, this.#attempt);
    if (fact.counts === false) this.#uncounted++;
    const delayMs = nextDelayMs(
      this.#retry,
      { attempt: this.#attempt - this.#uncounted, code: fact.error.code, elapsedMs: fact.at - this.#firstAt, afterMs: fact.retryAfterMs },
      jitter(this.#desk.seed, this.#step, this.#attempt),
    );
    if (delayMs === undefined) return this.#end(fact.error, this.#attempt);
    if (delayMs === 0) {
      this.#attempt++;
      return this.#ask();
    }
    this.#state = "backoff";
    this.#desk.busy(-1);
    const timer = this.#timer();
    this.#desk.expect(timer, this);
    this.#desk.record({ type: "timer.set", step: timer, due: this.#desk.now + delayMs, purpose: "retry" });
  }

  /** A new owner: what was sent is in doubt (API rule 5). */
  taken(): void {
    if (this.#state !== "open") return;
    if (this.#cancelled) {
      this.#unknown = true;
      return this.#end({ code: "IN_DOUBT", message: "the process died before the aborted call was answered" }, this.#attempt);
    }
    const { inDoubt, idempotent, readonly } = this.#callee;
    const rule = this.#fiber.undoing ? "retry" : (inDoubt ?? (idempotent || readonly ? "retry" : "pause"));
    const died = this.#delivery - this.#pardoned;
    if (died >= poisonAfter)
      return this.#pause("POISON", `${died} processes died or closed while this call was under way, so it is not sent again by itself`);
    if (rule === "retry") return this.#deliver();
    if (rule === "pause")
      return this.#pause(
        "IN_DOUBT",
        `the process died while ${this.#callee.name} was under way, and it is not idempotent: it may have happened`,
      );
    this.#unknown = true;
    this.#end(
      { code: "IN_DOUBT", message: `the process died while ${this.#callee.name} was under way: it may have happened` },
      this.#attempt,
    );
  }

  #pause(code: "IN_DOUBT" | "POISON", message: string): void {
    this.#state = "paused";
    this.#pausedFor = code;
    this.#desk.withdraw(`x:${this.#step}`);
    this.#desk.busy(-1);
    this.#desk.pause(this.#step, true);
    this.#desk.record({ type: "run.paused", code, step: this.#step, message });
  }

  #settledByPerson(fact: FactOf<"run.resumed">): void {
    if (this.#state !== "paused") return;
    // Whether it is sent again is for a person to say (API rule 5); only a poisoned one is simply tried again.
    if (fact.as === undefined && this.#pausedFor === "IN_DOUBT") return;
    if (fact.as === "output" && !this.#fits(fact.output ?? null)) return;
    this.#state = "open";
    this.#desk.busy(1);
    this.#desk.pause(this.#step, false);
    this.#desk.withdraw(`r:run.paused:${this.#step}`);
    if (fact.as === "output") return this.#completed(fact.output ?? null);
    if (fact.as === "fail") {
      this.#unknown = true;
      return this.#end({ code: "IN_DOUBT", message: "counted as failed by hand" }, this.#attempt);
    }
    // It goes on counting: that it was sent before is why an abort of it is in doubt.
    this.#pardoned = this.#delivery;
    this.#deliver();
  }

  /** Whether the node's callers could read this output; if not, the step stays paused and says so. */
  #fits(output: Json): boolean {
    try {
      this.checkGiven(output);
      return true;
    } catch (error) {
      const { message } = failureOf(error, "OUTPUT_INVALID");
      this.#desk.record({
        type: "run.paused",
        code: this.#pausedFor ?? "IN_DOUBT",
        step: this.#step,
        message: `the output that was given does not fit: ${message}`,
      });
      return false;
    }
  }

  /** Ends it as failed: what may have happened is owed, the workflow gets a StepError. */
  #end(error: Failure, attempts: number, recorded = false): void {
    if (this.#unknown) this.#owe(undefined);
    this.#close();
    if (!this.#cancelled && !recorded)
      this.#desk.record({ type: "step.failed", step: this.#step, node: this.#callee.name, attempts, error });
    this.#fiber.fail(new StepError(error, { step: this.#step, node: this.#callee.name, attempts }));
  }

  #owe(output: Json | undefined): void {
    if (this.#callee.readonly || this.#callee.irreversible !== undefined) return;
    this.#fiber.owe({
      step: this.#step,
      order: this.#desk.nextOrder(),
      callee: this.#callee,
      input: this.#input,
      output,
      keep: this.#options.keep ?? false,
      undo: this.#options.undo,
    });
  }

  #close(): void {
    this.#state = "ended";
    for (const kind of ["d", "x", "a", "p"]) this.#desk.withdraw(`${kind}:${this.#step}`);
    this.#desk.forget(this.#step);
    this.#desk.busy(-1);
  }

  #timer(): string {
    return `${this.#step}@${this.#attempt}`;
  }

  cancel(): void {
    if (this.#cancelled) return;
    this.#cancelled = true;
    if (this.#state === "open") return this.#abort();
    if (this.#state === "backoff") {
      const timer = this.#timer();
      this.#desk.withdraw(`t:${timer}`);
      this.#desk.withdraw(`r:timer.set:${timer}`);
      this.#desk.forget(timer);
      this.#desk.busy(1);
    }
    if (this.#state === "paused") {
      this.#desk.busy(1);
      this.#desk.pause(this.#step, false);
      this.#desk.withdraw(`r:run.paused:${this.#step}`);
      this.#unknown = true;
    }
    this.#end({ code: "CANCELLED", message: "cancelled" }, this.#attempt);
  }

  #abort(): void {
    // A call whose turn is not accepted yet was not sent; the engine answers the abort for it at once.
    this.#desk.wish({ type: "abort", key: `a:${this.#step}`, step: this.#step, attempt: this.#attempt });
  }
}

/** API 4, point 10: the step's own words win, then the node's, then the file's defaults, then the run's, then the built-in ones. */
function retryFor(callee: Callee, options: CallOptions, run: RunDefaults, isUndo: boolean): Retry {
  const policy = options.retry ?? callee.retry ?? options.defaults?.retry;
  if (isUndo) {
    const spaced = policy ? retryOf(policy) : undoing;
    return { ...spaced, maxAttempts: Number.POSITIVE_INFINITY, withinMs: Number.POSITIVE_INFINITY, except: [], maxDelayMs: 60_000 };
  }
  if (policy === false) return once;
  if (policy !== undefined) return retryOf(policy);
  if (!callee.idempotent && !callee.readonly) return once;
  return run.retry ? retryOf(run.retry) : usual;
}
