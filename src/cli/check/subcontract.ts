/** `contracts/*.subcontract.yaml`: what a node takes, gives, or is configured with, as its model describes itself. */
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import type { Json } from "../../core/json.ts";
import { check, type Schema } from "../../node/schema.ts";
import { Cursor, shown } from "../../plan/cursor.ts";
import { fence } from "../../plan/fence.ts";
import { type Finding, Findings } from "../../plan/finding.ts";
import { Schemas } from "../../plan/json-schema.ts";
import { noFiles, SchemaFiles } from "../../plan/schema-files.ts";
import { readForm } from "../../plan/subcontract.ts";
import { shown as shownPath } from "../load.ts";
import type { Manifest } from "../manifest.ts";
import { differences } from "./compare.ts";
import { describe, findModel, type Importer, type Side } from "./models.ts";

export const contractsFolder = "contracts";
const ending = /\.subcontract\.ya?ml$/;
/** More are not shown of one file: they come of one change. */
const mostDifferences = 20;

export function isSubcontract(file: string): boolean {
  return ending.test(file);
}

/** The YAML files in the folder of contracts. */
export function contractFiles({ folder }: Manifest): string[] {
  const contracts = join(folder, contractsFolder);
  if (!existsSync(contracts)) return [];
  return readdirSync(contracts)
    .filter((name) => /\.ya?ml$/.test(name))
    .sort()
    .map((name) => join(contracts, name));
}

/** A subcontract that was read, with its model; what is wrong stands in the findings. */
export interface Subcontract {
  readonly root: Cursor;
  readonly side: Side;
  /** The model, and its schema as JSON. */
  readonly model: Schema;
  readonly described: Json;
}

/** Reads one, finds its model, and says what is wrong with its form. */
export async function readSubcontract(file: string, findings: Findings, importer: Importer): Promise<Subcontract | undefined> {
  const fenced = fence(readFileSync(file, "utf8"), findings);
  if (!fenced) return undefined;
  const root = Cursor.root(fenced.data, findings, fenced.places);
  const kind = readForm(root);
  const model = root.get("model");
  const reference = model?.text("model");
  if (model === undefined || reference === undefined || kind === undefined) return undefined;
  const wrong = (problem: string): undefined => {
    model.error("SUBCONTRACT_INVALID", `model: ${problem}`);
    return undefined;
  };
  const found = await findModel(file, reference, importer);
  if (found.problem !== undefined) return wrong(found.problem);
  const side: Side = kind === "output-subcontract" ? "output" : "input";
  const described = describe(found.schema, side);
  if (described.problem !== undefined) return wrong(`${reference}: ${described.problem}`);
  return { root, side, model: found.schema, described: described.json };
}

/** Everything there is to say about one subcontract. */
export async function checkSubcontract(file: string, manifest: Manifest, importer: Importer): Promise<readonly Finding[]> {
  const findings = new Findings(file);
  const read = await readSubcontract(file, findings, importer);
  if (!read) return findings.sorted();
  const { root, described } = read;
  for (const key of ["name", "version"] as const) {
    const given = root.get(key);
    if (given?.text(key) !== undefined && given.value !== manifest[key])
      given.error("MANIFEST_MISMATCH", `${key} is ${shown(given.value)} here, and "${manifest[key]}" in ${shownPath(manifest.file)}`);
  }
  const schema = root.get("schema");
  if (!schema) return findings.sorted();
  const drift = differences(schema, described, String(root.get("model")?.value));
  const remedy = `\`onex schema ${shownPath(manifest.folder)} --write\` writes it anew`;
  for (const { place, text } of drift.slice(0, mostDifferences)) findings.error("SUBCONTRACT_DRIFT", place, `${text}; ${remedy}`);
  if (drift.length > mostDifferences)
    findings.error("SUBCONTRACT_DRIFT", schema.keyPlace, `schema has ${drift.length - mostDifferences} more differences; ${remedy}`);
  checkExamples(read, findings);
  return findings.sorted();
}

/** Examples must fit the schema in the file; those of what is handed in must fit the model too, which may demand more. */
function checkExamples({ root, side, model }: Subcontract, findings: Findings): void {
  const examples = root.get("examples");
  const schema = root.get("schema");
  if (!examples || !schema || !examples.list("examples")) return;
  const made = new Findings(findings.file);
  const compiled = new Schemas(new SchemaFiles(noFiles, made), made).make(schema.value, "schema", schema.place);
  for (const { code, message } of made.all) schema.error(code, message);
  if (!compiled) return;
  for (const example of examples.items()) {
    if (!example.map("an example")) continue;
    example.only("an example", ["name", "data"]);
    const data = example.get("data");
    if (!data) {
      example.error("SUBCONTRACT_INVALID", "an example needs `data`");
      continue;
    }
    const name = example.get("name")?.value ?? example.name;
    const bySchema = check(compiled, data.value, "example");
    const problem = bySchema.problem ?? (side === "input" ? refusal(model, data.value) : undefined);
    if (problem !== undefined)
      data.error(
        "EXAMPLE_INVALID",
        `the example ${shown(name as Json)} does not fit the ${bySchema.problem === undefined ? "model" : "schema"}: ${problem}`,
      );
  }
}

function refusal(model: Schema, data: Json): string | undefined {
  try {
    return check(model, data, "example").problem;
  } catch (error) {
    return error instanceof Error ? error.message : String(error);
  }
}
