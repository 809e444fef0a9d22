/** `onex show RUN`: one run, its steps, what went wrong and how it goes on; or its facts. */
import { sentenceOf } from "../../core/failure.ts";
import type { RunView, StepView } from "../../core/view.ts";
import { resumeCommands, signalCommand } from "../advice.ts";
import { type Client, withClient } from "../client.ts";
import { engineOf } from "../diff/runs.ts";
import { type ExitCode, exit } from "../exit.ts";
import { brief, clean, cleanLines, json, moment, print, printJson, type Style, statusPaint, styleOf, table, took } from "../output.ts";
import { type Now, ownerLines } from "../owners.ts";
import { type StoreUrl, storeOfRun } from "../store.ts";

export interface ShowOptions {
  readonly store?: string;
  readonly facts?: boolean;
  readonly json?: boolean;
}

export async function show(runId: string, options: ShowOptions): Promise<ExitCode> {
  const at = storeOfRun(runId, options.store);
  return withClient(at, async (client) => {
    const { orchestrator } = client;
    if (options.facts) {
      const facts = await orchestrator.run(runId).facts();
      for (const [pos, { at: when, type, ...rest }] of facts.entries())
        print(
          options.json
            ? json({ pos, at: when, type, ...rest })
            : `${String(pos).padStart(4)}  ${new Date(when).toISOString()}  ${type.padEnd(18)}  ${json(rest)}`,
        );
      return exit.done;
    }
    const view = await orchestrator.run(runId).status();
    const style = styleOf(process.stdout);
    if (options.json) printJson(view);
    else for (const line of lines(view, at, style, process.stdout.columns || 120)) print(line);
    if (options.json || view.owners.length === 0) return exit.done;
    for (const line of ["", style.bold("Owners"), ...ownerLines(view.owners, await ownedNow(view, client), style)]) print(line);
    return exit.done;
  });
}

/** Only the store knows whether the last owner still has the run: that it was put down stands in no fact. */
async function ownedNow({ runId, owners }: RunView, client: Client): Promise<Now> {
  const row = await engineOf(client.orchestrator).store.run(runId);
  if (!row?.owned) return "put down";
  const last = owners.at(-1)?.leaseId;
  return (await client.owners()).some(({ leaseId }) => leaseId === last) ? "has it now" : "gone, and nobody has it now";
}

function lines(view: RunView, at: StoreUrl, style: Style, width: number): string[] {
  const paint = statusPaint(style, view.status) ?? ((text: string) => text);
  const room = Math.max(20, width - 12);
  const field = (name: string, value: string) => `${style.dim(name.padEnd(10))}  ${value}`;
  const out = [
    field("run", clean(view.runId)),
    field("workflow", clean(`${view.workflow}@${view.version}`)),
    field("status", paint(view.status)),
    field("started", moment(view.startedAt)),
  ];
  if (view.status === "pending" && view.startAt !== undefined) out.push(field("begins", moment(view.startAt)));
  if (view.endedAt !== undefined) out.push(field("ended", `${moment(view.endedAt)}, after ${took(view.endedAt - view.startedAt)}`));
  if (view.correlationId !== "" && view.correlationId !== view.runId) out.push(field("correlated", clean(view.correlationId)));
  if (view.forkedFrom) {
    const where = view.forkedFrom.step === undefined ? "" : ` at step ${clean(view.forkedFrom.step)}`;
    out.push(field("forked", `from ${clean(view.forkedFrom.runId)}${where}`));
  }
  if (view.moved) out.push(field("moved", `here from ${clean(`${view.workflow}@${view.moved.from}`)} at ${moment(view.moved.at)}`));
  if (view.notMoved)
    out.push(
      field("not moved", `to ${clean(`${view.workflow}@${view.notMoved.version}`)}: ${cleanLines(view.notMoved.message, " ".repeat(12))}`),
    );
  out.push(field("input", brief(view.input, room)));
  if (view.output !== undefined) out.push(field("output", brief(view.output, room)));
  if (view.error) {
    const where = view.failedStep === undefined ? "" : ` (at step ${clean(view.failedStep)})`;
    out.push(field("error", `${style.red(clean(view.error.code))}: ${cleanLines(view.error.message, " ".repeat(12))}${where}`));
  }
  if (view.notUndone.length > 0) out.push(field("not undone", style.red(view.notUndone.map(clean).join(", "))));
  if (view.retries > 0) out.push(field("retries", String(view.retries)));
  if (view.blocked !== undefined)
    out.push(
      field(
        "blocked",
        view.blocked === "SECRET_KEY_MISSING"
          ? `${style.yellow(view.blocked)}: a secret of it cannot be opened: put back the key file beside the store, or set ONEX_SECRET_KEY, and start onex work again`
          : `${style.yellow(clean(view.blocked))}: no process holds the code of ${clean(`${view.workflow}@${view.version}`)}; onex work MODULE that exports it`,
      ),
    );
  const steps = view.steps.filter((step) => step.kind !== "value");
  if (steps.length > 0) {
    const cells = steps.map((step) => [
      step.step,
      step.kind === "sleep" ? "sleep" : `${step.kind} ${step.node}`,
      step.status,
      String(step.attempts || ""),
      time(step),
      note(step, Math.max(20, width - 60)),
    ]);
    out.push(
      "",
      ...table(["STEP", "NODE", "STATUS", "ATTEMPTS", "TOOK", ""], cells, style, (column, cell) =>
        column === 2 ? statusPaint(style, cell) : undefined,
      ),
    );
  }
  if (view.paused) {
    const where = view.paused.step === undefined ? "" : ` at step ${clean(view.paused.step)}`;
    out.push("", `${style.yellow("paused")}${where}: ${clean(view.paused.code)}: ${cleanLines(view.paused.message)}`, "to go on:");
    out.push(...resumeCommands(view, at).map((command) => `  ${command}`));
  }
  const waits = [...new Set(view.steps.filter((step) => step.kind === "signal" && step.status === "waiting").map((step) => step.node))];
  if (waits.length > 0 && view.endedAt === undefined)
    out.push(
      "",
      `waits for ${waits.length === 1 ? "a signal" : "signals"}; send it with`,
      ...waits.map((name) => `  ${signalCommand(view.runId, name, at)}`),
    );
  return out;
}

function time(step: StepView): string {
  return step.endedAt === undefined ? "" : took(step.endedAt - step.startedAt);
}

function note(step: StepView, width: number): string {
  if (step.due !== undefined) return `${step.status === "retrying" ? "tries again at" : "until"} ${moment(step.due)}`;
  if (step.error && step.status !== "completed") return sentenceOf(step.error).split("\n")[0] ?? "";
  if (step.items !== undefined) return step.items === 1 ? "1 item" : `${step.items} items`;
  return step.status === "completed" ? brief(step.output, width) : "";
}
