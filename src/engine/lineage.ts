/** The runs above a child: how deep it may be, and that it is not the same question as one of them (API: children are runs). */
import type { Ancestor, Started } from "../core/fact.ts";
import { OnexError } from "../core/failure.ts";
import type { Json } from "../core/json.ts";
import { undoWorkflow } from "../core/undo.ts";
import { canonical } from "./values.ts";
import type { World } from "./world.ts";

/** A run as its children remember it; its input is digested once, however many children it has. */
const known = new WeakMap<Started, Ancestor>();

/** What a child of `parent` has above it. */
export function ancestorsOf(world: World, parent: Started): readonly Ancestor[] {
  let own = known.get(parent);
  if (!own) {
    own = ancestor(world, parent, parent.input);
    known.set(parent, own);
  }
  return [...(parent.ancestors ?? []), own];
}

/** Throws OnexError `WORKFLOW_DEPTH`, `WORKFLOW_CYCLE`. An undo of a child is as deep as the child was, and always allowed. */
export function checkLineage(
  world: World,
  above: readonly Ancestor[],
  child: { readonly name: string; readonly version: string },
  input: Json,
  maxDepth: number,
): void {
  if (child.name === undoWorkflow.name) return;
  const own = ancestor(world, { workflow: child.name, version: child.version }, input);
  const chain = [...above, own].map(({ workflow }) => workflow).join(" → ");
  if (above.some(({ digest }) => digest === own.digest))
    throw new OnexError(
      "WORKFLOW_CYCLE",
      `${own.workflow} is called with the input of a run that it stands in, so it would call itself without end: ${chain}; give it another input, or end the recursion`,
    );
  if (above.length > maxDepth)
    throw new OnexError(
      "WORKFLOW_DEPTH",
      `${own.workflow} would be ${above.length} runs below its root, more than maxWorkflowDepth (${maxDepth}): ${chain}; end the recursion, or raise the limit`,
    );
}

function ancestor(world: World, run: { readonly workflow: string; readonly version: string }, input: Json): Ancestor {
  const workflow = `${run.workflow}@${run.version}`;
  return { workflow, digest: world.hash(`${workflow}\0${canonical(input)}`).slice(0, 32) };
}
