/** The client against a real server that misbehaves. */
import type { RequestListener, ServerResponse } from "node:http";
import { afterEach, describe, expect, test } from "vitest";
import { listening, textOf } from "../../../test/serve.ts";
import { Fatal, OnexError } from "../../core/failure.ts";
import type { Json } from "../../core/json.ts";
import { VirtualClock } from "../../testing/clock.ts";
import type { Action } from "../action.ts";
import { letGo } from "../let-go.ts";
import { type Answer, encodeAnswer, jsonType, linesType } from "../wire.ts";
import { Http } from "./http.ts";
import { RemoteNode } from "./remote.ts";

const action: Action = {
  actionId: "id",
  idempotencyKey: "key",
  kind: "effect",
  node: "charge",
  version: "1.0.0",
  runId: "run",
  step: "charge",
  attempt: 1,
  delivery: 1,
  leaseId: "lease",
  epoch: 1,
  correlationId: "corr",
  priority: 100,
  timeoutMs: 30_000,
  notAfter: 1_000_000,
  createdAt: 0,
  dependencies: [],
  payload: null,
  metadata: { workflowType: "flow", workflowVersion: "1.0.0" },
};
const start = Date.UTC(2030, 0, 1);

const https: Http[] = [];
afterEach(async () => {
  for (const http of https.splice(0)) await http.close();
});

interface Heard {
  readonly method: string | undefined;
  readonly path: string | undefined;
  readonly text: string;
  /** Of the connection that brought it. */
  readonly port: number | undefined;
}

async function far(handler: (response: ServerResponse, heard: Heard) => void, maxValueBytes = 1024) {
  const heard: Heard[] = [];
  const told: (() => void)[] = [];
  const listener: RequestListener = async (request, response) => {
    const one = { method: request.method, path: request.url, text: await textOf(request), port: request.socket.remotePort };
    heard.push(one);
    for (const tell of told.splice(0)) tell();
    if (one.text.includes('"abort"')) response.writeHead(200, { "content-type": jsonType }).end(encodeAnswer({ status: "aborted" }));
    else handler(response, one);
  };
  const url = await listening(listener, "/nodes?region=eu");
  const clock = new VirtualClock(start, (callback) => void setImmediate(callback));
  const http = new Http(() => clock.now());
  https.push(http);
  const node = new RemoteNode(new URL(url), { http, clock, graceMs: 5_000, maxValueBytes });
  const never = new AbortController().signal;
  const call = (signal = never, progress: (note: Json) => void = () => {}) => node.call(action, signal, progress);
  const next = async (count: number): Promise<void> => {
    while (heard.length < count) await new Promise<void>((resolve) => told.push(resolve));
  };
  return { node, call, heard, clock, next, url };
}

function json(response: ServerResponse, status: number, body: string, headers: Record<string, string> = {}): void {
  response.writeHead(status, { "content-type": jsonType, ...headers }).end(body);
}
const completed = encodeAnswer({ status: "completed", output: { ok: true } });
const failed = (code: string, outcome: "none" | "unknown", more: { final?: boolean; retryAfterMs?: number } = {}) =>
  encodeAnswer({ status: "failed", error: { code, message: "said so", details: { seen_epoch: 9 } }, outcome, ...more });

test("an output, with a charset and a line end, in JSON or in lines with notes", async () => {
  const notes: Json[] = [];
  const plain = await far((response) => json(response, 200, `${completed}\n`, { "content-type": "Application/JSON; charset=utf-8" }));
  expect(await plain.call()).toEqual({ ok: true });
  const lines = await far((response) => {
    response.writeHead(200, { "content-type": linesType });
    const text = `${encodeAnswer({ status: "progressed", note: "ü1" })}\n${encodeAnswer({ status: "progressed", note: 2 })}\n\n${completed}\n`;
    // Cut anywhere, also inside a character.
    for (const byte of Buffer.from(text)) response.write(Buffer.of(byte));
    response.end();
  });
  expect(await lines.call(undefined, (note) => notes.push(note))).toEqual({ ok: true });
  expect(notes).toEqual(["ü1", 2]);
  expect(lines.heard).toMatchObject([{ method: "POST", path: "/nodes?region=eu" }]);
});

test("connections are kept, also after an answer in lines", async () => {
  const { call, heard } = await far((response) => response.writeHead(200, { "content-type": linesType }).end(`${completed}\n`));
  for (let i = 0; i < 5; i++) {
    await call();
    // The end of the answer is read behind the caller's back.
    await new Promise((resolve) => setImmediate(resolve));
  }
  expect(new Set(heard.map(({ port }) => port)).size).toBeLessThan(5);
});

describe("what the far side says", () => {
  test("a refusal for good is Fatal with its code and details", async () => {
    const { call } = await far((response) => json(response, 200, failed("DECLINED", "none", { final: true })));
    const error = await call().catch((error) => error);
    expect(error).toBeInstanceOf(Fatal);
    expect(error).toMatchObject({ code: "DECLINED", message: "said so", details: { seen_epoch: 9 } });
  });

  test.each([
    [409, "STALE_EPOCH", "none"],
    [409, "LEASE_VIOLATION", "none"],
    [410, "ACTION_EXPIRED", "none"],
    [200, "EFFECT_THREW", "unknown"],
  ] as const)("%i %s keeps its outcome", async (status, code, outcome) => {
    const { call } = await far((response) => json(response, status, failed(code, outcome)));
    await expect(call()).rejects.toMatchObject({ name: "CallFailed", code, outcome, final: false, details: { seen_epoch: 9 } });
  });

  test("busy, in words or by status, with the time to come back", async () => {
    const said = await far((response) => json(response, 503, failed("NODE_BUSY", "none", { retryAfterMs: 1_500 })));
    await expect(said.call()).rejects.toMatchObject({ code: "NODE_BUSY", outcome: "none", retryAfterMs: 1_500 });
    const status = (code: number, header: Record<string, string>) => far((response) => response.writeHead(code, header).end("busy"));
    const busy = { code: "NODE_BUSY", outcome: "unknown" };
    await expect((await status(503, { "retry-after": "7" })).call()).rejects.toMatchObject({ ...busy, retryAfterMs: 7_000 });
    await expect((await status(429, { "retry-after": new Date(start + 9_000).toUTCString() })).call()).rejects.toMatchObject({
      ...busy,
      retryAfterMs: 9_000,
    });
    await expect((await status(503, {})).call()).rejects.toMatchObject({ ...busy, retryAfterMs: undefined });
    await expect((await status(503, { "retry-after": "999999999" })).call()).rejects.toMatchObject({ ...busy, retryAfterMs: 3_600_000 });
  });
});

describe("what is no answer", () => {
  const wrong = { code: "NODE_ANSWER_INVALID", outcome: "unknown", final: false };
  test.each<[string, (response: ServerResponse) => void, RegExp]>([
    ["another content type", (r) => void r.writeHead(200, { "content-type": "text/html" }).end(completed), /text\/html/],
    ["no content type", (r) => void r.writeHead(200).end(completed), /no content type/],
    ["bad JSON", (r) => json(r, 200, "{"), /is not JSON/],
    ["JSON of another kind", (r) => json(r, 200, '{"ok":true}'), /has no "onex"/],
    [
      "half a character",
      (r) =>
        void r
          .writeHead(200, { "content-type": jsonType })
          .end(Buffer.concat([Buffer.from('{"onex":1,"x":"'), Buffer.of(0xc3, 0x22, 0x7d)])),
      /no UTF-8/,
    ],
    ["nothing", (r) => json(r, 200, ""), /ended without an answer/],
    [
      "notes and no end",
      (r) => void r.writeHead(200, { "content-type": linesType }).end('{"onex":1,"status":"progressed","note":1}\n'),
      /without an answer/,
    ],
    ["a success with a bad status", (r) => json(r, 404, completed), /answered 404/],
    ["another server", (r) => void r.writeHead(404, { "content-type": "text/plain" }).end("not found"), /is no node host/],
  ])("%s", async (_, handler, message) => {
    const { call } = await far(handler);
    await expect(call()).rejects.toMatchObject({ ...wrong, message: expect.stringMatching(message) });
  });

  test("a redirect is not followed, wherever it points", async () => {
    const elsewhere = await far((response) => json(response, 200, completed));
    const { call } = await far((response) => void response.writeHead(307, { location: elsewhere.url }).end());
    await expect(call()).rejects.toMatchObject({ ...wrong, message: expect.stringContaining("redirects are not followed") });
    expect(elsewhere.heard).toEqual([]);
  });

  test("a server error before the host", async () => {
    const { call } = await far((response) => void response.writeHead(502, { "content-type": "text/html" }).end("<h1>"));
    await expect(call()).rejects.toMatchObject({ code: "NODE_UNREACHABLE", outcome: "unknown", message: expect.stringContaining("502") });
  });

  test("too much: one body, one line, or one that never ends; it is not read to its end", async () => {
    const much = encodeAnswer({ status: "completed", output: "x".repeat(100_000) });
    const tooLarge = { code: "ANSWER_TOO_LARGE", outcome: "unknown", final: true };
    await expect((await far((response) => json(response, 200, much))).call()).rejects.toMatchObject(tooLarge);
    let closed = (): void => {};
    const cut = new Promise<void>((resolve) => {
      closed = resolve;
    });
    const endless = await far((response) => {
      response.writeHead(200, { "content-type": linesType }).on("close", closed);
      const more = (): void => {
        while (!response.destroyed && response.write("x".repeat(10_000)));
      };
      response.on("drain", more);
      more();
    });
    await expect(endless.call()).rejects.toMatchObject(tooLarge);
    await cut;
  });

  test("many lines may be more than one value together", async () => {
    const { call } = await far((response) => {
      response.writeHead(200, { "content-type": linesType });
      for (let i = 0; i < 20; i++) response.write(`${encodeAnswer({ status: "progressed", note: "x".repeat(10_000) })}\n`);
      response.end(completed);
    });
    expect(await call()).toEqual({ ok: true });
  });
});

describe("the way there", () => {
  test("nobody listens: it did not happen", async () => {
    const http = new Http(() => start);
    https.push(http);
    const clock = new VirtualClock(start, () => {});
    const gone = new RemoteNode(new URL("http://127.0.0.1:1/x"), { http, clock, graceMs: 0, maxValueBytes: 1 });
    await expect(gone.call(action, new AbortController().signal, () => {})).rejects.toMatchObject({
      code: "NODE_UNREACHABLE",
      outcome: "none",
      message: expect.stringContaining("ECONNREFUSED"),
    });
  });

  test("after close nobody is asked", async () => {
    const { call, heard } = await far((response) => json(response, 200, completed));
    await call();
    await https.at(-1)?.close();
    await expect(call()).rejects.toMatchObject({ code: "NODE_UNREACHABLE", outcome: "none" });
    expect(heard.length).toBe(1);
  });

  test("a reset leaves the outcome unknown, and the host is told that nobody waits", async () => {
    const { call, heard, next } = await far((response) => response.destroy());
    await expect(call()).rejects.toMatchObject({ code: "NODE_UNREACHABLE", outcome: "unknown" });
    await next(2);
    expect(JSON.parse(heard[1]?.text ?? "")).toMatchObject({
      abort: { action_id: "id", run_id: "run", epoch: 1, reason: { code: "NODE_UNREACHABLE" } },
    });
  });

  test("a connection that breaks inside an answer is no answer", async () => {
    const { call } = await far((response) => {
      response.writeHead(200, { "content-type": jsonType, "content-length": "1000" });
      response.write(completed, () => response.destroy());
    });
    await expect(call()).rejects.toMatchObject({ code: "NODE_UNREACHABLE", outcome: "unknown" });
  });

  test("aborted, it tells the host, and takes its answer for as long as the grace", async () => {
    const cut = new AbortController();
    let answer = (): void => {};
    const { call, heard, next } = await far((response) => {
      answer = () => json(response, 200, completed);
    });
    const called = call(cut.signal);
    await next(1);
    cut.abort(new OnexError("CANCELLED", "the step was cancelled"));
    await next(2);
    expect(JSON.parse(heard[1]?.text ?? "")).toMatchObject({ abort: { reason: { code: "CANCELLED" } } });
    answer();
    expect(await called).toEqual({ ok: true });
  });

  test("a host that hangs is given up after the grace", async () => {
    const cut = new AbortController();
    const { call, clock, next } = await far(() => {});
    const called = call(cut.signal);
    called.catch(() => {});
    await next(1);
    cut.abort(new OnexError("STEP_TIMEOUT", "too slow"));
    await next(2);
    while (clock.step(start + 5_000));
    await expect(called).rejects.toMatchObject({ code: "STEP_TIMEOUT" });
  });

  test("so is one that hangs in the middle of its answer", async () => {
    const cut = new AbortController();
    const { call, clock, next } = await far((response) => {
      response.writeHead(200, { "content-type": linesType });
      response.write(`${encodeAnswer({ status: "progressed", note: 1 })}\n`);
    });
    let noted = (): void => {};
    const note = new Promise<void>((resolve) => {
      noted = resolve;
    });
    const called = call(cut.signal, noted);
    called.catch(() => {});
    await note;
    cut.abort(new OnexError("STEP_TIMEOUT", "too slow"));
    await next(2);
    while (clock.step(start + 5_000));
    await expect(called).rejects.toMatchObject({ code: "STEP_TIMEOUT" });
  });

  test.each(["ORCHESTRATOR_CLOSED", "LEASE_LOST", "FENCED", "PAUSED"] as const)("let go of (%s), it tells nobody", async (code) => {
    const cut = new AbortController();
    const { call, heard, next } = await far(() => {});
    const called = call(cut.signal);
    called.catch(() => {});
    await next(1);
    cut.abort(letGo(code));
    await expect(called).rejects.toMatchObject({ code });
    expect(heard.length).toBe(1);
  });
});

describe("a stream", () => {
  /** The far side gives what `answers` says for each index; `log` is what it heard. */
  async function streaming(answers: (index: number) => Answer) {
    const it = await far((response, { text }) => {
      if (text === "") return json(response, 200, "{}");
      const { action } = JSON.parse(text) as { readonly action: { readonly taken: number } };
      json(response, 200, encodeAnswer(answers(action.taken)));
    });
    const cut = new AbortController();
    const items = it.node.items(
      (taken) => ({ ...action, taken, notAfter: 1_000_000 + taken }),
      2,
      cut.signal,
      () => {},
    );
    const said = () => it.heard.flatMap(({ text }) => (text === "" ? [] : [JSON.parse(text)]));
    const log = () => said().map(({ action, abort }) => action?.taken ?? abort);
    return { ...it, items, cut, log };
  }
  const ten = (index: number): Answer =>
    index === 5 ? { status: "completed", output: { items: 5 } } : { status: "yielded", index, item: { n: index } };

  test("is asked once for each item, behind those that were taken, and not after its end", async () => {
    const { items, log } = await streaming(ten);
    expect(log()).toEqual([]);
    expect(await items.next()).toEqual({ done: false, value: { n: 2 } });
    expect(log()).toEqual([2]);
    const rest: Json[] = [];
    for await (const item of items) rest.push(item);
    expect(rest).toEqual([{ n: 3 }, { n: 4 }]);
    await items.return();
    expect(log()).toEqual([2, 3, 4, 5]);
  });

  test("left early, the far side is told, with the time of the last item and why", async () => {
    const left = await streaming(ten);
    await left.items.next();
    await left.items.next();
    await left.items.return();
    await left.next(3);
    expect(left.log()[2]).toMatchObject({ action_id: "id", not_after: 1_000_003, reason: { code: "CANCELLED" } });
    const late = await streaming(ten);
    await late.items.next();
    late.cut.abort(new OnexError("STEP_TIMEOUT", "slow"));
    await late.items.return();
    await late.next(2);
    expect(late.log()[1]).toMatchObject({ reason: { code: "STEP_TIMEOUT" } });
  });

  test("let go of, or before it was begun, it tells nobody", async () => {
    const closed = await streaming(ten);
    await closed.items.next();
    closed.cut.abort(letGo("LEASE_LOST"));
    await closed.items.return();
    const unbegun = await streaming(ten);
    await unbegun.items.return();
    await closed.node.probe(1_000);
    expect([closed.heard.length, unbegun.heard.length]).toEqual([2, 0]);
  });

  test("a failure is thrown as of any effect", async () => {
    const { items } = await streaming(() => ({ status: "failed", error: { code: "NO", message: "x" }, outcome: "none", final: true }));
    await expect(items.next()).rejects.toBeInstanceOf(Fatal);
    const later = await streaming(() => ({ status: "failed", error: { code: "X", message: "x" }, outcome: "unknown", retryAfterMs: 5 }));
    await expect(later.items.next()).rejects.toMatchObject({ code: "X", outcome: "unknown", retryAfterMs: 5 });
  });

  test.each<[string, Answer, RegExp]>([
    ["another item", { status: "yielded", index: 3, item: 1 }, /gave item 3 of the stream and not 2/],
    ["another end", { status: "completed", output: { items: 9 } }, /ended the stream with 9 items and not 2/],
    ["an output", { status: "completed", output: null }, /ended the stream with undefined items/],
  ])("what makes no sense is refused: %s", async (_, answer, message) => {
    const { items } = await streaming(() => answer);
    await expect(items.next()).rejects.toMatchObject({ code: "NODE_ANSWER_INVALID", message: expect.stringMatching(message) });
  });

  test("an item is no output", async () => {
    const { call } = await far((response) => json(response, 200, encodeAnswer({ status: "yielded", index: 0, item: 1 })));
    await expect(call()).rejects.toMatchObject({ code: "NODE_ANSWER_INVALID", message: expect.stringContaining("nobody asked") });
  });
});

test("a probe asks for health beside the node, and is noted", async () => {
  let status = 200;
  const { node, heard, clock, next } = await far((response) => (status === 0 ? undefined : json(response, status, "{}")));
  const view = () => node.health.view("charge", "effect", "x");
  expect(view().status).toBe("unknown");
  await node.probe(1_000);
  expect(heard[0]).toMatchObject({ method: "GET", path: "/nodes/health?region=eu" });
  expect(view()).toMatchObject({ status: "healthy", calls: 0, checkedAt: start });
  status = 503;
  await node.probe(1_000);
  expect(view()).toMatchObject({ status: "unhealthy", lastError: expect.stringContaining("answered 503") });
  status = 0;
  const hangs = node.probe(1_000);
  await next(3);
  clock.step(start + 1_000);
  await hangs;
  expect(view()).toMatchObject({ status: "unhealthy", lastError: expect.stringContaining("within 1000 ms"), latencyMs: 1_000 });
});
