/** A file that an earlier version wrote is brought up to date when it is opened, with everything that is in it. */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import type { OpenStore, StoreHost } from "../store.ts";
import { first, Log, newRun, signal } from "../suite/kit.ts";
import { type Database, loadDriver } from "./driver.ts";
import { sql as first0001 } from "./migrations/0001.ts";
import { applicationId, numberOf, schemaVersion } from "./schema.ts";
import { sqlite } from "./sqlite.ts";

let folder = "";
let path = "";
const opened: { close(): unknown }[] = [];
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "onex-"));
  path = join(folder, "test.db");
});
afterEach(() => {
  for (const thing of opened.splice(0)) thing.close();
  rmSync(folder, { recursive: true });
});

const host: StoreHost = { now: () => Date.now(), setTimer: () => () => {}, warn() {} };
function open(): OpenStore {
  const store = sqlite(path).open(host);
  opened.push(store);
  return store;
}

/** A file of the first version: a run that sleeps, a child that is due, one that an owner who died drove, and one that waits for code. */
async function writeFirstVersion(): Promise<void> {
  await sqlite(path).open(host).close();
  rmSync(path);
  const db = raw();
  db.exec(first0001);
  db.exec(`
    INSERT INTO meta VALUES ('store', 'the store');
    INSERT INTO leases (lease_id, pid, state) VALUES ('dead', 1, 'live');
    INSERT INTO runs (id, workflow, version, digest, status, blocked, priority, created_at, lease_no, wake_at, parent, mail_put) VALUES
      ('sleeps', 'w', '1', 'd', 'waiting', NULL, 5, 10, NULL, 5000, NULL, 0),
      ('child', 'w', '1', 'd', 'waiting', NULL, 100, 10, NULL, 20, 'sleeps', 0),
      ('driven', 'w', '1', 'd', 'running', NULL, 100, 10, 1, NULL, NULL, 1),
      ('blocked', 'v', '1', 'd', 'pending', 'VERSION_MISSING', 100, 10, NULL, 0, NULL, 0);
    INSERT INTO turns (run_no, turn, epoch, pos, next, at, final, facts) VALUES
      (1, 0, 1, 0, 1, 10, 0, '["0"]'), (2, 0, 1, 0, 1, 10, 0, '["0"]'), (3, 0, 1, 0, 1, 10, 0, '["0"]'), (4, 0, 0, 0, 1, 10, 0, '["0"]');
    INSERT INTO inbox VALUES (3, 1, 'm', 'signal', '{}');
    PRAGMA application_id = ${applicationId};
    PRAGMA user_version = 1;
  `);
  db.close();
  opened.pop();
}
function raw(): Database {
  rmSync(`${path}-wal`, { force: true });
  const { closeSync, openSync } = process.getBuiltinModule("node:fs");
  closeSync(openSync(path, "a"));
  const db = loadDriver()(path, { readOnly: false });
  opened.push(db);
  return db;
}
const ids = (rows: readonly { readonly id: string }[]): readonly string[] => rows.map(({ id }) => id);

describe("a file of the first version", () => {
  test("is brought up to date, and its runs are as they were", async () => {
    await writeFirstVersion();
    const store = open();
    await store.acquire("L");
    expect(ids(await store.due(30, 10))).toEqual(["driven", "child"]);
    expect(ids(await store.due(30, 10, true))).toEqual(["child"]);
    expect(await store.run("sleeps")).toMatchObject({
      wakeAt: 5000,
      priority: 5,
      queuedAt: undefined,
      concurrency: undefined,
      rate: undefined,
    });
    expect(await store.unblock(["v@1"])).toBe(1);
    expect(ids(await store.due(0, 10))).toEqual(["driven", "blocked"]);
    const driven = await store.run("driven");
    expect(await store.inbox(driven?.runNo ?? 0, 0)).toHaveLength(1);
    expect((await new Log(driven?.runNo ?? 0).write(store, { take: true })).accepted).toBe(true);
    await store.post(signal("sleeps", "n"));
    expect((await store.run("sleeps"))?.wakeAt).toBe(0);
    expect([await store.queued(1e15, 10, []), await store.underWay(), await store.schedules.list()]).toEqual([[], [], []]);
    await store.start(newRun("new", { queuedAt: 5 }), first);
    expect(ids(await store.queued(10, 10, []))).toEqual(["new"]);
    expect([await store.prunable(1e15), await store.pruned("sleeps")]).toEqual([[], undefined]);
    await store.close();
    const db = raw();
    expect(numberOf(db, "user_version")).toBe(schemaVersion);
    expect(db.prepare("SELECT value FROM meta WHERE key = 'store'").get()?.value).toBe("the store");
  });
});

describe("what a look asks", () => {
  const plans = (db: Database, sql: string): string =>
    db
      .prepare(`EXPLAIN QUERY PLAN ${sql}`)
      .all(...Array(sql.split("?").length - 1).fill(0))
      .map(({ detail }) => detail)
      .join("; ");

  test("is answered by an index", async () => {
    await open().close();
    const db = raw();
    const sleeping = "FROM runs WHERE ended_at IS NULL AND blocked IS NULL AND lease_no IS NULL";
    const slotless = plans(
      db,
      `SELECT * ${sleeping} AND (parent IS NOT NULL OR queued_at IS NOT NULL) AND wake_at <= ? ORDER BY wake_at, priority, run_no LIMIT ?`,
    );
    expect(slotless).toMatch(/^SEARCH runs USING INDEX runs_slotless/);
    const queue = "FROM runs WHERE queued_at IS NOT NULL AND blocked IS NULL";
    expect(plans(db, `SELECT * ${queue} AND +queued_at <= ? ORDER BY priority, queued_at, run_no LIMIT ?`)).toBe(
      "SCAN runs USING INDEX runs_queue",
    );
    expect(plans(db, `SELECT queued_at ${queue} AND queued_at > ? ORDER BY queued_at LIMIT 1`)).toMatch(
      /^SEARCH runs USING .*INDEX runs_queue_times/,
    );
    expect(plans(db, "SELECT rate, admitted_at FROM runs WHERE rate IS NOT NULL AND admitted_at > ? ORDER BY admitted_at")).toMatch(
      /^SEARCH runs USING INDEX runs_admitted/,
    );
    expect(plans(db, "SELECT run_no FROM runs WHERE ended_at >= ? AND ended_at < ? ORDER BY ended_at, run_no LIMIT ?")).toMatch(
      /^SEARCH runs USING COVERING INDEX runs_ended/,
    );
  });
});
