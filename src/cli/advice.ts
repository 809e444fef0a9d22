/** What a person can do next, as commands to type. */
import type { RunView } from "../core/view.ts";
import { clean } from "./output.ts";
import { quote, type StoreUrl } from "./store.ts";

/** How a paused run goes on. */
export function resumeCommands(view: RunView, at: StoreUrl): string[] {
  const { paused } = view;
  if (paused === undefined) return [];
  const resume = `onex resume ${quote(view.runId)}`;
  if (paused.step === undefined || (paused.code !== "IN_DOUBT" && paused.code !== "POISON")) return [`${resume}${at.flag}`];
  const step = `${resume} --step ${quote(clean(paused.step))}`;
  return [
    `${step} --retry${at.flag}    # send it again`,
    `${step} --fail${at.flag}    # count it as failed`,
    `${step} --output JSON${at.flag}    # it happened: record this output`,
  ];
}

/** How a signal is sent. */
export function signalCommand(runId: string, name: string, at: StoreUrl): string {
  if (at.kind === "memory") return "which no other process can send to memory: run it with --store sqlite:FILE";
  return `onex signal ${quote(runId)} ${quote(clean(name))} PAYLOAD-JSON${at.flag}`;
}
