/** What a node host keeps, bounds and refuses: its record, its calls, its callers, its silence. */
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { z } from "zod";
import { Gate, quiet } from "../../../test/semantics/kit.ts";
import { effect } from "../../node/effect.ts";
import { VirtualClock } from "../../testing/clock.ts";
import type { Action } from "../action.ts";
import { signatureHeaders } from "../signature.ts";
import { sha256, systemSigner, systemWorld } from "../system.ts";
import { encodeAbort, encodeAction } from "../wire.ts";
import { createNodeHost, hostIn, type NodeHostOptions } from "./host.ts";
import { Work } from "./work.ts";

const start = 1_000_000;
const action = (step: string, change: Partial<Action> = {}): Action => ({
  actionId: sha256(`${step} ${change.attempt ?? 1}`).slice(0, 32),
  idempotencyKey: sha256(step).slice(0, 32),
  kind: "effect",
  node: "act",
  version: "1.0.0",
  runId: "run",
  step,
  attempt: 1,
  delivery: 1,
  leaseId: "lease-1",
  epoch: 1,
  correlationId: "run",
  priority: 100,
  timeoutMs: 30_000,
  notAfter: start + 30_000,
  createdAt: start,
  dependencies: [],
  payload: step,
  metadata: { workflowType: "flow", workflowVersion: "1.0.0" },
  ...change,
});

function host(options: Partial<NodeHostOptions> & { readonly hold?: Gate } = {}) {
  const { hold, ...given } = options;
  const calls: string[] = [];
  const act = effect({ name: "act", input: z.string(), idempotent: true, irreversible: "x" }, async (step) => {
    calls.push(step);
    await hold?.pass();
    return calls.length;
  });
  const clock = new VirtualClock(start, (callback) => void setImmediate(callback));
  const it = hostIn({ ...systemWorld(quiet), clock }, { nodes: [act], log: quiet, ...given });
  const post = (body: string, headers: Record<string, string> = {}) =>
    it.fetch(new Request("http://host/nodes", { method: "POST", body, headers: { "content-type": "application/json", ...headers } }));
  const send = async (asked: Action) => {
    const response = await post(encodeAction(asked));
    const { status, output, error } = (await response.json()) as { status: string; output?: unknown; error?: { code: string } };
    return { http: response.status, headers: response.headers, said: error?.code ?? output ?? status };
  };
  const abort = async (asked: Action) => {
    const { actionId, runId, leaseId, epoch, notAfter } = asked;
    const response = await post(encodeAbort({ actionId, runId, leaseId, epoch, notAfter, reason: { code: "X", message: "why" } }));
    return ((await response.json()) as { status: string }).status;
  };
  return { it, calls, clock, post, send, abort };
}
const said = (http: number, code: unknown) => ({ http, said: code });

describe("a record", () => {
  let folder = "";
  let record = "";
  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), "onex-host-"));
    record = join(folder, "answers");
  });
  afterEach(() => rmSync(folder, { recursive: true, force: true }));

  test("the next host knows what was answered, who owned, what was given up and undone", async () => {
    const first = host({ record });
    expect(await first.send(action("a", { epoch: 2, leaseId: "lease-2" }))).toMatchObject(said(200, 1));
    expect(await first.abort(action("given-up", { epoch: 2, leaseId: "lease-2" }))).toBe("aborted");
    await first.send(action("a~undo/act", { epoch: 2, leaseId: "lease-2", undoes: action("forward").idempotencyKey }));
    await first.it.close();

    const { calls, send, it } = host({ record });
    expect(await send(action("a", { epoch: 3, leaseId: "lease-3", delivery: 2 }))).toMatchObject(said(200, 1));
    expect(calls).toEqual([]);
    expect(await send(action("b", { epoch: 2, leaseId: "lease-2" }))).toMatchObject(said(409, "STALE_EPOCH"));
    expect(await send(action("given-up", { epoch: 3, leaseId: "lease-3" }))).toMatchObject(said(410, "CANCELLED"));
    expect(await send(action("forward", { epoch: 3, leaseId: "lease-3" }))).toMatchObject(said(410, "UNDONE"));
    expect(await send(action("a", { epoch: 3, leaseId: "lease-3", payload: "other" }))).toMatchObject(said(409, "ACTION_INVALID"));
    expect(await send(action("c", { epoch: 3, leaseId: "lease-3" }))).toMatchObject(said(200, 1));
    await it.close();
  });

  test("an owner is in it before its work begins, and the answer before it is given out", async () => {
    const hold = new Gate();
    const { send, it, calls } = host({ record, hold });
    const asked = send(action("a"));
    await expect.poll(() => calls).toEqual(["a"]);
    expect(readFileSync(record, "utf8")).toContain('"owner"');
    expect(readFileSync(record, "utf8")).not.toContain('"answer"');
    hold.open();
    await asked;
    expect(readFileSync(record, "utf8")).toContain('"answer"');
    await it.close();
  });
});

test("work that is given up before it could begin does not begin", () => {
  const work = new Work("digest");
  work.abort({ code: "X", message: "why" });
  // What it would need is not touched.
  work.start(action("a"), {} as never, {} as never);
  expect(work.answer).toEqual({ status: "failed", error: { code: "X", message: "why" }, outcome: "none" });
});

describe("how much is under way at once", () => {
  test("more is refused for a second; who joins work under way is not more", async () => {
    const hold = new Gate();
    const { send, calls } = host({ maxCalls: 1, hold });
    const one = send(action("a"));
    await expect.poll(() => calls).toEqual(["a"]);
    const busy = await send(action("b"));
    expect([busy.http, busy.said, busy.headers.get("retry-after")]).toEqual([503, "NODE_BUSY", "1"]);
    const again = send(action("a", { delivery: 2 }));
    hold.open();
    expect([(await one).said, (await again).said]).toEqual([1, 1]);
    expect(await send(action("b"))).toMatchObject(said(200, 2));
  });
});

describe("who may ask", () => {
  const secret = "sixteen letters.";
  test("with a secret only who signs, and what it signed", async () => {
    const { post, it } = host({ secret: [secret, "the one before it"] });
    const body = encodeAction(action("a"));
    const headers = (change: object = {}) =>
      signatureHeaders(systemSigner, secret, {
        method: "POST",
        path: "/nodes",
        time: start,
        nonce: systemSigner.nonce(),
        actionId: action("a").actionId,
        epoch: 1,
        bodyDigest: sha256(body),
        ...change,
      });
    const asked = async (sent: Record<string, string>) => {
      const response = await post(body, sent);
      const { error, output } = (await response.json()) as { error?: { code: string; message: string }; output?: unknown };
      return [response.status, error?.code ?? output];
    };
    expect(await asked({})).toEqual([401, "SIGNATURE_MISSING"]);
    const good = headers();
    expect(await asked(good)).toEqual([200, 1]);
    expect(await asked(good)).toEqual([401, "SIGNATURE_REPLAYED"]);
    // Signed well, and about another action or owner than the body.
    expect(await asked(headers({ actionId: "b" }))).toEqual([401, "SIGNATURE_INVALID"]);
    expect(await asked(headers({ epoch: 2 }))).toEqual([401, "SIGNATURE_INVALID"]);
    expect(await asked(headers())).toEqual([200, 1]);
    expect(await (await it.fetch(new Request("http://host/health"))).json()).toEqual({ onex: 1, status: "healthy", under_way: 0 });
  });

  test("without one no web page", async () => {
    const { post } = host();
    expect((await post(encodeAction(action("a")), { origin: "http://evil.example" })).status).toBe(403);
  });

  test("a secret that could be guessed is refused, and not shown", () => {
    for (const bad of ["fifteen letters", ["sixteen letters.", "short"], [], 7 as never])
      expect(() => createNodeHost({ nodes: [], secret: bad })).toThrow(expect.objectContaining({ code: "OPTION_INVALID" }));
    expect(() => createNodeHost({ nodes: [], secret: "hunter2" })).not.toThrow(/hunter2/);
  });
});

test("a call that takes long is heard of every 15 seconds, by whoever takes lines", async () => {
  const hold = new Gate();
  const { post, clock } = host({ hold });
  const response = await post(encodeAction(action("a", { timeoutMs: 3_600_000, notAfter: start + 3_600_000 })), {
    accept: "application/x-ndjson",
  });
  expect(response.headers.get("onex-heartbeat")).toBe("15000");
  const reader = response.body?.getReader();
  const read = async () => new TextDecoder().decode((await reader?.read())?.value);
  for (let beat = 1; beat <= 2; beat++) {
    expect(clock.step(start + beat * 15_000)).toBe(true);
    expect(await read()).toBe("\n");
  }
  hold.open();
  expect(await read()).toContain('"completed"');
  expect((await reader?.read())?.done).toBe(true);
});
