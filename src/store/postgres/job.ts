/** A turn on its way, with all numbers that it needs: they are the same however often it is tried. */
import { rises } from "../fence.ts";
import type { Appended, Folded, NewRun, TurnWrite } from "../store.ts";

export interface Job {
  readonly write: TurnWrite;
  readonly runNo: number;
  readonly children: readonly number[];
  readonly successorNo: number | undefined;
  /** What a fold gave in the try that is under way. */
  folded?: Folded;
}

/** Run numbers that were taken from the sequence ahead. */
export interface Numbers {
  take(count: number): Promise<number[]>;
}

export function startOf({ write }: Job): NewRun | undefined {
  return typeof write.run === "number" ? undefined : write.run;
}

/** Whether it is more than a row of `turns` and a change in one of `runs`. */
export function hasCompany({ blobs, children, messages, states, fold, successor }: TurnWrite): boolean {
  return Boolean(blobs?.length || children?.length || messages?.length || states?.length || fold || successor);
}

/** In the order of the batch. */
export async function jobsOf(writes: readonly TurnWrite[], numbers: Numbers): Promise<readonly Job[]> {
  const wanted = writes.reduce((sum, write) => sum + newRuns(write), 0);
  const taken = wanted === 0 ? [] : await numbers.take(wanted);
  const next = (count: number): number[] => taken.splice(0, count);
  return writes.map((write) => ({
    write,
    runNo: typeof write.run === "number" ? write.run : (next(1)[0] as number),
    children: write.children ? next(write.children.length) : none,
    successorNo: write.successor && next(1)[0],
  }));
}

const none: readonly number[] = [];

function newRuns({ run, children, successor }: TurnWrite): number {
  return (typeof run === "number" ? 0 : 1) + (children?.length ?? 0) + (successor ? 1 : 0);
}

export const fenced: Appended = { accepted: false, reason: "fenced" };

/** What the fence can tell without looking: see `admits` and `opens` in fence.ts. */
export function isSound(write: TurnWrite): boolean {
  const { run, turn, pos, next } = write;
  if (typeof run !== "number") return turn === 0 && pos === 0 && next >= 0;
  return turn > 0 && next >= pos && rises(write);
}

export function byRun(a: Job, b: Job): number {
  return a.runNo - b.runNo;
}
