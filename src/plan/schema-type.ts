/** JSON Schema → type: what is said for certain is kept, all else is `any`. */
import type { Json } from "../core/json.ts";
import type { Contract, EffectContract, ReducerContract } from "../node/contract.ts";
import type { Schema } from "../node/schema.ts";
import type { JsonMap } from "./cursor.ts";
import { isJsonSchema } from "./json-schema.ts";
import { isJsonMap } from "./parse-value.ts";
import { ruleOf } from "./rule.ts";
import {
  any,
  bool,
  type Field,
  listOf,
  type MapType,
  members,
  nothing,
  number,
  type Scalar,
  string,
  type Type,
  typeOfValue,
  union,
} from "./types.ts";

/** "given": what may be handed in (a default makes a property optional); "taken": what comes out (it is there). */
export type Side = "given" | "taken";

/** `exact`: values are checked by this very schema, and not by one that only describes itself so. */
export function typeOfSchema(schema: Json, files: ReadonlyMap<string, Json>, side: Side, exact = true): Type {
  return new Reader(files, side, exact).read(schema, schema, 0);
}

/** What a node takes, and what it gives; `any` where its schema cannot say. */
export function inputType(contract: Contract): Type {
  return remembered(inputs, contract, () => schemaType(contract.input, "given"));
}
export function outputType(contract: Contract): Type {
  return remembered(outputs, contract, () => {
    const { item } = contract as Partial<EffectContract>;
    if (item !== undefined) return listOf(schemaType(item, "taken"));
    const schema = contract.kind === "reducer" ? ((contract as ReducerContract).state ?? contract.output) : contract.output;
    return schema === undefined ? any : schemaType(schema, "taken");
  });
}

const inputs = new WeakMap<Contract, Type>();
const outputs = new WeakMap<Contract, Type>();
function remembered(cache: WeakMap<Contract, Type>, contract: Contract, make: () => Type): Type {
  const known = cache.get(contract);
  if (known) return known;
  const type = make();
  cache.set(contract, type);
  return type;
}

interface Describing {
  readonly input?: (options: { readonly target: string }) => unknown;
  readonly output?: (options: { readonly target: string }) => unknown;
}

/** Of our own schemas, and of those that describe themselves (Standard JSON Schema, as zod 4 does). */
function schemaType(schema: Schema, side: Side): Type {
  if (isJsonSchema(schema)) return typeOfSchema(schema.raw, schema.files, side);
  const describing = (schema["~standard"] as { readonly jsonSchema?: Describing }).jsonSchema;
  try {
    const described = describing?.[side === "given" ? "input" : "output"]?.({ target: "draft-2020-12" });
    return described === undefined ? any : typeOfSchema(described as Json, new Map(), side, false);
  } catch {
    // A schema with no JSON form (a date, a transform) says so by throwing.
    return any;
  }
}

class Reader {
  readonly #files: ReadonlyMap<string, Json>;
  readonly #side: Side;
  readonly #exact: boolean;
  readonly #references = new Map<string, Type | undefined>();

  constructor(files: ReadonlyMap<string, Json>, side: Side, exact: boolean) {
    this.#files = files;
    this.#side = side;
    this.#exact = exact;
  }

  /** `root` is the document that `#/…` points into. */
  read(schema: Json | undefined, root: Json, depth: number): Type {
    if (!isJsonMap(schema) || depth > 40) return any;
    const parts: Type[] = [];
    if (typeof schema.$ref === "string") parts.push(this.#reference(schema.$ref, root, depth));
    if (Array.isArray(schema.enum)) parts.push(union((schema.enum as readonly Json[]).map(typeOfValue)));
    else if (schema.const !== undefined) parts.push(typeOfValue(schema.const));
    for (const list of [schema.anyOf, schema.oneOf])
      if (Array.isArray(list)) parts.push(union((list as readonly Json[]).map((item) => this.read(item, root, depth + 1))));
    if (Array.isArray(schema.allOf)) for (const item of schema.allOf as readonly Json[]) parts.push(this.read(item, root, depth + 1));
    const own = this.#own(schema, root, depth);
    if (own) parts.push(own);
    return parts.length === 0 ? any : parts.reduce(both);
  }

  #own(schema: JsonMap, root: Json, depth: number): Type | undefined {
    const named =
      typeof schema.type === "string" ? [schema.type] : Array.isArray(schema.type) ? (schema.type as readonly Json[]) : undefined;
    const kinds = named ?? (schema.properties !== undefined ? ["object"] : schema.items !== undefined ? ["array"] : []);
    if (kinds.length === 0) return undefined;
    return union(kinds.map((kind) => this.#kind(kind, schema, root, depth)));
  }

  #kind(kind: Json, schema: JsonMap, root: Json, depth: number): Type {
    switch (kind) {
      case "string":
        return this.#scalar("string", schema) ?? string;
      case "number":
      case "integer":
        return this.#scalar("number", schema) ?? number;
      case "boolean":
        return bool;
      case "null":
        return nothing;
      case "array":
        return listOf(
          Array.isArray(schema.prefixItems)
            ? union([
                ...(schema.prefixItems as readonly Json[]).map((item) => this.read(item, root, depth + 1)),
                ...(schema.items === false ? [] : [this.read(schema.items, root, depth + 1)]),
              ])
            : this.read(schema.items, root, depth + 1),
        );
      case "object":
        return this.#map(schema, root, depth);
      default:
        return any;
    }
  }

  #scalar(kind: "string" | "number", schema: JsonMap): Type | undefined {
    const rule = ruleOf(kind, schema, this.#exact);
    return rule && { kind, rule };
  }

  #map(schema: JsonMap, root: Json, depth: number): Type {
    const required = new Set(
      Array.isArray(schema.required) ? (schema.required as readonly Json[]).flatMap((key) => (typeof key === "string" ? key : [])) : [],
    );
    const unsaid = this.#exact && schema.required === undefined;
    const properties = isJsonMap(schema.properties) ? schema.properties : {};
    const fields = new Map<string, Field>();
    for (const key of Object.keys(properties)) {
      const property = properties[key];
      const filled = isJsonMap(property) && property.default !== undefined;
      const optional = filled ? this.#side === "given" : !required.has(key);
      fields.set(key, { type: this.read(property, root, depth + 1), optional, ...(optional && unsaid ? { unsaid } : {}) });
    }
    for (const key of required) if (!fields.has(key)) fields.set(key, { type: any, optional: false });
    const more = schema.additionalProperties;
    const open = schema.patternProperties !== undefined || schema.propertyNames !== undefined || (more === undefined && fields.size === 0);
    const rest = open || more === true ? any : isJsonMap(more) ? this.read(more, root, depth + 1) : undefined;
    return { kind: "map", fields, rest, closed: more === false && !open };
  }

  #reference(reference: string, root: Json, depth: number): Type {
    const hash = reference.indexOf("#");
    const path = hash < 0 ? reference : reference.slice(0, hash);
    const document = path === "" ? root : this.#files.get(path.replace(/^plan:\/\/\//, ""));
    if (document === undefined) return any;
    const target = point(document, hash < 0 ? "" : reference.slice(hash + 1));
    if (path === "" && depth > 20) return any;
    const key = `${path === "" ? "" : reference}`;
    // Only references into files are remembered: `#/…` means another thing in each document.
    if (key !== "" && this.#references.has(key)) return this.#references.get(key) ?? any;
    if (key !== "") this.#references.set(key, undefined);
    const type = this.read(target, document, depth + 1);
    if (key !== "") this.#references.set(key, type);
    return type;
  }
}

export function point(document: Json, pointer: string): Json | undefined {
  let at: Json | undefined = document;
  for (const part of pointer.split("/").slice(1)) {
    const key = decodeURIComponent(part).replaceAll("~1", "/").replaceAll("~0", "~");
    at = Array.isArray(at) ? (at as readonly Json[])[Number(key)] : isJsonMap(at) && Object.hasOwn(at, key) ? at[key] : undefined;
  }
  return at;
}

/** What is of both types (`allOf`, or a `$ref` with more beside it); where that is not clear, the one that says more. */
function both(a: Type, b: Type): Type {
  if (a.kind === "any") return b;
  if (b.kind === "any") return a;
  if (a.kind === "map" && b.kind === "map") return merged(a, b);
  if (a.kind === "union" || b.kind === "union") {
    const pairs = members(a).flatMap((left) =>
      members(b).flatMap((right) => (left.kind === right.kind || left.kind === "any" || right.kind === "any" ? [both(left, right)] : [])),
    );
    return pairs.length === 0 ? any : union(pairs);
  }
  if ((a.kind === "string" || a.kind === "number") && a.kind === b.kind) return scalars(a, b);
  return a;
}

/** Of two lists of values, what stands in both; else the one that has values, or a rule. */
function scalars(a: Scalar, b: Scalar): Type {
  if (!a.values || !b.values) return b.values || (b.rule && !a.values) ? b : a;
  const known = new Set<string | number>(b.values);
  const values = (a.values as readonly (string | number)[]).filter((value) => known.has(value));
  return values.length === 0 ? a : ({ kind: a.kind, values } as Scalar);
}

function merged(a: MapType, b: MapType): MapType {
  const fields = new Map(a.fields);
  for (const [key, field] of b.fields) {
    const other = fields.get(key);
    fields.set(
      key,
      other
        ? {
            type: both(other.type, field.type),
            optional: other.optional && field.optional,
            unsaid: other.unsaid === true && field.unsaid === true,
          }
        : field,
    );
  }
  return {
    kind: "map",
    fields,
    rest: fields.size === 0 ? any : ((a.fields.size > 0 ? a.rest : undefined) ?? (b.fields.size > 0 ? b.rest : undefined)),
    closed: a.closed || b.closed,
  };
}
