/** What a host does not do, each with its HTTP status; nothing was begun (W2 of the protocol). */
import type { Failure } from "../../core/failure.ts";
import type { Json } from "../../core/json.ts";
import type { Answer } from "../wire.ts";

export class Refusal {
  readonly status: number;
  readonly answer: Answer & { readonly status: "failed" };

  constructor(status: number, error: Failure, how: { readonly final?: boolean; readonly retryAfterMs?: number } = {}) {
    this.status = status;
    this.answer = { status: "failed", error, outcome: "none", ...how };
  }
}

export function invalid(message: string, status = 400): Refusal {
  return new Refusal(status, { code: "ACTION_INVALID", message }, { final: true });
}
export function busy(message: string, retryAfterMs: number): Refusal {
  return new Refusal(503, { code: "NODE_BUSY", message }, { retryAfterMs });
}
/** `details` says what the host has seen, so that an owner by its own log can rise above it. */
export function unowned(code: "STALE_EPOCH" | "LEASE_VIOLATION", message: string, details: Json): Refusal {
  return new Refusal(409, { code, message, details });
}
export function gone(why: Failure, final = false): Refusal {
  return new Refusal(410, why, final ? { final } : {});
}
