/** What is certain about a step before it runs: that it fails, or how a condition turns out. */
import type { Expression } from "../expression.ts";
import type { Block, Step } from "../flow.ts";

/** How a condition turns out that reads nothing; undefined when it depends on something. */
export function constantOf(condition: Expression): boolean | undefined {
  if (condition.names.size > 0) return undefined;
  try {
    const value = condition.evaluate(new Map());
    return typeof value === "boolean" ? value : undefined;
  } catch {
    return undefined;
  }
}

/** Whether the step fails each time it is reached. */
export function alwaysFails(step: Step): boolean {
  return step.when === undefined && failsOnceTaken(step);
}

/** The same, once its condition holds. */
function failsOnceTaken(step: Step): boolean {
  if (step.onError === "continue" || !verbFails(step)) return false;
  return step.onError === "fail" || alwaysFails(step.onError);
}

function verbFails({ verb }: Step): boolean {
  switch (verb.kind) {
    case "fail":
    case "rethrow":
      return true;
    case "steps":
      return failingOf(verb.block) !== undefined;
    case "switch":
      return verb.cases.some(({ when }) => when === undefined) && verb.cases.every(failsOnceTaken);
    case "race":
      return [...verb.branches.values()].every(alwaysFails);
    case "repeat":
      return alwaysFails(verb.body);
    default:
      return false;
  }
}

/** The number of the first step with which the block always fails. */
export function failingOf(block: Block): number | undefined {
  const i = block.steps.findIndex(
    ({ body, judged }, at) => !judged && (alwaysFails(body) || (body.onError === "fail" && neverMet(block, at))),
  );
  return i < 0 ? undefined : i;
}

/** Members of the step's `any` that can succeed; a member that is skipped counts as one that succeeded. */
export function canSucceed(block: Block, step: number): readonly string[] {
  const of = block.steps[step]?.any?.of ?? [];
  return of.filter((name) => {
    const member = block.steps[block.index.get(name) ?? -1];
    return member === undefined || !alwaysFails(member.body);
  });
}

/** Whether too few members of the step's `any` can succeed. It fails then, also where it would be skipped. */
export function neverMet(block: Block, step: number): boolean {
  const any = block.steps[step]?.any;
  return any !== undefined && canSucceed(block, step).length < any.count;
}
