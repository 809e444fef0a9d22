/** What the doctor says: one line for each thing that was looked at. */

export type Level = "fine" | "warning" | "wrong";
export type Area = "installation" | "configuration" | "store";

export interface Check {
  readonly area: Area;
  readonly level: Level;
  /** What was looked at: "node", "disk". */
  readonly what: string;
  readonly found: string;
  /** What to do about it. */
  readonly mend?: string;
}

/** Collects the checks of one area. */
export class Report {
  readonly checks: Check[] = [];
  readonly #area: Area;
  constructor(area: Area) {
    this.#area = area;
  }
  fine(what: string, found: string): void {
    this.checks.push({ area: this.#area, level: "fine", what, found });
  }
  warn(what: string, found: string, mend: string): void {
    this.checks.push({ area: this.#area, level: "warning", what, found, mend });
  }
  wrong(what: string, found: string, mend: string): void {
    this.checks.push({ area: this.#area, level: "wrong", what, found, mend });
  }
}
