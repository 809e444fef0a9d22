/** `onex pause RUN`: begins nothing new in a run until it is resumed. */
import { sayWhoDrives, withClient } from "../client.ts";
import { type ExitCode, exit } from "../exit.ts";
import { clean } from "../output.ts";
import { quote, storeOfRun } from "../store.ts";

export interface PauseOptions {
  readonly store?: string;
  readonly reason?: string;
}

export async function pause(runId: string, options: PauseOptions): Promise<ExitCode> {
  const at = storeOfRun(runId, options.store);
  return withClient(at, async (client) => {
    await client.orchestrator.run(runId).pause(options.reason === undefined ? {} : { reason: options.reason });
    process.stderr.write(
      `run ${clean(runId)} is asked to pause: calls in flight end, nothing new begins; go on with\n  onex resume ${quote(runId)}${at.flag}\n`,
    );
    await sayWhoDrives(client, at);
    return exit.done;
  });
}
