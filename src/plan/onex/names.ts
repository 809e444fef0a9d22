/** The names of ONEX contracts → names that plans and nodes have. */
import type { CallKind } from "../flow.ts";
import { nameProblem } from "../names.ts";

/** `Fetch Raw-Data` → `Fetch_Raw_Data`: a legal name of a step. One that begins with a digit or is a word of ours gets `step_` before it. */
export function stepName(id: string): string {
  const name = id.trim().replaceAll(/[^A-Za-z0-9_]+/g, "_");
  return nameProblem(name) === undefined ? name : `step_${name}`;
}

/** `NodeDataFetcherEffect`, `node_data_fetcher_effect`, `Data Fetcher` → `node-data-fetcher-effect`, …, `data-fetcher`. */
export function kebab(text: string): string {
  return text
    .replaceAll(/([a-z0-9])([A-Z])/g, "$1-$2")
    .replaceAll(/([A-Z]+)([A-Z][a-z])/g, "$1-$2")
    .toLowerCase()
    .replaceAll(/[^a-z0-9]+/g, "-")
    .replaceAll(/^-+|-+$/g, "");
}

const endings: Readonly<Record<CallKind, string>> = {
  compute: "-compute",
  effect: "-effect",
  reducer: "-reducer",
  workflow: "-orchestrator",
};

/**
 * The node that an ONEX name means: kebab-case, without `Node` before it and its kind after it, so `NodeDataFetcherEffect`
 * is `data-fetcher`. A path counts by its file: `runtime/contract_loader_effect.yaml` is `contract-loader`.
 */
export function nodeReference(text: string, kind: CallKind): string {
  const file = /([^/\\.:]+)\.ya?ml$/.exec(text)?.[1] ?? text.replace(/^.*[.:/]/, "");
  const full = kebab(file);
  const bare = full.replace(/^node-/, "");
  const stripped = bare.endsWith(endings[kind]) ? bare.slice(0, -endings[kind].length) : bare;
  const reference = stripped === "" ? full : stripped;
  return /^[a-z]/.test(reference) ? reference : `node-${reference}`;
}

/** Under what other names the node may be given: `node-data-fetcher-effect` for `data-fetcher`. */
export function otherReferences(kind: CallKind, reference: string): string[] {
  return [`node-${reference}${endings[kind]}`, `${reference}${endings[kind]}`, `node-${reference}`];
}

/** The kind in the ending of a node's name: `node_compliance_report_reducer`. */
export function kindInName(name: string): CallKind | undefined {
  const text = kebab(name);
  for (const [kind, ending] of Object.entries(endings)) if (text.endsWith(ending)) return kind as CallKind;
  return undefined;
}

/**
 * The 19 node types and the step types of ONEX, by the table of its own linter: case does not count, nor does `_GENERIC`.
 * "custom": known to ONEX, and nothing that onex could call. Undefined: not known, and never guessed.
 */
export function kindOfType(type: string): CallKind | "custom" | undefined {
  const word = type
    .trim()
    .toLowerCase()
    .replace(/_generic$/, "");
  return Object.hasOwn(kinds, word) ? kinds[word] : undefined;
}
const kinds: Readonly<Record<string, CallKind | "custom" | undefined>> = {
  compute: "compute",
  transformer: "compute",
  aggregator: "compute",
  function: "compute",
  model: "compute",
  effect: "effect",
  tool: "effect",
  agent: "effect",
  reducer: "reducer",
  reduce: "reducer",
  orchestrator: "workflow",
  gateway: "workflow",
  validator: "workflow",
  workflow: "workflow",
  runtime_host: "custom",
  plugin: "custom",
  schema: "custom",
  node: "custom",
  service: "custom",
  unknown: "custom",
  custom: "custom",
  parallel: "custom",
  conditional: "custom",
};
