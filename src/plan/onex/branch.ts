/** The six branch conditions: when a step is taken, judged on what became of another one. */
import { type Cursor, shown } from "../cursor.ts";
import { didYouMean, oneOf } from "../suggest.ts";
import type { Branch } from "./model.ts";
import { invalid, mapOf, nameRest, textOf } from "./say.ts";

const types = ["if_true", "if_false", "if_error", "if_success", "if_timeout", "custom"] as const;

/**
 * `branch_condition`: one of the six words, or `{ type, step, field, expression }`; text that is no such word is the
 * expression of a custom one. Without `step` it is judged on the one step that this one depends on.
 */
export function branchOf(
  cursor: Cursor | undefined,
  dependencies: readonly string[],
  ids: ReadonlyMap<string, string>,
): Branch | undefined {
  if (cursor === undefined || cursor.value === null) return undefined;
  const { place } = cursor;
  if (typeof cursor.value === "string") {
    const type = types.find((each) => each === (cursor.value as string).trim().toLowerCase());
    if (type === undefined) return { type: "custom", expression: cursor.value, place };
    if (type === "custom") return invalid(cursor, `${cursor.path}: custom needs an expression; write { type: custom, expression: … }`);
    return judged(cursor, type, undefined, undefined, dependencies, ids);
  }
  const map = mapOf(cursor);
  if (!map) return undefined;
  nameRest(map, ["type", "condition", "step", "field", "expression"]);
  const word = textOf(map.get("type") ?? map.get("condition"))
    ?.trim()
    .toLowerCase();
  const type = types.find((each) => each === (word ?? (map.has("expression") ? "custom" : undefined)));
  if (type === undefined) return invalid(map, `${map.path} has a type: ${oneOf(types)}${word === undefined ? "" : `, not ${shown(word)}`}`);
  const expression = textOf(map.get("expression"));
  if (type === "custom")
    return expression === undefined
      ? invalid(map, `${map.path}: custom needs an expression`)
      : { type, expression, place: map.get("expression")?.place ?? place };
  return judged(map, type, map.get("step"), textOf(map.get("field")), dependencies, ids);
}

function judged(
  cursor: Cursor,
  type: Exclude<(typeof types)[number], "custom">,
  step: Cursor | undefined,
  field: string | undefined,
  dependencies: readonly string[],
  ids: ReadonlyMap<string, string>,
): Branch | undefined {
  const id = textOf(step) ?? (dependencies.length === 1 ? dependencies[0] : undefined);
  if (id === undefined)
    return invalid(
      cursor,
      `${cursor.path} is judged on one step, and this one depends on ${dependencies.length}; say which: { type: ${type}, step: … }`,
    );
  const of = ids.get(id);
  if (of === undefined) {
    (step ?? cursor).error("REFERENCE_UNKNOWN", `there is no step "${id}".${didYouMean(id, ids.keys())}`);
    return undefined;
  }
  const { place } = cursor;
  if (type !== "if_true" && type !== "if_false") return { type, of, place };
  if (field !== undefined && !/^[A-Za-z_][A-Za-z0-9_]*(?:\.[A-Za-z_][A-Za-z0-9_]*)*$/.test(field))
    return invalid(cursor, `${cursor.path}: field is a name, or names with dots between them, not ${shown(field)}`);
  return { type, of, field, place };
}
