import { durationMs } from "./duration.ts";
import { OnexError } from "./failure.ts";

/** Refuses what is no object, and fields that nobody reads: one that is accepted and does nothing misleads. */
export function onlyFields(code: string, where: string, given: unknown, known: readonly string[]): void {
  if (typeof given !== "object" || given === null || Array.isArray(given))
    throw new OnexError(code, `${where} is ${shown(given)}: give an object of ${known.join(", ")}`);
  for (const [field, value] of Object.entries(given))
    if (value !== undefined && !known.includes(field))
      throw new OnexError(code, `${where}: there is no \`${field}\`; it takes ${known.join(", ")}`);
}

/** A duration in ms, or a sentence that says where one is missing. Throws OnexError `INVALID_DURATION`. */
export function durationAt(where: string, given: unknown): number {
  if (typeof given === "string") {
    try {
      return durationMs(given);
    } catch (error) {
      throw new OnexError("INVALID_DURATION", `${where}: ${(error as Error).message}`);
    }
  }
  throw new OnexError("INVALID_DURATION", `${where} is ${shown(given)}: write a number and ms, s, m, h or d as text, such as "30s"`);
}

/** A value as a message shows it. */
export function shown(value: unknown): string {
  if (typeof value === "function") return "a function";
  const text =
    typeof value === "object" ? (JSON.stringify(value) ?? "") : typeof value === "string" ? JSON.stringify(value) : String(value);
  return text.length > 60 ? `${text.slice(0, 57)}...` : text;
}
