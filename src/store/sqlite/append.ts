/**
 * Appending a batch. In production each turn is a plain insert, since the file has one owner: a turn number that exists, or
 * a lease that is not live any more, means that somebody broke the ownership, and nothing of the batch is written. With
 * `paranoid` each turn passes the whole fence and is refused on its own, as in any other store.
 */
import { OnexError } from "../../core/failure.ts";
import { admits, opens } from "../fence.ts";
import type { Appended, TurnWrite } from "../store.ts";
import { isUnique } from "./errors.ts";
import type { Writes } from "./writes.ts";

const fenced: Appended = { accepted: false, reason: "fenced" };

/** Called within a transaction; throws OnexError `OWNERSHIP_LOST` for the caller to roll back. */
export function appendAll(writes: Writes, batch: readonly TurnWrite[], leaseNo: number, paranoid: boolean): Appended[] {
  if (!writes.reads.isLive(leaseNo)) throw ownershipLost("another process has taken the store over");
  const answers: Appended[] = new Array(batch.length);
  const insert = writes.insertTurn;
  try {
    for (let i = 0; i < batch.length; i++) {
      const write = batch[i] as TurnWrite;
      const { run } = write;
      if (typeof run !== "number") answers[i] = first(writes, write, run, leaseNo, paranoid);
      else if (paranoid && !admitted(writes, run, write, leaseNo)) answers[i] = fenced;
      else {
        insert.run(run, write.turn, write.epoch, write.pos, write.next, write.at, write.final ? 1 : 0, write.facts);
        answers[i] = rest(writes, run, write, leaseNo);
      }
    }
  } catch (error) {
    if (isUnique(error)) throw ownershipLost("somebody else has written a turn of this process's runs");
    throw error;
  }
  return answers;
}

function first(writes: Writes, write: TurnWrite, run: Exclude<TurnWrite["run"], number>, leaseNo: number, paranoid: boolean): Appended {
  const existing = paranoid ? (writes.reads.run(run.id) ?? writes.reads.prunes.pruned(run.id)) : undefined;
  if (existing !== undefined) return { accepted: false, reason: "exists", row: existing };
  if (paranoid && !opens(write)) return fenced;
  const runNo = writes.addRun(run, "running", leaseNo);
  if (runNo === undefined) return { accepted: false, reason: "exists", row: writes.existing(run.id) };
  writes.insertTurn.run(runNo, write.turn, write.epoch, write.pos, write.next, write.at, write.final ? 1 : 0, write.facts);
  return rest(writes, runNo, write, leaseNo);
}

function admitted(writes: Writes, runNo: number, write: TurnWrite, leaseNo: number): boolean {
  const row = writes.reads.byNo(runNo);
  if (row === undefined) return false;
  // Acquiring made every other owner's runs unowned, so one that is owned is ours.
  return admits({ leaseNo: row.owned ? leaseNo : undefined, tail: writes.reads.tail(runNo) }, write, leaseNo);
}

/** What goes with a turn; most turns have nothing. */
function rest(writes: Writes, runNo: number, write: TurnWrite, leaseNo: number): Appended {
  if (write.row !== undefined || write.final || write.take === true) writes.change(runNo, write, leaseNo);
  if (write.blobs !== undefined) writes.keep(runNo, write.blobs);
  if (write.states !== undefined) for (const { reducer, key, state } of write.states) writes.setState(reducer, key, state);
  const children = write.children?.map((child) => writes.begin(child.run, child.first, "running", leaseNo));
  const successorNo =
    write.successor === undefined ? undefined : writes.succeed(runNo, write.successor.run, write.successor.first, leaseNo);
  if (write.messages !== undefined) for (const message of write.messages) writes.post(message);
  if (children === undefined && successorNo === undefined) return { accepted: true, runNo };
  return { accepted: true, runNo, ...(children === undefined ? {} : { children }), ...(successorNo === undefined ? {} : { successorNo }) };
}

export function ownershipLost(why: string): OnexError {
  return new OnexError("OWNERSHIP_LOST", `${why}; nothing was written. Start this process again to become its client or its owner`);
}
