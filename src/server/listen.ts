/**
 * The door: an app behind a socket, with a bound on whatever a client can use up.
 *
 * L1 A request must have come whole within 30 s, its headers within 10 s; they are at most 16 KiB and 100.
 * L2 A connection on which nothing moves for 90 s is closed: one that is idle, and one whose reader reads nothing.
 * L3 At most 1000 connections; one more is closed at once.
 * L4 `close` takes no new connection, lets requests end for as long as it is told, and cuts off the rest.
 */
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import type { AddressInfo, Socket } from "node:net";
import { getRequestListener } from "@hono/node-server";
import { OnexError } from "../core/failure.ts";
import type { App } from "./app.ts";
import { problemOf, problemResponse } from "./problem.ts";

export interface ListenOptions {
  /** Default 127.0.0.1. */
  readonly host?: string;
  /** Default 3300; 0 takes a free one. */
  readonly port?: number;
  readonly limits?: Partial<Limits>;
}

export interface Limits {
  readonly headersTimeoutMs: number;
  readonly requestTimeoutMs: number;
  /** Longer than the longest wait for a result. */
  readonly idleTimeoutMs: number;
  readonly maxConnections: number;
}

export interface Listening {
  /** "http://127.0.0.1:3300". */
  readonly url: string;
  readonly port: number;
  /** L4. Drains the app. Resolves when the last connection is closed. */
  close(graceMs: number): Promise<void>;
}

const maxHeaderBytes = 16 * 1024;
const maxHeaders = 100;
const limitsByDefault: Limits = { headersTimeoutMs: 10_000, requestTimeoutMs: 30_000, idleTimeoutMs: 90_000, maxConnections: 1_000 };

/** Throws OnexError `LISTEN_FAILED`. */
export async function listen(app: App, options: ListenOptions = {}): Promise<Listening> {
  const { host = "127.0.0.1", port = 3300 } = options;
  const limits = { ...limitsByDefault, ...options.limits };
  const answer = getRequestListener((request) => app.fetch(request), { overrideGlobalObjects: false, errorHandler: misread });
  let closing = false;
  const server = createServer(
    {
      maxHeaderSize: maxHeaderBytes,
      headersTimeout: limits.headersTimeoutMs,
      requestTimeout: limits.requestTimeoutMs,
      keepAliveTimeout: 5_000,
      // How often those two are looked after.
      connectionsCheckingInterval: Math.min(1_000, limits.headersTimeoutMs),
    },
    (incoming, outgoing) => {
      // A browser or proxy that keeps its connection would keep the server from ending.
      if (closing) outgoing.shouldKeepAlive = false;
      outgoing.on("close", () => {
        if (closing) server.closeIdleConnections();
      });
      if (incoming.rawHeaders.length > 2 * maxHeaders) return tooManyHeaders(outgoing);
      void answer(incoming, outgoing);
    },
  );
  // One more than may be, so that too many are seen: Node leaves out what is beyond.
  server.maxHeadersCount = maxHeaders + 1;
  server.maxConnections = limits.maxConnections;
  server.timeout = limits.idleTimeoutMs;
  server.on("clientError", refuse);
  const bound = host.replace(/^\[(.*)\]$/, "$1");
  await new Promise<void>((listening, failed) => {
    server.once("error", (error) => failed(unbound(error, host, port)));
    server.listen(port, bound, listening);
  });
  // From here on an error of the server is one of a connection that could not be taken.
  server.on("error", () => {});
  const at = server.address() as AddressInfo;
  return {
    url: `http://${bound.includes(":") ? `[${bound}]` : bound}:${at.port}`,
    port: at.port,
    close(graceMs) {
      closing = true;
      app.drain();
      return closed(server, graceMs);
    },
  };
}

function closed(server: Server, graceMs: number): Promise<void> {
  return new Promise((resolve) => {
    const late = setTimeout(() => server.closeAllConnections(), graceMs);
    server.close(() => {
      clearTimeout(late);
      resolve();
    });
  });
}

function tooManyHeaders(outgoing: ServerResponse<IncomingMessage>): void {
  const error = new OnexError("HEADERS_TOO_LARGE", `the request has more than ${maxHeaders} headers: send fewer`);
  const problem = problemOf(error);
  outgoing.writeHead(problem.status, { "content-type": "application/problem+json", connection: "close" });
  outgoing.end(JSON.stringify(problem));
}

/** What is no request: a target or a Host that cannot be read. */
function misread(): Response {
  return problemResponse(new OnexError("OPTION_INVALID", "the target or the Host header of the request cannot be read"));
}

/** What is no HTTP, or too slow, or too much of it. */
function refuse(error: NodeJS.ErrnoException, socket: Socket): void {
  if (!socket.writable || error.code === "ECONNRESET") {
    socket.destroy();
    return;
  }
  const [status, title] =
    error.code === "HPE_HEADER_OVERFLOW"
      ? [431, "Request Header Fields Too Large"]
      : error.code === "ERR_HTTP_REQUEST_TIMEOUT"
        ? [408, "Request Timeout"]
        : [400, "Bad Request"];
  socket.end(`HTTP/1.1 ${status} ${title}\r\nConnection: close\r\nContent-Length: 0\r\n\r\n`);
  // One that goes on sending is not read to its end.
  socket.destroySoon();
}

/** Why an address could not be had, and what to do. */
export function unbound(error: NodeJS.ErrnoException, host: string, port: number): OnexError {
  const why =
    error.code === "EADDRINUSE"
      ? "another process listens there; name another one with --port"
      : error.code === "EACCES"
        ? "this user may not; name a port from 1024 on with --port"
        : error.code === "EADDRNOTAVAIL" || error.code === "ENOTFOUND"
          ? "this machine has no such address; name one with --host"
          : error.message;
  return new OnexError("LISTEN_FAILED", `cannot listen on ${host}:${port}: ${why}`, { cause: error });
}
