/**
 * The values that may cross a process: what a workflow receives live is what it will receive on replay,
 * because every value is turned into plain JSON once, before it is recorded (durability: live value = replayed value).
 */
import { OnexError } from "./failure.ts";

export type Json = string | number | boolean | null | readonly Json[] | { readonly [key: string]: Json };

/** Deepest nesting of a value that is recorded. */
const maxDepth = 200;
/** Most characters and parts of a value: twice what the largest limit on its text allows. A value that shares parts with
 * itself is small in memory and can be endless as text, so it is counted while it is copied. */
const maxParts = 32 * 1024 * 1024;
let parts = 0;

/**
 * A fresh plain copy of `value`, equal to what a trip through JSON text would give.
 * Keys whose value is `undefined` are dropped; a top-level `undefined` becomes `null`.
 * @throws OnexError `VALUE_TOO_LARGE`; `OUTPUT_NOT_JSON` when JSON would change the value; `where` names the place in the message.
 */
export function toJson(value: unknown, where: string): Json {
  if (value === undefined) return null;
  parts = 0;
  return copy(value, where, "", 0);
}

function copy(value: unknown, where: string, path: string, depth: number): Json {
  parts += typeof value === "string" ? value.length + 1 : 1;
  if (parts > maxParts)
    throw new OnexError("VALUE_TOO_LARGE", `${where} has more than ${maxParts} characters: store it elsewhere and pass a reference`);
  switch (typeof value) {
    case "string":
    case "boolean":
      return value;
    case "number":
      if (!Number.isFinite(value)) throw notJson(where, path, `${value} has no JSON form`, "use null or a string");
      return value === 0 ? 0 : value;
    case "object":
      return value === null ? null : copyObject(value, where, path, depth);
    case "bigint":
      throw notJson(where, path, "a bigint cannot be stored as JSON", "use a string or a number");
    case "undefined":
      throw notJson(where, path, "undefined in a list becomes null when stored", "use null");
    default:
      throw notJson(where, path, `a ${typeof value} cannot be stored as JSON`, "return plain data");
  }
}

function copyObject(value: object, where: string, path: string, depth: number): Json {
  if (depth > maxDepth) throw notJson(where, path, `it is nested more than ${maxDepth} deep, or contains itself`, "flatten it");
  if (Array.isArray(value)) {
    const list: Json[] = new Array(value.length);
    for (let i = 0; i < value.length; i++) list[i] = copy(value[i], where, `${path}[${i}]`, depth + 1);
    return list;
  }
  const prototype: unknown = Object.getPrototypeOf(value);
  if (prototype !== Object.prototype && prototype !== null) throw strange(value, where, path);
  const object: Record<string, Json> = {};
  for (const key of Object.keys(value)) {
    const item = (value as Record<string, unknown>)[key];
    if (item === undefined) continue;
    const copied = copy(item, where, `${path}.${key}`, depth + 1);
    if (key === "__proto__") Object.defineProperty(object, key, { value: copied, enumerable: true, writable: true, configurable: true });
    else object[key] = copied;
  }
  return object;
}

function strange(value: object, where: string, path: string): OnexError {
  if (typeof (value as { then?: unknown }).then === "function")
    return notJson(where, path, "a promise or an operation cannot be stored", "write `await` in an effect, `yield*` in a workflow");
  if (value instanceof Date) return notJson(where, path, "a Date becomes a string when stored", "return date.toISOString()");
  if (value instanceof Map || value instanceof Set)
    return notJson(where, path, "a Map or Set is lost when stored", "return an array or object");
  const name = (value.constructor as { name?: string } | undefined)?.name ?? "object";
  return notJson(where, path, `an instance of ${name} loses its class when stored`, "return a plain object");
}

function notJson(where: string, path: string, what: string, todo: string): OnexError {
  return new OnexError("OUTPUT_NOT_JSON", `${where}${path === "" ? "" : ` (at ${path.replace(/^\./, "")})`}: ${what}; ${todo}`);
}

/** A copy for user code to keep or change: what is recorded and shared stays as it is. */
export function copyJson(value: Json): Json {
  if (typeof value !== "object" || value === null) return value;
  if (Array.isArray(value)) return value.map(copyJson);
  const object: Record<string, Json> = {};
  for (const key of Object.keys(value)) {
    const item = copyJson((value as { readonly [key: string]: Json })[key] as Json);
    if (key === "__proto__") Object.defineProperty(object, key, { value: item, enumerable: true, writable: true, configurable: true });
    else object[key] = item;
  }
  return object;
}

/** Whether two JSON values are the same; the order of keys does not count. */
export function sameJson(a: Json, b: Json): boolean {
  if (a === b) return true;
  if (typeof a !== "object" || typeof b !== "object" || a === null || b === null) return false;
  if (Array.isArray(a) || Array.isArray(b)) {
    if (!Array.isArray(a) || !Array.isArray(b) || a.length !== b.length) return false;
    for (let i = 0; i < a.length; i++) if (!sameJson(a[i] as Json, b[i] as Json)) return false;
    return true;
  }
  const left = a as { readonly [key: string]: Json };
  const right = b as { readonly [key: string]: Json };
  const keys = Object.keys(left);
  if (keys.length !== Object.keys(right).length) return false;
  for (const key of keys) if (!Object.hasOwn(right, key) || !sameJson(left[key] as Json, right[key] as Json)) return false;
  return true;
}

/** Whether lists and objects stand in each other more than `most` times: asked before it is parsed, so nothing recurses into it. */
export function isDeeper(text: string, most: number): boolean {
  let depth = 0;
  let inString = false;
  for (let i = 0; i < text.length; i++) {
    const char = text.charCodeAt(i);
    if (inString) {
      if (char === 0x5c) i++;
      else if (char === 0x22) inString = false;
    } else if (char === 0x22) inString = true;
    else if (char === 0x5b || char === 0x7b) {
      if (++depth > most) return true;
    } else if (char === 0x5d || char === 0x7d) depth--;
  }
  return false;
}
