/**
 * docs/operations.md and the page on PostgreSQL do what they say: commands and options are those that there are, SQL is run, a dump is
 * made and restored, figures are measured, alerts ask for metrics that are there, and codes are those of docs/errors.md.
 */
import { execFileSync } from "node:child_process";
import { existsSync, mkdtempSync, readFileSync, rmSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { afterAll, afterEach, beforeAll, describe, expect, test } from "vitest";
import { parse } from "yaml";
import { z } from "zod";
import { programOf } from "../src/cli/usage/program.ts";
import { durationMs } from "../src/core/duration.ts";
import {
  createOrchestrator,
  effect,
  type Orchestrator,
  type OrchestratorConfig,
  type Store,
  signal,
  sqlite,
  workflow,
} from "../src/index.ts";
import { allOptions } from "../src/store/postgres/options.ts";
import { postgres } from "../src/store/postgres/postgres.ts";
import { loadDriver } from "../src/store/sqlite/driver.ts";
import { findBinaries, program, skipOnForeignServer, skipWithoutPostgres } from "./postgres/binaries.ts";
import { startPostgres, type TestServer } from "./postgres/server.ts";
import { quiet, stand } from "./server/kit.ts";

const root = resolve(import.meta.dirname, "..");
const read = (file: string): string => readFileSync(join(root, file), "utf8");
const page = read("docs/operations.md");
const guide = read("docs/guide/postgres.md");
/** Fenced blocks of a language. */
const blocks = (text: string, language: string): string[] =>
  [...text.matchAll(new RegExp(`^\`\`\`${language}\\n([\\s\\S]*?)^\`\`\`$`, "gm"))].map(([, block = ""]) => block);
const lines = (text: string): string[] =>
  blocks(text, "sh")
    .flatMap((block) => block.trim().split("\n"))
    .filter((line) => line !== "");
const cli = programOf("0.0.0", () => {});

/** Throws when there is no such command, or it has no such option. */
function checkWords([name = "", ...words]: readonly string[]): void {
  const command = cli.commands.find((one) => one.name() === name || one.aliases().includes(name));
  expect(command, `there is no command onex ${name}`).toBeDefined();
  const known = command?.options.flatMap(({ long, short }) => [long, short]);
  for (const word of words.filter((one) => /^-/.test(one) && one !== "-")) expect(known, `onex ${name}`).toContain(word);
}

describe("the commands", () => {
  const inText = (text: string): string[] => [...text.matchAll(/`(onex [a-z][^`\n]*)`/g)].map(([, command = ""]) => command);

  test("are those of the command line, with its options", () => {
    const named = [page, guide].flatMap((text) => [...lines(text), ...inText(text)]);
    const ours = named.filter((line) => line.startsWith("onex "));
    expect(ours.length).toBeGreaterThan(20);
    for (const line of ours) checkWords(line.split(" ").slice(1));
  });

  test("that are not ours are those that this test knows", () => {
    const others = [...lines(page), ...lines(guide)].filter((line) => !line.startsWith("onex "));
    expect(others.map((line) => line.split(" ")[0]).sort()).toEqual(["createdb", "npm", "pg_basebackup", "pg_dump", "pg_restore"]);
    expect(others).toContain("npm install pg");
    expect(JSON.parse(read("package.json")).peerDependencies).toHaveProperty("pg");
  });

  test("options that stand alone in the text are some command's", () => {
    const all = new Set(cli.commands.flatMap(({ options }) => options.map(({ long }) => long)));
    const named = [...`${page}${guide}`.replaceAll(/^```[\s\S]*?^```$/gm, "").matchAll(/`(--[a-z-]+)[^`]*`/g)].map(([, name]) => name);
    expect(named.length).toBeGreaterThan(5);
    expect(named.filter((name) => !all.has(name))).toEqual([]);
  });
});

test("every code has its row among the errors", () => {
  const errors = read("docs/errors.md");
  const codes = [...`${page}${guide}`.matchAll(/`([A-Z]+_[A-Z_]+)`/g)].map(([, code = ""]) => code);
  expect(codes.length).toBeGreaterThan(20);
  expect([...new Set(codes)].filter((code) => !code.startsWith("ONEX_") && !errors.includes(`| \`${code}\``))).toEqual([]);
});

test("the options of postgres() have their defaults", () => {
  const url = "postgres://onex@db.internal/shop";
  const named = [...guide.matchAll(/^\| `(\w+)` +\| ([^|]+?) +\|/gm)].map(([, name = "", value = ""]) => [name, value.replaceAll("`", "")]);
  const { listenUrl, ...others } = allOptions(url, {});
  expect(listenUrl).toBe(url);
  expect(Object.fromEntries(named)).toEqual({
    ...Object.fromEntries(Object.entries(others).map(([name, value]) => [name, String(value)])),
    listenUrl: "the URL",
  });
});

describe("what watches", () => {
  const [rules = "", deployment = ""] = blocks(page, "yaml");

  test("alerts ask for metrics that there are", async () => {
    const { start, get, orchestrator } = stand({}, { endpoints: { elsewhere: "http://127.0.0.1:9/nodes" } });
    await orchestrator.run(await start("quick", { amount: 1 })).result();
    await get("/api/v1/runs");
    const answer = await (await get("/metrics")).text();
    const families = [...answer.matchAll(/^# TYPE (\S+) (\S+)$/gm)].map(([, name = "", type]) => ({ name, type }));
    const names = families.flatMap(({ name, type }) =>
      type === "histogram" ? [`${name}_bucket`, `${name}_sum`, `${name}_count`] : [name],
    );
    const { groups } = parse(rules) as { groups: { rules: { alert: string; expr: string; for?: string }[] }[] };
    const alerts = groups.flatMap((group) => group.rules);
    expect(alerts.length).toBeGreaterThan(10);
    for (const { alert, expr, for: time } of alerts) {
      const asked = expr.match(/onex_\w+/g) ?? [];
      expect(asked.length, alert).toBeGreaterThan(0);
      expect(
        asked.filter((name) => !names.includes(name)),
        alert,
      ).toEqual([]);
      expect(expr.split("(").length, alert).toBe(expr.split(")").length);
      if (time !== undefined) expect(durationMs(time), alert).toBeGreaterThan(0);
    }
    const named = [...page.matchAll(/`(onex_\w+)`/g)].map(([, name]) => name);
    expect(named.filter((name) => name === undefined || !names.includes(name))).toEqual([]);
  });

  test("probes ask for routes without a token, and the grace fits", () => {
    const routes = stand()
      .app.routes.filter((route) => "open" in route && route.open === true)
      .map(({ path }) => path);
    const pod = parse(deployment);
    const [container] = pod.containers;
    for (const probe of ["startupProbe", "livenessProbe", "readinessProbe"]) {
      expect(routes).toContain(container[probe].httpGet.path);
      expect(container[probe].httpGet.port).toBe(container.ports[0].containerPort);
    }
    checkWords(container.args);
    const grace = container.args[container.args.indexOf("--grace") + 1];
    const [, pause] = container.lifecycle.preStop.exec.command;
    expect(pod.terminationGracePeriodSeconds).toBeGreaterThanOrEqual(durationMs(grace) / 1000 + Number(pause) + 5);
  });
});

const work = effect(
  {
    name: "work",
    input: z.object({ sku: z.string(), after: z.number() }),
    output: z.object({ receipt: z.string() }),
    idempotent: true,
    irreversible: "a test",
  },
  async ({ after }) => ({ receipt: `r-${after}-0123456789` }),
);
const go = signal({ name: "go", payload: z.number() });
const ten = workflow({ name: "ten", input: z.object({ n: z.number() }), timeout: "1h" }, function* ({ n }) {
  for (let i = 0; i < 10; i++) yield* work({ sku: "tea-0123456789", after: n + i }, { step: `s${i}` });
  return n;
});
const waits = workflow({ name: "waits", input: z.object({}) }, function* () {
  return yield* go.wait();
});

const opened: Orchestrator[] = [];
afterEach(async () => {
  for (const one of opened.splice(0)) await one.close();
});
function orchestrator(store: Store, config?: OrchestratorConfig): Orchestrator {
  const made = createOrchestrator({ store, nodes: [ten, waits], log: quiet, ...(config && { config }) });
  opened.push(made);
  return made;
}
async function folder<T>(use: (path: string) => Promise<T>): Promise<T> {
  const path = mkdtempSync(join(tmpdir(), "onex-operations-"));
  try {
    return await use(path);
  } finally {
    rmSync(path, { recursive: true, force: true });
  }
}

/** What one more run takes, when many have run before; measured by `size`, bytes. */
async function bytesEach(store: Store, size: () => Promise<number>): Promise<{ readonly kib: number; readonly commits: number }> {
  const one = orchestrator(store);
  const [runs, atOnce] = [300, 100];
  let count = 0;
  const some = async (): Promise<void> => {
    for (let i = 0; i < runs; i += atOnce)
      await Promise.all(Array.from({ length: atOnce }, async () => (await one.start(ten, { n: count++ })).result()));
  };
  await some();
  const before = { bytes: await size(), commits: one.stats().commits };
  await some();
  const after = { bytes: await size(), commits: one.stats().commits };
  return { kib: (after.bytes - before.bytes) / runs / 1024, commits: (after.commits - before.commits) / runs };
}
/** A row of the table of sizes: of SQLite, of PostgreSQL. */
function figures(row: string): readonly [number, number] {
  const [, sqlite, postgres] = new RegExp(`^\\| ${row} +\\| ([\\d.]+) +\\| ([\\d.]+) +\\|$`, "m").exec(page) ?? [];
  return [Number(sqlite), Number(postgres)];
}
function expectAbout(found: number, said: number): void {
  expect(found).toBeGreaterThan(said / 2);
  expect(found).toBeLessThan(said * 2);
}

describe("a SQLite file", () => {
  test("grows as is said", async () => {
    await folder(async (path) => {
      const file = join(path, "a.db");
      const { kib } = await bytesEach(sqlite(file), async () => {
        const db = loadDriver()(file, { readOnly: true });
        const row = db.prepare("SELECT page_count * page_size AS size FROM pragma_page_count, pragma_page_size").get();
        db.close();
        return Number(row?.size);
      });
      expectAbout(kib, figures("kept, KiB")[0]);
      await opened.pop()?.close();
    });
  });

  test("is copied while it is in use, and the copy goes on with its runs", async () => {
    await folder(async (path) => {
      const [file, copy] = [join(path, "shop.db"), join(path, "copy.db")];
      const run = await orchestrator(sqlite(file)).start(waits, {}, { runId: "a" });
      await run.status();
      const [, said = ""] = /`sqlite3 shop\.db "(.*)"`/.exec(page) ?? [];
      const db = loadDriver()(file, { readOnly: false });
      db.exec(said.replace("copy.db", copy));
      db.close();
      expect(statSync(copy).size).toBeGreaterThan(0);
      const other = orchestrator(sqlite(copy));
      await other.run("a").signal(go, 2);
      expect(await other.run("a").result()).toBe(2);
      await run.signal(go, 1);
      expect(await run.result()).toBe(1);
      for (const one of opened.splice(0)) await one.close();
    });
  });
});

const skipped = skipWithoutPostgres("the SQL, the dump and the figures of docs/operations.md") || skipOnForeignServer("docs/operations.md");
describe.skipIf(skipped)("on PostgreSQL", () => {
  let server: TestServer;
  let database = "";
  beforeAll(async () => {
    server = await startPostgres();
    database = await server.createDatabase();
  });
  afterAll(() => server.stop());

  test("each statement of SQL runs, on tables that are in use", async () => {
    const one = orchestrator(postgres(server.url(database)));
    await (await one.start(ten, { n: 1 })).result();
    const run = await one.start(waits, {});
    const statements = blocks(page, "sql").flatMap((block) => block.split(/;\n/).filter((text) => text.trim() !== ""));
    expect(statements.length).toBeGreaterThan(8);
    for (const statement of statements) {
      const rows = await server.query(statement, database);
      if (/onex\.leases l/.test(statement)) expect(rows).toMatchObject([{ pid: process.pid }]);
      if (/onex\.migrations/.test(statement)) expect(rows.length).toBeGreaterThan(0);
      if (/GROUP BY workflow/.test(statement))
        expect(rows).toMatchObject([{ workflow: "waits", version: "1.0.0", blocked: null, count: "1" }]);
      if (/pg_stat_activity/.test(statement)) {
        const taken = rows.reduce((sum, { count }) => sum + Number(count), 0);
        expect(taken).toBeGreaterThan(1);
        expect(taken).toBeLessThanOrEqual(8);
      }
    }
    await run.signal(go, 1);
    expect(await run.result()).toBe(1);
  });

  test("the database grows as is said", async () => {
    const name = await server.createDatabase();
    const ours = "FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace WHERE n.nspname = 'onex' AND c.relkind = 'r'";
    const log = async (): Promise<number> => Number((await server.query("SELECT pg_current_wal_lsn() - '0/0' AS at", name))[0]?.at);
    const from: number[] = [];
    const { kib, commits } = await bytesEach(postgres(server.url(name)), async () => {
      from.push(await log());
      return Number((await server.query(`SELECT sum(pg_total_relation_size(c.oid)) AS size ${ours}`, name))[0]?.size);
    });
    expectAbout(kib, figures("kept, KiB")[1]);
    expectAbout(((from[1] ?? 0) - (from[0] ?? 0)) / 300 / 1024, figures("write-ahead log, KiB")[1]);
    expect(commits).toBeLessThan(1);
  });

  test("a dump that is restored goes on with its runs, one epoch higher; a base backup is taken", async (context) => {
    const binaries = await findBinaries();
    const programs = ["pg_dump", "pg_restore", "pg_basebackup"];
    if (programs.some((name) => !existsSync(program(binaries, name)))) {
      process.stderr.write(`\n!! ${binaries.name} has no ${programs.join(", ")}: NOT TESTED: dumps and base backups\n\n`);
      return context.skip();
    }
    await folder(async (cwd) => {
      const [name, copy] = [await server.createDatabase(), await server.createDatabase()];
      const one = orchestrator(postgres(server.url(name)));
      const run = await one.start(waits, {}, { runId: "a" });
      await run.status();
      const urls: Record<string, string> = { STORE_URL: server.url(name), COPY_URL: server.url(copy), ADMIN_URL: server.url() };
      for (const line of lines(page).filter((text) => text.startsWith("pg_"))) {
        const [tool = "", ...words] = line.split(" ").map((word) => word.replace(/^"\$(\w+)"$/, (_, variable) => urls[variable] ?? ""));
        execFileSync(program(binaries, tool), words, { cwd, stdio: "pipe" });
      }
      const other = orchestrator(postgres(server.url(copy)));
      await other.run("a").signal(go, 7);
      expect(await other.run("a").result()).toBe(7);
      expect((await other.run("a").status()).epoch).toBeGreaterThan((await run.status()).epoch);
      expect(existsSync(join(cwd, "base/PG_VERSION"))).toBe(true);
    });
  });

  test("a database that lost its last turns is read again by the process that had them", async () => {
    const name = await server.createDatabase();
    const keys: string[] = [];
    let second = (): void => {};
    let answer = (): void => {};
    const begun = new Promise<void>((resolve) => (second = resolve));
    const open = new Promise<void>((resolve) => (answer = resolve));
    const call = effect({ name: "call", input: z.number(), idempotent: true, irreversible: "a test" }, async (n, { idempotencyKey }) => {
      keys.push(`${n} ${idempotencyKey}`);
      if (n === 2) second();
      if (n === 2) await open;
    });
    const twice = workflow({ name: "twice", input: z.object({}) }, function* () {
      yield* call(1);
      yield* call(2);
      return "done";
    });
    const one = createOrchestrator({ store: postgres(server.url(name)), nodes: [twice], log: quiet });
    opened.push(one);
    const run = await one.start(twice, {});
    await begun;
    // The turn with the answer of the first call, and the intent of the second.
    await server.query("DELETE FROM onex.turns WHERE turn = (SELECT max(turn) FROM onex.turns)", name);
    answer();
    expect(await run.result()).toBe("done");
    expect(keys).toHaveLength(4);
    expect(new Set(keys).size).toBe(2);
    expect(one.stats().leasesLost).toBe(1);
    expect((await run.status()).epoch).toBeGreaterThan(1);
  });

  test("the lease of the configuration is that of the store, where the store says nothing", async () => {
    const lasts = async (store: Store, config: OrchestratorConfig): Promise<number> => {
      const one = orchestrator(store, config);
      await (await one.start(waits, {})).status();
      const [row] = await server.query(
        "SELECT extract(epoch FROM expires_at - started_at) AS s FROM onex.leases WHERE state = 'live' ORDER BY lease_no DESC LIMIT 1",
        name,
      );
      await one.close();
      return Math.round(Number(row?.s));
    };
    const name = await server.createDatabase();
    expect(await lasts(postgres(server.url(name)), { lease: { ttlSeconds: 90 } })).toBe(90);
    expect(await lasts(postgres(server.url(name), { leaseMs: 20_000 }), { lease: { ttlSeconds: 90 } })).toBe(20);
  });
});
