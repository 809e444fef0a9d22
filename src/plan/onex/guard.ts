/** The conditions of a state machine: `field operator value`, with all twenty operators of ONEX. */
import type { Json } from "../../core/json.ts";
import { pattern } from "../cel/functions.ts";

type Operator = "equals" | "not_equals" | "less_than" | "greater_than" | "less_than_or_equal" | "greater_than_or_equal" | Word;
type Word = "in" | "not_in" | "contains" | "matches" | "min_length" | "max_length" | "exists" | "not_exists";

const operators: Readonly<Record<string, Operator | undefined>> = {
  "==": "equals",
  equals: "equals",
  "!=": "not_equals",
  not_equals: "not_equals",
  "<": "less_than",
  less_than: "less_than",
  ">": "greater_than",
  greater_than: "greater_than",
  "<=": "less_than_or_equal",
  less_than_or_equal: "less_than_or_equal",
  ">=": "greater_than_or_equal",
  greater_than_or_equal: "greater_than_or_equal",
  in: "in",
  not_in: "not_in",
  contains: "contains",
  matches: "matches",
  min_length: "min_length",
  max_length: "max_length",
  exists: "exists",
  not_exists: "not_exists",
};
export const operatorNames: readonly string[] = Object.keys(operators);

export interface Guard {
  readonly text: string;
  holds(data: { readonly [key: string]: Json }): boolean;
}

/** A condition, or what is wrong with it. Patterns run on a linear engine and are anchored at the start, as those of ONEX are. */
export function readGuard(text: string): Guard | string {
  const [, field = "", word = "", rest] = /^\s*(\S+)\s+(\S+)(?:\s+(.*\S))?\s*$/s.exec(text) ?? [];
  if (word === "") return "a condition is three words: field, operator, value";
  const operator = Object.hasOwn(operators, word) ? operators[word] : undefined;
  if (operator === undefined) return `there is no operator "${word}"; there are ${operatorNames.join(", ")}`;
  const path = field.split(".");
  if (!path.every((part) => /^[A-Za-z][A-Za-z0-9_]*$/.test(part)))
    return `"${field}" is no field: names with dots between them, none of which begins with _`;
  const unary = operator === "exists" || operator === "not_exists";
  if (rest === undefined && !unary) return `${word} needs a value`;
  const value = rest === undefined ? true : literal(rest);
  if ((operator === "min_length" || operator === "max_length") && typeof value !== "number") return `${word} takes a number, not ${rest}`;
  if (operator === "matches") {
    try {
      pattern(anchored(String(rest)));
    } catch (error) {
      return error instanceof Error ? error.message : String(error);
    }
  }
  return { text, holds: (data) => judge(operator, at(data, path), value, String(rest)) };
}

/** A field that is not there meets nothing but `not_exists`: conditions fail closed. */
function judge(operator: Operator, given: Json | undefined, value: Json, text: string): boolean {
  if (operator === "exists" || operator === "not_exists")
    return (given !== undefined && given !== null) === ((operator === "exists") === truth(value));
  if (given === undefined) return false;
  switch (operator) {
    case "equals":
      return same(given, value);
    case "not_equals":
      return !same(given, value);
    case "less_than":
    case "greater_than":
    case "less_than_or_equal":
    case "greater_than_or_equal":
      return compare(operator, given, value);
    case "in":
      return listOf(value).some((item) => same(given, item));
    case "not_in":
      return !listOf(value).some((item) => same(given, item));
    case "contains":
      if (Array.isArray(given)) return given.some((item) => same(item, value));
      return typeof given === "string" && given.includes(unquoted(text));
    case "matches":
      return typeof given === "string" && pattern(anchored(text)).matcher(given).find();
    case "min_length":
    case "max_length": {
      const length = lengthOf(given);
      return length !== undefined && (operator === "min_length" ? length >= Number(value) : length <= Number(value));
    }
  }
}

function at(data: Json, path: readonly string[]): Json | undefined {
  let value: Json | undefined = data;
  for (const part of path) {
    if (typeof value !== "object" || value === null || Array.isArray(value) || !Object.hasOwn(value, part)) return undefined;
    value = (value as { readonly [key: string]: Json })[part];
  }
  return value;
}

/** Numbers by their value, everything else by its text, as ONEX compares. */
function same(a: Json, b: Json): boolean {
  const [x, y] = [numeric(a), numeric(b)];
  return x !== undefined && y !== undefined ? x === y : printed(a) === printed(b);
}
function compare(operator: Operator, a: Json, b: Json): boolean {
  const [x, y] = [numeric(a), numeric(b)];
  if (x === undefined || y === undefined) return false;
  if (operator === "less_than") return x < y;
  if (operator === "greater_than") return x > y;
  return operator === "less_than_or_equal" ? x <= y : x >= y;
}
function numeric(value: Json): number | undefined {
  if (typeof value === "number") return value;
  return typeof value === "string" && /^-?\d+(?:\.\d+)?(?:[eE][+-]?\d+)?$/.test(value.trim()) ? Number(value) : undefined;
}
function printed(value: Json): string {
  return typeof value === "string" ? value : JSON.stringify(value);
}
function lengthOf(value: Json): number | undefined {
  if (typeof value === "string") return [...value].length;
  if (Array.isArray(value)) return value.length;
  return typeof value === "object" && value !== null ? Object.keys(value).length : undefined;
}
function truth(value: Json): boolean {
  return value !== false && value !== "False";
}
function anchored(text: string): string {
  return `^(?:${unquoted(text)})`;
}
function unquoted(text: string): string {
  return /^(["']).*\1$/s.test(text) && text.length > 1 ? text.slice(1, -1) : text;
}

/** `3`, `true`, `"text"`, `[a, b]`; any other word is text. */
function literal(text: string): Json {
  const list = /^[[(](.*)[\])]$/s.exec(text);
  if (list) return (list[1] ?? "").split(",").flatMap((item) => (item.trim() === "" ? [] : [literal(item.trim())]));
  if (text === "True" || text === "true") return true;
  if (text === "False" || text === "false") return false;
  if (text === "None" || text === "null") return null;
  if (unquoted(text) !== text) return unquoted(text);
  return numeric(text) ?? text;
}
/** `a, b` without brackets is a list too. */
function listOf(value: Json): readonly Json[] {
  if (Array.isArray(value)) return value;
  return typeof value === "string" && value.includes(",") ? value.split(",").map((item) => literal(item.trim())) : [value];
}
