/** Files that are not ours, or not whole: each is named, with what to do, and stays as it is. */
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  truncateSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { OnexError } from "../../core/failure.ts";
import type { OpenStore, StoreHost } from "../store.ts";
import { newRun, turnZero } from "../suite/kit.ts";
import { type Database, loadDriver } from "./driver.ts";
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

function open(at = path): OpenStore {
  const store = sqlite(at).open(host);
  opened.push(store);
  return store;
}

/** A database that was not made by us. */
function raw(sql = ""): Database {
  writeFileSync(path, "", { flag: "a" });
  const db = loadDriver()(path, { readOnly: false });
  opened.push(db);
  db.exec(sql);
  return db;
}

function refused(at = path): { readonly code: string; readonly message: string } {
  try {
    open(at);
  } catch (error) {
    if (error instanceof OnexError) return { code: error.code, message: error.message };
    throw error;
  }
  return { code: "opened", message: "" };
}

/** That `path` is refused as foreign with these words, and not changed. */
function foreign(words: RegExp): void {
  const before = readFileSync(path);
  const { code, message } = refused();
  expect(code).toBe("STORE_FOREIGN");
  expect(message).toMatch(words);
  expect(message).toContain(path);
  expect(readFileSync(path).equals(before)).toBe(true);
}

describe("the file", () => {
  test("is made if absent, for the user alone, and nothing else is left behind", () => {
    open();
    expect(statSync(path).mode & 0o777).toBe(0o600);
    expect(readdirSync(folder).filter((name) => name.includes("-new-"))).toEqual([]);
  });

  test("keeps what was written when it is opened again", async () => {
    const store = open();
    await store.acquire("L");
    await store.append([turnZero(newRun("a"))]);
    await store.close();
    // The file alone is whole: what stands beside it may be lost.
    for (const name of readdirSync(folder)) if (name !== "test.db") rmSync(join(folder, name));
    expect((await open().run("a"))?.id).toBe("a");
  });

  test("is refused when it is empty", () => {
    writeFileSync(path, "");
    foreign(/empty \(0 bytes\).*backup/);
  });

  test("is refused when it is no database", () => {
    writeFileSync(path, "Dear diary,\n".repeat(500));
    foreign(/not a whole SQLite database/);
  });

  test("is refused when it is another program's database", () => {
    raw("CREATE TABLE t (a)").close();
    opened.pop();
    foreign(/another program \(application_id 0\)/);
  });

  test("is refused, and its log left alone, when another program left it in the middle of its work", () => {
    raw("PRAGMA journal_mode = WAL; PRAGMA wal_autocheckpoint = 0; CREATE TABLE t (a); INSERT INTO t VALUES (1)");
    const log = readFileSync(`${path}-wal`);
    foreign(/another program/);
    expect(readFileSync(`${path}-wal`).equals(log)).toBe(true);
  });

  test.each([0.5, 0.1, 0.001])("is refused when it is cut to %s of its size", async (part) => {
    const store = open();
    await store.close();
    truncateSync(path, Math.ceil(statSync(path).size * part));
    for (const name of readdirSync(folder)) if (name !== "test.db") rmSync(join(folder, name));
    foreign(/cut short/);
  });

  test("is refused when a newer onex wrote it", async () => {
    await open().close();
    raw("PRAGMA user_version = 99");
    foreign(/a newer onex wrote it \(schema 99/);
  });

  test("is refused when it is a folder", () => {
    mkdirSync(path);
    expect(refused()).toMatchObject({ code: "STORE_FOREIGN", message: expect.stringMatching(/folder of this name/) });
  });

  test("is not made in a folder that does not exist", () => {
    const inside = join(folder, "no", "such.db");
    expect(refused(inside)).toMatchObject({ code: "STORE_MISSING", message: expect.stringMatching(/no does not exist; create it/) });
  });

  test("is not made beside the log of one that is gone", () => {
    writeFileSync(`${path}-wal`, "x");
    expect(refused()).toMatchObject({ code: "STORE_FOREIGN", message: expect.stringMatching(/its log .* is still there/) });
    expect(existsSync(path)).toBe(false);
  });

  test("is refused when its name means no file to SQLite", () => {
    expect(refused(":memory:")).toMatchObject({ code: "STORE_MISSING", message: expect.stringMatching(/use memory\(\)/) });
    expect(refused("").code).toBe("STORE_MISSING");
  });

  test("is the same file by another name, with the same owner", async () => {
    await open().acquire("L1");
    const link = join(folder, "link.db");
    symlinkSync(path, link);
    expect(await open(link).acquire("L2")).toBeUndefined();
    symlinkSync(join(folder, "gone.db"), join(folder, "dangling.db"));
    expect(refused(join(folder, "dangling.db")).code).toBe("STORE_MISSING");
  });

  test("is busy when another program keeps it locked for more than a second", () => {
    raw("CREATE TABLE t (a); BEGIN EXCLUSIVE");
    expect(refused()).toMatchObject({ code: "STORE_BUSY", message: expect.stringMatching(/locked by another process for 1000 ms/) });
  });
});
