/** The JSON Schemas of the YAML documents of a project: the contract's grammar, and what a generated node's folder holds. */
import { contractSchema } from "../../plan/grammar/contract.ts";
import { closed, document, kebab, list, type SchemaNode, said, schemaValue, semver, text } from "../../plan/grammar/pieces.ts";
import { manifestKinds } from "../manifest.ts";

const path = (description: string, example: string): SchemaNode => said(description, { ...text("^[^/\\\\]", [example]), minLength: 1 });

const manifest = document(
  "onex manifest",
  "What the folder of a generated node holds: `onex run`, `check` and `work` take the folder.",
  closed(
    {
      onex: said("The version of this format.", { const: "v1" }),
      kind: said("What the node is.", { type: "string", enum: manifestKinds }),
      name: said("The name of the node.", text(undefined, ["order"])),
      domain: said("The domain that it belongs to.", text(undefined, ["shop"])),
      version: said("Three numbers.", text(undefined, ["1.0.0"])),
      entry: path("The module that exports the nodes, relative to this file.", "index.ts"),
      contracts: said("The YAML workflows of the node, relative to this file.", list(path("A contract.", "contracts/order.contract.yaml"))),
    },
    ["onex", "kind", "name", "domain", "version", "entry"],
  ),
);

const subcontract = document(
  "onex subcontract",
  "The schema of a node's input, output or configuration, written from the model in its code; `onex check` compares the two.",
  closed(
    {
      onex: said("The version of this format.", { const: "v1" }),
      kind: said("Of what it is the schema.", { type: "string", enum: ["input-subcontract", "output-subcontract", "config-subcontract"] }),
      name: said("The name of the node.", text(kebab, ["order"])),
      version: said("The version of the node.", text(semver, ["1.0.0"])),
      model: said(
        "The module of the model, relative to this file, and its export.",
        text("^\\.{1,2}/[^#]+#[A-Za-z_$][\\w$]*$", ["../models/input.ts#Input"]),
      ),
      schema: said("The JSON Schema (2020-12) of the model.", schemaValue),
      examples: said(
        "Values that fit the schema.",
        list(closed({ name: said("What it is an example of.", text()), data: said("The value.") }, ["name", "data"])),
      ),
    },
    ["onex", "kind", "name", "version", "model", "schema"],
  ),
);

/** Name of a document → its JSON Schema. */
export const documents = { contract: contractSchema, manifest, subcontract } as const;

/** The text of a schema, as `onex schema` prints it and as the package ships it in `schemas/NAME.schema.json`. */
export function schemaText(name: keyof typeof documents): string {
  return `${JSON.stringify(documents[name], null, 2)}\n`;
}
