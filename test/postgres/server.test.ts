/** The server that other tests use: it keeps what it acknowledged, and leaves nothing behind. */
import { existsSync } from "node:fs";
import { dirname } from "node:path";
import pg from "pg";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { skipOnForeignServer, skipWithoutPostgres } from "./binaries.ts";
import { startPostgres, type TestServer } from "./server.ts";

const what = "a PostgreSQL server of one's own";
const skip = skipWithoutPostgres(what) || skipOnForeignServer(what);

describe.skipIf(skip)("a server", () => {
  let server: TestServer;
  beforeAll(async () => {
    server = await startPostgres({ settings: { max_connections: 20 } });
  });
  afterAll(() => server.stop());

  test("is durable, small, and answers over TCP and over a socket", async () => {
    const database = await server.createDatabase();
    expect(await server.query("SHOW fsync", database)).toEqual([{ fsync: "on" }]);
    expect(await server.query("SHOW max_connections")).toEqual([{ max_connections: "20" }]);
    const client = new pg.Client({ connectionString: server.url(database, "socket") });
    await client.connect();
    expect((await client.query("SELECT current_database() AS name")).rows).toEqual([{ name: database }]);
    await client.end();
  });

  test("lets nobody in who does not know its password", async () => {
    const url = new URL(server.url());
    url.password = "wrong";
    const client = new pg.Client({ connectionString: url.href });
    await expect(client.connect()).rejects.toMatchObject({ code: "28P01" });
  });

  test("makes databases that know nothing of each other, also as copies", async () => {
    const first = await server.createDatabase();
    await server.query("CREATE TABLE kept (n int)", first);
    const copy = await server.createDatabase(first);
    await server.query("INSERT INTO kept VALUES (1)", copy);
    expect(await server.query("SELECT * FROM kept", copy)).toEqual([{ n: 1 }]);
    expect(await server.query("SELECT * FROM kept", first)).toEqual([]);
  });

  test.each(["fast", "immediate", "kill"] as const)("keeps what it acknowledged: %s", async (how) => {
    const database = await server.createDatabase();
    await server.query("CREATE TABLE kept (n int)", database);
    const client = new pg.Client({ connectionString: server.url(database) });
    const cut = new Promise((resolve) => client.on("error", resolve));
    await client.connect();
    await client.query("INSERT INTO kept VALUES (1)");
    const { port } = server;
    if (how !== "kill") await server.restart(how);
    else {
      await server.kill();
      await server.start();
    }
    await cut;
    expect(server.port).toBe(port);
    expect(await server.query("SELECT * FROM kept", database)).toEqual([{ n: 1 }]);
  });

  test("that is paused lets nobody in until it is resumed", async () => {
    const client = new pg.Client({ connectionString: server.url() });
    await client.connect();
    server.pause();
    const late = new pg.Client({ connectionString: server.url(), connectionTimeoutMillis: 300 });
    await expect(late.connect()).rejects.toThrow("timeout");
    // Whoever was in before is served.
    expect((await client.query("SELECT 1 AS n")).rows).toEqual([{ n: 1 }]);
    server.resume();
    expect(await server.query("SELECT 1 AS n")).toEqual([{ n: 1 }]);
    await client.end();
  });
});

describe.skipIf(skip)("servers", () => {
  test("leave nothing behind, also one that was stopped by a signal", async () => {
    const server = await startPostgres();
    const data = (await server.query("SHOW data_directory"))[0]?.data_directory as string;
    expect(existsSync(data)).toBe(true);
    server.pause();
    await server.stop();
    expect(existsSync(dirname(data))).toBe(false);
    await expect(server.query("SELECT 1")).rejects.toMatchObject({ code: "ECONNREFUSED" });
    await server.stop();
  });

  test("say what they logged when they do not start", async () => {
    await expect(startPostgres({ settings: { max_connections: "none" } })).rejects.toThrow("max_connections");
  });
});
