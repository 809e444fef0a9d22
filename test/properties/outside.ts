/** What the effects touch: a ledger by idempotency key, and calls that wait for virtual time. */

import { sha256 } from "../../src/engine/system.ts";
import { type EffectContext, Fatal, type Json } from "../../src/index.ts";
import { type Act, type BackInput, patience } from "./tree.ts";

/** The idempotency key of a step. */
export const keyOf = (runId: string, step: string): string => sha256(`${runId}\0${step}`).slice(0, 32);

export interface Entry {
  readonly runId: string;
  readonly act: Act;
  state: "asked" | "done" | "undone";
}
export interface Delivery {
  readonly node: "act" | "back";
  readonly runId: string;
  readonly key: string;
  readonly attempt: number;
  readonly epoch: number;
  readonly input: string;
}

export class Outside {
  readonly ledger = new Map<string, Entry>();
  readonly deliveries: Delivery[] = [];
  /** Told of each delivery before anything is done. */
  told: (delivery: Delivery) => void = () => {};
  /** Moments at which something may go on. */
  readonly moments: number[] = [];
  readonly #undone = new Set<string>();
  readonly #due = new Map<string, number>();
  #waiting: { readonly due: number; readonly go: () => void }[] = [];

  async act(act: Act, context: EffectContext): Promise<Json> {
    const { idempotencyKey: key, attempt, runId } = context;
    this.#note("act", act, context);
    if (!this.ledger.has(key)) this.ledger.set(key, { runId, act, state: this.#undone.has(key) ? "undone" : "asked" });
    if (act.timed) this.moments.push(context.deadline);
    await this.#pass(act.slow ? act.ms : 0, act.turns, act.deaf, act.timed ? 6_000 : patience.ms, context);
    switch (act.how) {
      case "fatal":
        throw new Fatal("REFUSED");
      case "flaky":
        if (attempt <= act.times) throw new Error("not yet");
        break;
      case "always":
        throw new Error("never");
      case "lost":
        this.#do(key);
        throw new Error("the answer was lost");
    }
    this.#do(key);
    return { id: act.id };
  }

  async back(input: BackInput, context: EffectContext): Promise<Json> {
    this.#note("back", input, context);
    await this.#pass(input.ms, input.turns, false, patience.ms, context);
    if (input.how === "fatal") throw new Fatal("STUCK");
    if (input.how === "flaky" && context.attempt === 1) throw new Error("not yet");
    this.#undone.add(input.key);
    const entry = this.ledger.get(input.key);
    if (entry) entry.state = "undone";
    return null;
  }

  /** Once undone, it cannot be done any more: a call that comes late does nothing. */
  #do(key: string): void {
    const entry = this.ledger.get(key) as Entry;
    if (!this.#undone.has(key)) entry.state = "done";
  }

  #note(node: Delivery["node"], input: object, { runId, idempotencyKey: key, attempt, epoch }: EffectContext): void {
    const delivery = { node, runId, key, attempt, epoch, input: JSON.stringify(input) };
    this.deliveries.push(delivery);
    this.told(delivery);
  }

  /** Takes `turns` turns of the event loop and `ms` of virtual time, counted from the first delivery of the attempt. */
  async #pass(
    ms: number,
    turns: number,
    deaf: boolean,
    timeoutMs: number,
    { idempotencyKey: key, attempt, deadline, signal }: EffectContext,
  ): Promise<void> {
    for (let i = 0; i < turns; i++) await turn();
    if (ms === 0) return;
    const now = deadline - timeoutMs;
    const name = `${key}/${attempt}`;
    const due = this.#due.get(name) ?? now + ms;
    this.#due.set(name, due);
    if (due <= now) return;
    this.moments.push(due);
    await new Promise<void>((go, stop) => {
      this.#waiting.push({ due, go });
      const abort = (): void => {
        // Given up after a grace period, if it does not obey.
        if (deaf) this.moments.push(Number.NaN);
        else stop(signal.reason);
      };
      if (signal.aborted) abort();
      else signal.addEventListener("abort", abort);
    });
  }
  /** Lets go what waits for a time until `now`. */
  release(now: number): void {
    const ready = this.#waiting.filter(({ due }) => due <= now);
    this.#waiting = this.#waiting.filter(({ due }) => due > now);
    for (const { go } of ready) go();
  }
}

export function turn(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}
