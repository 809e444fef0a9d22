import type { Database, Statement } from "./driver.ts";

export function prepareAll<K extends string>(db: Database, sql: Readonly<Record<K, string>>): Readonly<Record<K, Statement>> {
  return Object.fromEntries(Object.entries<string>(sql).map(([key, text]) => [key, db.prepare(text)])) as Record<K, Statement>;
}
