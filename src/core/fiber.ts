/**
 * A fiber drives one generator (or one lone operation) and stands in a tree: concurrency is structured.
 *
 * F1 A fiber waits for at most one pending thing, and goes on only from the drain loop of its run.
 * F2 Cancelling settles what is pending first, then returns the generator: `finally` runs as cleanup, `catch` does not.
 * F3 A fiber settles exactly once, after all that it began has settled; nothing runs on behind its back.
 * F4 The outcome of a cancelled fiber is "cancelled", whatever its `finally` returns or throws.
 */

import type { Fact } from "./fact.ts";
import { OnexError } from "./failure.ts";
import { asMaker, type Maker, Op } from "./operation.ts";
import type { Closing, Owed, Scope } from "./scope.ts";
import { rememberReturns, unwound } from "./unwind.ts";

/** What a fiber waits for: something of the outside (a step) or other fibers (a join). */
export interface Pending {
  /** Give it up; the fiber is still resumed when it has settled. */
  cancel(): void;
  /** News about a step; joins get none. */
  on?(fact: Fact): void;
}

export type Settled =
  | { readonly how: "ok"; readonly value: unknown }
  | { readonly how: "failed"; readonly error: unknown }
  | { readonly how: "cancelled" };

const special = /[/#]|~undo/;

/** Step ids of one branch: path and the counters that tell repeats apart. */
export class Names {
  readonly prefix: string;
  readonly #counts = new Map<string, number>();
  constructor(prefix: string) {
    this.prefix = prefix;
  }
  /** The id of the next thing called `name` in this branch. */
  next(name: string): string {
    // Nor may it look like the path of an undo: its steps have keys of their own.
    const safe = special.test(name) ? name.replaceAll("/", "%2F").replaceAll("#", "%23").replaceAll("~undo", "%7Eundo") : name;
    const count = (this.#counts.get(safe) ?? 0) + 1;
    this.#counts.set(safe, count);
    return count === 1 ? this.prefix + safe : `${this.prefix}${safe}#${count}`;
  }
}

/** The run, as its fibers see it. */
export interface Driver {
  /** Begins an operation for a fiber. */
  begin(fiber: Fiber, op: Op): void;
  /** Puts a fiber into the queue of those that can go on. */
  ready(fiber: Fiber): void;
  /** Undoes what a closing scope owes. */
  closeScope(scope: Scope, how: Closing): void;
  /** A fiber that is being returned performs a step in `finally`. */
  cleaning(fiber: Fiber): void;
  /** A fiber that was being returned has settled. */
  cleaned(fiber: Fiber): void;
  /** Advances a generator under the guard against nondeterminism. */
  guard<T>(advance: () => T): T;
  /** Operations forgotten so far by fibers that ended well, with their places when asked for. */
  forgotten(count: number, places: Map<Op, string> | undefined): void;
  readonly tracing: boolean;
}

export interface FiberOptions {
  readonly names: Names;
  readonly scope: Scope | undefined;
  /** The scope was made for this fiber and closes with it. */
  readonly ownsScope: boolean;
  /** What it performs takes something back: retried without end, not itself undone. */
  readonly undoing: boolean;
  readonly onSettled: (settled: Settled) => void;
}

export class Fiber implements Maker {
  readonly driver: Driver;
  readonly names: Names;
  readonly scope: Scope | undefined;
  readonly undoing: boolean;
  readonly places: Map<Op, string> | undefined;
  unbegun = 0;
  cancelled = false;
  settled = false;
  /** The generator is being returned: what it performs now is cleanup. */
  returning = false;
  waiting: Pending | undefined;
  /** It stands in the queue of those that can go on. */
  queued = false;

  readonly #generator: Generator<unknown, unknown, unknown> | undefined;
  #op: Op | undefined;
  readonly #ownsScope: boolean;
  readonly #onSettled: (settled: Settled) => void;
  #closing: Closing = "failure";
  #next: { readonly mode: "next" | "throw"; readonly value: unknown } = { mode: "next", value: undefined };
  #cut = false;
  #ended = false;

  constructor(driver: Driver, work: unknown, options: FiberOptions) {
    this.driver = driver;
    this.names = options.names;
    this.scope = options.scope;
    this.undoing = options.undoing;
    this.#ownsScope = options.ownsScope;
    this.#onSettled = options.onSettled;
    this.places = driver.tracing ? new Map() : undefined;
    rememberReturns();
    if (work instanceof Op) {
      // Handing it to a branch is performing it, even if the branch is cancelled before it comes to that.
      work.begin();
      this.#op = work;
    } else this.#generator = work as Generator<unknown, unknown, unknown>;
    this.#enqueue();
  }

  /** Called by what it waited for. */
  resume(value: unknown): void {
    this.waiting = undefined;
    this.#next = { mode: "next", value };
    this.#enqueue();
  }
  fail(error: unknown): void {
    this.waiting = undefined;
    this.#next = { mode: "throw", value: error };
    this.#enqueue();
  }

  #enqueue(): void {
    this.queued = true;
    this.driver.ready(this);
  }

  /** What it did is undone with its scope, unless it is an undo or a cleanup itself. */
  owe(entry: Owed): void {
    if (this.scope && !this.undoing && !this.returning) this.scope.owed.push(entry);
  }

  /** F2. A loser of a race closes its scope as one; everything else as failed. */
  cancel(closing: Closing = "failure"): void {
    if (this.settled || this.cancelled) return;
    this.cancelled = true;
    this.#closing = closing;
    this.waiting?.cancel();
  }

  /** Ends a cleanup that takes too long: what it waits for is given up, and the generator is left where it stands. */
  cut(): void {
    this.#cut = true;
    this.waiting?.cancel();
  }

  /** One step of the drain loop. */
  advance(): void {
    this.queued = false;
    if (this.settled) return;
    if (this.cancelled && !this.returning) return this.#return();
    if (this.#cut) return this.#settle({ how: "cancelled" });
    if (!this.#generator) return this.#lone();
    this.#drive(this.#next.mode);
  }

  #return(): void {
    this.returning = true;
    if (!this.#generator || this.#ended) return this.#settle({ how: "cancelled" });
    this.#drive("return");
  }

  #lone(): void {
    const op = this.#op;
    if (op) {
      this.#op = undefined;
      this.driver.begin(this, op);
    } else if (this.#next.mode === "next") this.#settle({ how: "ok", value: this.#next.value });
    else this.#settle({ how: "failed", error: this.#next.value });
  }

  #drive(mode: "next" | "throw" | "return"): void {
    const generator = this.#generator as Generator<unknown, unknown, unknown>;
    let result: IteratorResult<unknown, unknown>;
    try {
      const value = this.#next.value;
      result = this.driver.guard(() =>
        asMaker(this, () => {
          let step = mode === "next" ? generator.next(value) : mode === "throw" ? generator.throw(value) : generator.return(undefined);
          while (step.value === unwound) step = generator.return(undefined);
          return step;
        }),
      );
    } catch (error) {
      this.#ended = true;
      return this.#settle(this.cancelled ? { how: "cancelled" } : { how: "failed", error });
    }
    if (result.done) {
      this.#ended = true;
      return this.#settle(this.cancelled ? { how: "cancelled" } : { how: "ok", value: result.value });
    }
    if (!(result.value instanceof Op)) {
      this.#next = {
        mode: "throw",
        value: new OnexError(
          "WORKFLOW_THREW",
          "a workflow yielded something that is no operation: write `yield*` before calls of nodes and verbs",
        ),
      };
      return this.#enqueue();
    }
    if (this.returning) {
      this.driver.cleaning(this);
      if (this.#cut) return this.#settle({ how: "cancelled" });
    }
    this.driver.begin(this, result.value);
  }

  #settle(settled: Settled): void {
    this.settled = true;
    this.waiting = undefined;
    if (this.returning) this.driver.cleaned(this);
    if (settled.how === "ok") this.driver.forgotten(this.unbegun, this.places);
    this.#counted = settled.how === "ok";
    if (this.scope && this.#ownsScope)
      this.driver.closeScope(this.scope, this.cancelled ? this.#closing : settled.how === "ok" ? "success" : "failure");
    this.#onSettled(settled);
  }

  #counted = false;
  /** An operation that this fiber made and left was begun by another one after all. */
  lost(change: number): void {
    if (this.#counted) this.driver.forgotten(change, undefined);
  }
}
