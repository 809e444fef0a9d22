/**
 * The mark of a file whose runs are moved to a database, and the fence that goes with it. The fence is triggers, so that it
 * holds for every connection, also one of an older onex that had the file open before. Reading goes on.
 */
import { OnexError } from "../../core/failure.ts";
import type { Database } from "./driver.ts";

export interface Mark {
  readonly state: "promoting" | "promoted";
  /** As `--store` takes it, without a password. */
  readonly url: string;
  /** Of the last change, ms since 1970. */
  readonly at: number;
}

/** What the message of a trigger begins with. */
const code = "STORE_PROMOTED";
const tables = ["runs", "turns", "inbox", "blobs", "states", "definitions", "schedules", "pruned", "leases"];
const changes = ["INSERT", "UPDATE", "DELETE"];

/** As it is kept in `meta`. */
export function parseMark(text: string): Mark {
  return JSON.parse(text) as Mark;
}

/** Within a transaction. */
export function setMark(db: Database, mark: Mark): void {
  clearMark(db);
  db.prepare("INSERT INTO meta (key, value) VALUES ('promotion', ?)").run(JSON.stringify(mark));
  const text = quoted(`${code}: ${whither(mark)}`);
  for (const table of tables)
    for (const change of changes)
      db.exec(`CREATE TRIGGER ${triggerOf(table, change)} BEFORE ${change} ON ${table} BEGIN SELECT RAISE(ABORT, ${text}); END`);
}

/** Within a transaction. */
export function clearMark(db: Database): void {
  for (const table of tables) for (const change of changes) db.exec(`DROP TRIGGER IF EXISTS ${triggerOf(table, change)}`);
  db.exec("DELETE FROM meta WHERE key = 'promotion'");
}

function triggerOf(table: string, change: string): string {
  return `promoted_${table}_${change.toLowerCase()}`;
}

function quoted(text: string): string {
  return `'${text.replaceAll("'", "''")}'`;
}

export function promoted(name: string, mark: Mark): OnexError {
  return new OnexError(code, `${name}: ${whither(mark)}`);
}

/** What a trigger has said; `undefined`: it was something else. */
export function saidByFence(name: string, message: string): OnexError | undefined {
  const at = message.indexOf(`${code}: `);
  return at < 0 ? undefined : new OnexError(code, `${name}: ${message.slice(at + code.length + 2)}`);
}

function whither({ state, url }: Mark): string {
  return state === "promoting"
    ? `its runs are being moved to ${url}; nothing is written here any more. Stop this process; \`onex promote\` goes on with the move, and \`onex promote --abort\` gives the file back`
    : `its runs were moved to ${url} and go on there; this file is only what they were until then. Use that store`;
}
