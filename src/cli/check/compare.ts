/** Where a JSON Schema in a file and the one that a model describes say different things. Order and layout say nothing. */
import type { Json } from "../../core/json.ts";
import { type Cursor, type JsonMap, shown } from "../../plan/cursor.ts";
import type { Place } from "../../plan/finding.ts";
import { isJsonMap } from "../../plan/parse-value.ts";

export interface Difference {
  readonly place: Place;
  /** What differs, with its path; follows nothing and ends without a full stop. */
  readonly text: string;
}

/** Keywords whose keys are names of the user's. */
const named: readonly string[] = ["properties", "patternProperties", "$defs", "definitions", "dependentSchemas", "dependentRequired"];
/** Keywords whose lists have no order. */
const sets: readonly string[] = ["required", "enum", "type"];
/** Keywords whose value is any JSON, not a schema. */
const values: readonly string[] = ["const", "default", "examples", "enum"];

/**
 * Every difference, in the order of the file. `here` is the schema in the file, `model` the other one; `is` and `says` are
 * how the two are named, such as "the model".
 */
export function differences(here: Cursor, model: Json, says: string): Difference[] {
  const found: Difference[] = [];
  const say = (place: Place, text: string) => found.push({ place, text });
  compare(here, model, "schema", says, say);
  return found.sort((a, b) => a.place.line - b.place.line || a.place.column - b.place.column);
}

type Say = (place: Place, text: string) => void;
/** What a value is: a schema, a map of schemas by name, or anything. */
type Role = "schema" | "names" | "value";

function compare(here: Cursor, model: Json, role: Role, says: string, say: Say): void {
  if (here.isMap && isJsonMap(model)) return maps(here, model, role, says, say);
  if (Array.isArray(here.value) && Array.isArray(model)) return lists(here, model as readonly Json[], role, says, say);
  if (here.value !== model) say(here.place, `${here.path} is ${shown(here.value)} here, and ${shown(model)} in ${says}`);
}

function maps(here: Cursor, model: JsonMap, role: Role, says: string, say: Say): void {
  for (const child of here.entries()) {
    const key = String(child.name);
    if (!Object.hasOwn(model, key)) {
      if (!isDialect(key, role)) say(child.keyPlace, `${child.path} is not in ${says}`);
    } else compare(child, model[key] as Json, roleOf(key, role), says, say);
  }
  for (const key of Object.keys(model)) {
    if (here.has(key) || isDialect(key, role)) continue;
    const value = role === "names" ? "" : ` (${brief(model[key] as Json)})`;
    say(here.keyPlace, `${here.path}.${key} is missing: it is in ${says}${value}`);
  }
}

/** Which dialect of JSON Schema it is written in: said or not, it is the same one. */
function isDialect(key: string, role: Role): boolean {
  return key === "$schema" && role === "schema";
}

function roleOf(key: string, role: Role): Role {
  if (role !== "schema") return role === "names" ? "schema" : "value";
  if (named.includes(key)) return "names";
  return values.includes(key) ? "value" : "schema";
}

function lists(here: Cursor, model: readonly Json[], role: Role, says: string, say: Say): void {
  const items = here.items();
  if (sets.includes(String(here.name)) && (role === "schema" || here.name === "enum")) {
    const mine = new Set(items.map(({ value }) => JSON.stringify(value)));
    const theirs = new Set(model.map((value) => JSON.stringify(value)));
    for (const item of items)
      if (!theirs.has(JSON.stringify(item.value))) say(item.place, `${here.path} has ${shown(item.value)}, which is not in ${says}`);
    for (const value of model)
      if (!mine.has(JSON.stringify(value))) say(here.keyPlace, `${here.path} has no ${shown(value)}, which is in ${says}`);
    return;
  }
  for (const [i, item] of items.entries()) {
    const other = model[i];
    if (other === undefined) say(item.place, `${item.path} is not in ${says}`);
    else compare(item, other, role, says, say);
  }
  if (model.length > items.length) say(here.keyPlace, `${here.path} has ${items.length} entries, and ${model.length} in ${says}`);
}

function brief(value: Json): string {
  const text = JSON.stringify(value);
  return text.length > 60 ? `${text.slice(0, 60)}…` : text;
}
