/**
 * The schemas of a contract, with the files that they refer to: only files beside the contract or below it. Reading is
 * handed in, so this stays a function of texts; every text read is kept, because it is part of what a run is pinned to.
 */
import { posix } from "node:path";
import type { Json } from "../core/json.ts";
import type { JsonMap } from "./cursor.ts";
import { fence, limits } from "./fence.ts";
import type { Findings, Place } from "./finding.ts";
import { isJsonMap } from "./parse-value.ts";

/** Reads a file by its path relative to the contract's folder; undefined when there is none. */
export type ReadRef = (path: string) => string | undefined;

/** Where the file `path` is known to the validator. */
export function schemaUri(path: string): string {
  return `plan:///${path}`;
}

export class SchemaFiles {
  readonly #read: ReadRef;
  readonly #findings: Findings;
  /** Path → schema, its references made absolute. */
  readonly files = new Map<string, Json>();
  /** Path → text. */
  readonly texts = new Map<string, string>();

  constructor(read: ReadRef, findings: Findings) {
    this.#read = read;
    this.#findings = findings;
  }

  /** The schema with absolute references, all their files read. */
  take(schema: Json, place: Place): Json {
    return this.#absolute(schema, "", "", place, 0);
  }

  /** `base` is where in its file the schema stands: what it says from its own root (`#/$defs/…`) is meant from there. */
  #absolute(schema: Json, folder: string, base: string, place: Place, depth: number): Json {
    if (depth > limits.depth) {
      this.#findings.error("SCHEMA_INVALID", place, `the schema is nested more than ${limits.depth} deep`);
      return true;
    }
    if (Array.isArray(schema)) return (schema as readonly Json[]).map((item) => this.#absolute(item, folder, base, place, depth + 1));
    if (!isJsonMap(schema)) return schema;
    const copy: Record<string, Json> = {};
    for (const key of Object.keys(schema)) {
      const value = schema[key] as Json;
      if (key === "__proto__") continue;
      // `$ref` is a reference only as text; in `properties` it may be the name of a property.
      if (key === "$ref" && typeof value === "string")
        copy[key] = value.startsWith("#") ? within(base, value) : this.#file(value, folder, place);
      else if (key === "enum" || key === "const" || key === "default" || key === "examples") copy[key] = value;
      else copy[key] = this.#absolute(value, folder, base, place, depth + 1);
    }
    return copy;
  }

  /** Reads the file of a reference and answers with its absolute form. */
  #file(reference: string, folder: string, place: Place): string {
    const [before, fragment] = split(reference);
    const refuse = (message: string): string => {
      this.#findings.error("SCHEMA_REF_INVALID", place, message);
      return "#";
    };
    if (/^[a-z][a-z0-9+.-]*:/i.test(before) || posix.isAbsolute(before) || before.includes("\\") || before.includes("\0"))
      return refuse(
        `$ref: ${reference} is not a file beside the contract; copy the schema into the contract's folder and write ./name.json`,
      );
    const path = posix.normalize(posix.join(folder, before));
    if (path === ".." || path.startsWith("../")) return refuse(`$ref: ${reference} leaves the contract's folder; copy the schema into it`);
    if (!this.files.has(path)) {
      const text = this.#read(path);
      if (text === undefined) return refuse(`$ref: ${reference}: there is no file ${path} in the contract's folder`);
      if (this.files.size >= 100) return refuse("the contract refers to more than 100 schema files");
      this.texts.set(path, text);
      this.files.set(path, true);
      const data = this.#parse(path, text, place);
      const root = isJsonMap(data) ? without(data, "$id") : data;
      this.files.set(path, this.#absolute(root, posix.dirname(path) === "." ? "" : posix.dirname(path), baseOf(root), place, 0));
    }
    return `${schemaUri(path)}${fragment}`;
  }

  #parse(path: string, text: string, place: Place): Json {
    if (Buffer.byteLength(text) > limits.bytes) {
      this.#findings.error("SCHEMA_INVALID", place, `${path} has more than ${limits.bytes} bytes`);
      return true;
    }
    if (/\.ya?ml$/i.test(path)) return fence(text, this.#findings)?.data ?? true;
    try {
      return JSON.parse(text) as Json;
    } catch (error) {
      this.#findings.error("SCHEMA_INVALID", place, `${path} is not JSON: ${error instanceof Error ? error.message : String(error)}`);
      return true;
    }
  }
}

function split(reference: string): [string, string] {
  const hash = reference.indexOf("#");
  return hash < 0 ? [reference, ""] : [reference.slice(0, hash), reference.slice(hash)];
}

/** A subcontract holds the schema of a model, which knows nothing of the document around it. */
function baseOf(data: Json): string {
  return isJsonMap(data) && /-subcontract$/.test(String(data.kind)) ? "/schema" : "";
}

function within(base: string, reference: string): string {
  return reference === "#" || reference.startsWith("#/") ? `#${base}${reference.slice(1)}` : reference;
}

function without(map: JsonMap, key: string): JsonMap {
  const { [key]: _, ...rest } = map;
  return rest;
}

/** Schemas of a plan that is no text: they cannot refer to files. */
export const noFiles: ReadRef = () => undefined;
