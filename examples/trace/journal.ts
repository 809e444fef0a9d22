/** The log of the bodies themselves, beside what onex records: it shows what truly ran, and in which order. */
import { openSync, readFileSync, writeSync } from "node:fs";
import { service } from "onex";

export interface Line {
  readonly edge: "start" | "end";
  readonly task: string;
  /** Of the run's owner: higher after the kill. */
  readonly epoch: number;
  readonly attempt: number;
  readonly at: number;
}
interface Journal {
  write(line: Line): void;
}

export const journal = service<Journal>("journal");

/** Appends. A line is one write, so a kill cannot tear it. */
export function openJournal(path: string): Journal {
  const file = openSync(path, "a");
  return { write: (line) => void writeSync(file, `${JSON.stringify(line)}\n`) };
}

export function readJournal(path: string): Line[] {
  const lines = readFileSync(path, "utf8").split("\n");
  return lines.filter((line) => line !== "").map((line) => JSON.parse(line) as Line);
}
