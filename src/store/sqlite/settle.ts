/** What became of a batch whose COMMIT failed. Only the owner writes turns, so reading the file again gives the answer. */
import type { Appended, TurnWrite } from "../store.ts";
import type { Reads } from "./reads.ts";

export type Settled = "present" | "absent" | "torn";

/** `reads` must be of a connection opened after the failure; `answers` are what the batch would have been told. */
export function settle(reads: Pick<Reads, "turn" | "byNo">, batch: readonly TurnWrite[], answers: readonly Appended[]): Settled {
  let present = 0;
  let expected = 0;
  for (const [i, write] of batch.entries()) {
    const answer = answers[i];
    if (answer?.accepted !== true) continue;
    expected++;
    if (isThere(reads, write, answer.runNo)) present++;
  }
  if (present === expected) return "present";
  return present === 0 ? "absent" : "torn";
}

function isThere(reads: Pick<Reads, "turn" | "byNo">, write: TurnWrite, runNo: number): boolean {
  const turn = reads.turn(runNo, write.turn);
  if (turn?.epoch !== write.epoch || turn.next !== write.next || turn.facts !== write.facts) return false;
  // The number of a run that was not stored may have gone to another one.
  return typeof write.run === "number" || reads.byNo(runNo)?.digest === write.run.digest;
}
