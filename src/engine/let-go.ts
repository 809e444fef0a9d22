/** Why a process lets go of calls of a run that goes on: they stay in doubt in its log, or open at their host, for who drives it next. */
import { OnexError } from "../core/failure.ts";

const reasons = {
  ORCHESTRATOR_CLOSED: "the orchestrator was closed",
  LEASE_LOST: "the lease of this process has lapsed, and the run goes on in another process",
  FENCED: "another process has the run, and goes on with it",
  PAUSED: "the run is paused, and goes on when it is resumed",
} as const;

export type LetGo = keyof typeof reasons;

/** What the signals of such calls are aborted with. */
export function letGo(why: LetGo): OnexError {
  return new OnexError(why, reasons[why]);
}

/** Whether a signal was aborted with such a reason: then the far side is not told to stop, for somebody asks it again. */
export function isLetGo({ code }: { readonly code: string }): boolean {
  return Object.hasOwn(reasons, code);
}
