/** What is known of a value before anything runs. `any` is honest ignorance: it never makes a complaint. */
import type { Json } from "../core/json.ts";

export type Type =
  | { readonly kind: "any" | "bool" | "number" | "timestamp" | "duration" | "never" }
  /** `skipped`: it is null because that step may not have run; `conditions` are what its `when` asks. */
  | { readonly kind: "null"; readonly skipped?: string; readonly conditions?: readonly string[] }
  | { readonly kind: "string"; readonly values?: readonly string[] }
  | { readonly kind: "list"; readonly item: Type }
  | MapType
  | { readonly kind: "union"; readonly of: readonly Type[] };
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

export function union(types: readonly Type[]): Type {
  const all: Type[] = [];
  const simple = new Map<string, number>();
  for (const member of types.flatMap(members)) {
    if (member.kind === "map" || member.kind === "list") {
      if (all.length < 20) all.push(member);
      else all[0] = any;
      continue;
    }
    const key = member.kind === "null" ? `null ${member.skipped ?? ""}` : member.kind;
    const at = simple.get(key);
    const before = at === undefined ? undefined : all[at];
    if (before === undefined) {
      simple.set(key, all.length);
      all.push(member);
    } else if (before.kind === "string" && member.kind === "string")
      all[at as number] =
        before.values && member.values ? { kind: "string", values: [...new Set([...before.values, ...member.values])] } : string;
  }
  // Beside `any` only a null says more.
  const known = all.some((member) => member.kind === "any") ? all.filter((member) => member.kind === "any" || member.kind === "null") : all;
  return known.length === 0 ? never : known.length === 1 ? (known[0] as Type) : { kind: "union", of: known };
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
  if (typeof value === "number") return number;
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
  if (a.kind === "string" && b.kind === "string")
    return a.values === undefined || b.values === undefined || a.values.some((value) => b.values?.includes(value));
  if (a.kind === "list" && b.kind === "list")
    return a.item.kind === "never" || b.item.kind === "never" || overlap(a.item, b.item, depth + 1);
  if (a.kind === "map" && b.kind === "map") return mapsMeet(a, b, depth) && mapsMeet(b, a, depth);
  // A moment becomes text, and a span too.
  if (a.kind === "string" || b.kind === "string") return [a.kind, b.kind].some((kind) => kind === "timestamp" || kind === "duration");
  return a.kind === b.kind;
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
      return type.values && type.values.length <= 5 ? type.values.map((value) => JSON.stringify(value)).join(" or ") : "a string";
    case "list":
      return `a list${plural(type.item)}`;
    case "duration":
    case "number":
    case "timestamp":
    case "map":
      return `a ${type.kind}`;
    default:
      return "nothing";
  }
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
