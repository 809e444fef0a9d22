/** Reading values of an ONEX contract: what is malformed is `ONEX_INVALID`, with its place. */
import type { Json } from "../../core/json.ts";
import { type Cursor, shown } from "../cursor.ts";
import { didYouMean, oneOf } from "../suggest.ts";

export function invalid(cursor: Cursor, message: string): undefined {
  cursor.error("ONEX_INVALID", message);
  return undefined;
}
export function ignored(cursor: Cursor, why: string): void {
  cursor.warn("ONEX_IGNORED", `${nameOf(cursor)}: ${why}`, cursor.keyPlace);
}
export function unsupported(cursor: Cursor, why: string): undefined {
  cursor.error("ONEX_UNSUPPORTED", `${nameOf(cursor)}: ${why}`, cursor.keyPlace);
  return undefined;
}

/** Its key; an item of a list has its path. */
export function nameOf(cursor: Cursor): string {
  return typeof cursor.name === "string" && cursor.name !== "" ? cursor.name : cursor.path;
}

export function textOf(cursor: Cursor | undefined): string | undefined {
  if (cursor === undefined || cursor.value === null) return undefined;
  if (typeof cursor.value === "string" && cursor.value.trim() !== "") return cursor.value;
  return invalid(cursor, `${nameOf(cursor)} is text, not ${shown(cursor.value)}`);
}
export function flagOf(cursor: Cursor | undefined): boolean | undefined {
  if (cursor === undefined || cursor.value === null) return undefined;
  return typeof cursor.value === "boolean"
    ? cursor.value
    : invalid(cursor, `${nameOf(cursor)} is true or false, not ${shown(cursor.value)}`);
}
/** A number within bounds; `whole` by default. */
export function numberOf(cursor: Cursor | undefined, least: number, most: number, whole = true): number | undefined {
  if (cursor === undefined || cursor.value === null) return undefined;
  const { value } = cursor;
  if (typeof value === "number" && value >= least && value <= most && (!whole || Number.isInteger(value))) return value;
  return invalid(cursor, `${nameOf(cursor)} is a ${whole ? "whole " : ""}number from ${least} to ${most}, not ${shown(value)}`);
}
/** One of some words, in any case. */
export function wordOf<const W extends string>(cursor: Cursor | undefined, words: readonly W[]): W | undefined {
  const text = textOf(cursor);
  if (cursor === undefined || text === undefined) return undefined;
  const found = words.find((word) => word === text.trim().toLowerCase());
  return found ?? invalid(cursor, `${nameOf(cursor)} is ${oneOf(words)}, not ${shown(text)}.${didYouMean(text.toLowerCase(), words)}`);
}
/** A map's cursor; complains when something else stands there. */
export function mapOf(cursor: Cursor | undefined): Cursor | undefined {
  if (cursor === undefined || cursor.value === null) return undefined;
  return cursor.isMap ? cursor : invalid(cursor, `${nameOf(cursor)} is a map, not ${shown(cursor.value)}`);
}
export function listOf(cursor: Cursor | undefined): readonly Cursor[] {
  if (cursor === undefined || cursor.value === null) return [];
  if (Array.isArray(cursor.value)) return cursor.items();
  invalid(cursor, `${nameOf(cursor)} is a list, not ${shown(cursor.value)}`);
  return [];
}

/** `{ major, minor, patch }` or `"1.2.3"` → `1.2.3`. */
export function versionOf(cursor: Cursor | undefined): string | undefined {
  if (cursor === undefined || cursor.value === null) return undefined;
  if (typeof cursor.value === "string" && /^\d+\.\d+\.\d+(?:-[0-9A-Za-z.-]+)?$/.test(cursor.value)) return cursor.value;
  if (cursor.isMap) {
    const { major, minor = 0, patch = 0 } = cursor.value as Readonly<Record<string, Json>>;
    if ([major, minor, patch].every((part) => Number.isInteger(part) && Number(part) >= 0)) return `${major}.${minor}.${patch}`;
  }
  return invalid(cursor, `${nameOf(cursor)} is a version, { major: 1, minor: 0, patch: 0 } or "1.0.0", not ${shown(cursor.value)}`);
}

/** Keys that are about the contract and say nothing of what runs. */
const about: readonly string[] = [
  "name",
  "description",
  "version",
  "author",
  "tags",
  "annotations",
  "documentation_url",
  "metadata",
  "profile_tags",
  "golden_path",
  "dod_evidence",
  "fingerprint",
  "contract_version",
  "node_version",
  "subcontract_version",
  "workflow_version",
  "workflow_hash",
  "node_type",
  "node_name",
  "node_class",
];

/** Names each key that nobody reads. `reasons` says why for those that ONEX knows. */
export function nameRest(cursor: Cursor | undefined, read: readonly string[], reasons: Readonly<Record<string, string>> = {}): void {
  if (cursor === undefined) return;
  for (const entry of cursor.entries()) {
    const key = String(entry.name);
    if (read.includes(key) || about.includes(key)) continue;
    const reason = Object.hasOwn(reasons, key) ? reasons[key] : undefined;
    ignored(entry, reason ?? `is not read.${didYouMean(key, read)}`);
  }
}
