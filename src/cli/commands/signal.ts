/** `onex signal RUN NAME [PAYLOAD]`: sends a message to a run. */
import { OnexError } from "../../core/failure.ts";
import { sayWhoDrives, withClient } from "../client.ts";
import { type ExitCode, exit } from "../exit.ts";
import { readJson } from "../input.ts";
import { clean } from "../output.ts";
import { memoryNote, storeUrl } from "../store.ts";

export interface SignalOptions {
  readonly store?: string;
  readonly id?: string;
}

export async function signal(runId: string, name: string, payload: string | undefined, options: SignalOptions): Promise<ExitCode> {
  const at = storeUrl(options.store);
  if (at.kind === "memory") throw new OnexError("RUN_UNKNOWN", `there is no run ${runId}: ${memoryNote}`);
  const value = payload === undefined ? null : await readJson(payload, "PAYLOAD");
  return withClient(at, async (client) => {
    await client.orchestrator.run(runId).signal(name, value, options.id === undefined ? {} : { messageId: options.id });
    process.stderr.write(`signal ${clean(name)} is in the inbox of run ${clean(runId)}\n`);
    await sayWhoDrives(client, at);
    return exit.done;
  });
}
