/** What happened, from the journal of the bodies and the facts of the run. Pure. */
import type { Fact } from "onex";
import type { Graph } from "./graph.ts";
import type { Line } from "./journal.ts";

interface Evidence {
  readonly graph: Graph;
  readonly lines: readonly Line[];
  readonly facts: readonly Fact[];
  /** The step of a task in the facts. */
  readonly stepOf: ReadonlyMap<string, string>;
}
interface Account {
  readonly tasks: number;
  /** One recorded result for each task, and no start after its result was recorded. */
  readonly exactlyOnce: boolean;
  /** No body began before the bodies of all its dependencies had ended. */
  readonly ordered: boolean;
  readonly startedTwice: number;
}

export function account({ graph, lines, facts, stepOf }: Evidence): Account {
  const results = recordedIn(facts);
  const starts = new Map<string, Line[]>(graph.map(({ id }) => [id, []]));
  const ended = new Set<string>();
  const depsOf = new Map(graph.map(({ id, deps }) => [id, deps]));
  let ordered = true;
  for (const line of lines) {
    if (line.edge === "end") {
      ended.add(line.task);
      continue;
    }
    starts.get(line.task)?.push(line);
    if (depsOf.get(line.task)?.some((dep) => !ended.has(dep))) ordered = false;
  }

  let exactlyOnce = true;
  for (const { id } of graph) {
    const epochs = results.get(stepOf.get(id) ?? id) ?? [];
    const mine = starts.get(id) ?? [];
    if (epochs.length !== 1 || mine.length === 0 || startedTooLate(mine, epochs[0] ?? 0)) exactlyOnce = false;
  }
  const startedTwice = [...starts.values()].filter((list) => list.length > 1).length;
  return { tasks: graph.length, exactlyOnce, ordered, startedTwice };
}

/**
 * Whether a body began after its result was recorded, told without a clock: under a later owner than the one that
 * recorded it, or twice under one owner (the first of the two had its answer, or would have it, recorded there).
 */
function startedTooLate(starts: readonly Line[], recordedEpoch: number): boolean {
  const epochs = starts.map(({ epoch }) => epoch);
  return epochs.some((epoch) => epoch > recordedEpoch) || new Set(epochs).size < epochs.length;
}

/** For each step, under which owner its result was recorded, once for each recorded result. */
function recordedIn(facts: readonly Fact[]): ReadonlyMap<string, readonly number[]> {
  const results = new Map<string, number[]>();
  let epoch = 0;
  for (const fact of facts) {
    if (fact.type === "lease.acquired") epoch = fact.epoch;
    if (fact.type !== "action.completed") continue;
    const list = results.get(fact.step);
    if (list) list.push(epoch);
    else results.set(fact.step, [epoch]);
  }
  return results;
}

/** How long nobody worked: from the kill until the run was taken over. */
export function restartMs(facts: readonly Fact[], killedAt: number | undefined): number {
  if (killedAt === undefined) return 0;
  const taken = facts.findLast((fact) => fact.type === "lease.acquired");
  return taken ? Math.max(0, taken.at - killedAt) : 0;
}
