/** Limits on what is recorded. */
import { OnexError } from "../core/failure.ts";
import { shown } from "../core/fields.ts";
import type { Json } from "../core/json.ts";

/** Throws OnexError `VALUE_TOO_LARGE` when the JSON text of `value` is longer than `maxBytes`. */
export function checkSize(value: Json, maxBytes: number, where: string): void {
  // A character takes at most six bytes in JSON text, so most values are cleared without being encoded.
  if (roughLength(value, maxBytes / 6) < maxBytes / 6) return;
  const bytes = Buffer.byteLength(JSON.stringify(value));
  if (bytes > maxBytes)
    throw new OnexError(
      "VALUE_TOO_LARGE",
      `${where} has ${bytes} bytes of JSON, more than ${maxBytes}: store it elsewhere and pass a reference, or raise maxValueBytes`,
    );
}

/** Whether the value is small enough to be kept beside its record. */
export function isSmall(value: Json): boolean {
  return roughLength(value, 4096) < 4096;
}

/** About as many characters as its JSON has; it stops counting at `enough`. */
export function roughLength(value: Json, enough: number): number {
  if (typeof value === "string") return value.length + 3;
  if (typeof value !== "object" || value === null) return 24;
  let length = 2;
  for (const [key, item] of Object.entries(value)) {
    length += key.length + 4 + roughLength(item, enough - length);
    if (length > enough) break;
  }
  return length;
}

/** JSON text with sorted keys: equal values, equal text. */
export function canonical(value: Json): string {
  if (typeof value !== "object" || value === null) return JSON.stringify(value);
  if (Array.isArray(value)) return `[${value.map(canonical).join(",")}]`;
  const object = value as { readonly [key: string]: Json };
  return `{${Object.keys(object)
    .sort()
    .map((key) => `${JSON.stringify(key)}:${canonical(object[key] as Json)}`)
    .join(",")}}`;
}

/**
 * An id that every store keeps as it is: control characters and lone surrogates do not survive in all of them, and nobody
 * can type them. Throws OnexError `OPTION_INVALID`.
 */
export function checkId(what: string, id: string): void {
  if (typeof id !== "string") throw new OnexError("OPTION_INVALID", `${what} is ${shown(id)}: give text`);
  if (id === "" || id.length > 512 || /\p{Cc}|\p{Cs}/u.test(id))
    throw new OnexError(
      "OPTION_INVALID",
      `${what} ${JSON.stringify(id)} is empty, longer than 512 characters, or holds control characters`,
    );
}
