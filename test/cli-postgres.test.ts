/** The command line on PostgreSQL: as it is built, called in this process; and, where processes are the point, real ones. */
import { type ChildProcess, spawn } from "node:child_process";
import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { hostname, tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test, vi } from "vitest";
import { z } from "zod";
import { doctor } from "../dist/cli/commands/doctor.js";
import { ls } from "../dist/cli/commands/ls.js";
import { prune } from "../dist/cli/commands/prune.js";
import { show } from "../dist/cli/commands/show.js";
import { signal as send } from "../dist/cli/commands/signal.js";
import type { Orchestrator } from "../src/engine/api.ts";
import { createOrchestrator, type RunView, signal, workflow } from "../src/index.ts";
import { postgres } from "../src/store/postgres/postgres.ts";
import { skipWithoutPostgres } from "./postgres/binaries.ts";
import { startPostgres, type TestServer } from "./postgres/server.ts";

const root = fileURLToPath(new URL("..", import.meta.url));
const silent = (): void => {};
const log = { debug: silent, info: silent, warn: silent, error: silent };
const word = signal({ name: "word", payload: z.any() });
const flow = workflow({ name: "flow", input: z.any() }, function* (input: unknown) {
  if (input === "wait") return yield* word.wait();
  return input;
});

describe.skipIf(skipWithoutPostgres("the command line on PostgreSQL"))("on PostgreSQL", () => {
  let server: TestServer;
  let url = "";
  let out = "";
  let said = "";
  beforeAll(async () => {
    server = await startPostgres();
  });
  afterAll(() => server.stop());
  beforeEach(async () => {
    url = server.url(await server.createDatabase());
    [out, said] = ["", ""];
    vi.spyOn(process.stdout, "write").mockImplementation((text) => {
      out += text;
      return true;
    });
    vi.spyOn(process.stderr, "write").mockImplementation((text) => {
      said += text;
      return true;
    });
  });
  const opened: Orchestrator[] = [];
  const children = new Set<ChildProcess>();
  const folders: string[] = [];
  afterEach(async () => {
    vi.restoreAllMocks();
    for (const child of children) child.kill("SIGKILL");
    for (const one of opened.splice(0)) await one.close();
    for (const folder of folders.splice(0)) rmSync(folder, { recursive: true, force: true });
  });

  function orchestrator(): Orchestrator {
    const made = createOrchestrator({ store: postgres(url), nodes: [flow], log });
    opened.push(made);
    return made;
  }
  const codeOf = (error: unknown): unknown => (error as { readonly code?: unknown }).code;
  const tables = async (): Promise<number> => {
    const rows = await server.query("SELECT 1 FROM pg_namespace WHERE nspname IN ('onex', 'dev')", new URL(url).pathname.slice(1));
    return rows.length;
  };

  test("to look makes nothing", async () => {
    expect(codeOf(await ls({ store: url }).catch((error: unknown) => error))).toBe("STORE_MISSING");
    expect(codeOf(await show("a", { store: `${url}?schema=dev` }).catch((error: unknown) => error))).toBe("STORE_MISSING");
    expect(await doctor({ store: url })).toBe(0);
    expect(out).toContain("onex is not there yet: `onex run` makes it");
    expect(await tables()).toBe(0);
  });

  test.each([
    [
      "a wrong password",
      (at: URL) => Object.assign(at, { password: "wr0ng" }),
      /password authentication failed.*correct user and password/,
    ],
    [
      "no such database",
      (at: URL) => Object.assign(at, { pathname: "/nowhere" }),
      /"nowhere" does not exist.*make the database with createdb/,
    ],
    ["nothing that listens", (at: URL) => Object.assign(at, { port: "1" }), /ECONNREFUSED.*start the server, or correct host and port/],
    ["no such machine", (at: URL) => Object.assign(at, { hostname: "x.invalid" }), /correct (the host|it) in the URL/],
    ["no password", (at: URL) => Object.assign(at, { password: "" }), /it wants a password, and none was given/],
  ])("%s: what to do", async (_what, change, said) => {
    const error = (await ls({ store: change(new URL(url)).href }).catch((error: unknown) => error)) as Error;
    expect(codeOf(error)).toBe("STORE_FAILED");
    expect(error.message).toMatch(said);
    expect(error.message).not.toContain("wr0ng");
  });

  test("nobody drives: the next one reads it; the password is not told", async () => {
    const one = orchestrator();
    await (await one.start(flow, "wait", { runId: "a" })).status();
    await one.close();
    expect(await send("a", "word", "1", { store: url })).toBe(0);
    expect(said).toContain("no process drives the runs of postgres://127.0.0.1:");
    expect(said).toContain("onex work MODULE|FILE --store postgres://postgres:PASSWORD@127.0.0.1:");
    expect(said).not.toContain(new URL(url).password);
  });

  test("one drives: ls names it, a signal is read, show tells who had the run", async () => {
    const one = orchestrator();
    const run = await one.start(flow, "wait", { runId: "a" });
    const me = `${hostname()} process ${process.pid}`;
    expect(await send("a", "word", "1", { store: url })).toBe(0);
    expect(said).not.toContain("no process drives");
    expect(await run.result()).toBe(1);
    expect(await ls({ store: url })).toBe(0);
    expect(out).toMatch(/^RUN +WORKFLOW +STATUS +STARTED +TOOK +DRIVEN BY\na +flow@1.0.0 +completed/);
    out = "";
    expect(await show("a", { store: url })).toBe(0);
    expect(out).toMatch(new RegExp(`Owners\nEPOCH .*\n1 +${me} +….{8} +started .*(\n2 .*)?: ended\n$`));
    out = "";
    await show("a", { store: url, json: true });
    const { owners } = JSON.parse(out) as RunView;
    expect(owners[0]).toMatchObject({ epoch: 1, taken: "started", by: { host: hostname(), pid: process.pid } });
    expect(await prune({ olderThan: "1d", dryRun: true, store: url }, undefined)).toBe(0);
  });

  test("the doctor: a database that is well, and who drives it", async () => {
    const one = orchestrator();
    await (await one.start(flow, "wait", { runId: "a" })).status();
    expect(await doctor({ store: url })).toBe(0);
    expect(said).toContain("nothing is wrong");
    for (const line of [
      /✓ server +PostgreSQL \d+\.\d+ \(13 or later is needed\)/,
      /✓ way +[\d.]+ ms there and back/,
      /✓ durability +fsync and full_page_writes on/,
      /✓ connections +\d+ of 97 connections are open; each orchestrator needs up to 8, so there is room for \d+ more/,
      /✓ notices +LISTEN hears/,
      /✓ rights +this user may read and write the tables/,
      /✓ schema +\d+, as this onex knows it/,
      new RegExp(`✓ orchestrator +${hostname()} process ${process.pid}, since .*, has \\d runs? in hand`),
      /✓ runs +1 (waiting|running)/,
      /✓ size +[\d.]+ MiB/,
    ])
      expect(out).toMatch(line);
    expect(out).not.toContain(new URL(url).password);
  });

  test("the doctor: a paused run, code that is missing, and runs that nobody takes", async () => {
    const one = orchestrator();
    await (await one.start(flow, "wait", { runId: "a" })).status();
    await one.run("a").pause({ reason: "the bank is down" });
    await vi.waitFor(async () => expect((await one.run("a").status()).status).toBe("paused"), { timeout: 60_000 });
    await one.close();
    await server.query(
      "UPDATE onex.runs SET blocked = 'VERSION_MISSING', wake_at = 0; INSERT INTO onex.runs (run_no, id, workflow, version, digest, status, priority, created_at, wake_at) VALUES (999999, 'late', 'w', '1.0.0', '', 'pending', 1, 1, 1)",
      new URL(url).pathname.slice(1),
    );
    expect(await doctor({ store: url })).toBe(0);
    expect(out).toMatch(/! paused +a: PAUSED\n +→ onex show a --store postgres:.*PASSWORD.* says how it goes on/);
    expect(out).toMatch(/! code +1 run waits for flow@1.0.0 \(VERSION_MISSING\)/);
    expect(out).toMatch(
      /! overdue +1 run is due, and nobody has taken it, late for .*\n +→ start a process: onex work MODULE\|FILE --store/,
    );
    expect(said).toContain("3 warnings");
  });

  test("the doctor: no right to make a schema, or to use the tables", async () => {
    const database = new URL(url).pathname.slice(1);
    await server.query(`CREATE ROLE guest_${database} LOGIN PASSWORD 'guest'`);
    const guest = Object.assign(new URL(url), { username: `guest_${database}`, password: "guest" }).href;
    expect(await doctor({ store: guest })).toBe(70);
    expect(out).toContain(`guest_${database} may not make a schema in the database ${database}`);
    expect(out).toContain("CREATE SCHEMA onex AUTHORIZATION the user");
    await (await orchestrator().start(flow, "x", { runId: "a" })).result();
    await server.query(
      `GRANT USAGE ON SCHEMA onex TO guest_${database}; GRANT SELECT ON ALL TABLES IN SCHEMA onex TO guest_${database}`,
      database,
    );
    out = "";
    expect(await doctor({ store: guest })).toBe(70);
    expect(out).toMatch(/✗ rights +guest_\w+ may not read and write .*leases.*runs.*turns/);
  });

  describe("with processes", () => {
    const main = join(root, "dist/cli/main.js");
    // Its call ends when there is a file of that name, and then says which process made it.
    const program = `
import { existsSync } from "node:fs";
import { setTimeout as pause } from "node:timers/promises";
import { effect, signal, workflow } from "onex";
import { z } from "zod";
const go = signal({ name: "go", payload: z.any() });
const step = effect({ name: "step", input: z.any(), idempotent: true, irreversible: "a test" }, async (file) => {
  while (!existsSync(file)) await pause(20);
  return process.pid;
});
export const job = workflow({ name: "job", input: z.any() }, function* (input) {
  if (input.wait) yield* go.wait();
  return yield* step("open");
});`;

    function project(): string {
      const folder = mkdtempSync(join(tmpdir(), "onex-cli-pg-"));
      folders.push(folder);
      mkdirSync(join(folder, "node_modules"));
      symlinkSync(root, join(folder, "node_modules/onex"));
      symlinkSync(join(root, "node_modules/zod"), join(folder, "node_modules/zod"));
      writeFileSync(join(folder, "job.ts"), program);
      return folder;
    }

    function started(folder: string, args: readonly string[]) {
      const { FORCE_COLOR: _, ...env } = process.env;
      const child = spawn(process.execPath, [main, ...args], { cwd: folder, env: { ...env, NODE_ENV: "test", ONEX_STORE: url } });
      children.add(child);
      let text = "";
      const listeners = new Set<() => void>();
      for (const stream of [child.stdout, child.stderr])
        stream.setEncoding("utf8").on("data", (chunk: string) => {
          text += chunk;
          for (const listener of listeners) listener();
        });
      const ended = new Promise<number | null>((resolve) => {
        child.on("close", (code) => {
          children.delete(child);
          resolve(code);
          for (const listener of listeners) listener();
        });
      });
      const says = (wanted: string) =>
        new Promise<void>((resolve, reject) => {
          const look = (): void => {
            if (text.includes(wanted)) resolve();
            else if (!children.has(child)) reject(new Error(`it ended without saying "${wanted}":\n${text}`));
          };
          listeners.add(look);
          look();
        });
      return { child, ended, says, text: () => text };
    }

    test("two share the runs; one is killed, the other ends them, and each run tells who had it", async () => {
      const folder = project();
      const first = started(folder, ["work", "job.ts", "--lease", "2s"]);
      await first.says("the only orchestrator there now");
      const second = started(folder, ["work", "job.ts", "--lease", "2s"]);
      await second.says("one of 2 orchestrators there");
      const client = createOrchestrator({ store: postgres(url), nodes: [], log });
      opened.push(client);
      const job = workflow({ name: "job", input: z.any() }, function* () {});
      const drivers = async (): Promise<ReadonlySet<number | undefined>> => {
        out = "";
        await ls({ store: url, json: true, limit: "1000" });
        return new Set((JSON.parse(out) as { owner?: { pid: number } }[]).map(({ owner }) => owner?.pid));
      };
      // Who comes first takes a run: until each of them has some.
      const ids: string[] = [];
      let seen = await drivers();
      while (ids.length < 40 || ![first, second].every(({ child }) => seen.has(child.pid))) {
        ids.push((await client.start(job, {}, { runId: `r${ids.length}` })).runId);
        if (ids.length >= 40) seen = await drivers();
      }
      first.child.kill("SIGKILL");
      await first.ended;
      writeFileSync(join(folder, "open"), "");
      for (const runId of ids) expect(await client.run(runId).result({ timeout: "60s" })).toBe(second.child.pid);
      const views = await Promise.all(ids.map((runId) => client.run(runId).status()));
      const [taken] = views.filter(({ owners }) => owners.some(({ by }) => by?.pid === first.child.pid));
      expect(taken?.owners).toMatchObject([
        { epoch: 1, taken: "started", by: { host: hostname(), pid: first.child.pid } },
        { epoch: 2, taken: "taken over", by: { host: hostname(), pid: second.child.pid } },
      ]);
      expect(views.some(({ owners }) => owners.length === 1)).toBe(true);
      out = "";
      await show(taken?.runId ?? "", { store: url });
      expect(out).toMatch(
        new RegExp(`process ${first.child.pid} .*: its last sign\\n2 +.* process ${second.child.pid} .* taken over .*: ended`),
      );
      second.child.kill("SIGTERM");
      expect(await second.ended).toBe(143);
      expect(second.text()).toContain("stopped; to go on:");
    });

    test("run beside work drives its own run; stopped, it says who goes on with it", async () => {
      const folder = project();
      const work = started(folder, ["work", "job.ts"]);
      await work.says("the only orchestrator there now");
      const run = started(folder, ["run", "job.ts", "--run-id", "a", "--input", '{"wait":true}']);
      await run.says("waits for signal go");
      run.child.kill("SIGINT");
      expect(await run.ended).toBe(130);
      expect(run.text()).toContain(`other orchestrators go on with what they hold the code of: ${hostname()} process ${work.child.pid}`);
      writeFileSync(join(folder, "open"), "");
      await send("a", "go", undefined, { store: url });
      const client = createOrchestrator({ store: postgres(url), nodes: [], log });
      opened.push(client);
      expect(await client.run("a").result({ timeout: "60s" })).toBe(work.child.pid);
    });
  });
});
