/** How long an answer may take: a store that is away would keep every caller until its connection is cut. */
import { OnexError } from "../core/failure.ts";
import type { Clock } from "../engine/world.ts";

export class Patience {
  readonly #clock: Pick<Clock, "setTimer">;
  readonly #ms: number;
  #stop = (): void => {};
  #over = (): void => {};
  #paused = false;

  constructor(clock: Pick<Clock, "setTimer">, ms: number) {
    this.#clock = clock;
    this.#ms = ms;
  }

  /** The answer, or OnexError `SERVER_NOT_READY` when it takes longer; what was begun goes on. */
  with<T>(answer: Promise<T> | T): Promise<T> | T {
    if (!(answer instanceof Promise)) return answer;
    return new Promise((resolve, reject) => {
      this.#over = () =>
        reject(
          new OnexError(
            "SERVER_NOT_READY",
            `the store gave no answer within ${this.#ms / 1000} s: what was asked for may be done or not; ask again, with the same runId or Idempotency-Key`,
          ),
        );
      this.#begin();
      answer.then(resolve, reject).finally(() => this.#stop());
    });
  }

  /** The caller's own time, such as that of the body, is not counted. */
  async without<T>(theirs: Promise<T>): Promise<T> {
    this.#stop();
    this.#paused = true;
    try {
      return await theirs;
    } finally {
      this.#paused = false;
      this.#begin();
    }
  }

  #begin(): void {
    if (!this.#paused) this.#stop = this.#clock.setTimer(this.#ms, () => this.#over());
  }
}
