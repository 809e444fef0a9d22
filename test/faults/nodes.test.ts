/** `onex nodes` as its users meet it: a process behind a socket, which is killed, stopped, and asked wrongly. */
import { type ChildProcess, spawn } from "node:child_process";
import { mkdirSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterEach, expect, test } from "vitest";
import { z } from "zod";
import type { Action } from "../../src/engine/action.ts";
import { openRecord } from "../../src/engine/host/record-file.ts";
import { signatureHeaders } from "../../src/engine/signature.ts";
import { sha256, systemSigner } from "../../src/engine/system.ts";
import { encodeAction } from "../../src/engine/wire.ts";
import { createOrchestrator, effect, memory, workflow } from "../../src/index.ts";
import { quiet } from "../semantics/kit.ts";
import { linesOf, newFolder } from "./processes.ts";

const root = fileURLToPath(new URL("../..", import.meta.url));
const secret = "the secret of this test";
const running = new Set<ChildProcess>();
afterEach(() => {
  for (const child of running) child.kill("SIGKILL");
});

/** Each call writes a line; it ends when there is a file of that name. */
const nodes = `
import { appendFileSync, existsSync } from "node:fs";
import { setTimeout } from "node:timers/promises";
import { effect, workflow } from "onex";
import { z } from "zod";
export const work = effect(
  { name: "work", input: z.object({ order: z.string(), held: z.string().optional() }), idempotent: true, irreversible: "a line" },
  async ({ order, held }, { idempotencyKey }) => {
    appendFileSync("ledger", JSON.stringify({ order, key: idempotencyKey, pid: process.pid }) + "\\n");
    while (held !== undefined && !existsSync(held)) await setTimeout(5);
    return { order, pid: process.pid };
  },
);
export const stays = workflow({ name: "stays", input: z.any() }, function* () {});
`;

interface Host {
  readonly url: string;
  readonly child: ChildProcess;
  readonly ended: Promise<number | NodeJS.Signals | null>;
  stderr(): string;
}
function project(): string {
  const folder = newFolder();
  mkdirSync(join(folder, "node_modules"));
  symlinkSync(root, join(folder, "node_modules/onex"));
  symlinkSync(join(root, "node_modules/zod"), join(folder, "node_modules/zod"));
  writeFileSync(join(folder, "nodes.ts"), nodes);
  writeFileSync(join(folder, "secret"), `${secret}\n`);
  return folder;
}
async function serve(folder: string, ...args: string[]): Promise<Host> {
  const command = [join(root, "dist/cli/main.js"), "nodes", "nodes.ts", "--port", "0", "--secret-file", "secret", ...args];
  const child = spawn(process.execPath, command, { cwd: folder, env: { ...process.env, NODE_ENV: "test" } });
  running.add(child);
  let stderr = "";
  const ended = new Promise<number | NodeJS.Signals | null>((resolve) =>
    child.on("close", (code, signal) => {
      running.delete(child);
      resolve(signal ?? code);
    }),
  );
  const url = await new Promise<string>((resolve, reject) => {
    child.stderr?.on("data", (text) => {
      stderr += text;
      const said = /serving on (\S+),/.exec(stderr)?.[1];
      if (said !== undefined) resolve(said);
    });
    void ended.then(() => reject(new Error(stderr)));
  });
  return { url, child, ended, stderr: () => stderr };
}

const action = (order: string, change: Partial<Action> = {}, held?: string): Action => ({
  actionId: sha256(order).slice(0, 32),
  idempotencyKey: sha256(`key ${order}`).slice(0, 32),
  kind: "effect",
  node: "work",
  version: "1.0.0",
  runId: "run",
  step: order,
  attempt: 1,
  delivery: 1,
  leaseId: "lease-2",
  epoch: 2,
  correlationId: "run",
  priority: 100,
  timeoutMs: 60_000,
  notAfter: Date.now() + 60_000,
  createdAt: Date.now(),
  dependencies: [],
  payload: held === undefined ? { order } : { order, held },
  metadata: { workflowType: "flow", workflowVersion: "1.0.0" },
  ...change,
});
interface Sent {
  readonly status: number;
  readonly said: unknown;
}
async function send({ url }: Host, asked: Action, how: { readonly time?: number; readonly nonce?: string } = {}): Promise<Sent> {
  const body = encodeAction(asked);
  const headers = signatureHeaders(systemSigner, secret, {
    method: "POST",
    path: "/nodes",
    time: how.time ?? Date.now(),
    nonce: how.nonce ?? systemSigner.nonce(),
    actionId: asked.actionId,
    epoch: asked.epoch,
    bodyDigest: sha256(body),
  });
  const response = await fetch(url, { method: "POST", body, headers: { "content-type": "application/json", ...headers } });
  const { error, output } = (await response.json()) as { readonly error?: { readonly code: string }; readonly output?: unknown };
  return { status: response.status, said: error?.code ?? output };
}
const orders = (folder: string) => linesOf<{ readonly order: string }>(join(folder, "ledger")).map(({ order }) => order);
const begun = (folder: string, order: string) =>
  expect
    .poll(() => {
      try {
        return orders(folder);
      } catch {
        return [];
      }
    })
    .toContain(order);

test("a host that is killed repeats nothing that it has answered, and lets no older owner in", async () => {
  const folder = project();
  const first = await serve(folder, "--record", "answers");
  const given = await send(first, action("a"));
  expect(given).toMatchObject({ status: 200, said: { order: "a", pid: first.child.pid } });
  // Its time is over while the host is down: what it answered is known all the same.
  const cut = send(first, action("b", {}, "never")).catch(() => "cut off");
  await begun(folder, "b");
  expect(() => openRecord(join(folder, "answers"), Date.now)).toThrow(expect.objectContaining({ code: "RECORD_OWNED" }));
  first.child.kill("SIGKILL");
  expect(await first.ended).toBe("SIGKILL");
  expect(await cut).toBe("cut off");

  const second = await serve(folder, "--record", "answers");
  expect(await send(second, action("a", { delivery: 2 }))).toEqual(given);
  expect(await send(second, action("c", { epoch: 1, leaseId: "lease-1" }))).toEqual({ status: 409, said: "STALE_EPOCH" });
  expect(await send(second, action("c", { leaseId: "another" }))).toEqual({ status: 409, said: "LEASE_VIOLATION" });
  // What it had begun and not answered is begun again, under the same key.
  writeFileSync(join(folder, "never"), "");
  expect(await send(second, action("b", { delivery: 2 }, "never"))).toMatchObject({ status: 200, said: { pid: second.child.pid } });
  expect(orders(folder)).toEqual(["a", "b", "b"]);
});

test("it is stopped: what is under way is answered, new work is refused, and it ends well", async () => {
  const folder = project();
  const host = await serve(folder, "--max-calls", "1", "--grace", "60s");
  expect(host.stderr()).toContain("signed calls only");
  expect(host.stderr()).toContain(`"work": "${host.url}"`);
  const nonce = systemSigner.nonce();
  expect((await send(host, action("a"), { nonce })).status).toBe(200);
  expect(await send(host, action("a"), { nonce })).toEqual({ status: 401, said: "SIGNATURE_REPLAYED" });
  expect(await send(host, action("a"), { time: Date.now() + 400_000 })).toEqual({ status: 401, said: "SIGNATURE_EXPIRED" });
  const large = action("large", { payload: { order: "x".repeat(3 * 1024 * 1024) } });
  expect(await send(host, large)).toEqual({ status: 413, said: "VALUE_TOO_LARGE" });

  const slow = send(host, action("slow", {}, "go"));
  await begun(folder, "slow");
  expect(await send(host, action("more"))).toEqual({ status: 503, said: "NODE_BUSY" });
  host.child.kill("SIGTERM");
  const health = async () => {
    const response = await fetch(`${host.url}/health`);
    return [response.status, await response.json()];
  };
  await expect.poll(health).toEqual([503, { onex: 1, status: "draining", under_way: 1 }]);
  expect(await send(host, action("more"))).toEqual({ status: 503, said: "NODE_BUSY" });
  writeFileSync(join(folder, "go"), "");
  expect(await slow).toMatchObject({ status: 200, said: { order: "slow" } });
  expect(await host.ended).toBe(0);
  expect(orders(folder)).toEqual(["a", "slow"]);
});

test("a run calls a node that `onex nodes` serves, over signed calls", async () => {
  const folder = project();
  const { url } = await serve(folder);
  const work = effect({ name: "work", input: z.any(), output: z.any(), idempotent: true, irreversible: "x" }, async () => "not here");
  const flow = workflow({ name: "flow", input: z.any() }, function* () {
    const { order } = yield* work({ order: "one" });
    return [order, (yield* work({ order: "two" })).order];
  });
  const orchestrator = createOrchestrator({ store: memory(), nodes: [flow], endpoints: { work: url }, endpointSecret: secret, log: quiet });
  expect(await (await orchestrator.start(flow, null)).result()).toEqual(["one", "two"]);
  await orchestrator.close();
});
