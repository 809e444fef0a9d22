/** A file is moved into a database: what its runs come to there is what they would have come to in the file. */
import { copyFileSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { Sanitizer, sqlite } from "../../src/index.ts";
import { postgres } from "../../src/store/postgres/index.ts";
import { abortPromotion, type PromoteTask, promote, survey } from "../../src/store/promote/promote.ts";
import { loadDriver } from "../../src/store/sqlite/driver.ts";
import type { OpenStore } from "../../src/store/store.ts";
import { begin, first, newRun, signal } from "../../src/store/suite/kit.ts";
import { newFolder, Program } from "../faults/processes.ts";
import { programsOf } from "../faults/programs.ts";
import { skipWithoutPostgres } from "./binaries.ts";
import { fill, finish, odd, openOn, type World } from "./moved.ts";
import { startPostgres, type TestServer } from "./server.ts";

const host = {
  now: Date.now,
  setTimer(ms: number, callback: () => void) {
    const timer = setTimeout(callback, ms);
    return () => clearTimeout(timer);
  },
  warn: () => {},
};
/** Both ways from each commit, for the nightly run; else one of them. */
const isThorough = process.env.ONEX_FAULTS === "full";

describe.skipIf(skipWithoutPostgres("moving a SQLite file into PostgreSQL"))("promote", () => {
  let server: TestServer;
  let schemas = 0;
  let folder = "";
  let full = "";
  let key = "";
  const before: World = { lines: [], hangs: true };
  beforeAll(async () => {
    server = await startPostgres({ settings: { fsync: "off" } });
    folder = mkdtempSync(join(tmpdir(), "onex-promote-"));
    full = join(folder, "full.db");
    await fill(sqlite(full), before);
    key = readFileSync(`${full}-key`, "utf8").trim();
    process.env.ONEX_SECRET_KEY = key;
  });
  afterAll(async () => {
    delete process.env.ONEX_SECRET_KEY;
    rmSync(folder, { recursive: true, force: true });
    await server.stop();
  });

  /** A copy of the file with runs in every state, and a schema to move it to. */
  function make(from = full): PromoteTask {
    const file = join(newFolder(), "test.db");
    copyFileSync(from, file);
    return { file, url: server.url(), schema: `p${++schemas}`, host, secretKey: key };
  }
  function open(file: string): OpenStore {
    return sqlite(file).open(host);
  }
  /** All that the file holds, but for who owned it and where it went. */
  function contents(file: string): string {
    const db = loadDriver()(file, { readOnly: true });
    // Who took the move back may be closing it still.
    db.exec("PRAGMA busy_timeout = 5000");
    const tables = ["runs", "turns", "inbox", "blobs", "states", "definitions", "schedules", "pruned"];
    const all = tables.map((table) => db.prepare(`SELECT * FROM ${table} ORDER BY 1, 2`).all());
    const triggers = db.prepare("SELECT name FROM sqlite_schema WHERE type = 'trigger'").all();
    const mark = db.prepare("SELECT * FROM meta WHERE key = 'promotion'").all();
    db.close();
    return JSON.stringify([all, triggers, mark]);
  }
  /** Of each run what a process would find there, whatever its number. */
  async function moved({ schema }: PromoteTask): Promise<object> {
    const runs = await server.query(
      `SELECT r.id, r.status, r.wake_at, r.mail_put, r.lease_no, r.parent,
         (SELECT md5(string_agg(concat_ws(' ', turn, epoch, pos, next, at, final, facts), ' ' ORDER BY turn)) FROM ${schema}.turns t WHERE t.run_no = r.run_no) AS turns,
         (SELECT md5(string_agg(concat_ws(' ', seq, message_id, kind, body), ' ' ORDER BY seq)) FROM ${schema}.inbox t WHERE t.run_no = r.run_no) AS inbox,
         (SELECT md5(string_agg(hash || text, ' ' ORDER BY hash)) FROM ${schema}.blobs t WHERE t.run_no = r.run_no) AS blobs
       FROM ${schema}.runs r ORDER BY r.id`,
    );
    const rest = await server.query(
      `SELECT (SELECT count(*) FROM ${schema}.turns) AS turns, (SELECT count(*) FROM ${schema}.inbox) AS inbox, (SELECT count(*) FROM ${schema}.blobs) AS blobs,
         (SELECT md5(string_agg(reducer || key || state, ' ' ORDER BY reducer, key)) FROM ${schema}.states) AS states,
         (SELECT string_agg(id || spec || state, ' ' ORDER BY id) FROM ${schema}.schedules) AS schedules`,
    );
    return { runs, rest };
  }
  async function isClean({ schema }: PromoteTask): Promise<void> {
    const [counts] = await server.query(
      `SELECT (SELECT count(*) FROM ${schema}.runs)::int + (SELECT count(*) FROM ${schema}.turns)::int + (SELECT count(*) FROM ${schema}.inbox)::int
         + (SELECT count(*) FROM ${schema}.blobs)::int + (SELECT count(*) FROM ${schema}.states)::int AS rows,
         (SELECT count(*)::int FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace WHERE n.nspname = '${schema}' AND c.relname LIKE 'promotion\\_%') AS tables`,
    );
    expect(counts).toEqual({ rows: 0, tables: 0 });
  }

  test("runs in every state come out as they would have in the file; nothing is done twice but what was in doubt, under the same key", {
    timeout: 300_000,
  }, async () => {
    const task = make();
    const there: World = { lines: [...before.lines], hangs: true };
    const left: World = { lines: [...before.lines], hangs: true };
    const undisturbed = await finish(sqlite(make().file), left);
    expect(undisturbed).toMatchObject({ ends: { queued: { value: odd }, rounds: { round: 3 }, doubtful: { value: odd } } });
    expect(await promote(task)).toMatchObject({ when: "now", rows: { schedules: 1 } });
    expect(await finish(postgres(task.url, { schema: task.schema }), there)).toEqual(undisturbed);
    expect(there.lines.toSorted()).toEqual(left.lines.toSorted());
    expect(left.lines.filter((line, i) => left.lines.indexOf(line) < i).map((line) => line.split(" ")[0])).toEqual(["doubtful", "b"]);
    expect(await promote(task)).toMatchObject({ when: "before" });
  });

  test("killed after each commit, on either side: the file gives nothing away, the same command goes on, and abort gives the file back", {
    timeout: 300_000,
  }, async () => {
    const start = (task: PromoteTask, over: object = {}): Program => {
      const { host: _, ...given } = task;
      return new Program("promoting", { ...given, chunkRows: 20, ...over }, programsOf("postgres"));
    };
    const whole = make();
    const was = contents(whole.file);
    const undisturbed = start(whole);
    const { commits } = (await undisturbed.says("done")) as unknown as { commits: string[] };
    await undisturbed.end();
    expect(commits).toEqual(["begin", "mark", ...commits.filter((name) => name.startsWith("copy ")), "finish", "mark the file as moved"]);
    expect(commits.filter((name) => name === "copy turns").length).toBeGreaterThan(1);
    const expected = await moved(whole);

    const one = async (n: number): Promise<void> => {
      const where = `after ${commits[n]} (${n} of ${commits.length})`;
      const task = make();
      await start(task, { n, when: n < 0 ? "before" : "after", ...(n < 0 ? { n: 0 } : {}) }).end("SIGKILL");
      const store = open(task.file);
      // Who comes meanwhile reads, and drives nothing.
      expect((await store.list({})).length, where).toBeGreaterThan(10);
      if (n >= 1) {
        expect(() => store.acquire("late"), where).toThrow(expect.objectContaining({ code: "STORE_PROMOTED" }));
        for (const change of [
          () => store.start(newRun("late"), first),
          () => store.post(signal("secret", "late")),
          () => store.define("late", ""),
        ])
          expect(change, where).toThrow(expect.objectContaining({ code: "STORE_PROMOTED" }));
      }
      await store.close();
      const isDone = n >= commits.indexOf("finish");
      if (n >= 0 && !isDone) expect(await server.query(`SELECT id FROM ${task.schema}.runs`), where).toEqual([]);
      // Half of them are taken back first, and begun anew.
      if (isThorough || isDone || n % 2 === 0) {
        const aborting = start(task, { abort: true });
        if (isDone) expect(await aborting.says("error"), where).toMatchObject({ error: "STORE_PROMOTED" });
        else {
          expect((await aborting.says("done")).done, where).toBe(n >= 0);
          // Who closes a file last has it alone for a moment.
          await aborting.end();
          expect(contents(task.file), where).toBe(was);
          const again = open(task.file);
          expect(again.acquire("again"), where).toBeDefined();
          await again.close();
          await isClean(task);
        }
        await aborting.end();
      }
      const next = start(task);
      expect(await next.says("done"), where).toMatchObject({ done: { when: isDone ? "before" : "now" } });
      await next.end();
      expect(await moved(task), where).toEqual(expected);
      expect(() => open(task.file).acquire("later"), where).toThrow(expect.objectContaining({ code: "STORE_PROMOTED" }));
    };
    const left = [-1, ...commits.keys()].values();
    await Promise.all(
      [0, 1].map(async () => {
        for (const n of left) await one(n);
      }),
    );
    console.log(`promote: ${commits.length} commits (${commits.join(", ")})`);
  });

  test("an abort that is killed goes on", async () => {
    for (const [n, when] of [
      [0, "before"],
      [0, "after"],
      [1, "after"],
      [2, "after"],
    ] as const) {
      const task = make();
      const { host: _, ...given } = task;
      const was = contents(task.file);
      const at = (over: object): Program => new Program("promoting", { ...given, ...over }, programsOf("postgres"));
      await at({ n: 3, when: "after" }).end("SIGKILL");
      await at({ abort: true, n, when }).end("SIGKILL");
      const next = at(n === 1 ? {} : { abort: true });
      const { commits } = (await next.says("done")) as unknown as { commits: string[] };
      await next.end();
      // Who wants to move it after all need not say abort once more.
      if (n === 1) expect(commits.slice(0, 3)).toEqual(["begin", "clear", "begin again"]);
      else {
        expect(contents(task.file)).toBe(was);
        await isClean(task);
      }
    }
  });

  test("who drives the file is named, and who had it open hears that it has moved", async () => {
    const task = make();
    const owner = open(task.file);
    await owner.acquire("here");
    await expect(promote(task)).rejects.toMatchObject({ code: "STORE_BUSY", message: expect.stringContaining(`process ${process.pid}`) });
    const client = open(task.file);
    await owner.close();
    const holding: World = { lines: [], hangs: true };
    let waiting: ReturnType<typeof openOn> | undefined;
    const held = await promote({
      ...task,
      async commit(what, work) {
        // The promotion has the lock: a process that comes now waits to become the owner.
        if (what === "mark") waiting = openOn(sqlite(task.file), holding);
        return work();
      },
    });
    expect(held.when).toBe("now");
    await expect(waiting?.orchestrator.stopped).rejects.toMatchObject({
      code: "STORE_PROMOTED",
      message: expect.stringContaining(`?schema=${task.schema}`),
    });
    expect(() => client.start(newRun("late"), first)).toThrow(expect.objectContaining({ code: "STORE_PROMOTED" }));
    expect((await client.list({})).length).toBeGreaterThan(10);
    await client.close();
    await waiting?.orchestrator.close();
    expect(() => openOn(sqlite(task.file), holding)).toThrow(expect.objectContaining({ code: "STORE_PROMOTED" }));
  });

  test("without the key that its secrets are sealed with it is not moved, and the key is not told", async () => {
    const task = make();
    copyFileSync(`${full}-key`, `${task.file}-key`);
    for (const secretKey of [undefined, "another key of the user"]) {
      const error = await promote({ ...task, secretKey }).catch((error) => error);
      expect(error).toMatchObject({ code: "SECRET_KEY_MISSING", message: expect.stringContaining(`${task.file}-key`) });
      // It is shown by a program that redacts.
      expect(new Sanitizer([]).text(error.message)).toBe(error.message);
      expect(error.message).not.toContain(key);
      await expect(survey({ ...task, secretKey })).rejects.toMatchObject({ code: "SECRET_KEY_MISSING" });
    }
    rmSync(`${task.file}-key`);
    await expect(promote({ ...task, secretKey: undefined })).rejects.toMatchObject({
      message: expect.stringContaining("neither in ONEX_SECRET_KEY nor in"),
    });
    // After a rotation the file has two lines, and all of them are given.
    expect(await promote({ ...task, secretKey: `the new one of the user\n# of last year\n${key}\n` })).toMatchObject({ when: "now" });
  });

  test("a database with other runs takes it, unless a name is there twice", async () => {
    const task = make();
    const store = postgres(task.url, { schema: task.schema }).open(host);
    await store.acquire("there");
    const other = await begin(store, "other");
    await other.write(store, { states: [{ reducer: "counter", key: JSON.stringify("mine"), state: "1" }] });
    await begin(store, "waiting");
    const was = contents(task.file);
    await expect(promote(task)).rejects.toMatchObject({ code: "RUN_ID_CONFLICT", message: expect.stringContaining(": waiting;") });
    await expect(survey(task)).rejects.toMatchObject({ code: "RUN_ID_CONFLICT" });
    await server.query(`DELETE FROM ${task.schema}.runs WHERE id = 'waiting'`);
    const [state] = await server.query(`UPDATE ${task.schema}.states SET key = 'completed' RETURNING key`);
    expect(state).toBeDefined();
    await expect(promote(task)).rejects.toMatchObject({
      code: "PROMOTION_CONFLICT",
      message: expect.stringContaining("states of reducers"),
    });
    expect(contents(task.file)).toBe(was);
    await server.query(`DELETE FROM ${task.schema}.states`);
    // One that comes while it is copied is met at the end.
    const late = {
      ...task,
      commit: async <T>(what: string, work: () => T | Promise<T>) => {
        if (what === "copy turns") await begin(store, "waiting");
        return work();
      },
    };
    await expect(promote(late)).rejects.toMatchObject({ code: "RUN_ID_CONFLICT" });
    await server.query(`DELETE FROM ${task.schema}.runs WHERE id = 'waiting'`);
    expect(await promote(task)).toMatchObject({ when: "now" });
    const ids = (await store.list({})).map(({ id }) => id);
    expect(ids).toContain("other");
    expect(ids).toContain("waiting");
    await store.close();
  });

  test("two files go into one database", async () => {
    const a = make();
    const b = { ...make(), schema: a.schema };
    const db = loadDriver()(b.file, { readOnly: false });
    // As another file, with runs of other names.
    db.exec(
      "UPDATE meta SET value = 'other' WHERE key = 'store'; UPDATE runs SET id = 'b ' || id; UPDATE states SET reducer = 'b ' || reducer; DELETE FROM schedules",
    );
    db.close();
    await promote(a);
    await promote(b);
    const rows = await server.query(`SELECT count(*)::int AS n, count(*) FILTER (WHERE id LIKE 'b %')::int AS b FROM ${a.schema}.runs`);
    expect(rows[0]?.n).toBe(2 * Number(rows[0]?.b));
  });

  test("what was not copied as it was is named, and nothing is released", async () => {
    for (const [change, says] of [
      [
        "UPDATE @.turns SET facts = facts || ' ' WHERE turn = 1 AND run_no = (SELECT run_no FROM @.promotion_1_runs WHERE id = 'waiting')",
        "run waiting: its turns",
      ],
      ["DELETE FROM @.inbox", "run waiting: 1 rows of inbox here, 0 there"],
      ["UPDATE @.promotion_1_runs SET wake_at = 7 WHERE id = 'parent'", "run parent: its runs"],
      ["UPDATE @.promotion_1_states SET state = '{}' WHERE key = 'failed'", "states: counter"],
      ["DELETE FROM @.promotion_1_schedules", "schedules: yearly: it is not there"],
    ] as const) {
      const task = make();
      const told = promote({
        ...task,
        async commit(what, work) {
          const answer = await work();
          if (what === "copy pruned") await server.query(change.replaceAll("@.", `${task.schema}.`));
          return answer;
        },
      });
      await expect(told).rejects.toMatchObject({ code: "PROMOTION_DIFFERS", message: expect.stringContaining(says) });
      expect(await server.query(`SELECT id FROM ${task.schema}.runs`)).toEqual([]);
      expect(await abortPromotion(task)).toBe(true);
      await isClean(task);
    }
  });

  test("a copy from before, another database, and one that was lost are told apart", async () => {
    const task = make();
    const copy = make(task.file);
    await promote(task);
    await expect(promote({ ...copy, schema: task.schema })).rejects.toMatchObject({
      code: "STORE_PROMOTED",
      message: expect.stringContaining("a copy from before"),
    });
    await expect(promote({ ...task, schema: "elsewhere" })).rejects.toMatchObject({
      code: "STORE_PROMOTED",
      message: expect.stringContaining("give that one"),
    });
    await expect(abortPromotion(task)).rejects.toMatchObject({
      code: "STORE_PROMOTED",
      message: expect.stringContaining("cannot be taken back"),
    });
    const stuck = make();
    const died = promote({ ...stuck, commit: (what, work) => (what.startsWith("copy") ? Promise.reject(new Error("died")) : work()) });
    await expect(died).rejects.toThrow("died");
    await server.query(`DROP SCHEMA ${stuck.schema} CASCADE`);
    await expect(promote(stuck)).rejects.toMatchObject({ code: "STORE_PROMOTED", message: expect.stringContaining("knows nothing of it") });
    await expect(abortPromotion(stuck)).rejects.toMatchObject({ message: expect.stringContaining("--abort --force") });
    expect(await abortPromotion(stuck, true)).toBe(true);
    expect(open(stuck.file).acquire("again")).toBeDefined();
  });
});
