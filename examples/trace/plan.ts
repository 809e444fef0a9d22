/** A task graph as a workflow that is data. */
import type { Plan } from "onex";
import { type Graph, timeToGoMs } from "./graph.ts";

export const runId = "trace";

/** Ids of tasks are any text, names of steps are identifiers; numbered so that the order of the file does not matter. */
export function stepNames(graph: Graph): ReadonlyMap<string, string> {
  const ids = graph.map(({ id }) => id).sort();
  return new Map(ids.map((id, index) => [id, `task_${index}`]));
}

/** One effect step a task, at most `workers` at once; of those that are ready the one with the longest way to go is first. */
export function planOf(graph: Graph, workers: number): Plan {
  const names = stepNames(graph);
  const nameOf = (id: string) => names.get(id) ?? id;
  const toGo = timeToGoMs(graph);
  const longest = Math.max(...toGo.values());
  const priority = (id: string) => (longest === 0 ? 1 : 1000 - Math.floor((999 * (toGo.get(id) ?? 0)) / longest));
  return {
    onex: "v1",
    kind: "workflow",
    name: "trace",
    version: "1.0.0",
    timeout: "1d",
    concurrency: workers,
    steps: Object.fromEntries(
      graph.map(({ id, deps, runtimeMs }) => [
        nameOf(id),
        { effect: "task", with: { id, ms: runtimeMs }, needs: [...new Set(deps)].map(nameOf), priority: priority(id) },
      ]),
    ),
    output: null,
  };
}
