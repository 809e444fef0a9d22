/** How a run comes to its end: what decides it, what is taken back first, and the last wish (R5 in replay.ts). */
import type { Performing } from "./perform.ts";
import { type Owed, Scope } from "./scope.ts";
import { UndoJob, undoFailure, undoOf } from "./undo.ts";
import { finalFact, type Verdict } from "./verdict.ts";

export class Ending {
  /** Of the run itself. */
  readonly scope = new Scope(undefined);
  rootSettled = false;
  /** It failed, and takes back what it did. */
  compensating = false;
  readonly #run: Performing;
  readonly #onFailure: () => "compensate" | "stop" | undefined;
  #verdict: Verdict | undefined;
  #undoing = 0;
  #closed = false;
  #over = false;
  readonly #notUndone: string[] = [];

  constructor(run: Performing, onFailure: () => "compensate" | "stop" | undefined) {
    this.#run = run;
    this.#onFailure = onFailure;
  }

  /** The first verdict counts; answers whether this is it. */
  decide(verdict: Verdict): boolean {
    if (this.#verdict || this.rootSettled) return false;
    this.#verdict = verdict;
    return true;
  }
  /** @param verdict how it ends unless that was decided before. */
  rootEnded(verdict: () => Verdict): void {
    this.rootSettled = true;
    this.#verdict ??= verdict();
    this.#settle();
  }

  undo(owed: readonly Owed[]): void {
    if (owed.length === 0) return;
    this.#undoing++;
    new UndoJob(
      this.#run,
      owed.map((entry) => undoOf(entry, (step) => this.#run.keyOf(step))),
      (step, error) => this.undoFailed(step, error),
      () => {
        this.#undoing--;
        this.#settle();
      },
    );
  }
  undoFailed(step: string, error: unknown): void {
    this.#notUndone.push(step);
    this.#run.record({ type: "undo.failed", step, error: undoFailure(error) });
  }

  /** Called whenever the root or an undo has ended. */
  #settle(): void {
    if (!this.rootSettled || this.#undoing > 0 || this.#over) return;
    const verdict = this.#verdict as Verdict;
    const well = verdict.how === "completed" || verdict.how === "restarted";
    if (this.scope.owed.length > 0 && !this.#closed) {
      this.#closed = true;
      if (!well && this.#onFailure() === "stop") {
        for (const entry of this.scope.takeAll()) this.#notUndone.push(entry.step);
      } else {
        const kept = well ? this.scope.owed.filter((entry) => entry.output !== undefined || entry.keep) : [];
        const owed = this.scope.close(well ? "success" : "failure");
        // What completed stays known, for a parent that takes the whole run back later.
        this.scope.owed = kept;
        if (owed.length > 0) {
          if (!well) {
            this.compensating = true;
            this.#run.record({ type: "run.compensating" });
          }
          return this.undo(owed);
        }
      }
    }
    this.#over = true;
    this.#run.wish({ type: "finish", key: "finish", fact: finalFact(verdict, this.#notUndone) });
  }
}
