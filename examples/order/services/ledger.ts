/** The ledger of a service: one line of JSON for every request it was sent, refused duplicates included. */
import { openSync, readFileSync, writeSync } from "node:fs";

export type Outcome =
  /** It took effect. */
  | "applied"
  /** Seen before: the answer of the first time was given again, nothing happened. */
  | "duplicate"
  /** An undo that found nothing to take back, and left a tombstone for a forward call that may still come. */
  | "tombstone"
  /** A forward call that came after its undo. */
  | "refused-tombstone"
  /** The business says no: a card without cover, a country without a road. */
  | "refused"
  /** The service was down for a moment; nothing happened. */
  | "failed";

export interface Entry {
  readonly at: number;
  readonly service: string;
  readonly op: string;
  readonly order: string;
  readonly key: string;
  /** Of the run's owner: higher in each process that took the run over. */
  readonly epoch: number;
  readonly attempt: number;
  readonly outcome: Outcome;
  /** Answered after the caller gave up. */
  readonly late: boolean;
  /** Why it was refused. */
  readonly code?: string;
}

export class Ledger {
  readonly #file: number;

  constructor(path: string) {
    this.#file = openSync(path, "a");
  }

  /** Written before the answer leaves. */
  write(entry: Entry): void {
    writeSync(this.#file, `${JSON.stringify(entry)}\n`);
  }
}

export function readLedger(path: string): Entry[] {
  const lines = readFileSync(path, "utf8").split("\n");
  return lines.filter((line) => line !== "").map((line) => JSON.parse(line) as Entry);
}
