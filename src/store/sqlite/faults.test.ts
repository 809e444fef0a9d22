/** A disk that is full, a commit that does not say what it did, a file that somebody else keeps locked. */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import type { OpenStore, StoreHost } from "../store.ts";
import { begin, type Log, newRun, one, signal, turnZero } from "../suite/kit.ts";
import { type Database, type Driver, loadDriver } from "./driver.ts";
import { settle } from "./settle.ts";
import { sqliteWith } from "./sqlite.ts";

let folder = "";
let path = "";
let store: OpenStore;
let log: Log;
/** What becomes of a COMMIT: called with the real one. */
let onCommit = (commit: () => void): void => commit();
/** The connection that the store uses. */
let used: Database;
const opened: { close(): unknown }[] = [];
const warnings: string[] = [];
let warned = (): void => {};

const host: StoreHost = {
  now: () => Date.now(),
  setTimer(ms, callback) {
    const timer = setTimeout(callback, ms);
    return () => clearTimeout(timer);
  },
  warn(code) {
    warnings.push(code);
    warned();
  },
};

/** The real driver, but for what a COMMIT does. */
const faulty: Driver = (at, options) => {
  const db = loadDriver()(at, options);
  const wrapped: Database = {
    get isTransaction() {
      return db.isTransaction;
    },
    exec: (sql) => db.exec(sql),
    close: () => db.close(),
    function: (name, kind, call) => db.function(name, kind, call),
    prepare(sql) {
      const statement = db.prepare(sql);
      if (sql !== "COMMIT") return statement;
      return {
        get: (...values) => statement.get(...values),
        all: (...values) => statement.all(...values),
        run(...values) {
          onCommit(() => statement.run(...values));
          return { changes: 0, lastInsertRowid: 0 };
        },
      };
    },
  };
  if (at === path) used = wrapped;
  return wrapped;
};

beforeEach(async () => {
  folder = mkdtempSync(join(tmpdir(), "onex-"));
  path = join(folder, "test.db");
  onCommit = (commit) => commit();
  warnings.length = 0;
  store = sqliteWith(() => faulty, path).open(host);
  opened.push(store);
  await store.acquire("L");
  log = await begin(store, "a");
});

afterEach(async () => {
  for (const thing of opened.splice(0).reverse()) await thing.close();
  rmSync(folder, { recursive: true });
});

/** Lets the next commits end so: "lost" is made, but says it failed; "failed" is not made. */
function commits(...ends: readonly ("lost" | "failed")[]): void {
  const left = [...ends];
  onCommit = (commit) => {
    const end = left.shift();
    if (end !== "failed") commit();
    if (end !== undefined) throw Object.assign(new Error("disk I/O error"), { errcode: 10 });
  };
}

/** The file as somebody else sees it. */
function another(): OpenStore {
  const other = sqliteWith(loadDriver, path).open(host);
  opened.push(other);
  return other;
}

/** Keeps the file locked until the answer is called. */
function lock(): () => void {
  const db = loadDriver()(path, { readOnly: false });
  opened.push(db);
  db.exec("BEGIN IMMEDIATE");
  return () => db.exec("ROLLBACK");
}

describe("a commit that fails", () => {
  test("but was made is found to be made", async () => {
    commits("lost");
    const answers = await store.append([log.next(), turnZero(newRun("b"))]);
    expect(answers.map((answer) => answer.accepted)).toEqual([true, true]);
    expect((await store.turns(log.runNo)).length).toBe(2);
    expect((await store.run("b"))?.owned).toBe(true);
  });

  test("and was not made is made again, once", async () => {
    commits("failed");
    expect((await log.write(store)).accepted).toBe(true);
    expect((await log.write(store)).accepted).toBe(true);
    expect((await another().turns(log.runNo)).length).toBe(3);
  });

  test("again ends the store, and what was not acknowledged is not there", async () => {
    commits("failed", "failed");
    await expect(async () => store.append([log.next()])).rejects.toMatchObject({ code: "STORE_FAILED" });
    await expect(async () => store.append([log.next()])).rejects.toMatchObject({ code: "STORE_FAILED" });
    await expect(async () => store.post(signal("a", "m"))).rejects.toMatchObject({ code: "STORE_FAILED" });
    expect((await store.turns(log.runNo)).length).toBe(1);
  });

  test("of a message that was made counts it once", async () => {
    commits("lost");
    expect(await store.post(signal("a", "m"))).toEqual({ status: "duplicate", seq: 1 });
    expect((await store.inbox(log.runNo, 0)).length).toBe(1);
  });

  test("and left half a batch is not trusted", () => {
    const turns = [{ turn: 1, epoch: 1, pos: 1, next: 2, at: 0, final: false, facts: '["1"]' }];
    const reads = { turn: (runNo: number) => (runNo === log.runNo ? turns[0] : undefined), byNo: () => undefined };
    const batch = [log.next(), log.next({ run: 99 })];
    const answers = [{ accepted: true, runNo: log.runNo } as const, { accepted: true, runNo: 99 } as const];
    expect(settle(reads, batch, answers)).toBe("torn");
    expect(settle(reads, batch.slice(0, 1), answers)).toBe("present");
    expect(settle(reads, [log.next({ facts: "[]" })], answers)).toBe("absent");
  });
});

describe("a full disk", () => {
  test("ends the store; what was acknowledged is there", async () => {
    await log.write(store);
    used.exec("PRAGMA max_page_count = 1");
    const facts = JSON.stringify(["x".repeat(1_000_000)]);
    await expect(async () => store.append([log.next({ facts })])).rejects.toMatchObject({
      code: "STORE_FAILED",
      message: expect.stringMatching(/full; make room/),
    });
    await expect(async () => store.append([log.next()])).rejects.toMatchObject({ code: "STORE_FAILED" });
    expect((await another().turns(log.runNo)).length).toBe(2);
  });
});

describe("a turn that somebody else wrote", () => {
  test("stops the owner: nothing of the batch is written", async () => {
    const b = await begin(store, "b");
    await log.write(store);
    await expect(async () => store.append([b.next(), log.next({ turn: 1 })])).rejects.toMatchObject({ code: "OWNERSHIP_LOST" });
    expect((await store.turns(b.runNo)).length).toBe(1);
  });
});

describe("a locked file", () => {
  test("makes the owner wait without blocking, and keeps the order of what it was asked", async () => {
    const unlock = lock();
    const first = one(store, log.next());
    const second = store.start(newRun("b"), { epoch: 0, next: 1, facts: "[]" });
    expect([first, second].every((answer) => answer instanceof Promise)).toBe(true);
    unlock();
    expect((await first).accepted).toBe(true);
    expect((await second).created).toBe(true);
    expect(warnings).toEqual([]);
  });

  test("is warned about after a second", async () => {
    const unlock = lock();
    const answer = one(store, log.next());
    await new Promise<void>((resolve) => (warned = resolve));
    unlock();
    expect((await answer).accepted).toBe(true);
    expect(warnings[0]).toBe("STORE_BUSY");
  });

  test("is refused to a client after a second", async () => {
    const client = another();
    lock();
    await expect(async () => client.post(signal("a", "m"))).rejects.toMatchObject({ code: "STORE_BUSY" });
  });

  test("does not keep a waiting owner from closing", async () => {
    const unlock = lock();
    const answer = one(store, log.next());
    const ended = expect(answer).rejects.toMatchObject({ code: "STORE_FAILED" });
    unlock();
    await store.close();
    await ended;
  });
});

describe("the ownership", () => {
  test("is refused while the lock on the file is held, and warned about when it cannot be given back in order", async () => {
    const unlock = lock();
    await store.close();
    unlock();
    expect(warnings).toEqual(["STORE_BUSY"]);
    expect((await another().acquire("M")) === undefined).toBe(false);
  });
});
