/**
 * The door to the network: one request to one configured URL, over connections that are kept.
 *
 * H1 A request goes to the URL that was given and nowhere else: no redirect is followed, no proxy is asked.
 * H2 Nothing larger than `maxBytes` is held: a line, or a body without lines, is cut off when it grows past that.
 * H3 What is thrown is a CallFailed whose outcome is "none" only where no connection was made.
 */
import type { Agent, Dispatcher } from "undici";
import { failureOf } from "../../core/failure.ts";
import { beatHeader, jsonType, linesType } from "../wire.ts";
import { CallFailed } from "./failed.ts";

/** Connections to one host at once; a call that finds none free waits for one within its own time. */
const connections = 128;
const connectMs = 10_000;

export interface Asked {
  readonly method: "GET" | "POST";
  readonly url: URL;
  readonly body?: string;
  /** Beside those that say what is sent and taken. */
  readonly headers?: Readonly<Record<string, string>>;
  readonly signal: AbortSignal;
  /** A net below the signal, ms: nothing is waited for longer than that. */
  readonly withinMs: number;
  readonly maxBytes: number;
}

/** A body in JSON, line by line; `undefined` when it is of another type and was not read. */
export interface Answered {
  readonly status: number;
  /** As the far side wrote it. */
  readonly type: string;
  readonly retryAfterMs: number | undefined;
  /** The far side promises a line so often. */
  readonly beatMs: number | undefined;
  readonly lines: AsyncIterable<string> | undefined;
}

/** Errors of a connection that was never made: nobody has seen the request. */
const unmade: ReadonlySet<unknown> = new Set([
  "ECONNREFUSED",
  "ENOTFOUND",
  "EAI_AGAIN",
  "EHOSTUNREACH",
  "ENETUNREACH",
  "UND_ERR_CONNECT_TIMEOUT",
]);

export class Http {
  readonly #now: () => number;
  #agent: Promise<Agent> | undefined;
  #closed = false;

  /** @param now wall time, ms since 1970. */
  constructor(now: () => number) {
    this.#now = now;
  }

  /** Throws CallFailed `NODE_UNREACHABLE`; what `signal` was aborted with; while lines are read, `ANSWER_TOO_LARGE` and `NODE_ANSWER_INVALID` too. */
  async ask(asked: Asked): Promise<Answered> {
    const { method, url, body, headers, signal, withinMs, maxBytes } = asked;
    if (this.#closed) throw new CallFailed({ code: "NODE_UNREACHABLE", message: `${url.href}: this process closes` }, { outcome: "none" });
    // Most processes call nobody: the client is loaded by the first who does.
    this.#agent ??= import("undici").then(
      (undici) => new undici.Agent({ connections, connect: { timeout: connectMs }, maxHeaderSize: 16_384, pipelining: 1 }),
    );
    const agent = await this.#agent;
    let got: Dispatcher.ResponseData;
    try {
      signal.throwIfAborted();
      got = await agent.request({
        origin: url.origin,
        path: url.pathname + url.search,
        method,
        headers: { accept: `${linesType}, ${jsonType}`, ...(body === undefined ? {} : { "content-type": jsonType }), ...headers },
        ...(body === undefined ? {} : { body }),
        signal,
        headersTimeout: Math.ceil(withinMs),
        bodyTimeout: Math.ceil(withinMs),
      });
    } catch (error) {
      throw unreachable(error, signal, url);
    }
    // Whoever stops reading has the connection closed under the rest; the error of that is nobody's.
    got.body.on("error", () => {});
    const type = mediaType(got.headers["content-type"]);
    const known = type === jsonType || type === linesType;
    if (!known) got.body.destroy();
    return {
      status: got.statusCode,
      type: type === "" ? "no content type" : type,
      retryAfterMs: this.#retryAfterMs(got.headers["retry-after"]),
      beatMs: beatOf(got.headers[beatHeader]),
      lines: known ? linesOf(got.body, type === linesType, maxBytes, signal, url) : undefined,
    };
  }

  /** Closes every connection; what is under way is cut off. */
  async close(): Promise<void> {
    this.#closed = true;
    await (await this.#agent)?.destroy();
  }

  /** Seconds or a date (RFC 9110, 10.2.3); at most an hour. */
  #retryAfterMs(header: string | string[] | undefined): number | undefined {
    if (typeof header !== "string") return undefined;
    const ms = /^\d+$/.test(header) ? Number(header) * 1000 : Date.parse(header) - this.#now();
    return Number.isNaN(ms) ? undefined : Math.min(Math.max(0, Math.round(ms)), 3_600_000);
  }
}

/** Text that is not what was sent would be recorded otherwise. */
const strict = new TextDecoder("utf-8", { fatal: true });

async function* linesOf(
  body: Dispatcher.ResponseData["body"],
  inLines: boolean,
  maxBytes: number,
  signal: AbortSignal,
  url: URL,
): AsyncGenerator<string> {
  let parts: Buffer[] = [];
  let length = 0;
  const take = (): string => {
    const line = Buffer.concat(parts);
    parts = [];
    length = 0;
    try {
      return strict.decode(line);
    } catch {
      throw new CallFailed({ code: "NODE_ANSWER_INVALID", message: `${url.href} answered what is no UTF-8` }, { outcome: "unknown" });
    }
  };
  const keep = (part: Buffer): void => {
    length += part.length;
    if (length > maxBytes)
      throw new CallFailed(
        { code: "ANSWER_TOO_LARGE", message: `${url.href} answered with more than ${maxBytes} bytes: answer with a reference` },
        { outcome: "unknown", final: true },
      );
    parts.push(part);
  };
  try {
    for await (const chunk of body as AsyncIterable<Buffer>) {
      let from = 0;
      for (let end = chunk.indexOf(10); inLines && end >= 0; end = chunk.indexOf(10, from)) {
        keep(chunk.subarray(from, end));
        from = end + 1;
        yield take();
      }
      keep(chunk.subarray(from));
    }
  } catch (error) {
    throw error instanceof CallFailed ? error : unreachable(error, signal, url);
  }
  // What a broken connection left of a line is no answer; the body without lines is one.
  if (length > 0) yield take();
}

function unreachable(error: unknown, signal: AbortSignal, url: URL): unknown {
  if (signal.aborted) return signal.reason;
  const { message } = failureOf(error, "");
  const code = (error as { readonly code?: unknown } | null)?.code;
  return new CallFailed(
    {
      code: "NODE_UNREACHABLE",
      message: `${url.href}: ${typeof code === "string" ? code : "no answer"}${message === "" ? "" : `: ${message}`}`,
    },
    { outcome: unmade.has(code) ? "none" : "unknown" },
  );
}

/** One that is too short to be kept is none. */
function beatOf(header: string | string[] | undefined): number | undefined {
  const ms = Number(header ?? Number.NaN);
  return ms >= 1_000 && ms <= 3_600_000 ? ms : undefined;
}

function mediaType(header: string | string[] | undefined): string {
  return typeof header === "string" ? (header.split(";")[0] ?? "").trim().toLowerCase() : "";
}
