/** Steps that are answered inside the turn: COMPUTE, REDUCER, a read of its state, and recorded values. */
import { digest } from "../digest.ts";
import type { Fact, FactBody } from "../fact.ts";
import { StepError } from "../failure.ts";
import type { Fiber, Pending } from "../fiber.ts";
import { type Json, sameJson } from "../json.ts";
import { mismatch } from "../mismatch.ts";
import type { Callee, CallOptions } from "../operation.ts";
import type { Desk, News } from "./desk.ts";

abstract class InlineStep implements Pending, News {
  protected readonly desk: Desk;
  protected readonly fiber: Fiber;
  protected readonly step: string;
  protected abstract readonly key: string;

  constructor(desk: Desk, fiber: Fiber, step: string) {
    this.desk = desk;
    this.fiber = fiber;
    this.step = step;
    desk.expect(step, this);
  }
  abstract on(fact: Fact): void;

  cancel(): void {
    this.close();
    this.fiber.resume(undefined);
  }
  protected close(): void {
    this.desk.withdraw(this.key);
    this.desk.forget(this.step);
  }
  protected give(callee: Callee, output: Json): void {
    this.close();
    try {
      this.fiber.resume(callee.decode(output));
    } catch (error) {
      this.fiber.fail(error);
    }
  }
}

export class ComputeStep extends InlineStep {
  readonly key: string;
  readonly #callee: Callee;
  readonly #timeoutMs: number | undefined;
  #digest = "";

  constructor(desk: Desk, fiber: Fiber, step: string, callee: Callee, input: Json, timeoutMs: number | undefined) {
    super(desk, fiber, step);
    this.key = `c:${step}`;
    this.#callee = callee;
    this.#timeoutMs = timeoutMs;
    this.#ask(desk.stepInput(step, input));
  }
  #ask(input: Json): void {
    this.#digest = digest(JSON.stringify(input));
    const { key, step } = this;
    this.desk.wish({ type: "compute", key, step, callee: this.#callee, input, digest: this.#digest, timeoutMs: this.#timeoutMs });
  }

  /** Whether this is an answer to its question, and the question is still open. */
  awaits(fact: FactBody): boolean {
    const answers = fact.type === "compute.completed" || fact.type === "compute.failed";
    return answers && this.#digest === fact.digest && this.desk.isOpen(this.key);
  }

  on(fact: Fact): void {
    if (fact.type === "run.forked") return this.#ask(fact.input ?? null);
    if (fact.type !== "compute.completed" && fact.type !== "compute.failed") throw mismatch(fact, `computes ${this.#callee.name} there`);
    if (fact.node !== this.#callee.name) throw mismatch(fact, `computes ${this.#callee.name} there`);
    if (fact.digest !== this.#digest) throw mismatch(fact, `computes ${this.#callee.name} there with another input`);
    if (fact.type === "compute.completed") return this.give(this.#callee, fact.output);
    this.close();
    this.fiber.fail(new StepError(fact.error, { step: this.step, node: fact.node, attempts: 1 }));
  }
}

export class ReduceStep extends InlineStep {
  readonly key: string;
  readonly #callee: Callee;
  #event: Json;
  readonly #options: CallOptions;

  constructor(desk: Desk, fiber: Fiber, step: string, callee: Callee, input: Json, options: CallOptions) {
    super(desk, fiber, step);
    this.key = `c:${step}`;
    this.#callee = callee;
    this.#options = options;
    this.#event = desk.stepInput(step, input);
    this.#ask();
  }
  #ask(): void {
    this.desk.wish({ type: "reduce", key: this.key, step: this.step, callee: this.#callee, input: this.#event });
  }

  on(fact: Fact): void {
    if (fact.type === "run.forked") {
      this.#event = fact.input ?? null;
      return this.#ask();
    }
    if (fact.type === "step.failed") {
      this.close();
      return this.fiber.fail(new StepError(fact.error, { step: this.step, node: this.#callee.name, attempts: 1 }));
    }
    if (fact.type !== "reducer.applied" || fact.node !== this.#callee.name)
      throw mismatch(fact, `applies an event to ${this.#callee.name} there`);
    if (!sameJson(fact.input, this.#event)) throw mismatch(fact, `applies another event to ${this.#callee.name} there`);
    if (this.#callee.undoEvent)
      this.fiber.owe({
        step: this.step,
        order: this.desk.nextOrder(),
        callee: this.#callee,
        input: this.#event,
        output: fact.state,
        keep: this.#options.keep ?? false,
        undo: undefined,
      });
    this.give(this.#callee, fact.state);
  }
}

export class ReadStep extends InlineStep {
  readonly key: string;
  readonly #callee: Callee;

  constructor(desk: Desk, fiber: Fiber, step: string, callee: Callee, stateKey: string) {
    super(desk, fiber, step);
    this.key = `c:${step}`;
    this.#callee = callee;
    desk.wish({ type: "read", key: this.key, step, callee, stateKey });
  }
  on(fact: Fact): void {
    if (fact.type !== "state.read" || fact.node !== this.#callee.name) throw mismatch(fact, `reads ${this.#callee.name} there`);
    this.give(this.#callee, fact.state);
  }
}

export class ValueStep extends InlineStep {
  readonly key: string;
  constructor(desk: Desk, fiber: Fiber, step: string, of: "now" | "random" | "uuid") {
    super(desk, fiber, step);
    this.key = `c:${step}`;
    desk.wish({ type: "value", key: this.key, step, of });
  }
  on(fact: Fact): void {
    if (fact.type !== "value.recorded") throw mismatch(fact, "records a value there");
    this.close();
    this.fiber.resume(fact.value);
  }
}
