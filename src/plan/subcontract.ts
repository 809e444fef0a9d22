/** A subcontract: what a model of a generated node says about itself, written down as JSON Schema, with examples. */
import type { Json } from "../core/json.ts";
import { Cursor } from "./cursor.ts";
import { fence } from "./fence.ts";
import { contractInvalid, Findings } from "./finding.ts";

const subcontractKinds = ["input-subcontract", "output-subcontract", "config-subcontract"] as const;
export const subcontractKeys = ["onex", "kind", "name", "version", "model", "schema", "examples"] as const;
export type SubcontractKey = (typeof subcontractKeys)[number];
type SubcontractKind = (typeof subcontractKinds)[number];

export interface Subcontract {
  readonly kind: SubcontractKind;
  readonly name: string;
  readonly version: string;
  /** `FILE#EXPORT`, relative to the subcontract: the model that it is written from. */
  readonly model: string;
  readonly schema: Json;
  readonly examples: readonly { readonly name: string; readonly data: Json }[];
}

/** The text of a subcontract; `file` names it in complaints. Throws OnexError `CONTRACT_INVALID` with every complaint. */
export function parseSubcontract(text: string, file: string): Subcontract {
  const findings = new Findings(file);
  const fenced = fence(text, findings);
  const root = fenced && Cursor.root(fenced.data, findings, fenced.places);
  const kind = root && readForm(root);
  if (root && kind) {
    const examples = root.get("examples");
    const read: Subcontract = {
      kind,
      name: root.get("name")?.text("name") ?? "",
      version: root.get("version")?.text("version") ?? "",
      model: root.get("model")?.text("model") ?? "",
      schema: root.get("schema")?.value ?? true,
      examples: examples?.list("examples") ? examples.items().map(exampleOf) : [],
    };
    if (!findings.failed) return read;
  }
  throw contractInvalid(file, findings.sorted());
}

/** Complains about keys that are missing or unknown, and answers the kind. */
export function readForm(root: Cursor): SubcontractKind | undefined {
  if (!root.map("a subcontract")) return undefined;
  root.only("a subcontract", subcontractKeys);
  for (const key of subcontractKeys)
    if (!root.has(key) && key !== "examples") root.error("SUBCONTRACT_INVALID", `a subcontract needs \`${key}\``);
  root.get("onex")?.choice("onex", ["v1"]);
  return root.get("kind")?.choice("kind", subcontractKinds);
}

function exampleOf(example: Cursor): Subcontract["examples"][number] {
  if (example.map("an example"))
    for (const key of ["name", "data"]) if (!example.has(key)) example.error("SUBCONTRACT_INVALID", `an example needs \`${key}\``);
  return { name: example.get("name")?.text("name") ?? "", data: example.get("data")?.value ?? null };
}
