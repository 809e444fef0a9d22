/** What waits for several fibers: `all`, `race`, `each`, and the one-branch joins `attempt` and `group`. */
import { Fatal, failureOf, OnexError, StepError } from "./failure.ts";
import type { Fiber, Pending, Settled } from "./fiber.ts";
import { isPerformable, type Outcome } from "./operation.ts";
import type { Closing } from "./scope.ts";

/** Makes the fiber of a branch; given by the run. */
export type Spawn = (work: unknown, onSettled: (settled: Settled) => void) => Fiber;

/** Waits until every branch has settled; the first failure decides and cancels the rest. */
export class Join implements Pending {
  readonly #parent: Fiber;
  readonly #fibers = new Set<Fiber>();
  #failure: { readonly error: unknown } | undefined;
  #spawning = true;
  #decided = false;
  readonly #done: () => unknown;
  readonly #closing: Closing;

  /** @param closing how the scopes of branches close that are cancelled because another one failed. */
  constructor(parent: Fiber, done: () => unknown, closing: Closing = "failure") {
    this.#parent = parent;
    this.#done = done;
    this.#closing = closing;
  }

  /** Adds a branch; `onOk` is told its value. */
  add(spawn: Spawn, work: unknown, onOk: (value: unknown) => void): void {
    const fiber: Fiber = spawn(work, (settled) => {
      this.#fibers.delete(fiber);
      if (!this.#decided && settled.how === "ok") onOk(settled.value);
      else if (!this.#decided && settled.how === "failed") this.fail(settled.error);
      this.#check();
    });
    this.#fibers.add(fiber);
  }
  /** All branches that there are now have been added. */
  sealed(): void {
    this.#spawning = false;
    this.#check();
  }
  /** Decides for failure and cancels what is left. */
  fail(error: unknown): void {
    if (this.#decided) return;
    this.#decided = true;
    this.#failure = { error };
    for (const fiber of this.#fibers) fiber.cancel(this.#closing);
  }
  /** Cancels what is left without failing: a race is decided. */
  stop(): void {
    this.#decided = true;
    for (const fiber of this.#fibers) fiber.cancel("loser");
  }
  get over(): boolean {
    return this.#decided || this.#parent.cancelled;
  }
  cancel(): void {
    for (const fiber of this.#fibers) fiber.cancel();
  }
  #check(): void {
    if (this.#spawning || this.#fibers.size > 0) return;
    if (this.#failure) this.#parent.fail(this.#failure.error);
    else this.#parent.resume(this.#done());
  }
}

/** An error as `attempt` and a parent see it; undefined for what is a bug and not an answer. */
export function asStepError(error: unknown): StepError | undefined {
  if (error instanceof StepError) return error;
  if (error instanceof Fatal) return new StepError(failureOf(error, error.code), { step: "", node: "", attempts: 1 });
  return undefined;
}

export function outcomeOf(settled: Settled): Outcome<unknown> | undefined {
  if (settled.how === "ok") return { ok: true, value: settled.value };
  const error = settled.how === "failed" ? asStepError(settled.error) : undefined;
  return error && { ok: false, error };
}

/** Throws OnexError `BRANCH_INVALID` for what is neither an operation nor a generator. */
export function mustPerform(work: unknown): void {
  if (!isPerformable(work))
    throw new OnexError("BRANCH_INVALID", "a branch must be an operation or a generator: write `node(input)`, or call a `function*`");
}
