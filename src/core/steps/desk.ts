/** What a step sees of its run: where it leaves wishes and where its news arrives. */
import type { Command } from "../command.ts";
import type { RunDefaults } from "../defaults.ts";
import type { Fact, FactBody, Mail } from "../fact.ts";
import type { Json } from "../json.ts";
import type { Check } from "../operation.ts";

export interface News {
  on(fact: Fact): void;
  /** Whether an answer is still waited for; a late one is not. Undefined: none comes from outside. */
  awaits?(fact: FactBody): boolean;
  /** A new owner has taken the run: what was sent and not answered is in doubt. */
  taken?(): void;
  /** The run is a fork of one that waited here, so much earlier. */
  forked?(byMs: number): void;
}

export interface Desk {
  readonly runId: string;
  /** How often the run was restarted. */
  readonly round: number;
  /** Time of the last fact, ms. */
  readonly now: number;
  readonly seed: number;
  readonly priority: number;
  readonly defaults: RunDefaults;
  stepInput(step: string, input: Json): Json;
  keyOf(step: string): string;
  /** Order of settling, rising. */
  nextOrder(): number;
  /** Facts about `step` go to `news` from now on. */
  expect(step: string, news: News): void;
  forget(step: string): void;
  wish(command: Command): void;
  withdraw(key: string): void;
  isOpen(key: string): boolean;
  /** Wishes for this fact to be written; it comes back through `on`. */
  record(fact: FactBody): void;
  /** Counts what is under way, for the status of the run. */
  busy(change: 1 | -1): void;
  pause(step: string, paused: boolean): void;
  /** The next unread message of that name, or undefined; then `waiter` is called when one comes. */
  mail(name: string, waiter: () => void): Mail | undefined;
  unwait(name: string, waiter: () => void): void;
}

/** Checks and takes messages of a signal until one is good. */
export function takeMail(desk: Desk, name: string, check: Check, waiter: () => void): { readonly value: unknown } | undefined {
  for (let mail = desk.mail(name, waiter); mail; mail = desk.mail(name, waiter)) {
    const verdict = check(mail.payload);
    if (!("problem" in verdict) || verdict.problem === undefined) return { value: (verdict as { value: unknown }).value };
    desk.record({ type: "signal.rejected", seq: mail.seq, name, error: { code: "SIGNAL_INVALID", message: verdict.problem } });
  }
  return undefined;
}
