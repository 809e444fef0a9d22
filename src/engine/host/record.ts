/** What a node host writes down so that its successor on the same file knows it too: answers, owners, and what must not begin any more. */
import type { Failure } from "../../core/failure.ts";
import type { Json } from "../../core/json.ts";
import { decodeAnswer, type Ended, encodeAnswer } from "../wire.ts";
import type { Fence } from "./memory.ts";

/** Something that is remembered until a time, ms since 1970. */
export type Entry =
  | { readonly kind: "answer"; readonly actionId: string; readonly digest: string; readonly answer: Ended; readonly until: number }
  | ({ readonly kind: "owner"; readonly runId: string; readonly until: number } & Fence)
  | { readonly kind: "tomb"; readonly key: string; readonly why: Failure; readonly until: number };

/** Where entries go. */
export interface Journal {
  /**
   * Resolves when these, and all that were handed over before, would outlive the machine; undefined when they do already.
   * Rejects with OnexError `RECORD_FAILED`, from then on always.
   */
  write(entries: readonly Entry[]): Promise<void> | undefined;
  /** Why nothing can be written any more. */
  readonly failed: Error | undefined;
  close(): Promise<void>;
}

/** One line, without its end. */
export function encodeEntry(entry: Entry): string {
  return entry.kind === "answer" ? JSON.stringify({ ...entry, answer: JSON.parse(encodeAnswer(entry.answer)) }) : JSON.stringify(entry);
}

/** Undefined for what is no entry. */
export function decodeEntry(line: string): Entry | undefined {
  try {
    const value = JSON.parse(line) as Readonly<Record<string, Json>>;
    const { kind, until } = value;
    if (typeof until !== "number") return undefined;
    if (kind === "answer" && texts(value.actionId, value.digest))
      return { kind, actionId: String(value.actionId), digest: String(value.digest), answer: endedOf(value.answer ?? null), until };
    if (kind === "owner" && texts(value.runId, value.leaseId) && typeof value.epoch === "number")
      return { kind, runId: String(value.runId), epoch: value.epoch, leaseId: String(value.leaseId), until };
    if (kind === "tomb" && texts(value.key)) return { kind, key: String(value.key), why: failureIn(value.why), until };
    return undefined;
  } catch {
    return undefined;
  }
}

/** What is still to be remembered at `now`: of each thing what was said last. */
export function liveEntries(entries: Iterable<Entry>, now: number): readonly Entry[] {
  const live = new Map<string, Entry>();
  for (const entry of entries) {
    const key = `${entry.kind} ${entry.kind === "answer" ? entry.actionId : entry.kind === "owner" ? entry.runId : entry.key}`;
    // In the order in which they were said last: who reads them in turn ends with the newest.
    live.delete(key);
    if (entry.until > now) live.set(key, entry);
  }
  return [...live.values()];
}

function texts(...values: readonly (Json | undefined)[]): boolean {
  return values.every((value) => typeof value === "string");
}
function endedOf(value: Json): Ended {
  const answer = decodeAnswer(value);
  if (answer.status === "progressed" || answer.status === "aborted") throw new Error("that ends nothing");
  return answer;
}
function failureIn(value: Json | undefined): Failure {
  const { code, message } = value as { readonly code?: Json; readonly message?: Json };
  if (!texts(code, message)) throw new Error("that is no failure");
  return { code: String(code), message: String(message) };
}
