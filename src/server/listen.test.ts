/** The app behind a real socket, and clients that speak HTTP badly. */
import { connect, type Socket } from "node:net";
import { expect, test } from "vitest";
import { after, type Stand, stand } from "../../test/server/kit.ts";
import { type Limits, listen } from "./listen.ts";

async function listening(limits: Partial<Limits> = {}, given: Stand = stand()) {
  const server = await listen(given.app, { port: 0, limits });
  after(() => server.close(0));
  return { ...given, server, url: server.url };
}

/** A client that writes what it likes. */
class Raw {
  readonly socket: Socket;
  text = "";
  readonly ended: Promise<string>;
  #heard = () => {};

  constructor(port: number) {
    this.socket = connect(port, "127.0.0.1");
    this.ended = new Promise((resolve) => this.socket.on("close", () => resolve(this.text)));
    this.socket.setEncoding("latin1").on("data", (text: string) => {
      this.text += text;
      this.#heard();
    });
    // The server closes while this still writes.
    this.socket.on("error", () => {});
    after(async () => this.socket.destroy());
  }
  write(text: string | Uint8Array): Promise<boolean> {
    return new Promise((resolve) => this.socket.write(text, (error) => resolve(!error)));
  }
  async until(text: string): Promise<void> {
    while (!this.text.includes(text))
      await new Promise<void>((resolve) => {
        this.#heard = resolve;
      });
  }
}
const head = (method: string, path: string, headers: Readonly<Record<string, string>> = {}) =>
  `${method} ${path} HTTP/1.1\r\nHost: localhost\r\n${Object.entries(headers)
    .map(([name, value]) => `${name}: ${value}\r\n`)
    .join("")}\r\n`;
const json = { "Content-Type": "application/json" };

test("requests are answered over a socket, and a run is followed", async () => {
  const { url, start, post } = await listening();
  expect((await fetch(`${url}/readyz`)).status).toBe(200);
  const id = await start("patient", { amount: 1 });
  const events = await fetch(`${url}/api/v1/runs/${id}/events`);
  const text = events.text();
  await post(`/api/v1/runs/${id}/signals/go`, { by: "ada" });
  expect((await text).match(/^event: .*$/gm)?.at(-1)).toBe("event: run.completed");
  const started = await fetch(`${url}/api/v1/runs`, {
    method: "POST",
    headers: json,
    body: JSON.stringify({ workflow: "quick", input: { amount: 1 } }),
  });
  expect(started.status).toBe(201);
});

test.each([
  ["10,000 headers", `GET /healthz HTTP/1.1\r\nHost: localhost\r\n${"a: b\r\n".repeat(10_000)}\r\n`, "431"],
  ["101 headers", `GET /healthz HTTP/1.1\r\nHost: localhost\r\n${"a: b\r\n".repeat(100)}\r\n`, "431"],
  ["a header of 20 KiB", `GET /healthz HTTP/1.1\r\nHost: localhost\r\nA: ${"b".repeat(20_000)}\r\n\r\n`, "431"],
  ["a path of 20 KiB", `GET /${"b".repeat(20_000)} HTTP/1.1\r\nHost: localhost\r\n\r\n`, "431"],
  ["no Host", "GET /healthz HTTP/1.1\r\n\r\n", "400"],
  ["a Host that is none", "GET /healthz HTTP/1.1\r\nHost: a b\r\n\r\n", "400"],
  ["two lengths", "POST /api/v1/runs HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n{}", "400"],
  [
    "a length and chunks",
    "POST /api/v1/runs HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    "400",
  ],
  ["bad chunks", `${head("POST", "/api/v1/runs", { ...json, "Transfer-Encoding": "chunked" })}zz\r\n{}\r\n0\r\n\r\n`, "400"],
  ["no HTTP", "\x16\x03\x01\x02\x00hello\r\n\r\n", "400"],
  ["a line that is none", "GET\r\n\r\n", "400"],
  ["another server's address", "GET http://evil.example/healthz HTTP/1.1\r\nHost: localhost\r\n\r\n", "421"],
])("%s is refused, and the next client is served", async (_, text, status) => {
  const { server, url } = await listening();
  const raw = new Raw(server.port);
  await raw.write(text);
  await raw.until("\r\n\r\n");
  expect(raw.text).toMatch(new RegExp(`^HTTP/1.1 ${status} `));
  raw.socket.destroy();
  expect((await fetch(`${url}/healthz`)).status).toBe(200);
});

test("half a request is given up in time, in its headers and in its body", async () => {
  const { server, url } = await listening({ headersTimeoutMs: 100, requestTimeoutMs: 200 });
  const slowHead = new Raw(server.port);
  await slowHead.write("GET /healthz HTTP/1.1\r\nHost: local");
  const slowBody = new Raw(server.port);
  await slowBody.write(`${head("POST", "/api/v1/runs", { ...json, "Content-Length": "1000" })}{`);
  expect(await slowHead.ended).toMatch(/^HTTP\/1.1 408 /);
  expect(await slowBody.ended).toMatch(/^(?:HTTP\/1.1 408 |$)/);
  expect((await fetch(`${url}/healthz`)).status).toBe(200);
});

test("a client that goes away in the middle of a request leaves nothing behind", async () => {
  const said: string[] = [];
  const { server, url, orchestrator } = await listening({}, stand({ log: { error: (message) => said.push(message) } }));
  for (let i = 0; i < 50; i++) {
    const raw = new Raw(server.port);
    await raw.write(`${head("POST", "/api/v1/runs", { ...json, "Content-Length": "1000" })}{"workflow":`);
    raw.socket.destroy();
    await raw.ended;
  }
  expect((await fetch(`${url}/healthz`)).status).toBe(200);
  expect(await orchestrator.list()).toEqual([]);
  expect(said).toEqual([]);
});

test.each(["with its length", "in chunks"])("100 MB %s are not read into memory", async (how) => {
  const { server, url } = await listening();
  const chunk = Buffer.alloc(1024 * 1024, "x");
  const raw = new Raw(server.port);
  const before = process.memoryUsage().rss;
  let most = 0;
  if (how === "in chunks") await raw.write(head("POST", "/api/v1/runs", { ...json, "Transfer-Encoding": "chunked" }));
  else await raw.write(head("POST", "/api/v1/runs", { ...json, "Content-Length": String(100 * chunk.length) }));
  for (let i = 0; i < 100; i++) {
    if (how === "in chunks") await raw.write(`${chunk.length.toString(16)}\r\n`);
    if (!(await raw.write(chunk))) break;
    if (how === "in chunks") await raw.write("\r\n");
    most = Math.max(most, process.memoryUsage().rss - before);
  }
  await raw.until("\r\n\r\n");
  expect(raw.text).toMatch(/^HTTP\/1.1 413 /);
  expect(most).toBeLessThan(64 * 1024 * 1024);
  raw.socket.destroy();
  expect((await fetch(`${url}/healthz`)).status).toBe(200);
});

test("a reader that reads nothing is dropped, and costs what the socket holds", async () => {
  const { server, start, orchestrator, app } = await listening({ idleTimeoutMs: 1_000 });
  const big = "x".repeat(600_000);
  const id = await start("patient", { amount: 1 });
  for (let i = 0; i < 150; i++) await orchestrator.run(id).signal("note", big);
  await orchestrator.idle();
  const raw = new Raw(server.port);
  raw.socket.pause();
  await raw.write(head("GET", `/api/v1/runs/${id}/events`));
  const open = async () => (await (await app.fetch(new Request("http://localhost/metrics"))).text()).includes("onex_http_event_streams 1");
  await expect.poll(open, { interval: 10 }).toBe(true);
  const before = process.memoryUsage().rss;
  await expect.poll(open).toBe(false);
  expect(process.memoryUsage().rss - before).toBeLessThan(64 * 1024 * 1024);
});

test("no more connections than there may be", async () => {
  const { server, url } = await listening({ maxConnections: 3 });
  const held = Array.from({ length: 3 }, () => new Raw(server.port));
  for (const raw of held) {
    await raw.write(head("GET", "/healthz"));
    await raw.until("alive");
  }
  const one = new Raw(server.port);
  expect(await one.ended).toBe("");
  held[0]?.socket.destroy();
  await held[0]?.ended;
  await expect
    .poll(() =>
      fetch(`${url}/healthz`).then(
        ({ status }) => status,
        () => 0,
      ),
    )
    .toBe(200);
});

test("close: no new connection, streams end, requests under way are answered, idle ones are closed", async () => {
  const { server, url, start } = await listening();
  const id = await start("patient", { amount: 1 });
  const stream = new Raw(server.port);
  await stream.write(head("GET", `/api/v1/runs/${id}/events`));
  await stream.until("signal.awaited");
  const waiting = new Raw(server.port);
  await waiting.write(head("GET", `/api/v1/runs/${id}/result?wait=60s`));
  const half = new Raw(server.port);
  await half.write(`${head("POST", `/api/v1/runs/${id}/signals/go`, { ...json, "Content-Length": "12" })}{"by"`);
  const idle = new Raw(server.port);
  await idle.write(head("GET", "/healthz"));
  await idle.until("alive");
  const closed = server.close(60_000);
  await stream.ended;
  expect(stream.text).toContain(": the server is closing");
  expect(await waiting.ended).toMatch(/^HTTP\/1.1 202 /);
  await idle.ended;
  await expect(fetch(`${url}/healthz`)).rejects.toThrow();
  await half.write(':"ada"}');
  expect(await half.ended).toMatch(/^HTTP\/1.1 (?:202|503) /);
  await closed;
});

test("close: what does not end within the grace is cut off", async () => {
  const { server } = await listening();
  const half = new Raw(server.port);
  await half.write(`${head("POST", "/api/v1/runs", { ...json, "Content-Length": "1000" })}{`);
  const other = new Raw(server.port);
  await other.write(head("GET", "/healthz"));
  await other.until("alive");
  await server.close(50);
  await half.ended;
});

test("an address that cannot be bound says why", async () => {
  const { server, app } = await listening();
  await expect(listen(app, { port: server.port })).rejects.toMatchObject({
    code: "LISTEN_FAILED",
    message: expect.stringContaining("--port"),
  });
  await expect(listen(app, { port: 0, host: "203.0.113.7" })).rejects.toMatchObject({
    code: "LISTEN_FAILED",
    message: expect.stringContaining("--host"),
  });
});
