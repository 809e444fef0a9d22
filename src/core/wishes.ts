/**
 * The open wishes of a run, in the order in which they were wished; those that the engine has not been given yet; and what it
 * holds back.
 */
import type { Command } from "./command.ts";

const none: Command[] = [];

export class Wishes {
  readonly #open = new Map<string, Command>();
  #fresh: Command[] = [];
  readonly #armed = new Map<string, number>();
  /** Steps that the engine holds back, and "" when it holds the whole run. */
  readonly #heldBack = new Set<string>();

  add(command: Command): void {
    this.#open.set(command.key, command);
    this.#fresh.push(command);
    if (command.type === "arm") this.#armed.set(command.step, command.due);
  }
  withdraw(key: string): void {
    const command = this.#open.get(key);
    if (!command) return;
    this.#open.delete(key);
    if (command.type === "arm") this.#armed.delete(command.step);
  }
  clear(): void {
    this.#open.clear();
    this.#armed.clear();
  }

  isOpen(key: string): boolean {
    return this.#open.has(key);
  }
  command(key: string): Command | undefined {
    return this.#open.get(key);
  }
  /** All, oldest first. */
  open(): Command[] {
    return [...this.#open.values()];
  }
  /** Timers that are set, by step. */
  get armed(): ReadonlyMap<string, number> {
    return this.#armed;
  }
  /** Whether a wish stands to begin such a step. */
  wants(isStep: (step: string) => boolean): boolean {
    for (const command of this.#open.values()) {
      const asks = command.type === "record" ? command.fact : command;
      if (command.type !== "arm" && "step" in asks && asks.step !== undefined && isStep(asks.step)) return true;
    }
    return false;
  }

  // ── what is new ──

  /** Those that are new since the last call and still stand. */
  take(): Command[] {
    if (this.#fresh.length === 0) return none;
    const fresh = this.#fresh;
    this.#fresh = [];
    // A step that the engine holds back is wished again when it is resumed, and not by folding the history anew.
    return fresh.filter(
      (command) => this.#open.get(command.key) === command && !(command.type === "dispatch" && this.#heldBack.has(command.step)),
    );
  }
  get anyFresh(): boolean {
    return this.#fresh.length > 0;
  }
  /** What was wished anew keeps its place: which of two wishes comes first may decide a race. */
  sortFresh(): void {
    const fresh = new Set(this.#fresh);
    this.#fresh = this.open().filter((command) => fresh.has(command));
  }

  // ── what is held back ──

  hold(step: string): void {
    this.#heldBack.add(step);
  }
  /** Answers whether it was held back. */
  letGo(step: string): boolean {
    return this.#heldBack.size > 0 && this.#heldBack.delete(step);
  }
  letAllGo(): void {
    this.#heldBack.clear();
  }
  holds(step: string): boolean {
    return this.#heldBack.has(step);
  }
  /** Something is held back. */
  get held(): boolean {
    return this.#heldBack.size > 0;
  }
  /** Intents that were held back are wished again. */
  again(): void {
    for (const command of this.#open.values()) if (command.type === "dispatch" && !this.#fresh.includes(command)) this.#fresh.push(command);
  }
}
