/** What is done about a host that has seen a higher epoch of the run, or another lease in the same one. */
import { CallFailed } from "./failed.ts";

/** So often one call is sent again for that. */
const most = 3;

/** Raises the epoch of the run above the one that was seen; answers whether it is now. */
export type Raise = (seen: number) => Promise<boolean>;

/** The epoch that the host has seen, which is not below `epoch`; undefined of any other error. */
function seenBy(error: unknown, epoch: number): number | undefined {
  if (!(error instanceof CallFailed) || (error.code !== "STALE_EPOCH" && error.code !== "LEASE_VIOLATION")) return undefined;
  const seen = (error.details as { readonly seen_epoch?: unknown } | null | undefined)?.seen_epoch;
  return error.outcome === "none" && Number.isSafeInteger(seen) && (seen as number) >= epoch ? (seen as number) : undefined;
}

/** For one call: throws `error` again, unless what was sent under `epoch` may be sent again under a higher one. */
export function healer(raise: Raise | undefined, signal: AbortSignal): (error: unknown, epoch: number) => Promise<void> {
  let left = most;
  return async (error, epoch) => {
    const seen = seenBy(error, epoch);
    if (seen === undefined || raise === undefined || left-- === 0) throw error;
    const aborted = new Promise<false>((resolve) => signal.addEventListener("abort", () => resolve(false), { once: true }));
    const raised = await Promise.race([raise(seen), aborted]);
    signal.throwIfAborted();
    if (!raised) throw error;
  };
}
