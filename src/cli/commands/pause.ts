/** `onex pause RUN`: begins nothing new in a run until it is resumed. */
import { OnexError } from "../../core/failure.ts";
import { sayWhoDrives, withClient } from "../client.ts";
import { type ExitCode, exit } from "../exit.ts";
import { clean } from "../output.ts";
import { memoryNote, quote, storeUrl } from "../store.ts";

export interface PauseOptions {
  readonly store?: string;
  readonly reason?: string;
}

export async function pause(runId: string, options: PauseOptions): Promise<ExitCode> {
  const at = storeUrl(options.store);
  if (at.kind === "memory") throw new OnexError("RUN_UNKNOWN", `there is no run ${runId}: ${memoryNote}`);
  return withClient(at, async (client) => {
    await client.orchestrator.run(runId).pause(options.reason === undefined ? {} : { reason: options.reason });
    process.stderr.write(
      `run ${clean(runId)} is asked to pause: calls in flight end, nothing new begins; go on with\n  onex resume ${quote(runId)}${at.flag}\n`,
    );
    await sayWhoDrives(client, at);
    return exit.done;
  });
}
