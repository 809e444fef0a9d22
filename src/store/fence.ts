/**
 * The fence: which turns a log accepts. One function, so that every store means the same by it.
 *
 * The comparison is on identity, not on length: a process that wakes up late may find a log that has, by chance, just the
 * length it remembers, but never one whose last turn carries its epoch and ends where its own turn begins.
 */
import type { TurnWrite } from "./store.ts";

/** What the store knows of the run that a turn is for. */
export interface FenceView {
  /** Lease that owns the run; `undefined` when nobody does. */
  readonly leaseNo: number | undefined;
  /** The last turn of the log. */
  readonly tail: { readonly turn: number; readonly epoch: number; readonly next: number; readonly final: boolean } | undefined;
}

/** Whether a turn after the first may be appended by the holder of the live lease `leaseNo`. */
export function admits(view: FenceView | undefined, write: TurnWrite, leaseNo: number): boolean {
  if (view === undefined) return false;
  const { tail } = view;
  // S1: the turn before exists, carries `after`, ends at `pos`, and is not final.
  if (tail === undefined || tail.final) return false;
  if (tail.turn !== write.turn - 1 || tail.epoch !== write.after || tail.next !== write.pos || write.next < write.pos) return false;
  if (!rises(write)) return false;
  // A run that nobody owns must be taken, one that somebody owns cannot be.
  return write.take === true ? view.leaseNo === undefined : view.leaseNo === leaseNo;
}

/** The epoch rises by one where ownership changes or the run ends, further where its owner raises it, and nowhere else. */
export function rises({ after, epoch, take, final, raise }: Pick<TurnWrite, "after" | "epoch" | "take" | "final" | "raise">): boolean {
  const changes = take === true || final;
  return raise === true ? !changes && epoch > after : epoch === after + (changes ? 1 : 0);
}

/** Whether a turn may open the log of a new run. */
export function opens(write: TurnWrite): boolean {
  return write.turn === 0 && write.pos === 0 && write.next >= 0;
}
