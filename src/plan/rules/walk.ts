/** Every step of a flow with what stands around it, once, outer before inner. */
import { durationMs } from "../../core/duration.ts";
import type { Block, Flow, Step } from "../flow.ts";

/** What ends a step that takes too long; of several the tightest. */
export interface Limit {
  readonly ms: number;
  /** As a sentence names it: `the run's timeout`. */
  readonly what: string;
}

export interface Around {
  /** As a sentence names the step: `the step "charge"`, `case 2 of the step "ship"`. */
  readonly label: string;
  readonly limit: Limit | undefined;
  /** Something beside it, in a race, ends it. */
  readonly raced: boolean;
  /** It stands in a group, a branch or a body that is taken back on its own. */
  readonly scoped: boolean;
  /** How many loops are around it. */
  readonly loops: number;
  /** It takes something back: no timeout of the run counts, and its retries have no end. */
  readonly undoing: boolean;
}

/** What a family of rules says of a step, and of a block of named steps. */
export interface Visitor {
  readonly step?: (step: Step, around: Around) => void;
  readonly block?: (block: Block, around: Around) => void;
  /** When all has been seen. */
  readonly end?: () => void;
}

export function walk(flow: Flow, visitor: Visitor): void {
  const limit = flow.timeout === undefined ? undefined : { ms: durationMs(flow.timeout), what: "the run's timeout" };
  const top: Around = { label: "the run", limit, raced: false, scoped: false, loops: 0, undoing: false };
  visitBlock(flow.body, top, visitor);
}

function visitBlock(block: Block, around: Around, visitor: Visitor): void {
  visitor.block?.(block, around);
  for (const { name, body } of block.steps) visitStep(body, { ...around, label: `the step "${name}"` }, visitor);
}

function visitStep(step: Step, around: Around, visitor: Visitor): void {
  visitor.step?.(step, around);
  const { label } = around;
  const inner: Around = { ...around, limit: limitWithin(step, around), scoped: true };
  const { verb } = step;
  switch (verb.kind) {
    case "steps":
      visitBlock(verb.block, inner, visitor);
      break;
    case "switch":
      for (const [i, one] of verb.cases.entries())
        visitStep(one, { ...inner, scoped: around.scoped, label: `case ${i + 1} of ${label}` }, visitor);
      break;
    case "race":
      for (const [key, one] of verb.branches)
        visitStep(
          one,
          { ...inner, raced: around.raced || othersEnd(verb.branches, key), label: `the branch "${key}" of ${label}` },
          visitor,
        );
      break;
    case "each":
      visitStep(verb.body, { ...inner, loops: around.loops + 1, label: `the \`do\` of ${label}` }, visitor);
      break;
    case "repeat":
      visitStep(verb.body, { ...inner, scoped: around.scoped, loops: around.loops + 1, label: `what ${label} repeats` }, visitor);
      break;
  }
  if (typeof step.onError !== "string") visitStep(step.onError, { ...around, label: `the \`onError\` of ${label}` }, visitor);
  if (step.undo) visitStep(step.undo, { ...around, undoing: true, limit: undefined, label: `the \`undo\` of ${label}` }, visitor);
}

/** The tightest limit inside a step. A call's timeout is of one attempt, and nothing stands inside it. */
export function limitWithin(step: Step, { limit, label }: Around): Limit | undefined {
  if (step.timeout === undefined || step.verb.kind === "call") return limit;
  const ms = durationMs(step.timeout);
  return limit && limit.ms <= ms ? limit : { ms, what: `the timeout of ${label}` };
}

/** Whether a race has a branch beside this one that does more than wait for a message, too. */
function othersEnd(branches: ReadonlyMap<string, Step>, key: string): boolean {
  for (const [other, step] of branches) if (other !== key && (step.verb.kind !== "wait" || step.timeout !== undefined)) return true;
  return false;
}
