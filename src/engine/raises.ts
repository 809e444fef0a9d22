/**
 * A far side has seen a higher epoch of a run than its owner has: the store was set back to an older state, by a backup or a
 * failover that lost commits. Its owner goes on above what was seen, and does so in its log.
 *
 * R1 The epoch rises by a turn under the fence: who was succeeded is refused there, and not by what a far side says.
 * R2 What was refused is sent again once that turn is accepted.
 * R3 A far side cannot drive the epoch on without end: so many times while a run is driven, and so far each time.
 */
import type { FactBody } from "../core/fact.ts";
import type { Log } from "../node/contract.ts";

/** Two stores that hold the same run outbid each other this often, and then one of them fails. */
const most = 8;
/** No store is set back by more changes of owner. */
const farthest = 1_000_000;

export class Raises {
  #left = most;
  #waiting: { readonly seen: number; answer(raised: boolean): void }[] = [];

  /** Answers true when the run has an epoch above `seen`, false when it is not to have one. */
  above(seen: number, epoch: number, arrive: (fact: FactBody) => void): Promise<boolean> {
    if (epoch > seen) return Promise.resolve(true);
    if (this.#left === 0 || seen - epoch > farthest) return Promise.resolve(false);
    return new Promise((answer) => {
      this.#waiting.push({ seen, answer });
      arrive({ type: "lease.raised", epoch: seen + 1 });
    });
  }

  /** A turn was accepted that raised it to `epoch`. */
  raised(epoch: number): void {
    this.#left--;
    const waiting = this.#waiting;
    this.#waiting = waiting.filter(({ seen }) => seen >= epoch);
    for (const { seen, answer } of waiting) if (seen < epoch) answer(true);
  }

  /** The run is not driven here any more. */
  drop(): void {
    this.#left = 0;
    for (const { answer } of this.#waiting.splice(0)) answer(false);
  }
}

/** The epoch that a turn raises to: that is its last fact. */
export function raiseOf(fact: FactBody | undefined): number | undefined {
  return fact?.type === "lease.raised" ? fact.epoch : undefined;
}

export function tellRaised(log: Log, store: string, runId: string, epoch: number): void {
  log.warn(
    `run ${runId}: a node host has seen its epoch ${epoch - 1}, so ${store} was set back, or another store has the run too; it goes on in epoch ${epoch}`,
    { code: "STALE_EPOCH" },
  );
}
