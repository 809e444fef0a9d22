/** Why a run that was asked for is not in the store. */
import { OnexError } from "../core/failure.ts";
import type { OpenStore } from "../store/store.ts";

/** `RUN_PRUNED` when it ended and was removed, as long as its id is kept; else `RUN_UNKNOWN`. */
export async function missing(store: OpenStore, runId: string): Promise<OnexError> {
  const was = await store.pruned(runId);
  if (was?.endedAt === undefined)
    return new OnexError("RUN_UNKNOWN", `there is no run "${runId}" in ${store.name}: correct the id, or name the store that has it`);
  const when = new Date(was.endedAt).toISOString();
  return new OnexError(
    "RUN_PRUNED",
    `run "${runId}" of ${was.workflow}@${was.version} ended as ${was.status} at ${when} and was pruned: its steps, output and errors are not kept`,
  );
}

export function isMissing(error: unknown): error is OnexError {
  return error instanceof OnexError && (error.code === "RUN_UNKNOWN" || error.code === "RUN_PRUNED");
}
