/**
 * Which SQLite this process uses, behind the few calls that the store needs. Node's own is taken where it has one that is
 * new enough; both speak the same API. Older ones can lose a commit when a checkpoint and a writer meet in WAL mode.
 */
import { createRequire } from "node:module";
import { OnexError } from "../../core/failure.ts";

export type Value = string | number | null;
export type Row = Readonly<Record<string, Value>>;

export interface Statement {
  run(...values: Value[]): { readonly changes: number | bigint; readonly lastInsertRowid: number | bigint };
  get(...values: Value[]): Row | undefined;
  all(...values: Value[]): Row[];
}

/**
 * A connection. One of the two drivers really closes it only when the statements prepared on it were garbage collected,
 * and keeps its locks and its log until then: where closing matters, use `exec` and `readOnce`, and roll back first.
 */
export interface Database {
  readonly isTransaction: boolean;
  prepare(sql: string): Statement;
  exec(sql: string): void;
  function(name: string, options: { readonly varargs: boolean }, call: (...values: Value[]) => null): void;
  close(): void;
}

/** Opens a file that exists. */
export type Driver = (path: string, options: { readonly readOnly: boolean }) => Database;

interface SqliteModule {
  readonly DatabaseSync: new (path: string, options: { readonly readOnly: boolean }) => Database;
}

export const oldest = "3.51.3";

/** @throws OnexError `STORE_DRIVER_MISSING` when neither Node nor the optional package has one. */
export function loadDriver(node: () => SqliteModule | undefined = ofNode, npm: () => SqliteModule | undefined = ofPackage): Driver {
  const found = usable(node()) ?? usable(npm());
  if (found === undefined) {
    throw new OnexError(
      "STORE_DRIVER_MISSING",
      `no SQLite ${oldest} or newer: run \`npm install @photostructure/sqlite\`, or use a Node that has it in node:sqlite (22.23 or 24.15 and later)`,
    );
  }
  return (path, options) => new found.DatabaseSync(path, options);
}

function ofNode(): SqliteModule | undefined {
  return process.getBuiltinModule?.("node:sqlite") as SqliteModule | undefined;
}

function ofPackage(): SqliteModule | undefined {
  try {
    return createRequire(import.meta.url)("@photostructure/sqlite") as SqliteModule;
  } catch {
    // Not installed, or built for another system: both are for the user to mend, in one message.
    return undefined;
  }
}

function usable(module: SqliteModule | undefined): SqliteModule | undefined {
  return module !== undefined && atLeast(versionIn(module), oldest) ? module : undefined;
}

function versionIn(module: SqliteModule): string {
  const db = new module.DatabaseSync(":memory:", { readOnly: false });
  try {
    return String(db.prepare("SELECT sqlite_version() AS version").get()?.version);
  } finally {
    db.close();
  }
}

/** The drivers of this process, in the order in which they are taken, and whether each is new enough. */
export function driversHere(): readonly { readonly name: string; readonly version: string; readonly usable: boolean }[] {
  const found = [
    { name: "node:sqlite", module: ofNode() },
    { name: "@photostructure/sqlite", module: ofPackage() },
  ];
  return found.flatMap(({ name, module }) => {
    if (module === undefined) return [];
    const version = versionIn(module);
    return [{ name, version, usable: atLeast(version, oldest) }];
  });
}

/** The values of one row, read without a statement object. */
export function readOnce(db: Database, columns: string): readonly Value[] {
  let row: readonly Value[] = [];
  db.function("onex_read", { varargs: true }, (...values) => {
    row = values;
    return null;
  });
  db.exec(`SELECT onex_read(${columns})`);
  return row;
}

/** Compares versions like "3.51.3". */
export function atLeast(version: string, wanted: string): boolean {
  const have = version.split(".").map(Number);
  for (const [i, part] of wanted.split(".").map(Number).entries()) {
    const mine = have[i] ?? 0;
    if (mine !== part) return mine > part;
  }
  return true;
}
