/** The clock of all cleanup in `finally` that is under way at once: what takes longer is cut. */
import type { Fiber } from "./fiber.ts";
import type { Desk } from "./steps/desk.ts";
import { TimerStep } from "./steps/waits.ts";

const longestMs = 60_000;
const step = "~cleanup";

export class Cleanup {
  readonly #desk: Desk;
  readonly #fibers = new Set<Fiber>();
  #clock: TimerStep | undefined;
  /** The time of the cleanup under way is over. */
  #overdue = false;

  constructor(desk: Desk) {
    this.#desk = desk;
  }

  begin(fiber: Fiber): void {
    if (this.#fibers.size === 0) {
      this.#overdue = false;
      this.#clock = new TimerStep(this.#desk, step, this.#desk.now + longestMs, "timeout", () => {
        this.#clock = undefined;
        this.#overdue = true;
        for (const cleaner of [...this.#fibers]) cleaner.cut();
      });
    }
    this.#fibers.add(fiber);
    // What is cut may have branches that would clean up in their turn.
    if (this.#overdue) fiber.cut();
  }
  end(fiber: Fiber): void {
    if (!this.#fibers.delete(fiber) || this.#fibers.size > 0) return;
    this.stop();
    this.#clock = undefined;
  }
  stop(): void {
    this.#clock?.stop();
  }
}
