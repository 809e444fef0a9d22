/** Texts of a contract → constants of a plan: `${env.X:default}` is its default, any other `${` is plain text. */
import type { Json } from "../../core/json.ts";
import type { Cursor } from "../cursor.ts";
import { nameOf } from "./say.ts";

const hole = /\$\{env\.([A-Za-z_][A-Za-z0-9_]*)(?::([^}]*))?\}/g;

/**
 * The value with the environment left out (API 4, point 8: what a plan reads is stored with the run): each hole is named
 * in a finding, and one without a default is an error.
 */
export function constantOf(cursor: Cursor): Json {
  const { value } = cursor;
  if (Array.isArray(value)) return cursor.items().map(constantOf);
  if (cursor.isMap) {
    const out: Record<string, Json> = {};
    for (const entry of cursor.entries()) out[String(entry.name)] = constantOf(entry);
    return out;
  }
  return typeof value === "string" ? plain(withoutEnvironment(cursor, value)) : value;
}

function withoutEnvironment(cursor: Cursor, text: string): string {
  return text.replaceAll(hole, (found, name: string, fallback: string | undefined) => {
    if (fallback === undefined) {
      cursor.error(
        "ONEX_ENVIRONMENT",
        `${nameOf(cursor)}: ${found} has no default, and plans do not read the environment; write \${env.${name}:value}`,
      );
      return "";
    }
    cursor.warn(
      "ONEX_ENVIRONMENT",
      `${nameOf(cursor)}: ${found} is always "${fallback}": plans do not read the environment; hand ${name} in as input, or let the node's service read it`,
    );
    return fallback;
  });
}

/** Text that a template prints as it stands. */
export function plain(text: string): string {
  return text.replaceAll("${", () => "$${");
}
