/** `onex cancel RUN`: asks a run to stop and take back what it did. */
import { sayWhoDrives, withClient } from "../client.ts";
import { type ExitCode, exit } from "../exit.ts";
import { clean } from "../output.ts";
import { storeOfRun } from "../store.ts";

export interface CancelOptions {
  readonly store?: string;
  readonly reason?: string;
}

export async function cancel(runId: string, options: CancelOptions): Promise<ExitCode> {
  const at = storeOfRun(runId, options.store);
  return withClient(at, async (client) => {
    await client.orchestrator.run(runId).cancel(options.reason);
    process.stderr.write(`run ${clean(runId)} is asked to cancel: it takes back what it did, then ends\n`);
    await sayWhoDrives(client, at);
    return exit.done;
  });
}
