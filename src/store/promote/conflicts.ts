/** What stands in the way of a promotion, found before anything is copied, and once more before it is done. */
import { OnexError } from "../../core/failure.ts";
import { texts } from "../postgres/arrays.ts";
import { decodeText } from "../postgres/text.ts";
import { keyNames } from "../seal.ts";
import type { Value } from "../sqlite/driver.ts";
import type { Source } from "./source.ts";
import { others, runs, type Table, valuesOf } from "./tables.ts";
import type { Target } from "./target.ts";

const atOnce = 2_000;
const bytesAtOnce = 4 * 1024 * 1024;
const named = 5;

/** Throws OnexError `RUN_ID_CONFLICT`, `PROMOTION_CONFLICT`. */
export async function checkNames(source: Source, target: Target): Promise<void> {
  const ids = await taken(
    source,
    target,
    runs,
    ["id"],
    (keys) => `SELECT id AS k0 FROM @.runs WHERE id = ANY(${keys[0]}) UNION SELECT id FROM @.pruned WHERE id = ANY(${keys[0]})`,
  );
  if (ids.length > 0)
    throw new OnexError(
      "RUN_ID_CONFLICT",
      `${target.name} has runs, or keeps ids of removed ones, that ${source.name} has too: ${list(ids)}; nothing was moved. Take another schema (--schema), or prune them on one side`,
    );
  for (const [name, what] of [
    ["states", "states of reducers"],
    ["schedules", "schedules"],
  ] as const) {
    const table = others.find((one) => one.name === name) as Table;
    const found = await taken(source, target, table, table.key, (keys) => {
      const unnest = keys.length === 1 ? `unnest(${keys[0]}) AS b(k0)` : `unnest(${keys.join(", ")}) AS b(k0, k1)`;
      const both = table.key.map((column, i) => `t.${column} = b.k${i}`).join(" AND ");
      return `SELECT b.* FROM ${unnest} JOIN @.${name} t ON ${both}${name === "states" ? " AND t.state IS NOT NULL" : ""}`;
    });
    if (found.length > 0)
      throw new OnexError(
        "PROMOTION_CONFLICT",
        `${target.name} has ${what} that ${source.name} has too: ${list(found)}; nothing was moved, since they cannot be put together. Take another schema (--schema)`,
      );
  }
}

/** Keys of rows that the target has too. */
async function taken(
  source: Source,
  target: Target,
  table: Table,
  key: readonly string[],
  ask: (keys: readonly string[]) => string,
): Promise<readonly string[]> {
  const found: string[] = [];
  const at = key.map((name) => table.columns.findIndex((column) => column.name === name));
  for (let after: Value | undefined, more = true; more && found.length <= named; ) {
    const chunk = source.chunk(table, after, atOnce, bytesAtOnce);
    more = chunk.next !== undefined;
    after = chunk.next;
    if (chunk.rows.length === 0) break;
    const values = chunk.rows.map((row) => valuesOf(table, row));
    const rows = await target.query(
      ask(at.map((_, i) => `$${i + 1}::text[]`)),
      ...at.map((column) => texts(values.map((row) => String(row[column])))),
    );
    found.push(...rows.map((row) => at.map((_, i) => decodeText(String(row[`k${i}`]))).join(" of ")));
  }
  return found;
}

function list(names: readonly string[]): string {
  return names.length > named ? `${names.slice(0, named).join(", ")}, …` : names.join(", ");
}

/**
 * That whoever drives the runs in the database will be able to open the secrets in them: the key file stays with the file.
 * Throws OnexError `SECRET_KEY_MISSING`, which names the keys and tells none.
 */
export function checkKeys(source: Source, given: string | undefined): void {
  const used = source.keysUsed();
  const held = new Set(keyNames(given, undefined));
  const missing = [...used].filter((name) => !held.has(name));
  if (missing.length === 0) return;
  const beside = new Set(keyNames(undefined, source.keys()));
  const file = `${source.path}-key`;
  const here = missing.filter((name) => beside.has(name));
  // No shell line: NAME="VALUE" looks like a secret, and is redacted where it is shown.
  throw new OnexError(
    "SECRET_KEY_MISSING",
    here.length === missing.length
      ? `${source.name} holds secrets that are sealed with the key in ${file}, and a database keeps no key: set the variable ONEX_SECRET_KEY to what that file holds, for this command and for every process on the database; nothing was moved`
      : `${source.name} holds secrets that are sealed with the key ${missing.find((name) => !beside.has(name))}, which is neither in ONEX_SECRET_KEY nor in ${file}: put it back first; nothing was moved`,
  );
}
