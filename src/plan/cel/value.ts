/**
 * The values of an expression: JSON, and moments and spans of time while it runs. There is one kind of number, the one
 * of JSON: a result that would lose digits is refused, so nobody meets the difference between 1 and 1.0.
 */
import { OnexError } from "../../core/failure.ts";
import type { Json } from "../../core/json.ts";

export type Value = Json | Date | Span | readonly Value[] | { readonly [key: string]: Value };
export type ValueMap = { readonly [key: string]: Value };

/** A length of time. */
export class Span {
  readonly ms: number;
  constructor(ms: number) {
    this.ms = ms;
  }
}

/** Where an expression is evaluated: what its names stand for. */
export interface Scope {
  get(name: string): Json | undefined;
}

/** Steps of work that one evaluation may take: an iteration, a copied element, a thousand characters. */
export const maxWork = 1_000_000;
/** Longest text that an expression may build. */
export const maxText = 1024 * 1024;

/** One evaluation. `slots` holds the variables of macros. */
export class Evaluation {
  readonly scope: Scope;
  readonly slots: Value[] = [];
  #work = 0;
  constructor(scope: Scope) {
    this.scope = scope;
  }
  /** Pays for work; the count is the same on every machine, so a replay fails where the first run did. */
  spend(amount: number): void {
    this.#work += amount;
    if (this.#work > maxWork)
      throw new OnexError("EXPRESSION_LIMIT", "it takes too much work (more than 1,000,000 steps); do it in a compute node");
  }
}

/** What went wrong in an evaluation, before the expression is named. */
export function failed(message: string): OnexError {
  return new OnexError("EXPRESSION_FAILED", message);
}

export function isMap(value: Value | undefined): value is ValueMap {
  return typeof value === "object" && value !== null && !Array.isArray(value) && !(value instanceof Date) && !(value instanceof Span);
}
export function isList(value: Value | undefined): value is readonly Value[] {
  return Array.isArray(value);
}

/** The word for what a value is. */
export function kindOf(value: Value | undefined): string {
  if (value === null) return "null";
  if (value === undefined) return "nothing";
  if (Array.isArray(value)) return "a list";
  if (value instanceof Date) return "a timestamp";
  if (value instanceof Span) return "a duration";
  switch (typeof value) {
    case "string":
      return "a string";
    case "number":
      return "a number";
    case "boolean":
      return "a boolean";
    default:
      return "a map";
  }
}

/** A result as JSON: moments become ISO text, spans text such as "90s". */
export function jsonOf(value: Value): Json {
  if (typeof value !== "object" || value === null) return value;
  if (value instanceof Date) return value.toISOString();
  if (value instanceof Span) return spanText(value);
  if (isList(value)) return value.map(jsonOf);
  const map: Record<string, Json> = {};
  for (const key of Object.keys(value)) map[key] = jsonOf((value as ValueMap)[key] as Value);
  return map;
}

/** Written so that a `sleep` reads it back. */
export function spanText(span: Span): string {
  return span.ms % 1000 === 0 ? `${span.ms / 1000}s` : `${span.ms}ms`;
}
