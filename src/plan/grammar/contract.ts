/** The grammar of a contract as a JSON Schema: what editors show and complete. The parser says more, and decides. */
import type { fileKeys } from "../parse.ts";
import {
  choice,
  closed,
  document,
  durationText,
  kebab,
  list,
  ref,
  type SchemaNode,
  said,
  schemaValue,
  semver,
  text,
  whole,
} from "./pieces.ts";
import { nameSchema, retrySchema, stepSchema, stepsSchema } from "./step.ts";

const ofFile: Readonly<Record<(typeof fileKeys)[number], SchemaNode>> = {
  onex: said("The version of this grammar.", { const: "v1" }),
  kind: said("What the file is.", { const: "workflow" }),
  name: said("The name of the workflow, in kebab-case.", text(kebab, ["checkout"])),
  version: said("Three numbers; references pin the first.", text(semver, ["1.0.0"])),
  description: said("For people.", text()),
  labels: said("For people.", list(text())),
  input: said("The schema of the input, or { $ref: ./file.json } beside this file; scope `input`. Default: anything.", schemaValue),
  config: said("The schema of the configuration, pinned when a run starts; scope `config`.", schemaValue),
  signals: said("The signals that a `wait` may name, and the schemas of their payloads.", {
    type: "object",
    additionalProperties: schemaValue,
  }),
  values: said("Constants; scope `values`.", { type: "object" }),
  timeout: said("Of the whole run. Without it a run that hangs is never ended.", durationText),
  concurrency: said("Calls of one run at once. Default 16.", whole(1, 10_000, 16)),
  defaults: said(
    "What effect steps have that say nothing.",
    closed({ timeout: said("Of one attempt. Default 30s.", durationText), retry: said("How often a call is tried.", ref("retry")) }),
  ),
  onFailure: said("What a failed run does: take back what it did, or stop. Default compensate.", choice("compensate", "stop")),
  steps: stepsSchema,
  output: said("The result: a template. Default: the value of the last step."),
};

/** The JSON Schema of a contract (`onex: v1`, `kind: workflow`). */
export const contractSchema: SchemaNode = document(
  "onex contract",
  "A workflow of onex in YAML.",
  closed(ofFile, ["onex", "kind", "name", "version", "steps"]),
  { step: stepSchema(true), body: stepSchema(false), steps: stepsSchema, name: nameSchema, retry: retrySchema },
);
