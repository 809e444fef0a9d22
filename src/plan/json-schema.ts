/**
 * JSON Schema (2020-12) as a Standard Schema: validated by ajv, patterns on a linear engine, defaults filled into the
 * decoded value (never into the recorded one).
 */
import type { Ajv2020, AnySchema, ErrorObject, ValidateFunction } from "ajv/dist/2020.js";
import type { Json } from "../core/json.ts";
import type { Schema } from "../node/schema.ts";
import { newAjv } from "./ajv.ts";
import type { Findings, Place } from "./finding.ts";
import { isJsonMap } from "./parse-value.ts";
import { type SchemaFiles, schemaUri } from "./schema-files.ts";

/** A schema of JSON Schema; `raw` and `files` are what types are read from. */
export interface JsonSchemaOf extends Schema<Json, Json> {
  readonly raw: Json;
  readonly files: ReadonlyMap<string, Json>;
}

/** Knows what a schema is. The schema of schemas takes longer to compile than a contract to check: it is compiled once. */
let metaAjv: Ajv2020 | undefined;

/** Throws Error for what is no schema. */
function schemaIn(raw: Json): AnySchema {
  metaAjv ??= newAjv({ allErrors: true });
  metaAjv.validateSchema(raw as AnySchema, true);
  return raw as AnySchema;
}

/** Makes the validators of one contract. */
export class Schemas {
  readonly #files: SchemaFiles;
  readonly #findings: Findings;
  /** Made for the first schema: it takes longer than all else that a small contract needs. */
  #made: Ajv2020 | undefined;
  readonly #known = new Set<string>();

  constructor(files: SchemaFiles, findings: Findings) {
    this.#files = files;
    this.#findings = findings;
  }

  get #ajv(): Ajv2020 {
    this.#made ??= newAjv({ allErrors: true, useDefaults: true, validateSchema: false });
    return this.#made;
  }

  /** Undefined when the schema is not one; the reason is among the findings. */
  make(schema: Json, what: string, place: Place): JsonSchemaOf | undefined {
    const raw = this.#files.take(schema, place);
    if (this.#findings.failed) return undefined;
    for (const [path, file] of this.#files.files) {
      if (this.#known.has(path)) continue;
      this.#known.add(path);
      this.#try(path, place, () => this.#ajv.addSchema(schemaIn(file), schemaUri(path)));
    }
    const validate = this.#try(what, place, () => this.#ajv.compile(schemaIn(raw)));
    if (!validate) return undefined;
    const files = this.#files.files;
    const copies = hasDefaults(raw) || [...files.values()].some(hasDefaults);
    return {
      raw,
      files,
      "~standard": { version: 1, vendor: "onex", validate: (value) => judge(validate, copies ? structuredClone(value) : value) },
    };
  }

  #try<T>(what: string, place: Place, make: () => T): T | undefined {
    try {
      return make();
    } catch (error) {
      const message = error instanceof Error ? error.message : String(error);
      this.#findings.error(
        "SCHEMA_INVALID",
        place,
        `${what} is not a JSON Schema (2020-12): ${message.replace(/^schema is invalid: /, "").replaceAll("data/", "")}`,
      );
      return undefined;
    }
  }
}

/** A schema that takes anything. */
export const anything: Schema<Json, Json> = { "~standard": { version: 1, vendor: "onex", validate: (value) => ({ value }) } };

export function isJsonSchema(schema: Schema): schema is JsonSchemaOf {
  return schema["~standard"].vendor === "onex" && "raw" in schema;
}

function judge(validate: ValidateFunction, value: unknown): unknown {
  if (validate(value)) return { value };
  return { issues: (validate.errors ?? []).map(issueOf) };
}

function issueOf(error: ErrorObject): { readonly message: string; readonly path: string[] } {
  const path = error.instancePath
    .split("/")
    .slice(1)
    .map((part) => part.replaceAll("~1", "/").replaceAll("~0", "~"));
  const { additionalProperty, allowedValues, allowedValue } = error.params as {
    additionalProperty?: string;
    allowedValues?: unknown[];
    allowedValue?: unknown;
  };
  let message = error.message ?? "is not valid";
  if (additionalProperty !== undefined) message = `has a property "${additionalProperty}" that is not allowed`;
  else if (allowedValues !== undefined) message = `must be one of ${allowedValues.map((value) => JSON.stringify(value)).join(", ")}`;
  else if (error.keyword === "const") message = `must be ${JSON.stringify(allowedValue)}`;
  return { message, path };
}

function hasDefaults(schema: Json): boolean {
  if (Array.isArray(schema)) return (schema as readonly Json[]).some(hasDefaults);
  return isJsonMap(schema) && (Object.hasOwn(schema, "default") || Object.values(schema).some(hasDefaults));
}
