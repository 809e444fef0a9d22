/** A node host behind a real server, for tests. */
import { createServer, type IncomingMessage, type RequestListener, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { Readable } from "node:stream";
import type { ReadableStream } from "node:stream/web";
import { onTestFinished } from "vitest";
import type { NodeHost } from "../src/index.ts";

/** Serves requests on a free port until the test ends; answers its URL. */
export async function listening(handler: RequestListener, path = "/nodes"): Promise<string> {
  const server = createServer(handler);
  await new Promise<void>((listening) => server.listen(0, "127.0.0.1", listening));
  onTestFinished(
    () =>
      new Promise((closed) => {
        server.closeAllConnections();
        server.close(() => closed());
      }),
  );
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}${path}`;
}

/** As `listening`, with a node host; every request's text is handed to `seen`. */
export function serving(host: NodeHost, seen: (text: string) => void = () => {}): Promise<string> {
  return listening(async (incoming, outgoing) => {
    const text = await textOf(incoming);
    seen(text);
    await handled(host, text, incoming, outgoing);
  });
}

export async function textOf(incoming: IncomingMessage): Promise<string> {
  const parts: Buffer[] = [];
  for await (const part of incoming) parts.push(part as Buffer);
  return Buffer.concat(parts).toString();
}

/** Hands a request, whose text was read, to the host, and its answer back. */
export async function handled(host: NodeHost, text: string, incoming: IncomingMessage, outgoing: ServerResponse): Promise<void> {
  const headers = Object.entries(incoming.headers).map(([name, value]): [string, string] => [name, String(value)]);
  const { method = "GET" } = incoming;
  const body = method === "GET" ? {} : { body: text };
  const response = await host.fetch(new Request(`http://${incoming.headers.host}${incoming.url}`, { method, headers, ...body }));
  outgoing.writeHead(response.status, Object.fromEntries(response.headers));
  if (response.body) Readable.fromWeb(response.body as ReadableStream).pipe(outgoing);
  else outgoing.end();
}
