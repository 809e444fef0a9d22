/**
 * What the store could do at best: one row of 131 bytes a step in the layout of the log, one transaction a flush, no other
 * work. 100 chains of dependent steps for throughput, one chain for latency, and a bare commit of one row.
 */
import { createRequire } from "node:module";
import { inFolder } from "../folder.ts";
import { type Figures, percentile } from "../stats.ts";
import type { StoreKind } from "../store.ts";
import { postgresLimit } from "./postgres-limit.ts";
import { facts } from "./row.ts";

interface Statement {
  run(...values: unknown[]): unknown;
}
interface Database {
  exec(sql: string): void;
  prepare(sql: string): Statement;
  close(): void;
}
export function limit(store: StoreKind): Promise<Figures> {
  if (store === "postgres") return postgresLimit();
  return inFolder(async (file) => {
    const database = open(file);
    const rows = 20_000;
    const ms = await chains(database, 100, rows);
    const alone: number[] = [];
    for (let i = 0; i < 200; i++) alone.push(await chains(database, 1, 10, 1_000 + i));
    const commit: number[] = [];
    for (let i = 0; i < 500; i++) commit.push(await chains(database, 1, 1, 10_000 + i));
    database.close();
    return { stepsPerSecond: (rows / ms) * 1000, tenRowsP50Ms: percentile(alone, 0.5), oneRowP50Ms: percentile(commit, 0.5) };
  });
}

function open(file: string): Database {
  const require = createRequire(import.meta.url);
  const [major = 0, minor = 0] = process.versions.node.split(".").map(Number);
  const native = major > 22 || (major === 22 && minor >= 13);
  const { DatabaseSync } = require(native ? "node:sqlite" : "@photostructure/sqlite") as { DatabaseSync: new (file: string) => Database };
  const database = new DatabaseSync(file);
  database.exec("PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; PRAGMA wal_autocheckpoint = 0");
  database.exec(`CREATE TABLE turns(id INTEGER PRIMARY KEY, run_no INTEGER NOT NULL, turn INTEGER NOT NULL, epoch INTEGER NOT NULL,
    pos INTEGER NOT NULL, next INTEGER NOT NULL, at INTEGER NOT NULL, final INTEGER NOT NULL, facts TEXT NOT NULL);
    CREATE UNIQUE INDEX turns_by_run ON turns(run_no, turn)`);
  return database;
}

/** `count` rows over `width` chains; a chain's next row is written after its last one is committed. Answers the ms. */
function chains(database: Database, width: number, count: number, firstRun = 0): Promise<number> {
  const insert = database.prepare("INSERT INTO turns(run_no, turn, epoch, pos, next, at, final, facts) VALUES (?, ?, 1, ?, ?, ?, 0, ?)");
  const from = performance.now();
  return new Promise((resolve) => {
    let turn = 0;
    const flush = (): void => {
      database.exec("BEGIN IMMEDIATE");
      for (let chain = 0; chain < width; chain++) insert.run(firstRun + chain, turn, turn, turn + 1, Date.now(), facts);
      database.exec("COMMIT");
      turn++;
      if (turn * width >= count) resolve(performance.now() - from);
      else setImmediate(flush);
    };
    setImmediate(flush);
  });
}
