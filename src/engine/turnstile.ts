/**
 * What one run has to do with the gate: its calls that wait there, and its passes from the grant to the end of the call.
 *
 * S1 A wish that waits stays open in the run; nothing is written about it, so a crash leaves a wish and no doubt.
 * S2 A pass belongs to a step. It is given back when its wish is withdrawn, when its call ends, and when the run is dropped.
 */
import type { Command, CommandOf } from "../core/command.ts";
import type { FactBody } from "../core/fact.ts";
import type { Failure } from "../core/failure.ts";
import type { Contract } from "../node/contract.ts";
import { type Checked, checkMaybe } from "../node/schema.ts";
import type { Outcome } from "./breaker.ts";
import type { Gate, Guarded, Pass } from "./gate.ts";

type Wish = CommandOf<"dispatch"> | CommandOf<"deliver">;

interface Held {
  readonly pass: Pass;
  /** The wish that the pass was given for, until its intent is noted. */
  wish: Wish | undefined;
}

export interface TurnstileHost {
  /** The run still wants it. */
  wants(wish: Wish): boolean;
  /** There is something to `take`. */
  stir(): void;
}

export class Turnstile {
  readonly #gate: Gate;
  readonly #host: TurnstileHost;
  readonly #waiting = new Map<string, Wish>();
  readonly #passes = new Map<string, Held>();
  readonly #refusals = new Map<string, Failure>();
  #again: Wish[] = [];

  constructor(gate: Gate, host: TurnstileHost) {
    this.#gate = gate;
    this.#host = host;
  }

  /** True: it may go now. False: it waits, and comes again out of `take`. A failure: it will not go. */
  admits(wish: Wish, decoded?: Checked): true | false | Failure {
    const node = wish.callee as Guarded;
    if (!this.#gate.guards(node) || this.#passes.has(wish.step)) return true;
    const refusal = this.#refusals.get(wish.step);
    if (refusal) {
      this.#refusals.delete(wish.step);
      return refusal;
    }
    // A run that is resumed wishes again for what is open.
    if (this.#waiting.get(wish.step) === wish) return false;
    this.#waiting.set(wish.step, wish);
    const answer = this.#gate.enter({
      node,
      input: inputOf(node, wish, decoded),
      priority: wish.priority,
      giveUpAt: wish.type === "dispatch" ? wish.giveUpAt : undefined,
      wanted: () => {
        if (this.#waiting.get(wish.step) !== wish) return false;
        if (this.#host.wants(wish)) return true;
        this.#waiting.delete(wish.step);
        return false;
      },
      go: (pass) => {
        this.#passes.set(wish.step, { pass, wish });
        this.#comeAgain(wish);
      },
      giveUp: (why) => {
        this.#refusals.set(wish.step, why);
        this.#comeAgain(wish);
      },
    });
    if (answer === undefined) return false;
    this.#waiting.delete(wish.step);
    if ("code" in answer) return answer;
    this.#passes.set(wish.step, { pass: answer, wish });
    return true;
  }

  #comeAgain(wish: Wish): void {
    this.#waiting.delete(wish.step);
    this.#again.push(wish);
    this.#host.stir();
  }

  /** Wishes that waited and were decided. */
  take(): readonly Wish[] {
    if (this.#again.length === 0) return none;
    const again = this.#again;
    this.#again = [];
    return again;
  }
  get hasNews(): boolean {
    return this.#again.length > 0;
  }
  /** Whether a call waits here. Looks at all of them. */
  get waits(): boolean {
    for (const wish of this.#waiting.values()) if (this.#host.wants(wish)) return true;
    return false;
  }

  /** The intent of the step is noted: its pass stays until the call has ended. */
  sent(step: string): void {
    const held = this.#passes.get(step);
    if (held) held.wish = undefined;
  }
  /** The call of the step is made. */
  begins(step: string): void {
    this.#passes.get(step)?.pass.begin();
  }
  /** News of the call of the step; its end gives the pass back. */
  heard(step: string, news: FactBody): void {
    if (this.#passes.size === 0) return;
    // A stream may last for hours, and its first item says that its endpoint works.
    if (news.type === "action.item") this.#passes.get(step)?.pass.answered();
    const outcome = outcomeOf(news);
    if (outcome !== undefined) this.leave(step, outcome);
  }
  /** The call of the step has ended, or is not made. */
  leave(step: string, outcome: Outcome = "ignored"): void {
    const held = this.#passes.get(step);
    if (!held) return;
    this.#passes.delete(step);
    held.pass.leave(outcome);
  }
  /** The wish is not carried out: it was withdrawn, or the run is held. */
  giveBack(wish: Command): void {
    if (wish.type !== "dispatch" && wish.type !== "deliver") return;
    this.#refusals.delete(wish.step);
    if (this.#passes.get(wish.step)?.wish === wish) this.leave(wish.step);
  }
  /** The whole run is paused: who may go or waits lets others go first, and asks anew when it is resumed. */
  hold(): void {
    for (const [step, { wish }] of [...this.#passes]) if (wish) this.leave(step);
    // The run wishes for intents again by itself.
    this.#again = [...this.#again, ...this.#waiting.values()].filter(({ type }) => type === "deliver");
    this.#waiting.clear();
  }
  /** The run is no longer driven here. */
  drop(): void {
    for (const step of [...this.#passes.keys()]) this.leave(step);
    this.#again = [];
    this.#waiting.clear();
  }
}

const none: readonly Wish[] = [];

/** How the end of a call looks to the breaker of its endpoint; undefined for what is no end. */
export function outcomeOf(answer: FactBody): Outcome | undefined {
  if (answer.type === "action.completed") return "success";
  if (answer.type !== "action.failed") return undefined;
  // Given up or refused by this side, or asked for time: none of that says whether the endpoint works.
  if (thisSide.has(answer.error.code) || answer.retryAfterMs !== undefined) return "ignored";
  if (!answer.final) return "failure";
  // It answered: with a no (`Fatal`), or with what cannot be used.
  return answer.outcome === "none" ? "success" : "ignored";
}

const thisSide: ReadonlySet<string> = new Set([
  "CANCELLED",
  "INPUT_INVALID",
  "ORCHESTRATOR_CLOSED",
  "STALE_EPOCH",
  "LEASE_VIOLATION",
  "ACTION_EXPIRED",
]);

/** The decoded input, which only a key asks for. */
function inputOf(node: Guarded, wish: Wish, decoded: Checked | undefined): { readonly value: unknown } | undefined {
  if (!node.concurrency?.key && !node.rate?.key) return undefined;
  const checked = decoded ?? checkMaybe((wish.callee as Contract).input, wish.input);
  return checked instanceof Promise || checked.problem !== undefined ? undefined : checked;
}
