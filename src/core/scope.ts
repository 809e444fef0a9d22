/**
 * What is undone, and when (API rule 22).
 *
 * A scope is the run, a branch of `all`, `race` or `each`, an `attempt`, or a YAML group.
 * U1 A scope that fails or is cancelled owes the undo of everything in it that completed or may have happened.
 * U2 One that succeeds hands what completed to the scope around it and owes only what may have happened, unless kept.
 * U3 A loser of a race owes like U1, but what is marked `keep` goes to the scope around it.
 * U4 What a fork shares with a run that completed is that run's own: the fork disowns it.
 * U5 Undone newest first; begun only when every forward attempt of the scope has settled (the fiber tree sees to that).
 */
import type { Json } from "./json.ts";
import type { Callee, CallOptions } from "./operation.ts";

/** Something that completed, or may have happened, and what takes it back. */
export interface Owed {
  readonly step: string;
  /** Order of settling in the run: the newest is undone first. */
  readonly order: number;
  readonly callee: Callee;
  readonly input: Json;
  /** Undefined: the outcome is unknown. */
  readonly output: Json | undefined;
  readonly keep: boolean;
  readonly undo: CallOptions["undo"];
  /** Set when it is a child run. */
  readonly childId?: string;
}

export type Closing = "success" | "failure" | "loser";

export class Scope {
  readonly parent: Scope | undefined;
  owed: Owed[] = [];
  /** The first order that the run owes; one for all its scopes. */
  readonly #own: { from: number };
  constructor(parent: Scope | undefined) {
    this.parent = parent;
    this.#own = parent ? parent.#own : { from: 0 };
  }

  /** What settled before `order` is no more owed, in this scope and all others of the run (U4). */
  disown(order: number): void {
    this.#own.from = order;
  }

  /** Everything owed so far, newest first; the scope owes nothing after. */
  takeAll(): Owed[] {
    return newestFirst(this.#take());
  }

  /** Closes it and answers what must be undone now, newest first. */
  close(how: Closing): Owed[] {
    const owed = this.#take();
    if (how === "failure") return newestFirst(owed);
    const now: Owed[] = [];
    for (const entry of owed) {
      const undoNow = how === "loser" ? !entry.keep : entry.output === undefined && !entry.keep;
      if (undoNow) now.push(entry);
      else this.parent?.owed.push(entry);
    }
    return newestFirst(now);
  }

  #take(): Owed[] {
    const owed = this.owed.splice(0);
    return this.#own.from === 0 ? owed : owed.filter(({ order }) => order >= this.#own.from);
  }
}

function newestFirst(owed: Owed[]): Owed[] {
  return owed.sort((a, b) => b.order - a.order);
}
