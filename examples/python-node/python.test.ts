/** The node host in Python, asked by a real orchestrator. */
import { type ChildProcess, spawn, spawnSync } from "node:child_process";
import { randomBytes } from "node:crypto";
import { fileURLToPath } from "node:url";
import { afterEach, expect, test } from "vitest";
import { z } from "zod";
import type { Action } from "../../src/engine/action.ts";
import { signatureHeaders } from "../../src/engine/signature.ts";
import { sha256, systemSigner } from "../../src/engine/system.ts";
import { encodeAction } from "../../src/engine/wire.ts";
import { all, compute, createOrchestrator, effect, memory, workflow } from "../../src/index.ts";
import { quiet } from "../../test/semantics/kit.ts";

const python = spawnSync("python3", ["-c", "import sys; sys.exit(sys.version_info < (3, 9))"]).status === 0;
const skipped = python ? "" : " (SKIPPED: there is no python3, or one before 3.9)";
const secret = randomBytes(32).toString("hex");

const processes: ChildProcess[] = [];
afterEach(() => {
  for (const child of processes.splice(0)) child.kill("SIGKILL");
});

async function host(): Promise<{ readonly url: string; readonly child: ChildProcess; readonly ended: Promise<number | null> }> {
  const path = fileURLToPath(new URL("node.py", import.meta.url));
  const child = spawn("python3", [path, "0"], { env: { ...process.env, ONEX_NODE_SECRET: secret, PYTHONDONTWRITEBYTECODE: "1" } });
  processes.push(child);
  const ended = new Promise<number | null>((resolve) => child.on("close", resolve));
  let stderr = "";
  child.stderr?.on("data", (text) => (stderr += text));
  const said = await new Promise<string>((resolve, reject) => {
    child.stdout?.on("data", (text) => resolve(String(text)));
    void ended.then(() => reject(new Error(stderr)));
  });
  return { url: /http:\S+/.exec(said)?.[0] ?? "", child, ended };
}

const printLabel = effect(
  {
    name: "print-label",
    input: z.object({ order: z.string(), seconds: z.number().optional() }),
    output: z.object({ label: z.string() }),
    idempotent: true,
    irreversible: "paper",
  },
  async () => ({ label: "it is printed elsewhere" }),
);
const parcelPrice = compute({ name: "parcel-price", input: z.object({ kg: z.number() }), output: z.object({ cents: z.number() }) }, () => ({
  cents: 0,
}));
const parcel = workflow({ name: "parcel", input: z.object({ order: z.string(), kg: z.number() }) }, function* ({ order, kg }) {
  const { cents } = yield* parcelPrice({ kg });
  const labels = yield* all([0, 1].map((n) => printLabel({ order: `${order}-${n}` }, { step: `label-${n}` })));
  return { cents, labels: labels.map(({ label }) => label).sort() };
});

const action = (change: Partial<Action> = {}): Action => ({
  actionId: sha256(`${change.step} ${change.attempt} ${change.runId}`).slice(0, 32),
  idempotencyKey: sha256(`${change.step} ${change.runId}`).slice(0, 32),
  kind: "effect",
  node: "print-label",
  version: "1.0.0",
  runId: "run",
  step: "label",
  attempt: 1,
  delivery: 1,
  leaseId: "lease",
  epoch: 2,
  correlationId: "run",
  priority: 100,
  timeoutMs: 30_000,
  notAfter: Date.now() + 30_000,
  createdAt: Date.now(),
  dependencies: [],
  payload: { order: "o" },
  metadata: { workflowType: "parcel", workflowVersion: "1.0.0" },
  ...change,
});

interface Sent {
  readonly status: number;
  readonly answer: { readonly status?: string; readonly output?: unknown; readonly error?: { readonly code: string } };
}
async function send(
  url: string,
  asked: Action,
  how: { readonly key?: string; readonly nonce?: string; readonly time?: number } = {},
): Promise<Sent> {
  const body = encodeAction(asked);
  const { actionId, epoch } = asked;
  const headers = signatureHeaders(systemSigner, how.key ?? secret, {
    method: "POST",
    path: new URL(url).pathname,
    time: how.time ?? Date.now(),
    nonce: how.nonce ?? systemSigner.nonce(),
    actionId,
    epoch,
    bodyDigest: sha256(body),
  });
  const response = await fetch(url, { method: "POST", body, headers: { "content-type": "application/json", ...headers } });
  return { status: response.status, answer: (await response.json()) as Sent["answer"] };
}
const refused = (status: number, code: string) => ({ status, answer: { status: "failed", outcome: "none", error: { code } } });

test.skipIf(!python)(`a workflow calls an effect and a compute in Python${skipped}`, async () => {
  const { url } = await host();
  const orchestrator = createOrchestrator({
    store: memory(),
    nodes: [parcel],
    endpoints: { "print-label": url, "parcel-price": url },
    endpointSecret: secret,
    log: quiet,
  });
  const run = await orchestrator.start(parcel, { order: "7", kg: 2 });
  expect(await run.result()).toMatchObject({ cents: 630, labels: [/^7-0/, /^7-1/].map((text) => expect.stringMatching(text)) });
  await orchestrator.close();
});

test.skipIf(!python)(`it keeps the rules of the protocol${skipped}`, async () => {
  const { url, child, ended } = await host();
  // Two deliveries of one action at once: the second joins the first, and both get one answer.
  const slow = action({ payload: { order: "slow", seconds: 0.3 } });
  const [one, other] = await Promise.all([send(url, slow), send(url, { ...slow, delivery: 2 })]);
  expect(one).toMatchObject({ status: 200, answer: { status: "completed", output: { label: "slow/1" } } });
  expect(other).toEqual(one);
  expect(await send(url, { ...slow, delivery: 3 })).toEqual(one);
  // The next attempt has the key of the first: no second label.
  expect(await send(url, action({ attempt: 2, actionId: "second", payload: slow.payload }))).toEqual(one);

  expect(await send(url, action({ step: "late", epoch: 1 }))).toMatchObject(refused(409, "STALE_EPOCH"));
  expect(await send(url, action({ step: "late", leaseId: "other" }))).toMatchObject(refused(409, "LEASE_VIOLATION"));
  expect(await send(url, action({ step: "late", notAfter: 1 }))).toMatchObject(refused(410, "ACTION_EXPIRED"));
  expect(await send(url, action({ step: "other", node: "no-such" }))).toMatchObject(refused(404, "NODE_UNKNOWN"));
  expect(await send(url, { ...slow, payload: { order: "another" } })).toMatchObject(refused(409, "ACTION_INVALID"));

  // What was undone before it came must not begin.
  const forward = action({ step: "forward" });
  await send(url, action({ step: "forward~undo/label", undoes: forward.idempotencyKey }));
  expect(await send(url, forward)).toMatchObject(refused(410, "UNDONE"));

  expect(await send(url, action({ step: "a" }), { key: "another secret of someone" })).toMatchObject(refused(401, "SIGNATURE_INVALID"));
  expect(await send(url, action({ step: "a" }), { time: Date.now() - 301_000 })).toMatchObject(refused(401, "SIGNATURE_EXPIRED"));
  const nonce = systemSigner.nonce();
  expect((await send(url, action({ step: "a" }), { nonce })).status).toBe(200);
  expect(await send(url, action({ step: "a" }), { nonce })).toMatchObject(refused(401, "SIGNATURE_REPLAYED"));
  const bare = await fetch(url, { method: "POST", body: encodeAction(action()) });
  expect([bare.status, await bare.json()]).toMatchObject([401, { error: { code: "SIGNATURE_MISSING" } }]);
  expect((await fetch(url, { method: "POST", body: "x".repeat(3 * 1024 * 1024) }).catch(() => ({ status: 413 }))).status).toBe(413);

  // It drains: work under way is answered, then it ends.
  const last = send(url, action({ step: "last", payload: { order: "last", seconds: 4 } }));
  await expect.poll(async () => (await fetch(`${url}/health`)).json()).toMatchObject({ under_way: 1 });
  child.kill("SIGTERM");
  expect(await last).toMatchObject({ status: 200, answer: { status: "completed" } });
  expect(await ended).toBe(0);
});
