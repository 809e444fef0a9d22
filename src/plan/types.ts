/** What is known of a value before anything runs. `any` is honest ignorance: it never makes a complaint. */
import type { Json } from "../core/json.ts";
import type { JsonMap } from "./cursor.ts";
import { obeys } from "./rule.ts";

export type Type =
  | { readonly kind: "any" | "bool" | "timestamp" | "duration" | "never" }
  /** `skipped`: it is null because that step may not have run; `conditions` are what its `when` asks. */
  | { readonly kind: "null"; readonly skipped?: string; readonly conditions?: readonly string[] }
  | Scalar
  | { readonly kind: "list"; readonly item: Type }
  | MapType
  | { readonly kind: "union"; readonly of: readonly Type[] };
/** A text or a number: any, or one of `values`, or what its schema says beside its type. */
export type Scalar = { readonly kind: "string"; readonly values?: readonly string[]; readonly rule?: JsonMap } | Numeric;
export interface Numeric {
  readonly kind: "number";
  readonly values?: readonly number[];
  readonly rule?: JsonMap;
}
export interface MapType {
  readonly kind: "map";
  readonly fields: ReadonlyMap<string, Field>;
  /** Of keys that are not named; undefined: there should be none. */
  readonly rest: Type | undefined;
  /** Keys that are not named are refused, and not merely unheard of. */
  readonly closed: boolean;
}
export interface Field {
  readonly type: Type;
  readonly optional: boolean;
  /** Its schema never says what is required, so that it is optional says nothing. */
  readonly unsaid?: boolean;
}

export const any: Type = { kind: "any" };
export const bool: Type = { kind: "bool" };
export const number: Type = { kind: "number" };
export const string: Type = { kind: "string" };
export const nothing: Type = { kind: "null" };
export const never: Type = { kind: "never" };
export const timestamp: Type = { kind: "timestamp" };
export const span: Type = { kind: "duration" };

export function listOf(item: Type): Type {
  return { kind: "list", item };
}
export function mapOf(fields: Readonly<Record<string, Type>>): Type {
  return {
    kind: "map",
    fields: new Map(Object.entries(fields).map(([key, type]) => [key, { type, optional: false }])),
    rest: undefined,
    closed: true,
  };
}

/** The possibilities of a type, none of them a union. */
export function members(type: Type): readonly Type[] {
  return type.kind === "union" ? type.of : type.kind === "never" ? [] : [type];
}

/** Most values of a scalar that are told apart. */
const maxValues = 1000;

export function union(types: readonly Type[]): Type {
  const all: Type[] = [];
  const simple = new Map<string, number>();
  const scalars = new Map<Scalar["kind"], Scalar[]>();
  for (const member of types.flatMap(members)) {
    if (member.kind === "map" || member.kind === "list") {
      if (all.length < 20) all.push(member);
      else all[0] = any;
      continue;
    }
    const key = member.kind === "null" ? `null ${member.skipped ?? ""}` : member.kind;
    if (!simple.has(key)) {
      simple.set(key, all.length);
      all.push(member);
    }
    if (member.kind === "string" || member.kind === "number") {
      const same = scalars.get(member.kind);
      if (same) same.push(member);
      else scalars.set(member.kind, [member]);
    }
  }
  for (const [kind, same] of scalars) if (same.length > 1) all[simple.get(kind) as number] = either(same);
  // Beside `any` only a null says more.
  const known = all.some((member) => member.kind === "any") ? all.filter((member) => member.kind === "any" || member.kind === "null") : all;
  return known.length === 0 ? never : known.length === 1 ? (known[0] as Type) : { kind: "union", of: known };
}

/** Scalars of one kind as one. */
function either(scalars: readonly Scalar[]): Type {
  const [first] = scalars as readonly [Scalar];
  if (scalars.every((scalar) => scalar === first)) return first;
  const plain: Type = { kind: first.kind };
  const values = new Set<string | number>();
  for (const scalar of scalars) {
    if (!scalar.values || values.size > maxValues) return plain;
    for (const value of scalar.values) values.add(value);
  }
  return { kind: first.kind, values: [...values] } as Scalar;
}

export function isNullable(type: Type): boolean {
  return members(type).some((member) => member.kind === "null");
}
export function nonNull(type: Type): Type {
  return union(members(type).filter((member) => member.kind !== "null"));
}
/** The step that makes a value null by being skipped. */
export function skippedBy(type: Type): string | undefined {
  for (const member of members(type)) if (member.kind === "null" && member.skipped !== undefined) return member.skipped;
  return undefined;
}

/** The type of a value that is written out. */
export function typeOfValue(value: Json): Type {
  if (value === null) return nothing;
  if (typeof value === "string") return value.length > 200 ? string : { kind: "string", values: [value] };
  if (typeof value === "number") return { kind: "number", values: [value] };
  if (typeof value === "boolean") return bool;
  if (Array.isArray(value)) return listOf(union((value as readonly Json[]).slice(0, 100).map(typeOfValue)));
  const fields = new Map(Object.entries(value).map(([key, item]) => [key, { type: typeOfValue(item), optional: false }] as const));
  return { kind: "map", fields, rest: undefined, closed: true };
}

/** How deep two types are compared: beyond it they count as alike, so that types of types cannot cost without end. */
const deepest = 6;

/** Whether some value is of both types. */
export function overlap(a: Type, b: Type, depth = 0): boolean {
  return a === b ? members(a).length > 0 : members(a).some((left) => members(b).some((right) => meet(left, right, depth)));
}

function meet(a: Type, b: Type, depth: number): boolean {
  if (a.kind === "any" || b.kind === "any" || depth > deepest) return true;
  if ((a.kind === "string" || a.kind === "number") && a.kind === b.kind) return scalarsMeet(a, b);
  if (a.kind === "list" && b.kind === "list")
    return a.item.kind === "never" || b.item.kind === "never" || overlap(a.item, b.item, depth + 1);
  if (a.kind === "map" && b.kind === "map") return mapsMeet(a, b, depth) && mapsMeet(b, a, depth);
  // A moment becomes text, and a span too.
  if (a.kind === "string" || b.kind === "string") return [a.kind, b.kind].some((kind) => kind === "timestamp" || kind === "duration");
  return a.kind === b.kind;
}

function scalarsMeet(a: Scalar, b: Scalar): boolean {
  if (a.values && b.values) {
    const known = new Set<string | number>(b.values);
    return a.values.some((value) => known.has(value));
  }
  const values: readonly (string | number)[] | undefined = a.values ?? b.values;
  const rule = a.values ? b.rule : a.rule;
  return values === undefined || rule === undefined || values.some((value) => obeys(rule, value));
}

function mapsMeet(a: MapType, b: MapType, depth: number): boolean {
  for (const [key, field] of a.fields) {
    const other = b.fields.get(key);
    if (other) {
      if (!overlap(field.type, other.type, depth + 1) && !(field.optional && other.optional)) return false;
    } else if (!field.optional && b.closed) return false;
  }
  return true;
}

/** A type in a sentence, whatever its values are. */
export function showKind(type: Type): string {
  return show(union(members(type).map((member) => (member.kind === "string" ? string : member.kind === "number" ? number : member))));
}
/** A type in a sentence. */
export function show(type: Type): string {
  const words = [...new Set(members(type).map(word))];
  return words.length === 0 ? "nothing" : words.length === 1 ? (words[0] as string) : `${words.slice(0, -1).join(", ")} or ${words.at(-1)}`;
}
function word(type: Type): string {
  switch (type.kind) {
    case "any":
      return "anything";
    case "bool":
      return "a boolean";
    case "null":
      return "null";
    case "string":
    case "number":
      return scalar(type);
    case "list":
      return `a list${plural(type.item)}`;
    case "duration":
    case "timestamp":
    case "map":
      return `a ${type.kind}`;
    default:
      return "nothing";
  }
}

function scalar({ kind, values, rule }: Scalar): string {
  if (values && values.length <= 5) return values.map((value) => JSON.stringify(value)).join(" or ");
  if (!rule) return `a ${kind}`;
  const { type, format, ...rest } = rule;
  const what = typeof format === "string" ? `a ${kind} of the format ${format}` : type === "integer" ? "a whole number" : `a ${kind}`;
  const more = Object.entries(rest).map(([key, value]) => `${key} ${JSON.stringify(value)}`);
  return more.length === 0 ? what : `${what} (${more.join(", ")})`;
}

function plural(item: Type): string {
  const kinds = [...new Set(members(item).map((member) => member.kind))];
  const words: Partial<Record<Type["kind"], string>> = {
    string: "strings",
    number: "numbers",
    bool: "booleans",
    map: "maps",
    list: "lists",
  };
  const [only] = kinds;
  return kinds.length === 1 && only && words[only] ? ` of ${words[only]}` : "";
}
