/** What each fault of the proxy does to a client and to the server, against a server. */
import { setTimeout as pause } from "node:timers/promises";
import pg from "pg";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { skipWithoutPostgres } from "./binaries.ts";
import { FaultProxy } from "./proxy.ts";
import { startPostgres, type TestServer } from "./server.ts";

describe.skipIf(skipWithoutPostgres("the proxy before PostgreSQL"))("a proxy", () => {
  let server: TestServer;
  let database = "";
  let proxy: FaultProxy;
  const clients: pg.Client[] = [];
  beforeAll(async () => {
    server = await startPostgres();
    database = await server.createDatabase();
    await server.query("CREATE TABLE kept (id text PRIMARY KEY, n int NOT NULL, bytes bytea)", database);
  });
  afterAll(() => server.stop());
  beforeEach(async () => {
    await server.query("TRUNCATE kept", database);
    proxy = await FaultProxy.before(server.url(database));
  });
  afterEach(async () => {
    await proxy.close();
    for (const client of clients.splice(0)) await client.end().catch(() => {});
  });

  async function connected(): Promise<pg.Client> {
    const client = new pg.Client({ connectionString: proxy.url });
    client.on("error", () => {});
    clients.push(client);
    await client.connect();
    return client;
  }
  const kept = async () => await server.query("SELECT id, n FROM kept ORDER BY id", database);
  const insert = (client: pg.Client, id: string) => client.query("INSERT INTO kept VALUES ($1, 1)", [id]);
  const add = (client: pg.Client, id: string) => client.query("UPDATE kept SET n = n + 1 WHERE id = $1", [id]);

  test("passes what is asked and answered, as queries of both kinds, large and many at once", async () => {
    const client = await connected();
    expect(((await client.query("SELECT 1 AS n; SELECT 2 AS n")) as unknown as pg.QueryResult[]).map(({ rows }) => rows)).toEqual([
      [{ n: 1 }],
      [{ n: 2 }],
    ]);
    const long = "x".repeat(300_000);
    expect((await client.query("SELECT $1::text AS back", [long])).rows).toEqual([{ back: long }]);
    const more = await Promise.all(Array.from({ length: 5 }, connected));
    const answers = await Promise.all(more.map((one, i) => one.query("SELECT $1::int AS n", [i])));
    expect(answers.map(({ rows }) => rows[0].n)).toEqual([0, 1, 2, 3, 4]);
    expect(proxy.counts).toEqual({ connections: 6, cut: 0, answersLost: 0, requestsLost: 0, doubled: 0, refused: 0 });
  });

  test("declines TLS", async () => {
    const client = new pg.Client({ connectionString: proxy.url, ssl: { rejectUnauthorized: false } });
    await expect(client.connect()).rejects.toThrow("does not support SSL");
  });

  test("passes an error of the server, and its notices to those who listen", async () => {
    const client = await connected();
    await expect(client.query("SELECT nothing")).rejects.toMatchObject({ code: "42703" });
    await client.query("LISTEN news");
    const heard = new Promise<pg.Notification>((resolve) => client.on("notification", resolve));
    await server.query("NOTIFY news, 'hello'", database);
    expect(await heard).toMatchObject({ channel: "news", payload: "hello" });
  });

  test("cuts all connections at once", async () => {
    const both = [await connected(), await connected()];
    const ended = both.map((client) => expect(client.query("SELECT pg_sleep(60)")).rejects.toThrow());
    expect(proxy.cut()).toBe(2);
    await Promise.all(ended);
    expect((await (await connected()).query("SELECT 1 AS n")).rows).toEqual([{ n: 1 }]);
  });

  test("loses the answer of a commit: it was done, and its client does not know", async () => {
    const client = await connected();
    const lost = proxy.dropAnswerOf(/^COMMIT/);
    await client.query("BEGIN");
    await insert(client, "a");
    await expect(client.query("COMMIT")).rejects.toMatchObject({ code: "ECONNRESET" });
    await lost;
    expect(await kept()).toEqual([{ id: "a", n: 1 }]);
    expect(proxy.counts).toMatchObject({ answersLost: 1, cut: 1 });
  });

  test("loses the answer of a statement with parameters, the second of two, also of one that was prepared", async () => {
    const client = await connected();
    const named = (id: string) => client.query({ name: "put", text: "INSERT INTO kept VALUES ($1, 1)", values: [id] });
    await named("a");
    const lost = proxy.dropAnswerOf(/INSERT/);
    await expect(named("b")).rejects.toMatchObject({ code: "ECONNRESET" });
    await lost;
    expect(await kept()).toEqual([
      { id: "a", n: 1 },
      { id: "b", n: 1 },
    ]);
  });

  test("loses a request: it was not done", async () => {
    const client = await connected();
    const lost = proxy.dropRequestOf(/INSERT/);
    await expect(insert(client, "a")).rejects.toMatchObject({ code: "ECONNRESET" });
    await lost;
    expect(await kept()).toEqual([]);
    // One was to be lost, and was.
    await insert(await connected(), "a");
    expect(await kept()).toEqual([{ id: "a", n: 1 }]);
  });

  test("does a statement twice, and answers once", async () => {
    const client = await connected();
    await insert(client, "a");
    const doubled = proxy.duplicate(/UPDATE/);
    expect((await add(client, "a")).rowCount).toBe(1);
    await doubled;
    // Both are done when the client hears of the first.
    expect(await kept()).toEqual([{ id: "a", n: 3 }]);
    await add(client, "a");
    expect(await kept()).toEqual([{ id: "a", n: 4 }]);
    expect(proxy.counts).toMatchObject({ doubled: 1, refused: 0 });
  });

  test("does a whole transaction twice, with all its parameters", async () => {
    const client = await connected();
    await insert(client, "a");
    const doubled = proxy.duplicate(/UPDATE/);
    await client.query("BEGIN");
    await add(client, "a");
    await client.query("UPDATE kept SET bytes = $2 WHERE id = $1", ["a", Buffer.from([0, 1, 255])]);
    await add(client, "a");
    await client.query("COMMIT");
    await doubled;
    expect(await kept()).toEqual([{ id: "a", n: 5 }]);
    expect((await server.query("SELECT bytes FROM kept", database))[0]?.bytes).toEqual(Buffer.from([0, 1, 255]));
  });

  test("counts what is refused the second time", async () => {
    const client = await connected();
    const doubled = proxy.duplicate(/INSERT/);
    await insert(client, "a");
    await doubled;
    expect(await kept()).toEqual([{ id: "a", n: 1 }]);
    expect(proxy.counts).toMatchObject({ doubled: 1, refused: 1 });
  });

  test("brings what passes late, and in small pieces", async () => {
    const client = await connected();
    proxy.delay(60);
    const began = performance.now();
    expect((await client.query("SELECT 1 AS n")).rows).toEqual([{ n: 1 }]);
    // There and back; timers may be a little early.
    expect(performance.now() - began).toBeGreaterThan(110);
    proxy.heal();
    proxy.slice(3);
    const word = "word".repeat(500);
    expect((await client.query("SELECT $1::text AS back", [word])).rows).toEqual([{ back: word }]);
    expect((await (await connected()).query("SELECT 2 AS n")).rows).toEqual([{ n: 2 }]);
  });

  test("keeps all back until it is healed, and tells nobody", async () => {
    const client = await connected();
    proxy.blackhole();
    let answered = false;
    const asked = insert(client, "a").then(() => {
      answered = true;
    });
    const late = new pg.Client({ connectionString: proxy.url, connectionTimeoutMillis: 200 });
    await expect(late.connect()).rejects.toThrow("timeout");
    expect([answered, await kept()]).toEqual([false, []]);
    proxy.heal();
    await asked;
    expect(await kept()).toEqual([{ id: "a", n: 1 }]);
  });

  test("tells a client that its server has gone when it is healed, and can be closed before", async () => {
    /** When the server has ended all connections, and the proxy keeps that to itself. */
    async function ended(): Promise<void> {
      proxy.blackhole();
      const others = "FROM pg_stat_activity WHERE pid <> pg_backend_pid() AND backend_type = 'client backend'";
      await server.query(`SELECT pg_terminate_backend(pid) ${others}`);
      while ((await server.query(`SELECT 1 ${others}`)).length > 0) await pause(5);
    }
    const client = await connected();
    const heard = new Promise<void>((resolve) => client.on("end", resolve));
    await ended();
    proxy.heal();
    await heard;
    await connected();
    await ended();
    await proxy.close();
    proxy = await FaultProxy.before(server.url(database));
  });
});
