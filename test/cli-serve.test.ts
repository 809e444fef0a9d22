/** `onex serve` as processes: what was started survives a kill, others look in, and signals end it in order. */
import { type ChildProcess, spawn } from "node:child_process";
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterEach, expect, test } from "vitest";

const root = fileURLToPath(new URL("..", import.meta.url));
const children = new Set<ChildProcess>();
const folders: string[] = [];
afterEach(() => {
  for (const child of children) child.kill("SIGKILL");
  for (const folder of folders.splice(0)) rmSync(folder, { recursive: true, force: true });
});

/** An effect that ends when the file "go" is there. */
const shop = `
import { appendFileSync, existsSync } from "node:fs";
import { setTimeout } from "node:timers/promises";
import { effect, signal, workflow } from "onex";
import { z } from "zod";
const pay = effect({ name: "pay", input: z.object({ amount: z.number() }), idempotent: true, readonly: true, timeout: "10m" }, async ({ amount }, { signal }) => {
  appendFileSync("begun", amount + "\\n");
  while (!existsSync("go")) await setTimeout(10, undefined, { signal });
  return amount;
});
export const approval = signal({ name: "approval", payload: z.object({ by: z.string() }) });
export const order = workflow({ name: "order", input: z.object({ amount: z.number() }) }, function* ({ amount }) {
  const paid = yield* pay({ amount });
  const { by } = yield* approval.wait();
  return { paid, by };
});
`;

function project(): string {
  const folder = mkdtempSync(join(tmpdir(), "onex-serve-"));
  folders.push(folder);
  mkdirSync(join(folder, "node_modules"));
  symlinkSync(root, join(folder, "node_modules/onex"));
  symlinkSync(join(root, "node_modules/zod"), join(folder, "node_modules/zod"));
  writeFileSync(join(folder, "shop.mjs"), shop);
  return folder;
}

async function serving(folder: string, args: readonly string[]) {
  const { ONEX_STORE: _store, ONEX_TOKEN: _token, FORCE_COLOR: _colour, ...env } = process.env;
  const child = spawn(process.execPath, [join(root, "dist/cli/main.js"), "serve", ...args, "--port", "0"], {
    cwd: folder,
    env: { ...env, NODE_ENV: "test" },
  });
  children.add(child);
  let stderr = "";
  let stdout = "";
  let heard = () => {};
  child.stdout.setEncoding("utf8").on("data", (text: string) => (stdout += text));
  child.stderr.setEncoding("utf8").on("data", (text: string) => {
    stderr += text;
    heard();
  });
  const ended = new Promise<{ readonly code: number | null; readonly stderr: string; readonly stdout: string }>((resolve) =>
    child.on("close", (code) => {
      children.delete(child);
      resolve({ code, stderr, stdout });
    }),
  );
  const says = async (wanted: RegExp): Promise<RegExpExecArray> => {
    for (;;) {
      const found = wanted.exec(stderr);
      if (found) return found;
      const over = await Promise.race([new Promise<undefined>((resolve) => (heard = () => resolve(undefined))), ended]);
      if (over) throw new Error(`it ended with ${over.code} and never said ${wanted}:\n${over.stderr}`);
    }
  };
  const [, url = ""] = await says(/serving (http:\S+)\/api\/v1/);
  return { child, url, ended, says };
}
const post = (url: string, body: unknown, headers: Readonly<Record<string, string>> = {}) =>
  fetch(url, { method: "POST", headers: { "content-type": "application/json", ...headers }, body: JSON.stringify(body) });

test("a start outlives the process that took it; the same key finds it in the next one, which another process looks at and signals", async () => {
  const folder = project();
  const start = { workflow: "order", input: { amount: 7 } };
  const key = { "idempotency-key": "order-7" };
  const first = await serving(folder, ["shop.mjs"]);
  const started = await post(`${first.url}/api/v1/runs`, start, key);
  expect(started.status).toBe(201);
  const { runId } = (await started.json()) as { readonly runId: string };
  first.child.kill("SIGKILL");
  await first.ended;

  const second = await serving(folder, ["shop.mjs"]);
  const again = await post(`${second.url}/api/v1/runs`, start, key);
  expect([again.status, ((await again.json()) as { readonly runId: string }).runId]).toEqual([200, runId]);
  const onlooker = await serving(folder, []);
  expect(await (await fetch(`${onlooker.url}/api/v1/workflows`)).json()).toEqual({ workflows: [] });
  const stream = await fetch(`${onlooker.url}/api/v1/runs/${runId}/events`);
  const followed = stream.text();
  writeFileSync(join(folder, "go"), "");
  expect((await post(`${onlooker.url}/api/v1/runs/${runId}/signals/approval`, { by: "ada" })).status).toBe(202);
  const result = await fetch(`${second.url}/api/v1/runs/${runId}/result?wait=60s`);
  expect(await result.json()).toMatchObject({ status: "completed", output: { paid: 7, by: "ada" } });
  expect(await followed).toContain("event: run.completed");
  for (const one of [onlooker, second]) {
    one.child.kill("SIGTERM");
    const { code, stdout } = await one.ended;
    expect([code, stdout]).toEqual([0, ""]);
  }
});

test("SIGTERM lets what is under way end, and closes in order; a second one ends at once", async () => {
  const folder = project();
  const first = await serving(folder, ["shop.mjs", "--grace", "60s"]);
  const { runId } = (await (await post(`${first.url}/api/v1/runs`, { workflow: "order", input: { amount: 1 } })).json()) as {
    readonly runId: string;
  };
  const begun = () => (existsSync(join(folder, "begun")) ? readFileSync(join(folder, "begun"), "utf8") : "");
  await expect.poll(begun).toBe("1\n");
  const followed = await fetch(`${first.url}/api/v1/runs/${runId}/events`);
  first.child.kill("SIGTERM");
  expect(await followed.text()).toMatch(/: the server is closing\n\n$/);
  // The call is waited for, and is recorded when it ends.
  await first.says(/waiting up to \d+ s for 1 call/);
  writeFileSync(join(folder, "go"), "");
  expect((await first.ended).code).toBe(0);

  rmSync(join(folder, "go"));
  const second = await serving(folder, ["shop.mjs", "--grace", "60s"]);
  const facts = await (await fetch(`${second.url}/api/v1/runs/${runId}/facts`)).text();
  expect(facts).toContain('"action.completed"');
  await post(`${second.url}/api/v1/runs`, { workflow: "order", input: { amount: 2 } });
  await expect.poll(begun).toBe("1\n2\n");
  second.child.kill("SIGTERM");
  await second.says(/waiting up to \d+ s for 1 call/);
  second.child.kill("SIGTERM");
  const { code, stderr } = await second.ended;
  expect(code).toBe(143);
  expect(stderr).toContain("ended at once");
});
