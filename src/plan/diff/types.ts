/** What a change of a type means for those who hand a value in, and for those who take one out. */
import type { Json } from "../../core/json.ts";
import { isJsonMap } from "../parse-value.ts";
import type { Side } from "../schema-type.ts";
import { type MapType, members, show, type Type } from "../types.ts";
import type { Changes } from "./change.ts";

/**
 * Adds a change for each place where two types differ. On the given side it concerns callers when something that was taken
 * is refused now; on the taken side when something may come that did not come before, or does not come any more.
 */
export function diffTypes(changes: Changes, what: string, old: Type, now: Type, side: Side): void {
  new Walk(changes, what, side).compare(old, now, "");
}

class Walk {
  readonly #changes: Changes;
  readonly #what: string;
  readonly #side: Side;

  constructor(changes: Changes, what: string, side: Side) {
    this.#changes = changes;
    this.#what = what;
    this.#side = side;
  }

  compare(old: Type, now: Type, path: string): void {
    if (old.kind === "map" && now.kind === "map") return this.#maps(old, now, path);
    if (old.kind === "list" && now.kind === "list") return this.compare(old.item, now.item, `${path}[]`);
    const gone = members(old).filter((one) => !members(now).some((other) => takes(other, one)));
    const come = members(now).filter((one) => !members(old).some((other) => takes(other, one)));
    if (gone.length > 0 || come.length > 0) {
      const breaks = this.#side === "given" ? gone.length > 0 : come.length > 0;
      return this.#say("~", path, `${show(old)} → ${show(now)} (${word(gone.length > 0, come.length > 0)})`, breaks);
    }
    for (const kind of ["map", "list"] as const) {
      const [before] = members(old).filter((one) => one.kind === kind);
      const [after] = members(now).filter((one) => one.kind === kind);
      if (before && after && old.kind === "union") this.compare(before, after, path);
    }
  }

  #maps(old: MapType, now: MapType, path: string): void {
    for (const [key, { type, optional }] of now.fields) {
      const before = old.fields.get(key);
      const at = `${path}.${key}`;
      if (!before) this.#say("+", at, `${show(type)}, ${optional ? "optional" : "required"}`, this.#side === "given" && !optional);
      else {
        if (before.optional !== optional)
          this.#say("~", at, optional ? "required → optional" : "optional → required", optional === (this.#side === "taken"));
        this.compare(before.type, type, at);
      }
    }
    for (const [key, { type }] of old.fields)
      if (!now.fields.has(key)) this.#say("-", `${path}.${key}`, show(type), this.#side === "taken" || now.closed);
    if (old.closed !== now.closed)
      this.#say(
        "~",
        path,
        now.closed ? "other fields are refused now" : "other fields are taken now",
        now.closed === (this.#side === "given"),
      );
    if (old.rest && now.rest) this.compare(old.rest, now.rest, `${path}.*`);
  }

  #say(mark: "+" | "-" | "~", path: string, detail: string, breaks: boolean): void {
    this.#changes.add(mark, `${this.#what}${path === "" ? "" : ` ${path}`}`, detail, ...(breaks ? (["callers"] as const) : []));
  }
}

function word(gone: boolean, come: boolean): string {
  return gone && come ? "changed" : gone ? "narrowed" : "widened";
}

/** Whether what the one type lets through is a value of the other, looking no deeper than its kind. */
function takes(wide: Type, narrow: Type): boolean {
  if (wide.kind === "any") return true;
  if (wide.kind !== narrow.kind) return false;
  if (wide.kind !== "string" || narrow.kind !== "string" || !wide.values) return true;
  return narrow.values?.every((value) => wide.values?.includes(value)) === true;
}

/** Words in a schema that say nothing about values. */
const annotations: ReadonlySet<string> = new Set(["$comment", "$id", "$schema", "description", "title", "examples", "deprecated"]);

/** A schema without what is for readers, as text to compare; the order of keys and of `required` does not count. */
export function schemaText(schema: Json | undefined): string {
  return JSON.stringify(bare(schema ?? null, false));
}

function bare(schema: Json, named: boolean): Json {
  if (Array.isArray(schema)) return schema.map((item: Json) => bare(item, false));
  if (!isJsonMap(schema)) return schema;
  const kept: Record<string, Json> = {};
  for (const key of Object.keys(schema).sort()) {
    const value = schema[key] as Json;
    // Under `properties` a key is a name of the user's, whatever it says.
    if (!named && annotations.has(key)) continue;
    kept[key] =
      !named && (key === "required" || key === "enum") && Array.isArray(value) ? [...value].sort() : bare(value, !named && names.has(key));
  }
  return kept;
}
const names: ReadonlySet<string> = new Set(["properties", "$defs", "definitions", "patternProperties", "dependentSchemas"]);
