/**
 * A place in the log of a run, as callers hold it: "17" is behind the seventeenth fact. A run that was restarted goes on in
 * another log under the same id; there it is "1-17", with how many logs came before.
 */
import type { Fact } from "../core/fact.ts";
import type { Run } from "../engine/api.ts";
import { invalid } from "./fields.ts";

export interface Position {
  readonly round: number;
  /** Facts of that log before it. */
  readonly count: number;
}

export function positionText({ round, count }: Position): string {
  return round === 0 ? String(count) : `${round}-${count}`;
}

/** Throws OnexError `OPTION_INVALID`. */
export function positionOf(name: string, text: string): Position {
  const [, round, count] = /^(?:(\d{1,9})-)?(\d{1,9})$/.exec(text) ?? [];
  if (count === undefined)
    throw invalid(`${name} is ${JSON.stringify(text.slice(0, 60))}: give a position that came with a fact, such as 17`);
  return { round: Number(round ?? 0), count: Number(count) };
}

/** How many logs this run has had before the present one. Throws OnexError `RUN_UNKNOWN`. */
export async function roundOf(run: Run): Promise<number> {
  const [first] = await run.facts({ limit: 1 });
  return startsRound(first) ?? 0;
}
export function startsRound(fact: Fact | undefined): number | undefined {
  return fact?.type === "run.started" ? (fact.round ?? 0) : undefined;
}

/** How many facts of the present log lie before it: none, when it is a place in an earlier one. Throws OnexError `OPTION_INVALID`. */
export function countIn(position: Position, round: number): number {
  if (position.round > round)
    throw invalid(`the run was restarted ${round} times, and the position ${positionText(position)} is in a later log`);
  return position.round === round ? position.count : 0;
}
