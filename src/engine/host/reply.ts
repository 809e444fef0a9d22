/** What is answered to everybody who asks for the same: notes while it is under way, then one answer. */
import type { FactBody } from "../../core/fact.ts";
import type { Json } from "../../core/json.ts";
import type { Ended } from "../wire.ts";

export interface Listener {
  progressed(note: Json): void;
  ended(answer: Ended): void;
}

export class Reply {
  readonly #listeners = new Set<Listener>();
  #answer: Ended | undefined;

  get answered(): boolean {
    return this.#answer !== undefined;
  }
  get answer(): Ended | undefined {
    return this.#answer;
  }

  /** Tells `listener` what comes, at once when it is answered already; the answer stops it. */
  listen(listener: Listener): () => void {
    if (this.#answer) {
      listener.ended(this.#answer);
      return () => {};
    }
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  progressed(note: Json): void {
    for (const listener of this.#listeners) listener.progressed(note);
  }
  /** Only the first answer counts. */
  end(answer: Ended): void {
    if (this.#answer) return;
    this.#answer = answer;
    for (const listener of [...this.#listeners]) listener.ended(answer);
    this.#listeners.clear();
  }
}

/** What a call reports, as it is answered; undefined for what is no answer. */
export function answerOf(fact: FactBody): Ended | undefined {
  if (fact.type === "action.completed") return { status: "completed", output: fact.output };
  if (fact.type === "action.item") return { status: "yielded", index: fact.index, item: fact.item };
  if (fact.type !== "action.failed") return undefined;
  const { error, outcome, final, retryAfterMs } = fact;
  return {
    status: "failed",
    error,
    outcome,
    ...(final ? { final } : {}),
    ...(retryAfterMs === undefined ? {} : { retryAfterMs }),
  };
}
