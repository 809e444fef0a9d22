/** A child run: started with the turn of its parent, answered by a message with the child's last turn. */
import { durationMs } from "../duration.ts";
import type { Fact, FactBody, FactOf } from "../fact.ts";
import { type Failure, StepError } from "../failure.ts";
import type { Fiber, Pending } from "../fiber.ts";
import { type Json, sameJson } from "../json.ts";
import { mismatch } from "../mismatch.ts";
import type { Callee, CallOptions } from "../operation.ts";
import { jitter, nextDelayMs, once, type Retry, retryOf } from "../retry.ts";
import type { Desk, News } from "./desk.ts";
import { TimerStep } from "./waits.ts";

export class ChildStep implements Pending, News {
  readonly #desk: Desk;
  readonly #fiber: Fiber;
  readonly #step: string;
  readonly #callee: Callee;
  #input: Json;
  readonly #options: CallOptions;
  readonly #retry: Retry;
  #state: "asking" | "running" | "backoff" = "asking";
  #attempt = 1;
  /** Id of the child under way: in a fork it may be named after another parent. */
  #child = "";
  #firstAt = 0;
  #cancelled = false;
  #timedOut = false;
  #timer: TimerStep | undefined;

  constructor(desk: Desk, fiber: Fiber, step: string, callee: Callee, input: Json, options: CallOptions) {
    this.#desk = desk;
    this.#fiber = fiber;
    this.#step = step;
    this.#callee = callee;
    this.#input = desk.stepInput(step, input);
    this.#options = options;
    // A workflow step has no retry and no timeout unless written (API 4, point 10).
    this.#retry = options.retry ? retryOf(options.retry) : once;
    desk.expect(step, this);
    this.#ask();
  }

  /** Id of the child to be started. */
  get #nextId(): string {
    const { runId, round } = this.#desk;
    const base = this.#options.runId ?? `${runId}${round === 0 ? "" : `#${round + 1}`}/${this.#step}`;
    return this.#attempt === 1 ? base : `${base}~${this.#attempt}`;
  }

  #ask(): void {
    this.#state = "asking";
    this.#desk.wish({
      type: "start-child",
      key: `d:${this.#step}`,
      step: this.#step,
      runId: this.#nextId,
      callee: this.#callee,
      input: this.#input,
      priority: this.#options.priority ?? this.#desk.priority,
    });
  }

  /** Whether this is the end of the child that it waits for. */
  awaits(fact: FactBody): boolean {
    return fact.type === "child.ended" && this.#state === "running" && this.#child === fact.runId;
  }

  on(fact: Fact): void {
    switch (fact.type) {
      case "child.started":
        return this.#started(fact);
      case "child.ended":
        if (!this.awaits(fact)) throw mismatch(fact, "waits for another child there");
        return this.#ended(fact);
      case "step.failed":
        if (this.#state !== "asking") throw mismatch(fact, "has the child under way");
        return this.#fail(fact.error);
      case "run.forked":
        if (this.#state !== "asking") throw mismatch(fact, "has the child under way");
        this.#input = fact.input ?? null;
        return this.#ask();
      default:
        throw mismatch(fact, `runs the workflow ${this.#callee.name} there`);
    }
  }

  #started(fact: FactOf<"child.started">): void {
    if (this.#state !== "asking" || fact.node !== this.#callee.name) throw mismatch(fact, `runs the workflow ${this.#callee.name} there`);
    if (!sameJson(fact.input, this.#input)) throw mismatch(fact, `runs the workflow ${this.#callee.name} there with another input`);
    this.#desk.withdraw(`d:${this.#step}`);
    this.#state = "running";
    this.#child = fact.runId;
    if (this.#attempt === 1) this.#firstAt = fact.at;
    if (this.#options.timeout !== undefined) {
      const due = fact.at + durationMs(this.#options.timeout);
      this.#timer = new TimerStep(this.#desk, `${this.#step}~timeout${this.#attempt === 1 ? "" : this.#attempt}`, due, "timeout", () => {
        this.#timer = undefined;
        this.#timedOut = true;
        this.#stopChild();
      });
    }
    if (this.#cancelled) this.#stopChild();
  }

  #stopChild(): void {
    this.#desk.wish({ type: "cancel-child", key: `k:${this.#step}`, step: this.#step, runId: this.#child });
  }

  #ended(fact: FactOf<"child.ended">): void {
    this.#desk.withdraw(`k:${this.#step}`);
    this.#timer?.stop();
    this.#timer = undefined;
    if (fact.status === "completed") return this.#completed(fact);
    const error: Failure = this.#timedOut
      ? { code: "STEP_TIMEOUT", message: `the child run ${fact.runId} did not end within ${this.#options.timeout}` }
      : (fact.error ?? { code: "RUN_CANCELLED", message: `the child run ${fact.runId} was cancelled` });
    this.#timedOut = false;
    if (this.#cancelled) return this.#fail(error);
    const delayMs = nextDelayMs(
      this.#retry,
      { attempt: this.#attempt, code: error.code, elapsedMs: fact.at - this.#firstAt },
      jitter(this.#desk.seed, this.#step, this.#attempt),
    );
    if (delayMs === undefined) return this.#fail(error);
    this.#state = "backoff";
    const step = `${this.#step}@${this.#attempt}`;
    this.#timer = new TimerStep(this.#desk, step, this.#desk.now + delayMs, "retry", () => {
      this.#timer = undefined;
      if (this.#cancelled) return;
      this.#attempt++;
      this.#ask();
    });
  }

  #completed(fact: FactOf<"child.ended">): void {
    const output = fact.output ?? null;
    this.#fiber.owe({
      step: this.#step,
      order: this.#desk.nextOrder(),
      callee: this.#callee,
      input: this.#input,
      output,
      keep: this.#options.keep ?? false,
      undo: this.#options.undo,
      childId: fact.runId,
    });
    this.#close();
    try {
      this.#fiber.resume(this.#callee.decode(output));
    } catch (error) {
      this.#fiber.fail(error);
    }
  }

  #fail(error: Failure): void {
    this.#close();
    this.#fiber.fail(new StepError(error, { step: this.#step, node: this.#callee.name, attempts: this.#attempt }));
  }

  #close(): void {
    this.#desk.withdraw(`d:${this.#step}`);
    this.#desk.forget(this.#step);
  }

  cancel(): void {
    if (this.#cancelled) return;
    this.#cancelled = true;
    if (this.#state === "running") return this.#stopChild();
    this.#timer?.stop();
    this.#fail({ code: "CANCELLED", message: "cancelled" });
  }
}
