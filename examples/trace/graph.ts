/** A task graph from a file: `tasks[{ id, deps, runtimeMs }]`, checked, measured and scaled. */
import { readFileSync } from "node:fs";
import { z } from "zod";

interface Task {
  readonly id: string;
  readonly deps: readonly string[];
  readonly runtimeMs: number;
}
/** In an order in which every task comes after its dependencies. */
export type Graph = readonly Task[];

/** What the user gave us cannot be run; the message says why. */
export class BadInput extends Error {}

const File = z.object({
  tasks: z.array(z.object({ id: z.string().min(1), deps: z.array(z.string()), runtimeMs: z.number().nonnegative() })).min(1),
});

/** Throws BadInput. */
export function readGraph(path: string): Graph {
  let text: string;
  try {
    text = readFileSync(path, "utf8");
  } catch (error) {
    throw new BadInput(`cannot read ${path}: ${(error as Error).message}`);
  }
  let json: unknown;
  try {
    json = JSON.parse(text);
  } catch (error) {
    throw new BadInput(`${path} is not JSON: ${(error as Error).message}`);
  }
  const file = File.safeParse(json);
  if (!file.success) {
    const issue = file.error.issues[0];
    throw new BadInput(`${path} is not a task graph: ${issue?.path.join(".") || "the file"}: ${issue?.message}`);
  }
  return sorted(path, file.data.tasks);
}

/** By Kahn's algorithm. Throws BadInput for a duplicate, an unknown dependency or a cycle. */
function sorted(path: string, tasks: readonly Task[]): Graph {
  const byId = new Map<string, Task>();
  for (const task of tasks) {
    if (byId.has(task.id)) throw new BadInput(`${path}: two tasks have the id "${task.id}"`);
    byId.set(task.id, task);
  }
  const missing = new Map<string, number>();
  const dependents = new Map<string, Task[]>();
  for (const task of tasks) {
    const deps = new Set(task.deps);
    missing.set(task.id, deps.size);
    for (const dep of deps) {
      if (!byId.has(dep)) throw new BadInput(`${path}: task "${task.id}" depends on "${dep}", which is not in the file`);
      const list = dependents.get(dep);
      if (list) list.push(task);
      else dependents.set(dep, [task]);
    }
  }
  const order = tasks.filter(({ id }) => missing.get(id) === 0);
  for (const done of order)
    for (const next of dependents.get(done.id) ?? []) {
      const left = (missing.get(next.id) ?? 0) - 1;
      missing.set(next.id, left);
      if (left === 0) order.push(next);
    }
  if (order.length < tasks.length) {
    const stuck = tasks.filter(({ id }) => (missing.get(id) ?? 0) > 0).map(({ id }) => id);
    throw new BadInput(
      `${path}: the graph has a cycle; ${stuck.length} tasks wait for each other, among them ${stuck.slice(0, 5).join(", ")}`,
    );
  }
  return order;
}

/** What no scheduler can beat with that many workers: the longest path, or all work shared evenly. */
export function lowerBoundMs(graph: Graph, workers: number): number {
  const ends = new Map<string, number>();
  let longest = 0;
  let work = 0;
  for (const { id, deps, runtimeMs } of graph) {
    const end = deps.reduce((latest, dep) => Math.max(latest, ends.get(dep) ?? 0), 0) + runtimeMs;
    ends.set(id, end);
    longest = Math.max(longest, end);
    work += runtimeMs;
  }
  return Math.max(longest, work / workers);
}

/** All runtimes times one factor, so that the lower bound becomes `targetMs`. */
export function scaled(graph: Graph, workers: number, targetMs: number): Graph {
  const bound = lowerBoundMs(graph, workers);
  const factor = bound === 0 ? 0 : targetMs / bound;
  return graph.map((task) => ({ ...task, runtimeMs: task.runtimeMs * factor }));
}

/** From each task to the end of the graph, itself included: what is longest goes first. */
export function timeToGoMs(graph: Graph): ReadonlyMap<string, number> {
  const toGo = new Map<string, number>(graph.map(({ id, runtimeMs }) => [id, runtimeMs]));
  const after = new Map<string, number>();
  for (const { id, deps, runtimeMs } of graph.toReversed()) {
    const own = runtimeMs + (after.get(id) ?? 0);
    toGo.set(id, own);
    for (const dep of deps) after.set(dep, Math.max(after.get(dep) ?? 0, own));
  }
  return toGo;
}
