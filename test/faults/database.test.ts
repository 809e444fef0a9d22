/** A database that cannot be used is refused when the orchestrator is made, by a clear error, and stays as it is. */
import { createHash } from "node:crypto";
import { cpSync, mkdirSync, readdirSync, readFileSync, statSync, truncateSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { beforeEach, describe, expect, test } from "vitest";
import { createOrchestrator, OnexError, sqlite, workflow } from "../../src/index.ts";
import { loadDriver } from "../../src/store/sqlite/driver.ts";
import { any } from "./any.ts";
import { newFolder, Program } from "./processes.ts";

let folder = "";
let file = "";
beforeEach(() => {
  folder = newFolder();
  file = join(folder, "test.db");
});

const idle = workflow({ name: "idle", input: any }, function* () {});

/** Why an orchestrator on that path is refused. */
function refused(path = file): { readonly code: string; readonly message: string } {
  let error: unknown;
  try {
    void createOrchestrator({ store: sqlite(path), nodes: [idle] }).close();
  } catch (caught) {
    error = caught;
  }
  if (!(error instanceof OnexError)) throw new Error(`not refused, but ${error ?? "opened"}`);
  return { code: error.code, message: error.message };
}

/** All that is written in the folder. Looking at a database leaves its shared memory there, and a log without content. */
function everything(): Record<string, string> {
  const written: Record<string, string> = {};
  for (const name of readdirSync(folder, { recursive: true, encoding: "utf8" }).sort()) {
    const path = join(folder, name);
    const { size } = statSync(path);
    if (name.endsWith("-shm") || (name.endsWith("-wal") && size === 0)) continue;
    written[name] = statSync(path).isFile() ? createHash("sha256").update(readFileSync(path)).digest("hex") : "folder";
  }
  return written;
}

/** That it is refused with this code and these words, and that nothing was written. */
function refusedUnchanged(code: string, words: RegExp, path = file): void {
  const before = everything();
  const refusal = refused(path);
  expect(refusal.code).toBe(code);
  expect(refusal.message).toMatch(words);
  expect(everything()).toEqual(before);
}

/** Another process makes the file, with a run in it, and leaves. */
async function aRun(): Promise<void> {
  const program = new Program("client", { file, effects: join(newFolder(), "effects"), does: ["start", "signal", "result"] });
  expect((await program.says("result")).result).toEqual(["hello", "hello!"]);
  await program.end();
}

describe("a database that cannot be used", () => {
  test("because its folder is missing", () => {
    refusedUnchanged("STORE_MISSING", /folder .*nowhere does not exist; create it/, join(folder, "nowhere/test.db"));
  });

  test("because it was lost and its log is still there", async () => {
    const program = new Program("client", { file, effects: join(folder, "effects"), does: ["start", "idle", "stay"] });
    await program.says(({ did }) => did === "idle");
    program.kill("SIGKILL");
    await program.end("SIGKILL");
    const whole = join(newFolder(), "test.db");
    cpSync(`${file}-wal`, `${whole}-wal`);
    folder = join(whole, "..");
    refusedUnchanged("STORE_FOREIGN", /its log .*-wal is still there/, whole);
  });

  test("because it is a folder", () => {
    mkdirSync(file);
    refusedUnchanged("STORE_FOREIGN", /there is a folder of this name/);
  });

  test("because it is empty", () => {
    writeFileSync(file, "");
    refusedUnchanged("STORE_FOREIGN", /the file is empty \(0 bytes\).*backup/);
  });

  test("because it is no database", () => {
    writeFileSync(file, "name,amount\nann,3\n".repeat(1000));
    refusedUnchanged("STORE_FOREIGN", /not a whole SQLite database/);
  });

  test("because it is the database of another program", () => {
    writeFileSync(file, "");
    const db = loadDriver()(file, { readOnly: false });
    db.exec("CREATE TABLE people (name TEXT); INSERT INTO people VALUES ('ann')");
    db.close();
    refusedUnchanged("STORE_FOREIGN", /database of another program/);
  });

  test("because it was written by a newer onex", async () => {
    await aRun();
    const db = loadDriver()(file, { readOnly: false });
    db.exec("PRAGMA user_version = 1000; PRAGMA wal_checkpoint(TRUNCATE)");
    db.close();
    refusedUnchanged("STORE_FOREIGN", /newer onex wrote it \(schema 1000/);
  });

  test.each([0.5, 0.9, 0.01])("because only a part of it is there (%f)", async (part) => {
    await aRun();
    truncateSync(file, Math.floor(statSync(file).size * part));
    refusedUnchanged("STORE_FOREIGN", /not a whole SQLite database/);
  });

  test.each(["BEGIN IMMEDIATE", "BEGIN EXCLUSIVE"])("because something else has kept it locked for over a second (%s)", async (begin) => {
    await aRun();
    const db = loadDriver()(file, { readOnly: false });
    try {
      db.exec(begin);
      const { code, message } = refused();
      expect(code).toBe("STORE_BUSY");
      expect(message).toMatch(/locked by another process for 1000 ms; close what holds it/);
      db.exec("ROLLBACK");
    } finally {
      db.close();
    }
    // It was refused, not harmed: nothing keeps the next one out.
    const orchestrator = createOrchestrator({ store: sqlite(file), nodes: [idle] });
    expect(orchestrator.role).toBe("owner");
    expect(await orchestrator.run("r").result()).toEqual(["hello", "hello!"]);
    await orchestrator.close();
  });
});

test("a missing file is made, for the user alone", async () => {
  await aRun();
  expect(statSync(file).mode & 0o777).toBe(0o600);
});
