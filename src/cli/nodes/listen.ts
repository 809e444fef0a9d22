/**
 * A node host behind a socket.
 *
 * L1 What a caller can hold open is bounded: connections, the size and time of headers, the time of a body.
 * L2 Closing, it answers until the work under way has ended, then lets go of what is idle; who still reads has two seconds.
 */
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import type { NodeHost } from "../../engine/host/host.ts";
import { unbound } from "../../server/listen.ts";

export interface ListenOptions {
  readonly port: number;
  /** The address to bind. */
  readonly hostname: string;
}

export interface Listening {
  readonly port: number;
  /** Closes the host too: work under way has `graceMs` to end. */
  close(options: { readonly graceMs: number }): Promise<void>;
}

const limits = {
  maxHeaderSize: 16_384,
  headersTimeout: 10_000,
  // Of the request; an answer takes as long as the work.
  requestTimeout: 60_000,
  // Longer than an orchestrator keeps an idle connection, so that it is the one to close it.
  keepAliveTimeout: 30_000,
  connectionsCheckingInterval: 5_000,
} as const;
const maxConnections = 1_024;
const readMs = 2_000;

/** Throws OnexError `LISTEN_FAILED` when the address cannot be had. */
export async function listen(host: NodeHost, { port, hostname }: ListenOptions): Promise<Listening> {
  const { getRequestListener } = await import("@hono/node-server");
  const server = createServer(limits, getRequestListener(host.fetch, { overrideGlobalObjects: false }));
  server.maxConnections = maxConnections;
  await new Promise<void>((listening, failed) => {
    server.once("error", (error: NodeJS.ErrnoException) => failed(unbound(error, hostname, port)));
    server.listen(port, hostname, listening);
  });
  return {
    port: (server.address() as AddressInfo).port,
    async close(options) {
      await host.close(options);
      await closed(server);
    },
  };
}

function closed(server: Server): Promise<void> {
  return new Promise((done) => {
    const cut = setTimeout(() => server.closeAllConnections(), readMs);
    server.close(() => {
      clearTimeout(cut);
      done();
    });
    server.closeIdleConnections();
  });
}
