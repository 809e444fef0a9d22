/** Two contracts, compared by what they mean. */
import type { Json } from "../../core/json.ts";
import type { Contract, NodeSource } from "../../node/contract.ts";
import type { Flow } from "../flow.ts";
import { outputType, typeOfSchema } from "../schema-type.ts";
import { any } from "../types.ts";
import type { Read } from "../workflow.ts";
import { type Change, Changes } from "./change.ts";
import { diffContracts } from "./contracts.ts";
import { diffBlocks, stepsOf } from "./steps.ts";
import { jsonText, type Renames, retryText, templateText, timeText } from "./text.ts";
import { diffTypes, schemaText } from "./types.ts";

/** A contract that was read, with the nodes that it calls, as far as they are known. */
export interface FlowSide {
  readonly read: Read;
  readonly nodes: NodeSource | undefined;
}

/** Empty when both mean the same, however they are written. */
export function diffFlows(old: FlowSide, now: FlowSide): readonly Change[] {
  const changes = new Changes();
  const was = old.read.flow;
  const is = now.read.flow;
  changes.value("name", "", was.name, is.name, "callers", "runs");
  changes.value("version", "", was.version, is.version);
  changes.value("description", "", was.description, is.description);
  changes.value("labels", "", was.labels.join(", ") || undefined, is.labels.join(", ") || undefined);
  schema(changes, "input", old.read.input, now.read.input, ["callers"]);
  for (const name of new Set([...was.signals.keys(), ...is.signals.keys()])) {
    const [before, after] = [old.read.signals.get(name), now.read.signals.get(name)];
    if (before && after) schema(changes, `signal ${name}`, before, after, ["callers"]);
    else changes.add(before ? "-" : "+", `signal ${name}`, "", ...(before ? (["callers", "runs"] as const) : []));
  }
  schema(changes, "config", old.read.configSchema, now.read.configSchema, ["runs"]);
  settings(changes, was, is);
  const steps = new Changes();
  diffBlocks(steps, was.body, is.body, "");
  changes.all.push(...steps.all);
  // Names of steps that were renamed are other words for the same.
  const renames = new Map(steps.all.flatMap(({ what, detail }) => renameOf(what, detail)));
  changes.value("output", "", outputText(was, new Map()), outputText(is, renames), "callers", "runs");
  if (old.nodes && now.nodes) nodes(changes, old, now);
  return changes.all;
}

/** Without `output` it is the value of the step that is written last. */
function outputText({ body }: Flow, renames: Renames): string {
  const last = body.steps.at(-1)?.name ?? "";
  return templateText(body.output, renames) ?? `the value of step ${renames.get(last) ?? last}`;
}

function renameOf(what: string, detail: string): [string, string][] {
  const to = /^renamed to (\S+)$/.exec(detail)?.[1];
  const from = /^step ([^/]+)$/.exec(what)?.[1];
  return to !== undefined && from !== undefined ? [[to, from]] : [];
}

function settings(changes: Changes, old: Flow, now: Flow): void {
  changes.value("timeout", "", timeText(old.timeout), timeText(now.timeout), "runs");
  changes.value("concurrency", "", text(old.concurrency), text(now.concurrency), "runs");
  changes.value("onFailure", "", old.onFailure ?? "compensate", now.onFailure ?? "compensate", "runs");
  changes.value("defaults", "timeout", timeText(old.defaults.timeout), timeText(now.defaults.timeout), "runs");
  changes.value("defaults", "retry", retryText(old.defaults.retry), retryText(now.defaults.retry), "runs");
  for (const name of new Set([...Object.keys(old.values), ...Object.keys(now.values)])) {
    const value = (flow: Flow) => (Object.hasOwn(flow.values, name) ? jsonText(flow.values[name] as Json) : undefined);
    changes.value(`value ${name}`, "", value(old), value(now), "runs");
  }
}

function text(value: number | undefined): string | undefined {
  return value === undefined ? undefined : String(value);
}

function schema(changes: Changes, what: string, old: Read["input"], now: Read["input"], concerns: readonly ("callers" | "runs")[]): void {
  const before = changes.all.length;
  const typeOf = (one: Read["input"]) => (one ? typeOfSchema(one.raw, one.files, "given") : any);
  diffTypes(changes, what, typeOf(old), typeOf(now), "given");
  if (changes.all.length > before) return;
  if (whole(old) !== whole(now)) changes.add("~", what, "its limits were changed (lengths, ranges, patterns, defaults)", ...concerns);
}
function whole(one: Read["input"]): string {
  return one ? schemaText(one.raw) + [...one.files].map(([path, file]) => path + schemaText(file)).join("") : "none";
}

/** The nodes that both call, and what a step gives by them. */
function nodes(changes: Changes, old: FlowSide, now: FlowSide): void {
  const told = new Set<string>();
  const found = new Changes();
  const before = new Map(stepsOf(old.read.flow.body));
  for (const [path, step] of stepsOf(now.read.flow.body)) {
    const has = nodeOf(now, step);
    const had = nodeOf(old, before.get(path));
    if (!has || !had) continue;
    if (has.name !== had.name) {
      diffTypes(found, `step ${path} gives`, outputType(had), outputType(has), "taken");
      continue;
    }
    const name = `${has.kind} ${has.name}`;
    if (told.has(`${name} ${had.version} ${has.version}`)) continue;
    told.add(`${name} ${had.version} ${has.version}`);
    diffContracts(found, name, had, has);
  }
  // Who calls a node is the workflow itself.
  for (const change of found.all) changes.all.push(change.concerns.length === 0 ? change : { ...change, concerns: ["runs"] });
}

function nodeOf({ nodes }: FlowSide, step: { readonly verb: { readonly kind: string } } | undefined): Contract | undefined {
  const verb = step?.verb as { readonly kind: string; readonly node?: Contract["kind"]; readonly reference?: string } | undefined;
  if (!nodes || verb?.kind !== "call" || verb.node === undefined || verb.reference === undefined) return undefined;
  return nodes.find(verb.node, verb.reference)?.contract;
}
