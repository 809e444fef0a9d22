import type { Fact } from "./fact.ts";
import { OnexError } from "./failure.ts";

/** The facts of a run do not fit what its workflow does now (API rule 18): a step is missing, new, or changed. */
export function mismatch(fact: Fact, expected: string): OnexError {
  const step = "step" in fact && fact.step !== undefined ? fact.step : fact.type;
  return new OnexError(
    "HISTORY_MISMATCH",
    `the workflow was changed while this run was under way: its history goes on with ${describe(fact)}, but the workflow ${expected}. ` +
      "Give the changed workflow a new version and register the old one beside it, or put the old code back; then resume the run",
    { details: { step, came: describe(fact), expected } },
  );
}

export function describe(fact: Fact): string {
  const parts: string[] = [fact.type];
  if ("step" in fact && fact.step !== undefined) parts.push(`of step "${fact.step}"`);
  if ("node" in fact) parts.push(`(${fact.node})`);
  return parts.join(" ");
}
