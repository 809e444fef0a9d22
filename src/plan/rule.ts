/** What a schema says of a scalar beside its type: its length, bounds, pattern, format. */
import type { AnySchema, ValidateFunction } from "ajv/dist/2020.js";
import { newAjv } from "./ajv.ts";
import type { JsonMap } from "./cursor.ts";

const words: Readonly<Record<"string" | "number", readonly string[]>> = {
  string: ["minLength", "maxLength", "pattern"],
  number: ["minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum", "multipleOf"],
};

/** The rule in a schema; undefined when it says nothing more. `exact`: the schema itself is what values are checked by. */
export function ruleOf(kind: "string" | "number", schema: JsonMap, exact: boolean): JsonMap | undefined {
  // Bounds that every whole number keeps, as zod writes them, say nothing.
  const says = (word: string): boolean => schema[word] !== undefined && Math.abs(Number(schema[word])) !== Number.MAX_SAFE_INTEGER;
  const found = words[kind].filter(says).map((word) => [word, schema[word]] as const);
  const whole = kind === "number" && (schema.type === "integer" || (Array.isArray(schema.type) && !schema.type.includes("number")));
  // Another library checks a format by rules of its own.
  const format = kind === "string" && exact && typeof schema.format === "string" ? ([["format", schema.format]] as const) : [];
  const all = [...(whole ? ([["type", "integer"]] as const) : []), ...format, ...found];
  return all.length === 0 ? undefined : (Object.fromEntries(all) as JsonMap);
}

const judges = new WeakMap<JsonMap, ValidateFunction | null>();

/** Whether a value obeys the rule; true where the rule cannot be understood. */
export function obeys(rule: JsonMap, value: string | number): boolean {
  let judge = judges.get(rule);
  if (judge === undefined) {
    judge = judgeOf(rule);
    judges.set(rule, judge);
  }
  return judge === null || judge(value) === true;
}

function judgeOf(rule: JsonMap): ValidateFunction | null {
  try {
    // A rule is a piece of a schema that was looked at already; to look again takes longer than all else here.
    return newAjv({ validateSchema: false }).compile(rule as AnySchema);
  } catch {
    return null;
  }
}
