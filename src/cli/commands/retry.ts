/** `onex retry RUN`: a new run that goes on from what failed; its id is written to stdout. */
import { withClient } from "../client.ts";
import type { ExitCode } from "../exit.ts";
import { asked, type ForkOptions, forkable, told } from "./fork.ts";

export async function retry(runId: string, options: Omit<ForkOptions, "input">): Promise<ExitCode> {
  const at = forkable(runId, options.store);
  return withClient(at, async (client) => told(client, await client.orchestrator.retry(runId, asked(options)), runId, at));
}
