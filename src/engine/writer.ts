/**
 * Group commit: the turns of all runs that are ready share one transaction, written once an event-loop turn.
 *
 * W1 A run is in at most one batch that is on its way.
 * W2 Nothing waits for a batch to fill; what becomes ready while as many are on their way as the store takes makes the next.
 * W3 Where several batches may be on their way, what is ready is shared among them: while the store writes one, the next is folded.
 * W4 What follows from a turn happens in its `accepted`, after the store has answered.
 */
import type { Appended, OpenStore, TurnWrite } from "../store/store.ts";
import type { Clock } from "./world.ts";

/** Fewer than these go in one batch: a round trip costs more than what it would save. */
const worthSharing = 24;

export interface Prepared {
  readonly write: TurnWrite;
  accepted(answer: Appended): void;
}
/** Something with news to fold: a run. */
export interface Writing {
  /** Folds what has arrived; answers the turn to write, if there is one. */
  prepare(): Prepared | undefined;
}

export class Writer {
  readonly #store: OpenStore;
  readonly #clock: Clock;
  readonly #failed: (error: unknown) => void;
  readonly #afterBatch: () => void;
  #ready = new Set<Writing>();
  #scheduled = false;
  #onTheirWay = 0;
  /** Those that were on their way before belong to a lease that is lost. */
  #lease = 0;
  #stopped = false;

  constructor(store: OpenStore, clock: Clock, afterBatch: () => void, failed: (error: unknown) => void) {
    this.#store = store;
    this.#clock = clock;
    this.#afterBatch = afterBatch;
    this.#failed = failed;
  }

  /** `writing` has news; it is prepared in the next flush. */
  add(writing: Writing): void {
    this.#ready.add(writing);
    this.#schedule();
  }
  get idle(): boolean {
    return this.#ready.size === 0 && this.#onTheirWay === 0;
  }
  stop(): void {
    this.#stopped = true;
    this.#ready.clear();
  }

  /** Forgets what is ready and what is on its way: whatever comes of it is not this process's any more. */
  drop(): void {
    this.#ready.clear();
    this.#onTheirWay = 0;
    this.#lease++;
  }

  #schedule(): void {
    if (this.#scheduled || this.#onTheirWay >= this.#store.writers || this.#stopped) return;
    this.#scheduled = true;
    this.#clock.soon(() => {
      this.#scheduled = false;
      this.#flush();
    });
  }

  #flush(): void {
    if (this.#stopped || this.#ready.size === 0) return;
    const ready = this.#share();
    const batch: Prepared[] = [];
    for (const writing of ready) {
      const prepared = writing.prepare();
      if (prepared) batch.push(prepared);
    }
    if (batch.length === 0) return this.#settled();
    try {
      const answers = this.#store.append(batch.map((prepared) => prepared.write));
      if (!(answers instanceof Promise)) return this.#accept(batch, answers);
      this.#onTheirWay++;
      if (this.#ready.size > 0) this.#schedule();
      const lease = this.#lease;
      answers.then(
        (later) => {
          if (lease !== this.#lease) return;
          this.#onTheirWay--;
          this.#accept(batch, later);
        },
        (error) => lease === this.#lease && this.#failed(error),
      );
    } catch (error) {
      this.#failed(error);
    }
  }

  /** W3. All that is ready, or the share of one of the batches that may still leave. */
  #share(): ReadonlySet<Writing> {
    const ready = this.#ready;
    const batches = this.#store.writers - this.#onTheirWay;
    const share = ready.size < worthSharing ? ready.size : Math.ceil(ready.size / batches);
    if (share === ready.size) {
      this.#ready = new Set();
      return ready;
    }
    const taken = new Set<Writing>();
    for (const writing of ready) {
      if (taken.size === share) break;
      taken.add(writing);
      ready.delete(writing);
    }
    return taken;
  }

  #accept(batch: readonly Prepared[], answers: readonly Appended[]): void {
    if (this.#stopped) return;
    for (let i = 0; i < batch.length; i++) (batch[i] as Prepared).accepted(answers[i] as Appended);
    this.#settled();
  }

  #settled(): void {
    this.#afterBatch();
    if (this.#ready.size > 0) this.#schedule();
  }
}
