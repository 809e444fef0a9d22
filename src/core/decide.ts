/** The pure verb of the core: what a run wants, given all that happened to it. */
import type { Command } from "./command.ts";
import type { Fact } from "./fact.ts";
import { type Program, Replay, type ReplayOptions } from "./replay.ts";

/** Folds `facts` and answers every open wish, oldest first. Throws OnexError `HISTORY_MISMATCH`. */
export function decide(program: Program, facts: readonly Fact[], options: ReplayOptions): Command[] {
  return fold(program, facts, options).open();
}

/** A Replay that has folded `facts`: go on with it and a step costs the same at position 10 and at 10,000. */
export function fold(program: Program, facts: readonly Fact[], options: ReplayOptions): Replay {
  const replay = new Replay(program, options);
  for (const fact of facts) replay.apply(fact);
  return replay;
}
