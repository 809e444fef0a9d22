/** A subcontract: what a model of a generated node says about itself, written down as JSON Schema, with examples. */
import type { Json } from "../core/json.ts";
import { Cursor } from "./cursor.ts";
import { fence } from "./fence.ts";
import { contractInvalid, Findings } from "./finding.ts";

const subcontractKinds = ["input-subcontract", "output-subcontract", "config-subcontract"] as const;

export interface Subcontract {
  readonly kind: (typeof subcontractKinds)[number];
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
  if (root?.map("a subcontract")) {
    root.only("a subcontract", ["onex", "kind", "name", "version", "model", "schema", "examples"]);
    for (const key of ["onex", "kind", "name", "version", "model", "schema"])
      if (!root.has(key)) root.error("PLAN_INVALID", `a subcontract needs \`${key}\``);
    root.get("onex")?.choice("onex", ["v1"]);
    const examples = root.get("examples");
    const read: Subcontract = {
      kind: root.get("kind")?.choice("kind", subcontractKinds) ?? "input-subcontract",
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

function exampleOf(example: Cursor): Subcontract["examples"][number] {
  if (example.map("an example"))
    for (const key of ["name", "data"]) if (!example.has(key)) example.error("PLAN_INVALID", `an example needs \`${key}\``);
  return { name: example.get("name")?.text("name") ?? "", data: example.get("data")?.value ?? null };
}
