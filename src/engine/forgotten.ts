/** Where a run has made an operation and forgot to perform it: its failure names the places. */
import type { Fact, FactBody, FinalBody, Started } from "../core/fact.ts";
import type { ActiveRun } from "./active-run.ts";
import { fresh } from "./begin.ts";
import type { Runtime } from "./runtime.ts";

/** The failure of a run that forgot an operation, with its place. `turn`: what was folded of it and is not stored yet. */
export function placed(
  runtime: Runtime,
  run: ActiveRun,
  final: FactBody & { readonly type: "run.failed" },
  turn: readonly Fact[],
): FinalBody {
  const contract = runtime.workflowOf(run.replay.started as Started);
  if (!contract) return final;
  // The run is folded again with every operation's place kept: too slow to do always, and the same by I1.
  const traced = fresh(runtime, run.id, contract, { tracing: true }).replay;
  const before = run.runNo === undefined ? [] : runtime.atHand.facts(run.id);
  try {
    for (const fact of [...before, ...turn]) traced.apply(fact);
  } catch {
    // It does not replay as it ran, so its places are not known; that it forgot something is.
    return final;
  }
  const places = traced.forgottenPlaces.join(", ");
  return places === "" ? final : { ...final, error: { ...final.error, message: `${final.error.message}: ${places}` } };
}
