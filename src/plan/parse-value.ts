/** Templates and expressions, where they stand in a plan. */

import type { Json } from "../core/json.ts";
import { CelMistake } from "./cel/compile.ts";
import type { Cursor, JsonMap } from "./cursor.ts";
import { shown } from "./cursor.ts";
import { Expression } from "./expression.ts";
import type { Names, Unknowns } from "./names.ts";
import { looksSecret, secretKey } from "./secret.ts";
import { cut, type Template } from "./template.ts";

/** What reading a value needs: which names it may use. */
export interface Where {
  readonly names: Names;
  readonly unknowns: Unknowns;
}

/** `${ … }` at any depth. */
export function readTemplate(cursor: Cursor, where: Where): Template {
  return { ...templateOf(cursor, where), at: cursor };
}

function templateOf(cursor: Cursor, where: Where): Template {
  const { value } = cursor;
  if (typeof value === "string") return readText(cursor, value, where);
  if (typeof value !== "object" || value === null) return { kind: "constant", value };
  if (Array.isArray(value)) {
    const items = cursor.items().map((item) => readTemplate(item, where));
    return items.every(isConstant) ? { kind: "constant", value: items.map(constantOf) } : { kind: "list", items };
  }
  const entries = cursor.entries().map((entry) => {
    const key = String(entry.name);
    if (cut(key).some((piece) => !("text" in piece)))
      entry.error("EXPRESSION_INVALID", "a key is never an expression; write the key out", entry.keyPlace);
    if (typeof entry.value === "string" && secretKey(key) && entry.value !== "" && !entry.value.includes("${"))
      entry.warn(
        "SECRET_IN_PLAN",
        `"${key}" looks like a secret, and everything in a plan is stored with its runs; let the effect take it from a service`,
      );
    return [key, readTemplate(entry, where)] as const;
  });
  return entries.every(([, template]) => isConstant(template))
    ? { kind: "constant", value: Object.fromEntries(entries.map(([key, template]) => [key, constantOf(template)])) }
    : { kind: "map", entries };
}

function readText(cursor: Cursor, text: string, where: Where): Template {
  if (looksSecret(text))
    cursor.error(
      "SECRET_IN_PLAN",
      "this looks like a secret, and everything in a plan is stored with its runs; let the effect take it from a service",
    );
  if (!text.includes("$")) return { kind: "constant", value: text };
  const parts: (string | Expression)[] = [];
  for (const piece of cut(text)) {
    if ("text" in piece) parts.push(piece.text);
    else if ("open" in piece)
      cursor.error(
        "EXPRESSION_INVALID",
        "this ${ is never closed with }; write $${ for the two characters themselves",
        cursor.placeOf("${", piece.open)(0),
      );
    else {
      const expression = makeExpression(cursor, piece.hole, piece.offset, where);
      if (expression) parts.push(expression);
    }
  }
  // A block scalar ends with a line break: `|` with one hole is still one hole.
  const [only, rest] = parts;
  if (only instanceof Expression && (parts.length === 1 || (parts.length === 2 && typeof rest === "string" && /^\n+$/.test(rest))))
    return { kind: "hole", expression: only };
  return parts.every((part) => typeof part === "string") ? { kind: "constant", value: parts.join("") } : { kind: "text", parts };
}

/** Bare CEL, as in `when`: `${ }` is refused with the fix. */
export function readExpression(cursor: Cursor, what: string, where: Where): Expression | undefined {
  const { value } = cursor;
  if (typeof value === "boolean") return makeExpression(cursor, String(value), 0, where);
  if (typeof value !== "string") return cursor.wrong(`${what} is an expression, not ${shown(value)}`);
  const pieces = cut(value);
  const hole = pieces.find((piece) => "hole" in piece);
  if (hole || pieces.some((piece) => "open" in piece)) {
    const fix = hole && pieces.length === 1 ? `; write ${what}: ${hole.hole.trim()}` : "";
    cursor.error("EXPRESSION_NOT_BARE", `${what} is an expression already, without \${ }${fix}`);
    return undefined;
  }
  return makeExpression(cursor, value, 0, where);
}

function makeExpression(cursor: Cursor, text: string, near: number, where: Where): Expression | undefined {
  const place = cursor.placeOf(text, near);
  try {
    const expression = new Expression(text, place);
    for (const [name, offset] of expression.names)
      if (!where.names.refer(name, place(offset))) where.unknowns.add(name, place(offset), where.names);
    return expression;
  } catch (error) {
    if (!(error instanceof CelMistake)) throw error;
    cursor.error(error.code, error.message, place(error.offset));
    return undefined;
  }
}

function isConstant(template: Template): template is Template & { readonly kind: "constant" } {
  return template.kind === "constant";
}
function constantOf(template: Template): Json {
  return template.kind === "constant" ? template.value : null;
}

/** Constants of the file: no holes. */
export function readConstant(cursor: Cursor, what: string): Json {
  walkText(cursor, (at, text) => {
    if (looksSecret(text))
      at.error(
        "SECRET_IN_PLAN",
        "this looks like a secret, and everything in a plan is stored with its runs; let the effect take it from a service",
      );
    if (cut(text).some((piece) => !("text" in piece)))
      at.error("EXPRESSION_INVALID", `${what} are constants; write the expression where the value is used`);
  });
  return cursor.value;
}

function walkText(cursor: Cursor, visit: (at: Cursor, text: string) => void): void {
  if (typeof cursor.value === "string") visit(cursor, cursor.value);
  for (const item of cursor.items()) walkText(item, visit);
  for (const entry of cursor.entries()) {
    if (typeof entry.value === "string" && secretKey(String(entry.name)) && entry.value !== "")
      entry.warn(
        "SECRET_IN_PLAN",
        `"${entry.name}" looks like a secret, and everything in a plan is stored with its runs; let the effect take it from a service`,
      );
    walkText(entry, visit);
  }
}

export function isJsonMap(value: Json | undefined): value is JsonMap {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
