/**
 * Calls of accepted turns, on their way out: in the order of priority, once a batch, and only while this process is sure of its
 * lease (P4 in engine.ts).
 */
import type { CommandOf } from "../core/command.ts";
import type { Checked } from "../node/schema.ts";
import type { Call } from "./call.ts";
import type { Clock } from "./world.ts";

/** How often a process that is in doubt about its lease looks whether it still is. */
const trustMs = 25;

interface Waiting {
  readonly call: Pick<Call, "start">;
  readonly decoded: Checked | undefined;
  readonly priority: number;
  readonly order: number;
}

export class Outgoing {
  readonly #clock: Clock;
  readonly #trusted: () => boolean;
  readonly #over: () => void;
  #waiting: Waiting[] = [];
  #order = 0;
  #cancelLook: (() => void) | undefined;
  #drained: (() => void) | undefined;
  /** Calls that were delivered and have not ended. */
  inFlight = 0;

  /** `over` is told when the last call in flight has ended, after its answer was reported. */
  constructor(clock: Clock, trusted: () => boolean, over: () => void) {
    this.#clock = clock;
    this.#trusted = trusted;
    this.#over = over;
  }

  deliver(call: Waiting["call"], decoded: Checked | undefined, { priority }: Pick<CommandOf<"deliver">, "priority">): void {
    this.#waiting.push({ call, decoded, priority, order: this.#order++ });
    this.inFlight++;
  }
  ended(): void {
    this.inFlight--;
    if (this.inFlight === 0)
      this.#clock.soon(() => {
        this.#drained?.();
        this.#over();
      });
  }

  /** The turns of a batch were accepted: their calls go. In doubt they go when the lease is renewed, and never when it is lost. */
  send(): void {
    const calls = this.#waiting;
    if (calls.length === 0) return;
    if (!this.#trusted()) {
      this.#cancelLook?.();
      this.#cancelLook = this.#clock.setTimer(trustMs, () => this.send());
      return;
    }
    this.#waiting = [];
    if (calls.some(({ priority }) => priority !== calls[0]?.priority)) calls.sort((a, b) => a.priority - b.priority || a.order - b.order);
    for (const { call, decoded } of calls) call.start(decoded);
  }

  /** What waits is not sent any more. */
  drop(): void {
    this.#waiting = [];
    this.#cancelLook?.();
    this.#cancelLook = undefined;
  }

  /** What was on its way to the store is there, or is given up. */
  settled(): void {
    this.#drained?.();
  }

  /** Waits for calls in flight, and until their answers are `written`, which `settled` asks; no longer than `graceMs`. */
  drain(graceMs: number, written: () => boolean): Promise<void> {
    return new Promise((resolve) => {
      const end = (): void => {
        this.#drained = undefined;
        cancel();
        resolve();
      };
      const cancel = this.#clock.setTimer(graceMs, end);
      this.#drained = () => {
        if (this.inFlight === 0 && written()) end();
      };
      this.#drained();
    });
  }
}
