/** A file is moved into a database: what its runs come to there is what they would have come to in the file. */
import { copyFileSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { sqlite } from "../../src/index.ts";
import { postgres } from "../../src/store/postgres/index.ts";
import { abortPromotion, promote, type PromoteTask, survey } from "../../src/store/promote/promote.ts";
import { newFolder } from "../faults/processes.ts";
import { skipWithoutPostgres } from "./binaries.ts";
import { fill, finish, secret, type World } from "./moved.ts";
import { startPostgres, type TestServer } from "./server.ts";

const host = {
  now: Date.now,
  setTimer(ms: number, callback: () => void) {
    const timer = setTimeout(callback, ms);
    return () => clearTimeout(timer);
  },
  warn: () => {},
};

describe.skipIf(skipWithoutPostgres("moving a SQLite file into PostgreSQL"))("promote", () => {
  let server: TestServer;
  let schemas = 0;
  let folder = "";
  let full = "";
  const before: World = { lines: [], hangs: true };
  beforeAll(async () => {
    server = await startPostgres({ settings: { fsync: "off" } });
    folder = mkdtempSync(join(tmpdir(), "onex-promote-"));
    full = join(folder, "full.db");
    await fill(sqlite(full), before);
  }, 60_000);
  afterAll(async () => {
    rmSync(folder, { recursive: true, force: true });
    await server.stop();
  });

  /** A copy of the file with runs in every state, and a schema to move it to. */
  function make(): PromoteTask {
    const file = join(newFolder(), "test.db");
    copyFileSync(full, file);
    copyFileSync(`${full}-key`, `${file}-key`);
    return { file, url: server.url(), schema: `p${++schemas}`, host, secretKey: readFileSync(`${file}-key`, "utf8").trim() };
  }

  test("runs in every state come out as they would have in the file, and nothing is done twice but what was in doubt, under the same key", { timeout: 60_000 }, async () => {
    const task = make();
    const left: World = { lines: [...before.lines], hangs: true };
    const undisturbed = await finish(sqlite(make().file), left);
    const done = await promote(task);
    expect(done).toMatchObject({ when: "now", rows: { schedules: 1 } });
    const there: World = { lines: [...before.lines], hangs: true };
    process.env.ONEX_SECRET_KEY = task.secretKey;
    expect(await finish(postgres(task.url, { schema: task.schema }), there)).toEqual(undisturbed);
    expect(there.lines.toSorted()).toEqual(left.lines.toSorted());
    console.log(undisturbed, left.lines);
  });
});
