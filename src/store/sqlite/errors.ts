/** What SQLite's result codes mean to the store. */
import { OnexError } from "../../core/failure.ts";
import { saidByFence } from "./promoted.ts";

const busy = 5;
const locked = 6;
const readOnly = 8;
const io = 10;
const corrupt = 11;
const full = 13;
const cannotOpen = 14;
const notADatabase = 26;
/** A trigger has refused: the only ones of ours are those of the fence. */
const trigger = 1811;
const uniqueKeys: readonly number[] = [1555, 2067];

/** The extended result code of an error of the driver; 0 for any other error. */
function codeOf(error: unknown): number {
  const code = error instanceof Error ? (error as { errcode?: unknown }).errcode : undefined;
  return typeof code === "number" ? code : 0;
}

export function isBusy(error: unknown): boolean {
  const primary = codeOf(error) & 0xff;
  return primary === busy || primary === locked;
}

export function isUnique(error: unknown): boolean {
  return uniqueKeys.includes(codeOf(error));
}

/** The file or its disk is at fault, not the statement. */
export function isOfDisk(error: unknown): boolean {
  return [readOnly, io, corrupt, full, cannotOpen, notADatabase].includes(codeOf(error) & 0xff);
}

/** The bytes are not a whole SQLite database. */
export function isDamaged(error: unknown): boolean {
  const primary = codeOf(error) & 0xff;
  return primary === corrupt || primary === notADatabase;
}

export function failed(name: string, error: unknown): OnexError {
  if (error instanceof OnexError) return error;
  const what = error instanceof Error ? error.message : String(error);
  const fenced = codeOf(error) === trigger ? saidByFence(name, what) : undefined;
  if (fenced) return fenced;
  const advice =
    (codeOf(error) & 0xff) === full
      ? "; make room on the disk, then start again"
      : "; what was acknowledged is safe: mend the cause, then start again";
  return new OnexError("STORE_FAILED", `${name} cannot be used any more: ${what}${advice}`, { cause: error });
}

export function busyError(name: string, ms: number): OnexError {
  return new OnexError(
    "STORE_BUSY",
    `${name} has been locked by another process for ${ms} ms; close what holds it (a database browser, a backup, a stopped process), then try again`,
  );
}
