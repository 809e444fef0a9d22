/**
 * Values with holes: `${ … }` at any depth of any JSON. A text that is one hole gives the typed value; within other text
 * only scalars print; `$${` prints `${`. Keys are never expressions.
 */
import { OnexError } from "../core/failure.ts";
import type { Json } from "../core/json.ts";
import type { Scope } from "./cel/value.ts";
import type { Cursor } from "./cursor.ts";
import type { Expression } from "./expression.ts";

/** `at`: where it stands in the plan that it was read from. */
export type Template = { readonly at?: Cursor } & (
  | { readonly kind: "constant"; readonly value: Json }
  | { readonly kind: "hole"; readonly expression: Expression }
  | { readonly kind: "text"; readonly parts: readonly (string | Expression)[] }
  | { readonly kind: "list"; readonly items: readonly Template[] }
  | { readonly kind: "map"; readonly entries: readonly (readonly [string, Template])[] }
);

/** The value with its holes filled. Throws OnexError as expressions do. */
export function fill(template: Template, scope: Scope): Json {
  switch (template.kind) {
    case "constant":
      return template.value;
    case "hole":
      return template.expression.evaluate(scope);
    case "text":
      return template.parts.map((part) => (typeof part === "string" ? part : printed(part, scope))).join("");
    case "list":
      return template.items.map((item) => fill(item, scope));
    case "map": {
      const map: Record<string, Json> = {};
      for (const [key, value] of template.entries) map[key] = fill(value, scope);
      return map;
    }
  }
}

function printed(expression: Expression, scope: Scope): string {
  const value = expression.evaluate(scope);
  if (typeof value === "object" && value !== null) {
    const what = Array.isArray(value) ? "a list" : "a map";
    throw new OnexError(
      "EXPRESSION_FAILED",
      `\`${expression.text.trim()}\`: ${what} has no place inside text; let the hole be the whole value, or take a part of it`,
    );
  }
  return String(value);
}

/** All expressions of a template. */
export function* holes(template: Template): Generator<Expression> {
  switch (template.kind) {
    case "hole":
      yield template.expression;
      break;
    case "text":
      for (const part of template.parts) if (typeof part !== "string") yield part;
      break;
    case "list":
      for (const item of template.items) yield* holes(item);
      break;
    case "map":
      for (const [, value] of template.entries) yield* holes(value);
      break;
    case "constant":
      break;
  }
}

export type Piece = { readonly text: string } | { readonly hole: string; readonly offset: number } | { readonly open: number };

/** A text cut at its holes; `open` is a `${` that is never closed. */
export function cut(text: string): Piece[] {
  const pieces: Piece[] = [];
  let plain = "";
  let i = 0;
  while (i < text.length) {
    const dollar = text.indexOf("$", i);
    if (dollar < 0) break;
    plain += text.slice(i, dollar);
    if (text.startsWith("$${", dollar)) {
      plain += "${";
      i = dollar + 3;
    } else if (text.startsWith("${", dollar)) {
      const end = closing(text, dollar + 2);
      if (plain !== "") pieces.push({ text: plain });
      if (end < 0) return [...pieces, { open: dollar }];
      plain = "";
      pieces.push({ hole: text.slice(dollar + 2, end), offset: dollar + 2 });
      i = end + 1;
    } else {
      plain += "$";
      i = dollar + 1;
    }
  }
  plain += text.slice(i);
  if (plain !== "") pieces.push({ text: plain });
  return pieces;
}

/** Where the brace that closes a hole stands; braces and quotes inside the expression are its own. */
function closing(text: string, start: number): number {
  let depth = 0;
  for (let i = start; i < text.length; i++) {
    const char = text[i];
    if (char === "{") depth++;
    else if (char === "}" && depth-- === 0) return i;
    else if (char === '"' || char === "'") {
      const raw = /[rR]/.test(text[i - 1] ?? "") && !/[A-Za-z0-9_]/.test(text[i - 2] ?? "");
      i = endOfString(text, i, raw);
      if (i < 0) return -1;
    }
  }
  return -1;
}

function endOfString(text: string, start: number, raw: boolean): number {
  const quote = text[start] as string;
  const triple = quote.repeat(3);
  const mark = text.startsWith(triple, start) ? triple : quote;
  for (let i = start + mark.length; i < text.length; i++) {
    if (text[i] === "\\" && !raw) i++;
    else if (text.startsWith(mark, i)) return i + mark.length - 1;
  }
  return -1;
}
