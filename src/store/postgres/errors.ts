/** What the errors of PostgreSQL and of the connection mean to the store. */
import { OnexError } from "../../core/failure.ts";

/** An error that came from the driver or the server, and not from this package. */
export class DatabaseError extends Error {
  /** SQLSTATE; "" when the connection itself failed. */
  readonly state: string;

  constructor(cause: unknown) {
    super(cause instanceof Error ? cause.message || cause.name : String(cause), { cause });
    const code = (cause as { code?: unknown } | null)?.code;
    this.state = typeof code === "string" && /^[0-9A-Z]{5}$/.test(code) && /\d/.test(code) ? code : "";
  }

  /** The connection is gone, or not to be trusted: what was on its way may have happened or not. */
  get isLost(): boolean {
    // 0A000 and 26000: a prepared statement that a migration or a pooler has made useless.
    return this.state === "" || /^(08|57P|25P0|0A000|26000)/.test(this.state);
  }

  /** Two got in each other's way, and both may try again. 23505: somebody else was first, and can be seen now. */
  get isConflict(): boolean {
    return ["40001", "40P01", "23505"].includes(this.state);
  }

  /** It passes: locks, timeouts, a full disk, too many connections, a standby that will be promoted. */
  get isTransient(): boolean {
    return this.isLost || this.isConflict || /^(53|55P03|57014|25006)/.test(this.state);
  }
}

/** Somebody changed what was read before: do it all again. */
export class Again extends Error {}

export function failed(name: string, error: unknown): OnexError {
  if (error instanceof OnexError) return error;
  const state = error instanceof DatabaseError && error.state !== "" ? ` (SQLSTATE ${error.state})` : "";
  return new OnexError(
    "STORE_FAILED",
    `${name}: ${error instanceof Error ? error.message : error}${state}; what was acknowledged is safe: mend the cause, then start again`,
    { cause: error },
  );
}

export function ownershipLost(why: string): OnexError {
  return new OnexError("OWNERSHIP_LOST", `${why}; of what was on its way nothing more is written`);
}
