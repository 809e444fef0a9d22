/** One owner at a time, among real processes: a pause takes nothing from it, its death gives everything to the next. */
import { join } from "node:path";
import { setTimeout as pause } from "node:timers/promises";
import { beforeEach, describe, expect, test } from "vitest";
import { createOrchestrator, sqlite, workflow } from "../../src/index.ts";
import { loadDriver } from "../../src/store/sqlite/driver.ts";
import { any } from "./any.ts";
import { linesOf, newFolder, Program } from "./processes.ts";
import { factsOf, snapshot } from "./snapshot.ts";

/** Two tries of a client to become the owner, and some. */
const longerThanATry = 1_200;

interface Note {
  readonly pid: number;
  readonly run: string;
}
let given = { file: "", effects: "" };
beforeEach(() => {
  const folder = newFolder();
  given = { file: join(folder, "test.db"), effects: join(folder, "effects") };
});

function client(does: readonly string[], more: object = {}): Program {
  return new Program("client", { ...given, does, ...more });
}
/** A process that owns the file, with a run that waits for a signal. */
async function owner(): Promise<Program> {
  const program = client(["start", "idle", "stay"]);
  await program.says(({ did }) => did === "idle");
  expect(program.lines[0]).toEqual({ role: "owner" });
  return program;
}
const idle = workflow({ name: "idle", input: any }, function* () {});
/** What another process is when it opens the file now. */
async function roleNow(): Promise<string> {
  const orchestrator = createOrchestrator({ store: sqlite(given.file), nodes: [idle] });
  const { role } = orchestrator;
  await orchestrator.close();
  return role;
}

describe("an owner", () => {
  test("that is stopped keeps its file; killed, it frees it at once", async () => {
    const first = await owner();
    first.kill("SIGSTOP");
    await pause(longerThanATry);
    expect(await roleNow()).toBe("client");
    first.kill("SIGKILL");
    await first.end("SIGKILL");
    expect(await roleNow()).toBe("owner");
  });

  test("that was stopped goes on when it is woken, and finds what came meanwhile", async () => {
    const first = await owner();
    first.kill("SIGSTOP");
    const waiting = client(["signal", "result"]);
    expect((await waiting.says("signalled")).signalled).toBe("none");
    await pause(longerThanATry);
    first.kill("SIGCONT");
    expect(await waiting.says("result")).toEqual({ result: ["hello", "hello!"], role: "client" });
    await waiting.end();
    expect(linesOf<Note>(given.effects).map(({ pid }) => pid)).toEqual([first.pid, first.pid]);
  });

  test("that is killed is followed by a client, which finishes the runs", async () => {
    const first = await owner();
    const next = client(["signal", "result"]);
    await next.says("role");
    first.kill("SIGSTOP");
    expect((await next.says("signalled")).signalled).toBe("none");
    first.kill("SIGKILL");
    expect(await next.says("result")).toEqual({ result: ["hello", "hello!"], role: "owner" });
    await next.end();
    expect(linesOf<Note>(given.effects).map(({ pid }) => pid)).toEqual([first.pid, next.pid]);
    const leases = factsOf(await snapshot(given.file), "lease.acquired").map(({ fact }) => fact);
    expect(leases.map(({ epoch }) => epoch)).toEqual(leases.map((_, i) => i + 1));
    expect(new Set(leases.map(({ leaseId }) => leaseId)).size).toBe(2);
  });

  test("that is killed is followed by a client even when something else keeps the file locked for long", async () => {
    const first = await owner();
    const next = client(["signal", "result"]);
    await next.says("role");
    first.kill("SIGSTOP");
    await next.says("signalled");
    const other = loadDriver()(given.file, { readOnly: false });
    try {
      other.exec("BEGIN IMMEDIATE");
      first.kill("SIGKILL");
      await first.end("SIGKILL");
      await next.says(({ code }) => code === "STORE_BUSY");
      other.exec("ROLLBACK");
    } finally {
      other.close();
    }
    expect(await next.says("result")).toEqual({ result: ["hello", "hello!"], role: "owner" });
    await next.end();
  });

  test("among many clients is one after each death, and no run is lost", async () => {
    const clients = Array.from({ length: 4 }, (_, i) => client(["start", "signal", "result", "stay"], { runId: `r${i}` }));
    for (const one of clients) await one.says("result");
    for (let living = clients; living.length > 1; ) {
      const pid = ownerOf(given.file);
      const dying = living.find((one) => one.pid === pid) as Program;
      expect(dying, "the owner is one of the living").toBeDefined();
      dying.kill("SIGKILL");
      await dying.end("SIGKILL");
      living = living.filter((one) => one !== dying);
      while (ownerOf(given.file) === pid) await pause(20);
    }
    expect((await snapshot(given.file)).rows.map(({ status }) => status)).toEqual(Array(4).fill("completed"));
  });
});

function ownerOf(file: string): number | undefined {
  const store = sqlite(file).open({ now: Date.now, setTimer: () => () => {}, warn: () => {} });
  const owner = store.owner() as { readonly pid: number } | undefined;
  store.close();
  return owner?.pid;
}

describe("other processes", () => {
  test("start, signal and cancel runs of the owner, and wait for their results", async () => {
    const first = await owner();
    const one = client(["start", "signal", "result"], { runId: "one" });
    const two = client(["start", "cancel", "result"], { runId: "two" });
    expect(await one.says("result")).toEqual({ result: ["hello", "hello!"], role: "client" });
    expect(await two.says("result")).toEqual({ result: "RUN_CANCELLED", role: "client" });
    await Promise.all([one.end(), two.end()]);
    // Whatever was done was done by the owner.
    expect(new Set(linesOf<Note>(given.effects).map(({ pid }) => pid))).toEqual(new Set([first.pid]));
    const late = client(["signal", "cancel"], { runId: "two" });
    expect((await late.says("signalled")).signalled).toBe("RUN_ENDED");
    expect((await late.says("cancelled")).cancelled).toBe("RUN_ENDED");
    await late.end();
    const unknown = client(["signal", "result"], { runId: "nobody" });
    expect((await unknown.says("signalled")).signalled).toBe("RUN_UNKNOWN");
    expect((await unknown.says("result")).result).toBe("RUN_UNKNOWN");
    await unknown.end();
  });

  test("count once however often they say it", async () => {
    const first = await owner();
    // All is said before any of it is heard.
    first.kill("SIGSTOP");
    const both = [client(["start", "signal", "result"]), client(["start", "signal", "result"])];
    for (const one of both) expect((await one.says("signalled")).signalled).toBe("none");
    first.kill("SIGCONT");
    for (const one of both) expect((await one.says("result")).result).toEqual(["hello", "hello!"]);
    await Promise.all(both.map((one) => one.end()));
    expect(factsOf(await snapshot(given.file), "signal.received").length).toBe(1);
    expect(linesOf(given.effects).length).toBe(2);
  });

  test("may start what the owner does not hold: it is kept and named, and result() waits for one that does", async () => {
    const first = client(["stay"], { holds: false });
    await first.says("role");
    const asking = client(["start", "signal", "result"]);
    const warning = await first.says("warned");
    expect(warning).toMatchObject({ warned: expect.stringContaining("waits@1.0.0"), code: "VERSION_MISSING", runId: "r" });
    const looking = createOrchestrator({ store: sqlite(given.file), nodes: [] });
    expect(await looking.run("r").status()).toMatchObject({ status: "pending", blocked: "VERSION_MISSING" });
    await looking.close();
    await asking.says(({ did }) => did === "signal");
    expect(asking.lines.some((line) => "result" in line)).toBe(false);
    first.kill("SIGKILL");
    expect((await asking.says("result")).result).toEqual(["hello", "hello!"]);
    await asking.end();
  });
});
