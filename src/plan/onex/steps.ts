/** The nodes of an execution graph, in both dialects, and the steps of the tutorial → steps of the model. */
import type { Json } from "../../core/json.ts";
import { type Cursor, type JsonMap, shown } from "../cursor.ts";
import type { CallKind } from "../flow.ts";
import { nameProblem } from "../names.ts";
import { didYouMean } from "../suggest.ts";
import { branchOf } from "./branch.ts";
import { judgedBy } from "./conditions.ts";
import { constantOf } from "./environment.ts";
import type { OnexStep, OnFailure } from "./model.ts";
import { kindInName, kindOfType, nodeReference, stepName } from "./names.ts";
import { flagOf, ignored, invalid, listOf, mapOf, nameRest, numberOf, textOf, unsupported, wordOf } from "./say.ts";

const longestMs = 86_400_000;
const timing: readonly string[] = ["timeout_ms", "retry_count", "max_retries"];
const stepKeys: readonly string[] = [
  "node_id",
  "step_id",
  "id",
  "step_type",
  "type",
  "step_name",
  "target_node_type",
  "contract_ref",
  "step_config",
  "depends_on",
  "dependencies",
  ...timing,
  "enabled",
  "skip_on_failure",
  "continue_on_error",
  "error_action",
  "on_error",
  "priority",
  "branch_condition",
  "condition",
  "stream",
];
const reserved = "reserved by ONEX, and without meaning there or here";
const stepReasons: Readonly<Record<string, string>> = {
  correlation_id: "the run has one; effects get it in their context",
  order_index: "steps are ordered as they stand in the list",
  parallel_group: "a label; waves come from the dependencies",
  max_parallel_instances: "a step runs once",
  max_memory_mb: "a step is not limited in memory",
  max_cpu_percent: "a step is not limited in processor time",
  node_requirements: "a node is found by its name",
  compensation_action: "an effect says itself how it is undone",
  checkpoint_required: "every step is recorded",
  idempotency_key: "each step has a key of its own; the effect gets it in its context",
  skip_condition: reserved,
};

/** A step as it stands, before what it depends on is looked up. */
interface Raw {
  readonly cursor: Cursor;
  readonly id: string;
  readonly name: string;
}

/** Undefined when something is wrong: first what is malformed, then what is missing (rule 19; cycles are told by the caller). */
export function readSteps(list: Cursor | undefined, edges: Cursor | undefined): OnexStep[] | undefined {
  const findings = list?.findings ?? edges?.findings;
  const raws: Raw[] = [];
  const ids = new Map<string, string>();
  const names = new Map<string, string>();
  const labels = new Map<string, number>();
  for (const item of listOf(list)) {
    const cursor = mapOf(item);
    const id = cursor && idOf(cursor);
    if (!cursor || id === undefined) continue;
    const name = stepName(id);
    const before = names.get(name);
    if (ids.has(id)) invalid(cursor, `the id "${id}" stands here a second time; ids are unique`);
    else if (nameProblem(name) !== undefined) invalid(cursor, `the id "${id}" cannot become the name of a step; use letters, digits and _`);
    else if (before !== undefined) invalid(cursor, `the ids "${before}" and "${id}" are one name, ${name}, in a plan; take another id`);
    ids.set(id, name);
    names.set(name, id);
    raws.push({ cursor, id, name });
    tellRepeated(cursor, labels);
  }
  const edgesByStep = readEdges(edges);
  const steps = raws.flatMap((raw) => readStep(raw, ids) ?? []);
  if (findings?.failed) return undefined;
  const joined = raws.map((raw, i) => joinDependencies(raw, steps[i] as OnexStep, ids, new Set(names.keys()), edgesByStep));
  tellStrayEdges(edges, ids);
  return findings?.failed ? undefined : joined;
}

function idOf(cursor: Cursor): string | undefined {
  const found = cursor.get("node_id") ?? cursor.get("step_id") ?? cursor.get("id") ?? cursor.get("step_name");
  return found ? textOf(found) : invalid(cursor, `${cursor.path} has no node_id`);
}

/** Rule 13: names may repeat, ids may not. */
function tellRepeated(cursor: Cursor, labels: Map<string, number>): void {
  const label = cursor.get("node_name") ?? cursor.get("step_name");
  if (typeof label?.value !== "string") return;
  const first = labels.get(label.value);
  if (first === undefined) labels.set(label.value, label.place.line);
  else label.warn("ONEX_NAME_REPEATED", `the name "${label.value}" stands in line ${first} too; the ids tell the steps apart`);
}

function readStep({ cursor, id, name }: Raw, ids: ReadonlyMap<string, string>): OnexStep | undefined {
  const metadata = mapOf(cursor.get("metadata"));
  const settings = mapOf(cursor.get("step_config"));
  const kind = kindOf(cursor, id);
  const target = cursor.get("target_node_type") ?? settings?.get("handler") ?? settings?.get("effect_node") ?? cursor.get("contract_ref");
  const targetName = textOf(target) ?? id;
  const skip = settings?.get("skip_condition");
  if (skip) unsupported(skip, "is text without a grammar; write branch_condition: { type: custom, expression: … } on the step");
  const dependencies = [...listOf(cursor.get("depends_on")), ...listOf(cursor.get("dependencies"))].flatMap((each) => textOf(each) ?? []);
  const timeoutMs = timed(cursor, metadata, "timeout_ms", 1, longestMs);
  const retries = timed(cursor, metadata, "retry_count", 0, 999) ?? timed(cursor, metadata, "max_retries", 0, 999);
  if (kind === "compute" || kind === "reducer") {
    for (const key of timing) {
      const found = cursor.get(key) ?? metadata?.get(key);
      if (found) ignored(found, `a ${kind} is pure and runs within the turn: it is neither cut off nor tried again`);
    }
  }
  nameRest(cursor, stepKeys, stepReasons);
  if (kind === undefined) return undefined;
  return {
    id,
    name,
    place: cursor.place,
    kind,
    reference: nodeReference(targetName, kind),
    referencePlace: target?.place ?? cursor.place,
    description: textOf(cursor.get("description")) ?? textOf(cursor.get("node_name")),
    dependsOn: [],
    config: { ...configOf(settings, ["handler", "effect_node", "skip_condition"]), ...configOf(metadata, timing) },
    timeoutMs,
    retries,
    onFailure: onFailureOf(cursor),
    enabled: flagOf(cursor.get("enabled")) ?? true,
    skipOnFailure: flagOf(cursor.get("skip_on_failure")) ?? false,
    priority: numberOf(cursor.get("priority"), 1, 1000),
    branch: branchOf(cursor.get("branch_condition") ?? cursor.get("condition"), dependencies, ids),
    streams: flagOf(cursor.get("stream")) ?? false,
  };
}

function kindOf(cursor: Cursor, id: string): CallKind | undefined {
  const found = ["node_type", "step_type", "type"].flatMap((key) => {
    const each = cursor.get(key);
    const text = textOf(each);
    if (!each || text === undefined) return [];
    const kind = kindOfType(text);
    if (kind === undefined)
      invalid(
        each,
        `${each.path}: ONEX has no node type "${text}"; it is compute, effect, reducer, orchestrator or one of those that stand for them`,
      );
    else if (kind === "custom")
      unsupported(each, `"${text}" is none of compute, effect, reducer and orchestrator, and is not taken for one`);
    return [{ each, kind }];
  });
  const [first, ...others] = found;
  for (const other of others)
    if (other.kind !== undefined && first?.kind !== undefined && other.kind !== first.kind)
      other.each.error("ONEX_CONFLICT", `${other.each.path} and ${first.each.path} name two kinds of node`);
  if (first) return first.kind === "custom" ? undefined : first.kind;
  const target = cursor.get("target_node_type")?.value;
  return kindInName(typeof target === "string" ? target : id) ?? invalid(cursor, `the step "${id}" has no node_type`);
}

/** A timing key at the step counts before the same key in its metadata. */
function timed(cursor: Cursor, metadata: Cursor | undefined, key: string, least: number, most: number): number | undefined {
  return numberOf(cursor.get(key), least, most) ?? numberOf(metadata?.get(key), least, most);
}

function configOf(cursor: Cursor | undefined, without: readonly string[]): JsonMap {
  const config: Record<string, Json> = {};
  for (const entry of cursor?.entries() ?? []) if (!without.includes(String(entry.name))) config[String(entry.name)] = constantOf(entry);
  return config;
}

function onFailureOf(cursor: Cursor): OnFailure | undefined {
  const action = wordOf(cursor.get("error_action") ?? cursor.get("on_error"), ["stop", "continue", "retry", "compensate"]);
  if (action !== undefined) return action;
  return flagOf(cursor.get("continue_on_error")) === true ? "continue" : undefined;
}

interface Edge {
  readonly from: string;
  readonly cursor: Cursor;
}

/** By the step that the edge goes to; undefined: there are no edges. */
function readEdges(edges: Cursor | undefined): ReadonlyMap<string, readonly Edge[]> | undefined {
  if (edges === undefined || edges.value === null) return undefined;
  const found = new Map<string, Edge[]>();
  for (const item of listOf(edges)) {
    const cursor = mapOf(item);
    if (!cursor) continue;
    const from = textOf(cursor.get("from_node") ?? cursor.get("source") ?? cursor.get("from"));
    const to = textOf(cursor.get("to_node") ?? cursor.get("target") ?? cursor.get("to"));
    if (from === undefined || to === undefined) {
      invalid(cursor, `${cursor.path} needs from_node and to_node`);
      continue;
    }
    const type = cursor.get("edge_type");
    if (type && !/^(data_flow|control_flow|sequential|dependency|blocking)$/i.test(typeof type.value === "string" ? type.value : ""))
      unsupported(type, `an edge of the type ${shown(type.value)} is no plain dependency; write branch_condition on the step`);
    nameRest(cursor, ["from_node", "to_node", "source", "target", "from", "to", "edge_type"]);
    const list = found.get(to) ?? [];
    found.set(to, list);
    list.push({ from, cursor });
  }
  return found;
}

/** Rule 3: a set. What `depends_on` and the edges say must be the same; one of them may be missing for the whole graph. */
function joinDependencies(
  raw: Raw,
  step: OnexStep,
  ids: ReadonlyMap<string, string>,
  names: ReadonlySet<string>,
  edges: ReadonlyMap<string, readonly Edge[]> | undefined,
): OnexStep {
  const items = [...listOf(raw.cursor.get("depends_on")), ...listOf(raw.cursor.get("dependencies"))];
  const said = new Set<string>();
  for (const item of items) {
    const id = textOf(item);
    if (id === undefined) continue;
    if (id === raw.id) item.error("STEP_CYCLE", `the step "${id}" depends on itself`);
    else if (!ids.has(id)) item.error("REFERENCE_UNKNOWN", `there is no step "${id}".${didYouMean(id, ids.keys())}`);
    said.add(id);
  }
  const own = edges?.get(raw.id) ?? [];
  const drawn = new Set(own.map(({ from }) => from));
  if (edges && raw.cursor.has("depends_on")) {
    for (const { from, cursor } of own)
      if (!said.has(from)) cursor.error("ONEX_CONFLICT", `this edge goes from "${from}" to "${raw.id}", whose depends_on does not name it`);
    for (const item of items)
      if (typeof item.value === "string" && !drawn.has(item.value))
        item.error("ONEX_CONFLICT", `"${raw.id}" depends on "${item.value}", and no edge goes from there to it`);
  }
  const all = [...new Set([...said, ...drawn])].flatMap((id) => ids.get(id) ?? []);
  // A step waits for what its condition judges, too.
  const judged = step.branch ? judgedBy(step.branch, names) : [];
  return { ...step, dependsOn: [...new Set([...all, ...judged])] };
}

function tellStrayEdges(edges: Cursor | undefined, ids: ReadonlyMap<string, string>): void {
  for (const cursor of listOf(edges))
    for (const key of ["from_node", "to_node", "source", "target", "from", "to"]) {
      const end = cursor.get(key);
      if (typeof end?.value === "string" && !ids.has(end.value))
        end.error("REFERENCE_UNKNOWN", `there is no step "${end.value}".${didYouMean(end.value, ids.keys())}`);
    }
}
