/** What only separate processes show: locks that outlive a pause but not a death, and a file that many make at once. */
import { type ChildProcess, fork } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import type { OpenStore, StoreHost } from "../store.ts";
import { first, Log, newRun, signal, turnZero } from "../suite/kit.ts";
import { sqlite } from "./sqlite.ts";

let folder = "";
let path = "";
const children: Child[] = [];
const opened: OpenStore[] = [];

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "onex-"));
  path = join(folder, "test.db");
});

afterEach(async () => {
  for (const child of children.splice(0)) await child.kill();
  for (const store of opened.splice(0)) await store.close();
  rmSync(folder, { recursive: true });
});

class Child {
  readonly #process: ChildProcess;
  constructor(process: ChildProcess) {
    this.#process = process;
  }

  static async spawn(): Promise<Child> {
    const script = new URL("./fixtures/process.mjs", import.meta.url);
    const process = fork(script, [path], { execArgv: ["--import", new URL("./fixtures/register.mjs", import.meta.url).href] });
    await once(process, "message");
    const child = new Child(process);
    children.push(child);
    return child;
  }

  async call(verb: keyof OpenStore | "open", ...args: unknown[]): Promise<unknown> {
    this.#process.send({ verb, args });
    const [answer] = (await once(this.#process, "message")) as [{ value?: unknown; code?: string; message?: string }];
    if (answer.code !== undefined) throw Object.assign(new Error(answer.message), { code: answer.code });
    return answer.value;
  }

  stop(): void {
    this.#process.kill("SIGSTOP");
  }

  async kill(): Promise<void> {
    if (this.#process.exitCode !== null || this.#process.signalCode !== null) return;
    const exit = once(this.#process, "exit");
    this.#process.kill("SIGKILL");
    await exit;
  }
}

function open(): OpenStore {
  const store = sqlite(path).open(host);
  opened.push(store);
  return store;
}

const host: StoreHost = {
  now: () => Date.now(),
  setTimer(ms, callback) {
    const timer = setTimeout(callback, ms);
    return () => clearTimeout(timer);
  },
  warn() {},
};

describe("sqlite among processes", () => {
  test("a stopped owner keeps the file; killed, it frees it at once, with all it was told is written", async () => {
    const child = await Child.spawn();
    await child.call("open");
    await child.call("acquire", "L1");
    await child.call("append", [turnZero(newRun("a")), turnZero(newRun("b"))]);
    child.stop();
    const store = open();
    expect(await store.acquire("L2")).toBeUndefined();
    expect((await store.owner())?.leaseId).toBe("L1");
    // Stopped, it holds up nobody who does not need the ownership.
    expect((await store.post(signal("a", "m"))).status).toBe("posted");
    await child.kill();
    expect(await store.acquire("L3")).toBeDefined();
    expect((await store.owner())?.pid).toBe(process.pid);
    const due = await store.due(0, 10);
    expect(due.map((row) => [row.id, row.owned, row.mailPut])).toEqual([
      ["a", false, 1],
      ["b", false, 0],
    ]);
    expect((await new Log(due[0]?.runNo ?? 0).write(store, { take: true })).accepted).toBe(true);
  });

  test("many processes may make the same file at once", async () => {
    const made = await Promise.all(Array.from({ length: 4 }, () => Child.spawn()));
    await Promise.all(made.map((child) => child.call("open")));
    await Promise.all(made.map((child, i) => child.call("start", newRun(`r${i}`), first)));
    const owners = await Promise.all(made.map((child, i) => child.call("acquire", `L${i}`)));
    expect(owners.filter((lease) => lease !== undefined)).toHaveLength(1);
    const store = open();
    expect((await store.list({})).map((row) => row.id).sort()).toEqual(["r0", "r1", "r2", "r3"]);
  });

  test("the owner hears of what another process starts", async () => {
    const store = open();
    await store.acquire("L1");
    const child = await Child.spawn();
    await child.call("open");
    const heard = new Promise<void>((resolve) => store.watch("owner", () => resolve()));
    await child.call("start", newRun("a"), first);
    await heard;
    expect((await store.due(0, 1))[0]?.id).toBe("a");
  });
});
