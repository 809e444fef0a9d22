/** The event-flow dialect: nodes by name, and which of them hears which. A flow from one node to another is a dependency. */
import type { Cursor } from "../cursor.ts";
import { nameProblem } from "../names.ts";
import { didYouMean } from "../suggest.ts";
import type { OnexStep } from "./model.ts";
import { kindInName, nodeReference, stepName } from "./names.ts";
import { ignored, invalid, listOf, mapOf, nameRest, textOf } from "./say.ts";

/** Undefined when something is wrong. */
export function readEventFlow(file: Cursor): OnexStep[] | undefined {
  const nodes = listOf(file.get("nodes"));
  const flows = listOf(file.get("event_flow"));
  const ids = new Map<string, Cursor>();
  for (const node of nodes) {
    const id = textOf(node);
    if (id === undefined) continue;
    if (ids.has(id)) invalid(node, `the node "${id}" stands here a second time`);
    else if (kindInName(id) === undefined)
      invalid(node, `"${id}" does not say what it is: the name of a node ends in _compute, _effect, _reducer or _orchestrator`);
    else if (nameProblem(stepName(id)) !== undefined) invalid(node, `"${id}" cannot become the name of a step`);
    ids.set(id, node);
  }
  const before = new Map<string, string[]>();
  for (const item of flows) {
    const flow = mapOf(item);
    if (!flow) continue;
    nameRest(flow, ["source", "target", "topic"]);
    const source = end(flow, "source", ids, ["initial_command"]);
    const target = end(flow, "target", ids, ["terminal", "terminal_event"]);
    if (source === undefined || target === undefined || !ids.has(source) || !ids.has(target)) continue;
    const list = before.get(target) ?? [];
    before.set(target, list);
    if (!list.includes(source)) list.push(source);
  }
  for (const key of ["initial_command", "terminal_event"]) {
    const topic = file.get(key);
    if (topic)
      ignored(topic, "events are not sent or heard: the run starts with `onex run`, and each flow from node to node is a dependency");
  }
  if (file.findings.failed) return undefined;
  return [...ids].flatMap(([id, cursor]) => {
    const kind = kindInName(id);
    if (kind === undefined) return [];
    return {
      id,
      name: stepName(id),
      place: cursor.place,
      kind,
      reference: nodeReference(id, kind),
      referencePlace: cursor.place,
      description: undefined,
      dependsOn: (before.get(id) ?? []).map(stepName),
      config: {},
      timeoutMs: undefined,
      retries: undefined,
      onFailure: undefined,
      enabled: true,
      skipOnFailure: false,
      priority: undefined,
      branch: undefined,
      streams: false,
    };
  });
}

function end(flow: Cursor, key: string, ids: ReadonlyMap<string, Cursor>, words: readonly string[]): string | undefined {
  const cursor = flow.get(key);
  if (!cursor) return invalid(flow, `${flow.path} needs a ${key}`);
  const id = textOf(cursor);
  if (id === undefined || ids.has(id) || words.includes(id)) return id;
  cursor.error("REFERENCE_UNKNOWN", `there is no node "${id}" in nodes.${didYouMean(id, [...ids.keys(), ...words])}`);
  return undefined;
}
