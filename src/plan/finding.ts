/** What is wrong with a contract, where, and what would be right; collected, so that one run shows all of it. */
import { OnexError } from "../core/failure.ts";
import type { Json } from "../core/json.ts";

export interface Finding {
  /** An error refuses the contract; a warning is advice. */
  readonly level: "error" | "warning";
  readonly code: string;
  readonly message: string;
  readonly file: string;
  /** From 1; 0 when the plan did not come from text. */
  readonly line: number;
  readonly column: number;
}

/** Where something stands in a text. */
export interface Place {
  readonly line: number;
  readonly column: number;
}
export const nowhere: Place = { line: 0, column: 0 };

/** Most findings that are kept: a hostile file must not make more of them than a person reads. */
const maxFindings = 200;

export class Findings {
  readonly file: string;
  readonly all: Finding[] = [];
  #errors = 0;
  constructor(file: string) {
    this.file = file;
  }

  error(code: string, place: Place, message: string): void {
    this.#errors++;
    this.#add("error", code, place, message);
  }
  warn(code: string, place: Place, message: string): void {
    this.#add("warning", code, place, message);
  }
  get failed(): boolean {
    return this.#errors > 0;
  }
  #add(level: Finding["level"], code: string, place: Place, message: string): void {
    if (this.all.length < maxFindings) this.all.push({ level, code, message, file: this.file, line: place.line, column: place.column });
  }

  /** In the order of the text. */
  sorted(): Finding[] {
    return [...this.all].sort((a, b) => a.line - b.line || a.column - b.column);
  }
  /** Throws OnexError `CONTRACT_INVALID` with every error, unless there is none. */
  refuse(): void {
    if (!this.failed) return;
    throw contractInvalid(this.file, this.sorted());
  }
}

export function contractInvalid(file: string, findings: readonly Finding[]): OnexError {
  const errors = findings.filter((finding) => finding.level === "error");
  const lines = errors.map((finding) => `  ${describe(finding)}`);
  return new OnexError("CONTRACT_INVALID", `${file} is not a valid contract:\n${lines.join("\n")}`, { details: errors as unknown as Json });
}

/** One line: `file:line:column CODE message`. */
export function describe(finding: Finding): string {
  const place = finding.line === 0 ? finding.file : `${finding.file}:${finding.line}:${finding.column}`;
  return `${place} ${finding.code} ${finding.message}`;
}
