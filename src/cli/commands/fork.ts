/** `onex fork RUN`: a new run that shares the past of another one; its id is written to stdout. */
import type { Run } from "../../engine/api.ts";
import { type Client, sayWhoDrives, withClient } from "../client.ts";
import { type ExitCode, exit } from "../exit.ts";
import { readJson } from "../input.ts";
import { clean, print } from "../output.ts";
import { type StoreUrl, storeOfRun } from "../store.ts";

export interface ForkOptions {
  readonly store?: string;
  readonly from?: string;
  readonly input?: string;
  readonly runId?: string;
}

export async function fork(runId: string, options: ForkOptions): Promise<ExitCode> {
  const at = forkable(runId, options.store);
  const input = options.input === undefined ? undefined : await readJson(options.input, "--input");
  return withClient(at, async (client) => {
    const made = await client.orchestrator.fork(runId, { ...asked(options), ...(input === undefined ? {} : { input }) });
    return told(client, made, runId, at);
  });
}

/** Throws OnexError `STORE_URL_INVALID`, `RUN_UNKNOWN` for memory. */
export function forkable(runId: string, store: string | undefined): StoreUrl {
  const at = storeOfRun(runId, store);
  return at;
}

export function asked({ from, runId }: Pick<ForkOptions, "from" | "runId">): { readonly from?: string; readonly runId?: string } {
  return { ...(from === undefined ? {} : { from }), ...(runId === undefined ? {} : { runId }) };
}

export async function told(client: Client, made: Run, from: string, at: StoreUrl): Promise<ExitCode> {
  const { forkedFrom } = await made.status();
  const where = forkedFrom?.step === undefined ? "" : ` at step ${clean(forkedFrom.step)}`;
  process.stderr.write(`run ${clean(made.runId)} goes on from run ${clean(from)}${where}\n`);
  await sayWhoDrives(client, at);
  print(clean(made.runId));
  return exit.done;
}
