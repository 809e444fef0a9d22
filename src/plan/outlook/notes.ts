/** What a step says beside its verb, in few words each. */

import { sayMs } from "../timing.ts";
import { type Spot, words } from "./spot.ts";

/** Conditions and limits of a spot; what it waits for is not among them. */
export function notesOf(spot: Spot): string[] {
  const { step } = spot;
  const { verb } = step;
  const notes: string[] = [];
  if (step.when) notes.push(`when ${words(step.when)}`);
  if (spot.role === "case" && !step.when) notes.push("otherwise");
  if (verb.kind === "each") {
    notes.push(`${verb.concurrency ?? 10} at once`);
    if (verb.batchSize !== undefined) notes.push(`in batches of ${verb.batchSize}`);
    if (verb.collect) notes.push("failed items are collected");
  }
  if (verb.kind === "repeat") notes.push(`at most ${verb.max} turns${verb.everyMs > 0 ? `, ${sayMs(verb.everyMs)} apart` : ""}`);
  if (verb.kind === "race") notes.push("the first to settle decides");
  if (verb.kind === "sleep" && verb.ms !== undefined) notes.push(sayMs(verb.ms));
  if (step.timeout !== undefined) notes.push(`timeout ${step.timeout}`);
  if (step.onError === "continue") notes.push("a failure is passed over");
  return notes;
}
