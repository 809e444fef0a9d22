/** The picture of a run: of a YAML workflow its whole graph with how far each step is, of code the steps that it has begun. */
import type { Fact } from "../../core/fact.ts";
import { pinned } from "../../core/pin.ts";
import type { RunView } from "../../core/view.ts";
import { spotsOf } from "../../plan/outlook/spot.ts";
import { restoreFlow } from "../../plan/workflow.ts";
import { clean, took } from "../output.ts";
import { flowPicture } from "./from-flow.ts";
import { runPicture } from "./from-run.ts";
import type { Picture } from "./picture.ts";
import { statesOf } from "./run-state.ts";

/**
 * @param stored answers the definition of that hash; of a run that was moved, that is the one it goes on with.
 * Throws OnexError `CONTRACT_INVALID` for a definition that this onex does not read.
 */
export async function pictureOfRun(
  view: RunView,
  facts: readonly Fact[],
  stored: (hash: string) => Promise<string | undefined>,
): Promise<Picture> {
  const { definition: hash } = pinned(facts);
  const definition = hash === undefined ? undefined : await stored(hash);
  const subtitle = subtitleOf(view, facts);
  if (definition === undefined) return runPicture(view, facts, subtitle);
  const flow = restoreFlow(definition);
  const spots = spotsOf(flow);
  const states = statesOf(spots, view, facts);
  return flowPicture(flow, subtitle, spots, (spot) => states.get(spot));
}

function subtitleOf(view: RunView, facts: readonly Fact[]): string {
  const { runId, status, startedAt, endedAt, error, failedStep, paused, forkedFrom, moved } = view;
  const at = (step: string | undefined) => (step === undefined ? "" : ` at ${clean(step)}`);
  const parts = [`run ${clean(runId)}: ${status}`];
  if (error) parts.push(` with ${clean(error.code)}${at(failedStep)}`);
  if (paused) parts.push(` with ${clean(paused.code)}${at(paused.step)}`);
  if (endedAt !== undefined) parts.push(` after ${took(endedAt - startedAt)}`);
  if (endedAt === undefined && facts.some(({ type }) => type === "cancel.requested")) parts.push(", asked to cancel");
  if (forkedFrom) parts.push(`, forked from ${clean(forkedFrom.runId)}${at(forkedFrom.step)}`);
  if (moved) parts.push(`, moved here from ${clean(moved.from)}`);
  return parts.join("");
}
