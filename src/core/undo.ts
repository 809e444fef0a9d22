/** Performs what is owed, newest first, one after the other; what cannot be undone is named and passed over (API rule 22). */
import { failureOf, OnexError } from "./failure.ts";
import { type Driver, Fiber, Names, type Settled } from "./fiber.ts";
import type { Json } from "./json.ts";
import { type Callee, isPerformable, Op } from "./operation.ts";
import type { Owed } from "./scope.ts";

/** The built-in workflow that undoes a completed child, over the child's log. */
export const undoWorkflow: Callee = {
  kind: "workflow",
  name: "onex-undo",
  version: "1.0.0",
  decode: (output) => output,
  decodeInput: (input) => input,
};

/** One thing to perform as an undo: the step it belongs to, and how the performable is made. */
export interface Undo {
  readonly step: string;
  make(): unknown;
}

export function undoOf(owed: Owed, keyOf: (step: string) => string): Undo {
  return { step: owed.step, make: () => performable(owed, keyOf) };
}

function performable(owed: Owed, keyOf: (step: string) => string): unknown {
  const { callee, input, output } = owed;
  if (owed.childId !== undefined)
    return new Op({
      kind: "call",
      callee: undoWorkflow,
      input: { runId: owed.childId },
      options: { runId: `${owed.childId}~undo`, step: "child" },
    });
  if (callee.undoEvent) {
    const event = (callee.undoEvent as (event: unknown) => unknown)(callee.decodeInput(input));
    return new Op({ kind: "call", callee, input: event, options: {} });
  }
  if (owed.undo) return owed.undo({ input, output, idempotencyKey: keyOf(owed.step) });
  if (!callee.undo) throw new OnexError("NO_UNDO", `${callee.name} says neither undo, irreversible nor readonly: give it one of them`);
  return (callee.undo as (done: unknown) => unknown)({
    input: callee.decodeInput(input),
    output: output === undefined ? undefined : callee.decode(output),
    idempotencyKey: keyOf(owed.step),
  });
}

/** Runs undos in order and calls back when the last has settled. */
export class UndoJob {
  readonly #driver: Driver;
  readonly #undos: readonly Undo[];
  readonly #failed: (step: string, error: unknown) => void;
  readonly #done: () => void;
  #at = 0;

  constructor(driver: Driver, undos: readonly Undo[], failed: (step: string, error: unknown) => void, done: () => void) {
    this.#driver = driver;
    this.#undos = undos;
    this.#failed = failed;
    this.#done = done;
    this.#next();
  }

  #next(): void {
    for (;;) {
      const undo = this.#undos[this.#at++];
      if (!undo) return this.#done();
      try {
        const work = this.#driver.guard(() => undo.make());
        if (!isPerformable(work)) throw new OnexError("NO_UNDO", "its undo gave no operation: return the call of an effect");
        new Fiber(this.#driver, work, {
          names: new Names(`${undo.step}~undo/`),
          scope: undefined,
          ownsScope: false,
          undoing: true,
          onSettled: (settled) => this.#settled(undo.step, settled),
        });
        return;
      } catch (error) {
        this.#failed(undo.step, error);
      }
    }
  }

  #settled(step: string, settled: Settled): void {
    if (settled.how === "failed") this.#failed(step, settled.error);
    else if (settled.how === "ok") {
      // The undo of a child answers with what it could not undo itself.
      const left = (settled.value as { readonly notUndone?: Json } | null | undefined)?.notUndone;
      if (Array.isArray(left) && left.length > 0)
        this.#failed(step, new OnexError("NOT_UNDONE", `could not be undone in the child: ${left.join(", ")}`));
    }
    this.#next();
  }
}

export function undoFailure(error: unknown) {
  return failureOf(error, "UNDO_FAILED");
}

/** The program of `onex-undo`: takes back what an ended run owes, newest first. */
export function* undoProgram(owed: readonly Owed[], keyOf: (step: string) => string): Generator<unknown, unknown, unknown> {
  yield new Op({ kind: "undo", undos: owed.map((entry) => undoOf(entry, keyOf)) });
  return null;
}
