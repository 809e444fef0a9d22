/** How a database is opened: its tables are made, brought up to date, or refused. */
import { createServer } from "node:net";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { skipWithoutPostgres } from "../../../test/postgres/binaries.ts";
import { FaultProxy } from "../../../test/postgres/proxy.ts";
import { startPostgres, type TestServer } from "../../../test/postgres/server.ts";
import type { OpenStore } from "../store.ts";
import { begin } from "../suite/kit.ts";
import { loadDriver } from "./driver.ts";
import { inspect } from "./inspect.ts";
import { configOf, greeting, Line } from "./line.ts";
import { type Migration, migrate, migrations, schemaVersion } from "./migrations.ts";
import type { PostgresOptions } from "./options.ts";
import { postgres } from "./postgres.ts";

describe.skipIf(skipWithoutPostgres("how the tables of PostgreSQL come to be"))("the schema", () => {
  let server: TestServer;
  let proxy: FaultProxy;
  const warnings: string[] = [];
  beforeAll(async () => {
    server = await startPostgres({ settings: { fsync: "off" } });
    proxy = await FaultProxy.before(server.url());
  });
  afterAll(async () => {
    await proxy.close();
    await server.stop();
  });

  function open(schema: string, url = server.url(), options: PostgresOptions = {}): OpenStore {
    return postgres(url, { schema, ...options }).open({
      now: () => Date.now(),
      setTimer(ms, callback) {
        const timer = setTimeout(callback, ms);
        return () => clearTimeout(timer);
      },
      warn: (code) => void warnings.push(code),
    });
  }
  /** Opens, looks, closes; throws what the first verb throws. */
  async function visit(schema: string, url?: string, options?: PostgresOptions): Promise<void> {
    const store = open(schema, url, options);
    try {
      await store.run("a");
    } finally {
      await store.close();
    }
  }
  async function line(url = server.url()): Promise<Line> {
    const driver = await loadDriver();
    return new Line({ driver, config: configOf(url, 10_000), greeting });
  }

  test("four that open an empty database at once make its tables once", async () => {
    await Promise.all([1, 2, 3, 4].map(() => visit("once")));
    expect(await server.query("SELECT version, min_reader FROM once.migrations")).toHaveLength(schemaVersion);
  });

  test("a migration takes as long as a large table needs, and so does who waits for it", async () => {
    const driver = await loadDriver();
    const hasty = `${greeting}; SET statement_timeout = 200; SET lock_timeout = 200`;
    const slow: Migration = { sql: "SELECT pg_sleep(0.7)", minReader: 1 };
    const lines = [1, 2].map(
      () => new Line({ driver, config: { ...configOf(server.url(), 10_000), query_timeout: 300 }, greeting: hasty }),
    );
    await Promise.all(lines.map((line) => migrate(line, "slow", "here", [slow])));
    expect(await server.query("SELECT version FROM slow.migrations")).toEqual([{ version: 1 }]);
    await Promise.all(lines.map((line) => line.end()));
  });

  test.each([/CREATE SCHEMA/, /CREATE TABLE .*migrations/, /CREATE SEQUENCE/, /INSERT INTO .*migrations/, /^COMMIT/])(
    "a process that dies around %s leaves a good state",
    async (statement) => {
      const schema = `killed${warnings.length}_${statement.source.replace(/\W/g, "").toLowerCase()}`;
      const lost = proxy.dropRequestOf(statement);
      const one = await line(proxy.url);
      await expect(migrate(one, schema, "test")).rejects.toThrow();
      await lost;
      await one.end();
      expect((await inspect(server.url(), schema)).schema.found).toBe(0);
      await visit(schema);
      expect((await inspect(server.url(), schema)).schema).toMatchObject({ found: schemaVersion, known: schemaVersion });
    },
  );

  test("an answer to COMMIT that is lost is no harm", async () => {
    const lost = proxy.dropAnswerOf(/^COMMIT/);
    await visit("unknown", proxy.url);
    await lost;
    expect((await inspect(server.url(), "unknown")).schema.found).toBe(schemaVersion);
  });

  test("an older client goes on with a schema that has only been added to, and refuses one that was changed", async () => {
    await visit("newer");
    const store = open("newer");
    await store.acquire("L");
    const log = await begin(store, "a");
    const one = await line();
    const known = schemaVersion;
    const added: Migration = {
      sql: "ALTER TABLE @.turns ADD COLUMN more text; ALTER TABLE @.runs ADD COLUMN more text;",
      // Whoever could read it still can.
      minReader: migrations.at(-1)?.minReader ?? 1,
    };
    const changed: Migration = { sql: "ALTER TABLE @.runs DROP COLUMN more;", minReader: known + 2 };
    await migrate(one, "newer", "test", [...migrations, added]);
    // Under way, and opened afresh.
    expect((await log.write(store)).accepted).toBe(true);
    expect((await store.turns(log.runNo)).length).toBe(2);
    await visit("newer");
    await migrate(one, "newer", "test", [...migrations, added, changed]);
    await one.end();
    // Its lease has ended with the migration, and it gets no other.
    await expect(store.append([log.next()])).rejects.toMatchObject({ code: "OWNERSHIP_LOST" });
    expect((await server.query("SELECT 1 FROM newer.turns")).length).toBe(2);
    await expect(store.acquire("L2")).rejects.toMatchObject({
      code: "STORE_FOREIGN",
      message: expect.stringContaining("update onex here"),
    });
    await expect(visit("newer")).rejects.toMatchObject({
      code: "STORE_FOREIGN",
      message: expect.stringContaining(`schema ${known + 2} of a newer onex, which needs at least ${known + 2}; this one knows ${known}`),
    });
    await store.close();
  });

  test("tables of another program are refused, and left alone", async () => {
    await server.query(
      "CREATE SCHEMA other; CREATE TABLE other.things (a int); CREATE SCHEMA named; CREATE TABLE named.migrations (id int)",
    );
    await expect(visit("other")).rejects.toMatchObject({ code: "STORE_FOREIGN", message: expect.stringContaining("it has other tables") });
    await expect(visit("named")).rejects.toMatchObject({ code: "STORE_FOREIGN" });
    expect(
      await server.query("SELECT count(*)::int AS n FROM pg_class c JOIN pg_namespace n ON n.oid = relnamespace WHERE nspname = 'other'"),
    ).toEqual([{ n: 1 }]);
  });

  test("what cannot be reached is named, never with the password", async () => {
    const refused = async (url: string, options: PostgresOptions = {}): Promise<string> => {
      const error: unknown = await visit("x", url, options).catch((caught) => caught);
      expect(error).toMatchObject({ code: "STORE_FAILED" });
      return (error as Error).message;
    };
    const wrong = new URL(server.url());
    wrong.password = "hunter2";
    const password = await refused(wrong.href);
    expect(password).toMatch(/SQLSTATE 28P01\); correct user and password/);
    expect(password).not.toContain("hunter2");
    expect(await refused(server.url("nowhere"))).toMatch(/nowhere.*SQLSTATE 3D000\); make the database/);
    const deaf = createServer((socket) => socket.resume()).listen(0, "127.0.0.1");
    await new Promise((resolve) => deaf.once("listening", resolve));
    const { port } = deaf.address() as { port: number };
    expect(await refused(`postgres://u:hunter2@127.0.0.1:${port}/db`, { connectTimeoutMs: 300 })).toMatch(
      new RegExp(`^postgres://127.0.0.1:${port}/db does not answer within 300 ms`),
    );
    deaf.close();
    await new Promise((resolve) => deaf.once("close", resolve));
    expect(await refused(`postgres://u:hunter2@127.0.0.1:${port}/db`, { connectTimeoutMs: 300 })).toMatch(/ECONNREFUSED.*start the server/);
  });

  test("to lack all rights is not to find another program's tables", async () => {
    await visit("closed");
    await server.query("CREATE ROLE guest LOGIN PASSWORD 'guest'");
    const guest = Object.assign(new URL(server.url()), { username: "guest", password: "guest" }).href;
    for (const look of [() => inspect(guest, "closed"), () => visit("closed", guest)])
      await expect(look()).rejects.toMatchObject({ code: "STORE_FAILED", message: expect.stringMatching(/SQLSTATE 42501\).*the right/) });
  });

  test("a store that was closed leaves no timer, which would keep its process alive", async () => {
    const timers = new Set<object>();
    const store = postgres(`${server.url()}?schema=closing`).open({
      now: () => Date.now(),
      setTimer(ms, callback) {
        const timer = setTimeout(() => {
          timers.delete(timer);
          callback();
        }, ms);
        timers.add(timer);
        return () => {
          timers.delete(timer);
          clearTimeout(timer);
        };
      },
      warn: (code) => void warnings.push(code),
    });
    await store.acquire("L");
    await store.close();
    expect([...timers]).toEqual([]);
    expect(await server.query("SELECT 1 FROM closing.migrations")).toHaveLength(schemaVersion);
  });

  test("a server that may forget is warned of", async () => {
    warnings.length = 0;
    await visit("unsafe");
    expect(warnings).toEqual(["STORE_UNSAFE"]);
  });

  test("a look changes nothing, and tells who owns what", async () => {
    const before = await inspect(server.url(), "looked");
    expect(before).toMatchObject({ schema: { found: 0, known: schemaVersion }, owners: [], counts: {}, settings: { fsync: "off" } });
    expect(await server.query("SELECT 1 FROM pg_namespace WHERE nspname = 'looked'")).toEqual([]);
    const store = open("looked");
    await store.acquire("L");
    await begin(store, "a");
    await store.start({ id: "b", workflow: "w", version: "2", digest: "d", priority: 1, at: 5 }, { epoch: 0, next: 1, facts: "[]" });
    await store.block((await store.run("b"))?.runNo ?? 0, "VERSION_MISSING");
    expect(await inspect(server.url(), "looked")).toMatchObject({
      ...{ owners: [{ pid: process.pid, runs: 1 }], counts: { running: 1, pending: 1 }, oldestPending: { id: "b", createdAt: 5 } },
      blocked: [{ workflow: "w", version: "2", code: "VERSION_MISSING", count: 1 }],
    });
    await store.close();
  });
});
