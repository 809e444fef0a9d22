/** One difference in meaning between two definitions, and whom it concerns. */

/** "callers": who starts it or reads its output must change too. "runs": what runs under way would do differently. */
export type Concern = "callers" | "runs";

export interface Change {
  readonly mark: "+" | "-" | "~";
  /** What it is about: "step charge", "input .amount", "timeout". */
  readonly what: string;
  /** What became of it, such as "timeout 10s → 20s"; empty when it came or went. */
  readonly detail: string;
  /** Empty: nobody. */
  readonly concerns: readonly Concern[];
}

export class Changes {
  readonly all: Change[] = [];
  add(mark: Change["mark"], what: string, detail: string, ...concerns: readonly Concern[]): void {
    this.all.push({ mark, what, detail, concerns });
  }
  /** A value that may be left out. */
  value(what: string, label: string, old: string | undefined, now: string | undefined, ...concerns: readonly Concern[]): void {
    if (old === now) return;
    this.add("~", what, `${label === "" ? "" : `${label} `}${old ?? "none"} → ${now ?? "none"}`, ...concerns);
  }
}
