/**
 * Mode streaming: a stream runs inside the one step that takes its items, and the two are one step of the plan. It stands
 * where the taker does, and also waits for what the stream depends on; what becomes of the stream becomes of it.
 */
import type { Json } from "../../core/json.ts";
import { judgedBy } from "./conditions.ts";
import type { OnexStep } from "./model.ts";

type Data = Record<string, Json>;

export interface Taking {
  readonly stream: OnexStep;
  readonly taker: OnexStep;
}

/** Of the steps that run: who takes which stream, by the name of the taker. */
export function takings(steps: readonly OnexStep[]): ReadonlyMap<string, Taking> {
  const streams = new Map(steps.filter((step) => step.streams).map((step) => [step.name, step]));
  const found = new Map<string, Taking>();
  if (streams.size === 0) return found;
  for (const taker of steps)
    for (const name of taker.dependsOn) {
      const stream = streams.get(name);
      if (stream) found.set(taker.name, { stream, taker });
    }
  return found;
}

/** The steps of the plan: without streams, their takers waiting for what both depend on. */
export function joined(steps: readonly OnexStep[], taken: ReadonlyMap<string, Taking>): readonly OnexStep[] {
  const streams = new Set([...taken.values()].map(({ stream }) => stream.name));
  return steps.flatMap((step) => {
    if (streams.has(step.name)) return [];
    const stream = taken.get(step.name)?.stream;
    if (!stream) return [step];
    const own = step.dependsOn.filter((name) => name !== stream.name);
    return [{ ...step, dependsOn: [...new Set([...stream.dependsOn, ...own])] }];
  });
}

/** The taker's call, done for each item of the stream's call as it comes. */
export function streamed(stream: Data, taker: Data): Data {
  return { each: stream, do: taker };
}

/** Why a stream cannot run inside the step that takes it; undefined when it can. `steps` are those that run. */
export function streamProblem(stream: OnexStep, steps: readonly OnexStep[]): string | undefined {
  const names = new Set(steps.map(({ name }) => name));
  const takers = steps.filter(({ dependsOn }) => dependsOn.includes(stream.name));
  const [taker] = takers;
  const judge = steps.find(({ branch }) => branch && judgedBy(branch, names).includes(stream.name));
  const others = steps.filter((step) => step.streams && step !== stream && taker?.dependsOn.includes(step.name));
  if (stream.kind !== "effect") return `it is a ${stream.kind}; only an effect gives items one by one`;
  if (!taker) return "no step depends on it; leave `stream` out and its output is the list of its items";
  if (takers.length > 1) return `${takers.map(({ id }) => `"${id}"`).join(" and ")} depend on it; only one step can take its items`;
  if (taker.streams) return `"${taker.id}", which takes it, is a stream itself; put a step between them that is none`;
  if (others[0]) return `"${taker.id}", which takes it, takes "${others[0].id}" too; a step takes one stream`;
  if (judge) return `the condition of "${judge.id}" asks what became of it; ask what became of "${taker.id}", in which it runs`;
  if (stream.branch || stream.skipOnFailure || stream.onFailure !== undefined || stream.priority !== undefined)
    return `its condition, its priority and what its failure does are those of "${taker.id}", in which it runs: say them there`;
  return undefined;
}
