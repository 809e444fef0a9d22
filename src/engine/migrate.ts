/**
 * Moving a run that is under way to another definition of its workflow.
 *
 * M1 Who drives the run decides, at that moment and from its facts (`judge`), however it was judged before.
 * M2 The move is one fact, `run.migrated`; it, or `migration.refused`, is written in the turn that reads the message. A crash
 *    leaves the run moved or not, and a message that was not read is read again.
 * M3 The fold of the new program takes the place of the old one within the turn. Calls in flight stay in flight: the new
 *    program waits for the same ones (V3 in move.ts).
 * M4 A definition is in the store before the message, so that every later owner can restore it.
 */
import type { Fact, FactBody, FactOf } from "../core/fact.ts";
import { failureOf, OnexError } from "../core/failure.ts";
import { judge, type Verdict } from "../core/move.ts";
import { type Pin, pinned } from "../core/pin.ts";
import type { NodeSource, WorkflowContract } from "../node/contract.ts";
import { type Folded, fresh } from "./begin.ts";
import type { Engine } from "./engine.ts";
import type { Runtime } from "./runtime.ts";

/** A workflow with the nodes that it calls. */
export interface Side {
  readonly contract: WorkflowContract;
  readonly nodes: NodeSource;
}

/** Judges a run by its facts; they are the true ones, with their secrets. */
export function judgeMove(runtime: Runtime, runId: string, facts: readonly Fact[], from: Side, to: Side): Verdict {
  if (from.contract.name !== to.contract.name)
    return { how: "finish", reason: `it is a run of ${from.contract.name}, and not of ${to.contract.name}` };
  const make = ({ contract, nodes }: Side) => fresh(runtime, runId, contract, { nodes }).replay;
  return judge(
    facts,
    () => make(from),
    () => make(to),
  );
}

/** The fold of a run under the definition that it is asked to go on with, or why it cannot. */
export function move(
  runtime: Runtime,
  runId: string,
  facts: readonly Fact[],
  asked: FactOf<"run.migrated"> | (FactBody & { readonly type: "run.migrated" }),
): { readonly folded: Folded } | { readonly refused: FactBody } {
  const { version, definition } = asked;
  const refused = (message: string, step?: string) => ({
    refused: {
      ...({ type: "migration.refused", version, message } as const),
      ...(definition === undefined ? {} : { definition }),
      ...(step === undefined ? {} : { because: step }),
    },
  });
  const pin: Pin = pinned(facts);
  const { workflow } = pin;
  const from = runtime.workflowOf(pin);
  const to = runtime.workflowOf({ workflow, version, ...(definition === undefined ? {} : { definition }) });
  if (!from || !to) return refused(`the process that drives it does not hold ${workflow}@${from ? version : pin.version}`);
  try {
    to.plan?.bind(runtime.registry);
    const nodes = runtime.registry;
    const verdict = judgeMove(runtime, runId, facts, { contract: from, nodes }, { contract: to, nodes });
    if (verdict.how !== "safe") return refused(verdict.reason, verdict.step);
    const folded = fresh(runtime, runId, to);
    for (const fact of facts) folded.replay.apply(fact);
    folded.log.live = true;
    return { folded };
  } catch (error) {
    return refused(failureOf(error, "ENGINE_FAILED").message);
  }
}

/** Asks whoever drives the run to move it. Throws OnexError `MIGRATION_INVALID`, and what the store throws. */
export async function askToMove(engine: Engine, workflow: string, to: WorkflowContract): Promise<Omit<Pin, "workflow">> {
  if (to.name !== workflow)
    throw new OnexError(
      "MIGRATION_INVALID",
      `a run of ${workflow} goes on with another definition of ${workflow}, and not with ${to.name}`,
    );
  if (to.plan) await engine.definitions.keep(engine.store, to.plan);
  return { version: to.version, ...(to.plan ? { definition: to.plan.hash } : {}) };
}
