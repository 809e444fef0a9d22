/** Mode streaming: a step that is a stream runs inside the one step that takes its items. */
import type { Json } from "../../core/json.ts";
import type { OnexStep } from "./model.ts";

/** Whether plans can walk the items of a node (`each: { effect: NODE }`); until then contracts in this mode are refused. */
export const streamsRun: boolean = false;

/** For each step that takes a stream: the stream. A stream has one taker, and a taker one stream. */
export function consumers(steps: readonly OnexStep[]): ReadonlyMap<string, OnexStep> {
  const found = new Map<string, OnexStep>();
  if (!streamsRun) return found;
  for (const stream of steps)
    if (stream.streams) for (const taker of steps) if (taker.dependsOn.includes(stream.name)) found.set(taker.name, stream);
  return found;
}

/** The taker's body, done for each item of the stream as it comes. */
export function streamed(stream: OnexStep, given: Json, taker: OnexStep, takes: Json): Record<string, Json> {
  return {
    each: { [stream.kind]: stream.reference, with: given },
    do: { [taker.kind]: taker.reference, with: takes },
  };
}
