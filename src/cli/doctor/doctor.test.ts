import {
  chmodSync,
  copyFileSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  truncateSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { z } from "zod";
import { createOrchestrator } from "../../engine/create.ts";
import { signal } from "../../node/signal.ts";
import { workflow } from "../../node/workflow.ts";
import { type Database, driversHere, loadDriver } from "../../store/sqlite/driver.ts";
import { type Mark, setMark } from "../../store/sqlite/promoted.ts";
import { sqlite } from "../../store/sqlite/sqlite.ts";
import type { OpenStore } from "../../store/store.ts";
import { exitCodeOf, lines } from "../commands/doctor.ts";
import { styleOf } from "../output.ts";
import type { Loader } from "./configuration.ts";
import { diagnose } from "./doctor.ts";
import type { Area, Check } from "./report.ts";
import type { System } from "./system.ts";

const gib = 1024 * 1024 * 1024;
const ext4 = 0xef53;
let folder = "";
let path = "";
const opened: { close(): unknown }[] = [];

const host = { now: () => Date.now(), setTimer: () => () => {}, warn() {} };

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "onex-doctor-"));
  path = join(folder, "test.db");
});
afterEach(async () => {
  for (const each of opened.splice(0)) await each.close();
  rmSync(folder, { recursive: true, force: true });
});

const healthy: System = {
  nodeVersion: "22.23.0",
  env: {},
  drivers: driversHere(),
  now: () => Date.now(),
  clockJump: () => 0,
  openFiles: () => 4096,
  isAlive: () => false,
  disk: () => ({ free: 10 * gib, type: ext4 }),
};
const noNodes: Loader = async () => ({ nodes: [], config: undefined });

async function looked(
  system: Partial<System> = {},
  more: { readonly deep?: boolean; readonly store?: string } = {},
  loader = noNodes,
): Promise<readonly Check[]> {
  return diagnose({ store: `sqlite:${path}`, folder, ...more }, { ...healthy, ...system }, loader);
}
/** What is not fine, as `level what: found`. */
const amiss = (checks: readonly Check[], area?: Area) =>
  checks
    .filter((each) => each.level !== "fine" && (area === undefined || each.area === area))
    .map(({ level, what, found }) => `${level} ${what}: ${found}`);
const saying = (checks: readonly Check[], what: string) => checks.filter((each) => each.what === what).map(({ found }) => found);

function store(): OpenStore {
  const made = sqlite(path).open(host);
  opened.push(made);
  return made;
}
/** The file alone, as a process that ended in order leaves it. */
async function closedStore(): Promise<void> {
  const away = join(folder, "away");
  mkdirSync(away);
  const there = path;
  path = join(away, "test.db");
  store();
  for (const each of opened.splice(0)) await each.close();
  copyFileSync(path, there);
  path = there;
  rmSync(away, { recursive: true });
}
function raw(sql: string): void {
  const db: Database = loadDriver()(path, { readOnly: false });
  try {
    db.exec(sql);
  } finally {
    db.close();
  }
}
/** Everything in the folder, with its bytes and times. */
function picture(): string[] {
  return readdirSync(folder)
    .sort()
    .map((name) => {
      const file = join(folder, name);
      const { size, mtimeMs, mode } = statSync(file);
      return `${name} ${size} ${mtimeMs} ${mode} ${statSync(file).isFile() ? readFileSync(file).toString("base64").length : ""}`;
    });
}

const approval = signal({ name: "approval", payload: z.object({}) });
const waiting = workflow({ name: "waiting", input: z.object({}) }, function* () {
  yield* approval.wait();
});

test.each<[Mark["state"], RegExp]>([
  ["promoted", /^warning moved: its runs were moved to postgres:\/\/db\/shop and go on there/],
  ["promoting", /^wrong moved: moving its runs to postgres:\/\/db\/shop was broken off: nobody drives them/],
])("a file whose mark says %s", async (state, says) => {
  await closedStore();
  const db = loadDriver()(path, { readOnly: false });
  setMark(db, { state, url: "postgres://db/shop", at: 5 });
  db.close();
  expect(amiss(await looked(), "store").filter((line) => line.includes("moved:"))).toEqual([expect.stringMatching(says)]);
});

describe("a store that is well", () => {
  test("nothing is wrong, and nothing was touched", async () => {
    await closedStore();
    const before = picture();
    const checks = await looked();
    expect(amiss(checks)).toEqual([]);
    expect(exitCodeOf(checks)).toBe(0);
    expect(picture()).toEqual(before);
    expect(saying(checks, "journal")).toEqual(["write-ahead log, synchronous FULL (read back)"]);
    expect(saying(checks, "integrity")).toEqual(["ok (quick_check; --deep checks indexes too)"]);
    expect(saying(await looked({}, { deep: true }), "integrity")).toEqual(["ok (integrity_check)"]);
    expect(picture()).toEqual(before);
  });

  test("no store yet: that is no fault, and none is made", async () => {
    const checks = await looked();
    expect(amiss(checks)).toEqual([]);
    expect(saying(checks, "file")[0]).toContain("is not there yet: `onex run` makes it");
    expect(readdirSync(folder)).toEqual([]);
  });

  test("while another connection owns it, and with runs in it", async () => {
    const orchestrator = createOrchestrator({ store: sqlite(path), nodes: [waiting] });
    opened.push(orchestrator);
    await orchestrator.start(waiting, {}, { runId: "a" });
    await orchestrator.start(waiting, {}, { runId: "b" });
    await orchestrator.run("b").pause({ reason: "the bank is down" });
    while ((await orchestrator.run("b").status()).status !== "paused") await new Promise(setImmediate);
    const checks = await looked({ isAlive: () => true });
    expect(saying(checks, "owner")).toEqual([`process ${process.pid} owns it`]);
    expect(saying(checks, "runs")[0]).toMatch(/1 paused/);
    expect(amiss(checks)).toEqual(["warning paused: b: PAUSED"]);
    expect(checks.find(({ what }) => what === "paused")?.mend).toContain("onex show b --store");
    expect(exitCodeOf(checks)).toBe(0);
    // It still is the owner, and goes on.
    await orchestrator.run("a").signal("approval", {});
    await orchestrator.run("a").result();
    expect(orchestrator.role).toBe("owner");
  });

  test("a link to the file is followed, and named", async () => {
    await closedStore();
    symlinkSync(path, join(folder, "link.db"));
    const checks = await looked({}, { store: `sqlite:${join(folder, "link.db")}` });
    expect(amiss(checks)).toEqual([]);
    expect(saying(checks, "link")[0]).toContain("link.db is a link to ");
  });
});

describe("a store that is not", () => {
  const broken = async (pattern: RegExp) => {
    const before = picture();
    const checks = await looked();
    expect(amiss(checks, "store")).toHaveLength(1);
    expect(amiss(checks, "store")[0]).toMatch(pattern);
    expect(checks.find(({ level }) => level === "wrong")?.mend).toBeTruthy();
    expect(exitCodeOf(checks)).toBe(70);
    expect(picture()).toEqual(before);
  };

  test("of another program", async () => {
    writeFileSync(path, "");
    raw("CREATE TABLE t (x)");
    await broken(/wrong file: STORE_FOREIGN: .*another program \(application_id 0\)/);
  });
  test("no database at all", async () => {
    writeFileSync(path, "hello ".repeat(1000));
    await broken(/wrong file: STORE_FOREIGN: .*not a whole SQLite database/);
  });
  test("empty", async () => {
    writeFileSync(path, "");
    await broken(/wrong file: STORE_FOREIGN: .*the file is empty/);
  });
  test("cut short", async () => {
    await closedStore();
    truncateSync(path, Math.floor(statSync(path).size / 2));
    const checks = await looked();
    expect(amiss(checks, "store").join()).toMatch(/wrong (?:file: STORE_F|integrity: SQLite finds damage)/);
    expect(exitCodeOf(checks)).toBe(70);
  });
  test("with a page that was overwritten", async () => {
    await closedStore();
    const bytes = readFileSync(path);
    bytes.fill(0x41, 4096 * 3, 4096 * 5);
    writeFileSync(path, bytes);
    const checks = await looked();
    expect(amiss(checks, "store").join()).toMatch(/wrong (?:file: STORE_F|integrity: SQLite finds damage)/);
    expect(exitCodeOf(checks)).toBe(70);
  });
  test("of a newer onex", async () => {
    await closedStore();
    raw("PRAGMA user_version = 99");
    rmSync(`${path}-wal`, { force: true });
    rmSync(`${path}-shm`, { force: true });
    await broken(/wrong file: STORE_FOREIGN: .*a newer onex wrote it \(schema 99/);
  });
  test("a folder, and a link to nothing", async () => {
    mkdirSync(path);
    await broken(/wrong file: .*test\.db is a folder/);
    rmSync(path, { recursive: true });
    symlinkSync(join(folder, "nowhere"), path);
    const checks = await looked();
    expect(amiss(checks)[0]).toContain("is a link to a file that does not exist");
  });
  test("gone, with its log still there", async () => {
    writeFileSync(`${path}-wal`, "x");
    await broken(/wrong file: .* is gone, but its log .*-wal is still there/);
  });
  test("in a folder that is not there", async () => {
    path = join(folder, "no/test.db");
    const checks = await looked();
    expect(amiss(checks)).toEqual([`wrong file: the folder ${dirname(path)} does not exist`]);
    expect(exitCodeOf(checks)).toBe(70);
  });
  test.skipIf(process.getuid?.() === 0)("not to be written by this user (skipped as root, who may write everything)", async () => {
    await closedStore();
    chmodSync(path, 0o400);
    await broken(/wrong file: .* cannot be written by this user/);
  });
});

describe("a store that needs a look", () => {
  test("its write-ahead log was turned off by hand", async () => {
    await closedStore();
    raw("PRAGMA journal_mode = DELETE");
    expect(amiss(await looked())).toEqual([
      "warning journal: the write-ahead log is off, which onex never does: another program changed the file",
    ]);
  });

  test("its owner was killed with runs under way", async () => {
    const made = store();
    made.acquire("lease-1");
    raw(
      "INSERT INTO runs (id, workflow, version, digest, status, blocked, priority, created_at, mail_put) VALUES ('x', 'order', '2.0.0', '', 'pending', 'VERSION_MISSING', 100, 5, 0)",
    );
    // The lock goes with the process; the lease stays in the file.
    rmSync(`${path}-owner`);
    const checks = await looked();
    expect(amiss(checks, "store")).toEqual([
      `warning owner: nobody drives 1 open run: process ${process.pid} ended without letting go`,
      "warning code: 1 run waits for order@2.0.0 (VERSION_MISSING)",
    ]);
    expect(saying(checks, "runs")[0]).toMatch(/^1 pending; the oldest pending one, x, for \d+ d/);
    expect(saying(await looked({ isAlive: () => true }), "owner")[0]).toContain(
      "has its lock no more, though a process of that number runs",
    );
  });

  test("drafts and a journal of others stand beside it", async () => {
    await closedStore();
    writeFileSync(`${path}-new-123`, "");
    writeFileSync(`${path}-journal`, "");
    expect(amiss(await looked())).toEqual([
      "warning beside it: drafts of a process that was killed: test.db-new-123",
      "warning beside it: test.db-journal is there, which onex never makes: another program wrote into the file",
    ]);
  });

  test("its key can be read by others, or is gone", async () => {
    await closedStore();
    writeFileSync(`${path}-key`, "k", { mode: 0o644 });
    chmodSync(`${path}-key`, 0o644);
    expect(amiss(await looked())).toEqual(["wrong key: test.db-key can be read by others (mode 0644)"]);
    chmodSync(`${path}-key`, 0o600);
    expect(amiss(await looked())).toEqual([]);
    rmSync(`${path}-key`);
    raw(`INSERT INTO turns (run_no, turn, epoch, pos, next, at, final, facts) VALUES (1, 0, 0, 0, 1, 5, 0, '[{"input":{"$sealed":"x"}}]')`);
    expect(amiss(await looked())).toEqual(["wrong key: secrets are sealed in it, and their key is not there"]);
    expect(amiss(await looked({ env: { ONEX_SECRET_KEY: "x" } }))).toEqual([]);
  });

  test("it was written in the future", async () => {
    await closedStore();
    raw(`INSERT INTO turns (run_no, turn, epoch, pos, next, at, final, facts) VALUES (1, 0, 0, 0, 1, ${Date.UTC(2100, 0)}, 0, '[]')`);
    expect(amiss(await looked({ now: () => Date.UTC(2099, 11, 31) }))).toEqual([
      "warning clock: the newest entry is of 2100-01-01 00:00:00Z, 1 d 0 h from now: this clock is behind, or was set back",
    ]);
  });

  test.each([
    [{ free: 100 * 1024 * 1024, type: ext4 }, "warning disk: 100 MiB free under "],
    [{ free: 1024, type: ext4 }, "wrong disk: 0 MiB free under "],
    [{ free: gib, type: 0x6969 }, "wrong file system: "],
    [{ free: gib, type: 0xff534d42 | 0 }, "wrong file system: "],
    [{ free: gib, type: 0x65735546 }, "warning file system: "],
    [{ free: gib, type: 0x01021994 }, "warning file system: "],
  ])("its disk: %o", async (disk, expected) => {
    await closedStore();
    const found = amiss(await looked({ disk: () => disk }));
    expect(found).toHaveLength(1);
    expect(found[0]).toContain(expected);
  });
});

describe("the installation", () => {
  test.each<[Partial<System>, string]>([
    [{ nodeVersion: "20.18.3" }, "wrong node: Node 20.18.3 is older than 20.19"],
    [{ nodeVersion: "23.4.0" }, "warning node: Node 23.4.0 is of a line without long support"],
    [{ nodeVersion: "26.0.0-nightly" }, "warning node: Node 26.0.0-nightly is a preview"],
    [{ openFiles: () => 256 }, "warning open files: this process may open 256 files"],
    [{ clockJump: () => -90_000 }, "warning clock: the clock of this machine moved by -90.0 s while this command ran"],
    [{ drivers: [] }, "wrong sqlite: no SQLite 3.51.3 or newer: this Node has no node:sqlite, and @photostructure/sqlite is not installed"],
    [
      { drivers: [{ name: "node:sqlite", version: "3.46.0", usable: false }] },
      "wrong sqlite: no SQLite 3.51.3 or newer: node:sqlite has 3.46.0",
    ],
  ])("%o", async (system, expected) => {
    const checks = await looked(system);
    expect(amiss(checks)).toEqual([expected]);
    expect(exitCodeOf(checks)).toBe(expected.startsWith("wrong") ? 1 : 0);
  });

  test("says what time it is here", async () => {
    expect(saying(await looked({ now: () => 0 }), "clock")).toEqual(["1970-01-01 00:00:00Z, and it ran evenly while this command did"]);
  });

  test("says which SQLite, and why", async () => {
    const npm = { name: "@photostructure/sqlite", version: "3.53.0", usable: true };
    expect(saying(await looked({ drivers: [npm] }), "sqlite")).toEqual([
      "3.53.0 of @photostructure/sqlite, since this Node has none of its own",
    ]);
    expect(saying(await looked({ drivers: [{ name: "node:sqlite", version: "3.46.0", usable: false }, npm] }), "sqlite")).toEqual([
      "3.53.0 of @photostructure/sqlite, since that of Node is 3.46.0, and 3.51.3 is needed",
    ]);
  });
});

describe("the configuration", () => {
  const manifest = "onex: v1\nkind: orchestrator\nname: order\ndomain: shop\nversion: 1.0.0\nentry: index.ts\n";
  beforeEach(() => {
    writeFileSync(join(folder, "manifest.yaml"), manifest);
    writeFileSync(join(folder, "index.ts"), "");
  });

  test("of a node that is well", async () => {
    const checks = await looked({}, {}, async () => ({ nodes: [waiting], config: { maxConcurrentWorkflows: 10 } }));
    expect(saying(checks, "order@1.0.0")).toEqual(["orchestrator with 1 node, configuration valid"]);
  });

  test("with every complaint", async () => {
    const checks = await looked({}, {}, async () => ({ nodes: [waiting], config: { retry: { maxRetries: 99 }, nope: 1 } }));
    expect(amiss(checks)[0]).toMatch(
      /^wrong order@1\.0\.0: CONFIG_INVALID: the configuration has 2 .*:\n {2}retry\.maxRetries is 99: .*\n {2}nope is 1/,
    );
    expect(exitCodeOf(checks)).toBe(1);
  });

  test("a node that cannot be loaded, one without nodes, and a manifest that is none", async () => {
    const fails: Loader = async () => {
      throw new Error("no such thing");
    };
    expect(amiss(await looked({}, {}, fails))).toEqual(["wrong order@1.0.0: no such thing"]);
    expect(amiss(await looked())[0]).toContain("warning order@1.0.0:");
    writeFileSync(join(folder, "manifest.yaml"), "onex: v2\n");
    expect(amiss(await looked())[0]).toContain("wrong manifest: MANIFEST_INVALID: ");
  });

  test("a store that is none", async () => {
    rmSync(join(folder, "manifest.yaml"));
    const checks = await diagnose({ folder }, { ...healthy, env: { ONEX_STORE: "onex.db" } }, noNodes);
    expect(amiss(checks)).toEqual([
      'wrong store: ONEX_STORE "onex.db" is no store: write sqlite:FILE, postgres://USER@HOST/DATABASE or memory: (did you mean sqlite:onex.db?)',
    ]);
    expect(exitCodeOf(checks)).toBe(1);
    await expect(diagnose({ store: "onex.db", folder }, healthy, noNodes)).rejects.toMatchObject({ code: "STORE_URL_INVALID" });
    expect(amiss(await diagnose({ store: "memory:", folder }, healthy, noNodes))[0]).toContain("warning file: memory: is empty");
  });
});

test("what is printed: a line for each, and under it what to do; names cannot move the cursor", () => {
  const checks: Check[] = [
    { area: "installation", level: "fine", what: "node", found: "22" },
    { area: "store", level: "wrong", what: "a\u001b[2Jb", found: "one\ntwo", mend: "do it" },
  ];
  expect(lines(checks, styleOf({}, {}))).toEqual([
    "installation",
    `  ✓ ${"node".padEnd(11)}  22`,
    "store",
    `  ✗ a\\u001b[2Jb  one\n${" ".repeat(17)}two`,
    `${" ".repeat(17)}→ do it`,
  ]);
});
