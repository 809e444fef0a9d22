/** Numbered migrations, and the marks that tell our files from all others. */
import { randomUUID } from "node:crypto";
import { type Database, readOnce } from "./driver.ts";
import { sql as first } from "./migrations/0001.ts";
import { sql as second } from "./migrations/0002.ts";
import { sql as third } from "./migrations/0003.ts";

/** "onex" in ASCII, in the header of every file of ours. */
export const applicationId = 0x6f6e6578;

/** `migrations[n]` brings a file from version n to n + 1. */
const migrations: readonly string[] = [first, second, third];

export const schemaVersion = migrations.length;

/** Brings the schema up to date, in one transaction: a crash leaves the old version or the new one. */
export function migrate(db: Database): void {
  db.exec("BEGIN IMMEDIATE");
  try {
    // Read under the lock: another process may have been here first.
    const [version] = readOnce(db, "(SELECT user_version FROM pragma_user_version)");
    for (const sql of migrations.slice(Number(version))) db.exec(sql);
    if (version === 0) db.exec(`INSERT INTO meta (key, value) VALUES ('store', '${randomUUID()}')`);
    db.exec(`PRAGMA application_id = ${applicationId}; PRAGMA user_version = ${schemaVersion}; COMMIT`);
  } catch (error) {
    if (db.isTransaction) db.exec("ROLLBACK");
    throw error;
  }
}

export function numberOf(db: Database, pragma: string): number {
  const row = db.prepare(`PRAGMA ${pragma}`).get() ?? {};
  return Number(Object.values(row)[0]);
}
