/**
 * The folds of runs that were put down not long ago. A run that wakes often would fold its whole log each time, so a long
 * one is kept as it was; the store's last turn says whether it still is. What is not here is folded from the store.
 */
import type { Folded } from "./begin.ts";

/** Runs kept, and the shortest log that is worth it. */
const maxKept = 100;
const minFacts = 64;

export class ParkedFolds {
  readonly #kept = new Map<number, { readonly turn: number; readonly folded: Folded }>();

  /** @param turn the last turn that it has folded. */
  keep(runNo: number, turn: number, folded: Folded): void {
    if (folded.replay.length < minFacts || folded.replay.paused) return;
    this.#kept.delete(runNo);
    this.#kept.set(runNo, { turn, folded });
    if (this.#kept.size > maxKept) this.#kept.delete(this.#kept.keys().next().value as number);
  }

  has(runNo: number): boolean {
    return this.#kept.has(runNo);
  }
  /** The fold of a log that ends with `turn`; it is the caller's own then. */
  take(runNo: number, turn: number): Folded | undefined {
    const kept = this.#kept.get(runNo);
    this.#kept.delete(runNo);
    return kept?.turn === turn ? kept.folded : undefined;
  }
}
