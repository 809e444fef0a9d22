/** `onex signal RUN NAME [PAYLOAD]`: sends a message to a run. */
import { sayWhoDrives, withClient } from "../client.ts";
import { type ExitCode, exit } from "../exit.ts";
import { readJson } from "../input.ts";
import { clean } from "../output.ts";
import { storeOfRun } from "../store.ts";

export interface SignalOptions {
  readonly store?: string;
  readonly id?: string;
}

export async function signal(runId: string, name: string, payload: string | undefined, options: SignalOptions): Promise<ExitCode> {
  const at = storeOfRun(runId, options.store);
  const value = payload === undefined ? null : await readJson(payload, "PAYLOAD");
  return withClient(at, async (client) => {
    await client.orchestrator.run(runId).signal(name, value, options.id === undefined ? {} : { messageId: options.id });
    process.stderr.write(`signal ${clean(name)} is in the inbox of run ${clean(runId)}\n`);
    await sayWhoDrives(client, at);
    return exit.done;
  });
}
