/**
 * Words from which the schema of a document is built.
 *
 * G1 Only keywords that mean the same in draft-07 and in 2020-12 are used: the YAML servers of editors know draft-07 best.
 * G2 A description stands in the schema that it describes, never beside a `$ref`: draft-07 passes over what stands there.
 */

export type SchemaNode = { readonly [key: string]: unknown };

/** The draft that a document names. */
const draft = "http://json-schema.org/draft-07/schema#";

/** A whole document. */
export function document(
  title: string,
  description: string,
  schema: SchemaNode,
  definitions: Readonly<Record<string, SchemaNode>> = {},
): SchemaNode {
  const whole = { $schema: draft, title, description, ...schema };
  return Object.keys(definitions).length === 0 ? whole : { ...whole, definitions };
}

/** A map with these keys and no other. */
export function closed(properties: Readonly<Record<string, SchemaNode>>, required: readonly string[] = []): SchemaNode {
  return { type: "object", additionalProperties: false, ...(required.length === 0 ? {} : { required }), properties };
}

/** A map from names to values of one kind, with at least one of them. */
export function named(names: SchemaNode, of: SchemaNode): SchemaNode {
  return { type: "object", minProperties: 1, propertyNames: names, additionalProperties: of };
}

export function ref(name: string): SchemaNode {
  return { $ref: `#/definitions/${name}` };
}

/** The schema with what it is for. */
export function said(description: string, schema: SchemaNode = {}): SchemaNode {
  return "$ref" in schema ? { description, allOf: [schema] } : { description, ...schema };
}

export function text(pattern?: string, examples?: readonly string[]): SchemaNode {
  return { type: "string", ...(pattern === undefined ? {} : { pattern }), ...(examples === undefined ? {} : { examples }) };
}

export function whole(minimum: number, maximum: number, byDefault?: number): SchemaNode {
  return { type: "integer", minimum, maximum, ...(byDefault === undefined ? {} : { default: byDefault }) };
}

export function choice(...words: readonly string[]): SchemaNode {
  return { type: "string", enum: words };
}

export const flag: SchemaNode = { type: "boolean" };
export const list = (items: SchemaNode): SchemaNode => ({ type: "array", items });

const number = "\\d+(\\.\\d+)?(ms|s|m|h|d)";
/** "250ms", "30s", "5m", "24h", "7d". */
export const durationText: SchemaNode = text(`^${number}$`, ["30s", "5m", "1d"]);
/** A duration, or an expression that gives one. */
export const durationOrHole: SchemaNode = text(`^${number}$|\\$\\{`, ["30s", "1d", "${ input.until }"]);
/** Bare CEL: `${ }` has no place in it. */
export const expression: SchemaNode = { type: ["string", "boolean"], not: { type: "string", pattern: "(^|[^$])\\$\\{" } };
/** A JSON Schema, or `{ $ref: ./file.json }`. */
export const schemaValue: SchemaNode = { type: ["object", "boolean"] };
export const kebab = "^[a-z][a-z0-9]*(-[a-z0-9]+)*$";
export const semver = "^\\d+\\.\\d+\\.\\d+(-[0-9A-Za-z.-]+)?$";
/** The name of a node, with a version or the beginning of one: `charge-card@2`. */
export const reference: SchemaNode = text("^[a-z][a-z0-9]*(-[a-z0-9]+)*(@\\d+(\\.\\d+){0,2})?$", ["charge-card", "charge-card@2"]);
