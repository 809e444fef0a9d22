/** `onex resume RUN`: goes on after a pause, or settles a step of which nobody knows whether it happened. */
import { OnexError } from "../../core/failure.ts";
import { resumeCommands } from "../advice.ts";
import { type Resume, sayWhoDrives, withClient } from "../client.ts";
import { type ExitCode, exit } from "../exit.ts";
import { readJson } from "../input.ts";
import { clean } from "../output.ts";
import { storeOfRun } from "../store.ts";

/** A message that nobody has read yet cannot be seen from here. */
const pausesLater = " (a pause that was just asked for begins when a process that drives runs has read it)";

export interface ResumeOptions {
  readonly store?: string;
  readonly step?: string;
  readonly retry?: boolean;
  readonly fail?: boolean;
  readonly output?: string;
}

export async function resume(runId: string, options: ResumeOptions): Promise<ExitCode> {
  const how = await settling(options);
  const at = storeOfRun(runId, options.store);
  return withClient(at, async (client) => {
    const run = client.orchestrator.run(runId);
    const view = await run.status();
    if (view.endedAt === undefined && view.status !== "paused")
      throw new OnexError("RUN_NOT_PAUSED", `run ${runId} is not paused, it is ${view.status}: there is nothing to resume${pausesLater}`);
    if (!how && view.paused?.code === "IN_DOUBT")
      throw new OnexError(
        "USAGE",
        `step "${view.paused.step}" of run ${runId} may have happened or not, which only a person can find out; then type one of\n${resumeCommands(view, at).join("\n")}`,
      );
    if (how && view.paused?.step !== undefined && view.steps.find((step) => step.step === how.step)?.status !== "paused")
      throw new OnexError(
        "STEP_NOT_PAUSED",
        `run ${runId} is not paused at step "${how.step}"; type one of\n${resumeCommands(view, at).join("\n")}`,
      );
    await run.resume(how);
    process.stderr.write(`run ${clean(runId)} is asked to go on${how === undefined ? "" : ` at step ${clean(how.step)}`}\n`);
    await sayWhoDrives(client, at);
    return exit.done;
  });
}

async function settling({ step, retry, fail, output }: ResumeOptions): Promise<Resume | undefined> {
  const chosen = [retry && "--retry", fail && "--fail", output !== undefined && "--output"].filter((name) => typeof name === "string");
  if (step === undefined && chosen.length === 0) return undefined;
  if (step === undefined) throw new OnexError("USAGE", `${chosen[0]} settles a step: name it with --step`);
  if (chosen.length !== 1)
    throw new OnexError(
      "USAGE",
      `--step ${step}: say what became of it with one of --retry (send it again), --fail (it failed), --output JSON (it happened)${chosen.length > 1 ? `, not ${chosen.join(" and ")}` : ""}`,
    );
  if (output !== undefined) return { step, output: await readJson(output, "--output") };
  return { step, as: retry ? "retry" : "fail" };
}
