/** Steps that wait for time or for a message. */
import type { Fact } from "../fact.ts";
import type { Fiber, Pending } from "../fiber.ts";
import { mismatch } from "../mismatch.ts";
import type { Check, Latch } from "../operation.ts";
import { type Desk, type News, takeMail } from "./desk.ts";

/** `sleep`, and the clock of a block's timeout. */
export class TimerStep implements Pending, News {
  readonly #desk: Desk;
  readonly #step: string;
  readonly #purpose: "sleep" | "timeout" | "retry";
  readonly #fixed: boolean;
  readonly #fired: () => void;
  #due: number;

  /** @param fixed it waits for that moment, whenever the run came to it; else for a length of time. */
  constructor(desk: Desk, step: string, due: number, purpose: "sleep" | "timeout" | "retry", fired: () => void, fixed = false) {
    this.#desk = desk;
    this.#step = step;
    this.#due = due;
    this.#purpose = purpose;
    this.#fired = fired;
    this.#fixed = fixed;
    desk.expect(step, this);
    this.#set();
  }
  #set(): void {
    this.#desk.record({ type: "timer.set", step: this.#step, due: this.#due, purpose: this.#purpose });
  }
  #arm(): void {
    this.#desk.wish({ type: "arm", key: `t:${this.#step}`, step: this.#step, due: this.#due });
  }
  on(fact: Fact): void {
    if (fact.type === "timer.set") {
      if (fact.due !== this.#due) throw mismatch(fact, `waits there until ${this.#due}, not ${fact.due}`);
      this.#arm();
    } else if (fact.type === "timer.fired") {
      this.stop();
      this.#fired();
    } else throw mismatch(fact, "waits for a time there");
  }
  /** As long to go as it had then. */
  forked(byMs: number): void {
    if (this.#fixed) return;
    this.#due += byMs;
    if (this.#desk.isOpen(`t:${this.#step}`)) this.#arm();
    else this.#set();
  }
  stop(): void {
    this.#desk.withdraw(`t:${this.#step}`);
    this.#desk.withdraw(`r:timer.set:${this.#step}`);
    this.#desk.forget(this.#step);
  }
  cancel(): void {
    this.stop();
    this.#fired();
  }
}

/** `signal.wait()`: takes the oldest message of that name, or waits for one. */
export class SignalStep implements Pending, News {
  readonly #desk: Desk;
  readonly #fiber: Fiber;
  readonly #step: string;
  readonly #name: string;
  readonly #check: Check;
  readonly #look = () => this.#take();

  constructor(desk: Desk, fiber: Fiber, step: string, name: string, check: Check) {
    this.#desk = desk;
    this.#fiber = fiber;
    this.#step = step;
    this.#name = name;
    this.#check = check;
    desk.expect(step, this);
    if (!this.#take()) desk.record({ type: "signal.awaited", step, name });
  }
  #take(): boolean {
    const taken = takeMail(this.#desk, this.#name, this.#check, this.#look);
    if (!taken) return false;
    this.#stop();
    this.#fiber.resume(taken.value);
    return true;
  }
  on(fact: Fact): void {
    if (fact.type !== "signal.awaited" || fact.name !== this.#name) throw mismatch(fact, `waits for the signal ${this.#name} there`);
  }
  #stop(): void {
    this.#desk.unwait(this.#name, this.#look);
    this.#desk.withdraw(`r:signal.awaited:${this.#step}`);
    this.#desk.forget(this.#step);
  }
  cancel(): void {
    this.#stop();
    this.#fiber.resume(undefined);
  }
}

/** Waits at a gate inside the run. */
export class LatchStep implements Pending {
  readonly #fiber: Fiber;
  #done = false;
  constructor(fiber: Fiber, latch: Latch) {
    this.#fiber = fiber;
    if (latch.open) this.cancel();
    else latch.waiting.push(() => this.cancel());
  }
  cancel(): void {
    if (this.#done) return;
    this.#done = true;
    this.#fiber.resume(undefined);
  }
}
