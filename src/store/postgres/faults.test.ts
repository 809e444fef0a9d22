/** What becomes of writes and leases when connections break, answers are lost, the server restarts, or a process hangs. */
import { afterAll, afterEach, beforeAll, describe, expect, test } from "vitest";
import { skipWithoutPostgres } from "../../../test/postgres/binaries.ts";
import { FaultProxy } from "../../../test/postgres/proxy.ts";
import { startPostgres, type TestServer } from "../../../test/postgres/server.ts";
import type { Fold, OpenStore } from "../store.ts";
import { begin, end, first, firstOwned, type Log, newRun, parked, signal } from "../suite/kit.ts";
import type { PostgresOptions } from "./options.ts";
import { postgres } from "./postgres.ts";

describe.skipIf(skipWithoutPostgres("the PostgreSQL store under faults"))("faults", () => {
  let server: TestServer;
  let proxy: FaultProxy;
  let schemas = 0;
  let schema = "";
  const opened: OpenStore[] = [];
  const warnings: string[] = [];
  beforeAll(async () => {
    server = await startPostgres();
    proxy = await FaultProxy.before(server.url());
  });
  afterEach(async () => {
    proxy.heal();
    for (const store of opened.splice(0)) await store.close();
  });
  afterAll(async () => {
    await proxy.close();
    await server.stop();
  });

  function open(options: PostgresOptions = {}, url = proxy.url): OpenStore {
    const store = postgres(url, { schema, ...options }).open({
      now: () => Date.now(),
      setTimer(ms, callback) {
        const timer = setTimeout(callback, ms);
        return () => clearTimeout(timer);
      },
      warn: (code) => void warnings.push(code),
    });
    opened.push(store);
    return store;
  }
  async function owner(options: PostgresOptions = {}, url = proxy.url): Promise<OpenStore> {
    const store = open(options, url);
    await store.acquire(`L${opened.length}`);
    return store;
  }
  function fresh(): void {
    schema = `f${++schemas}`;
    warnings.length = 0;
  }

  const counting: Fold = {
    keys: [{ reducer: "r", key: "n" }],
    with: ([before]) => ({ facts: `[${Number(before ?? 0) + 1}]`, states: [String(Number(before ?? 0) + 1)] }),
  };

  test("a turn whose answer is lost was written, once", async () => {
    fresh();
    const store = await owner();
    const log = await begin(store, "a");
    await log.write(store, { row: { status: "running", mailGot: 0 } });
    const lost = proxy.dropAnswerOf(/INSERT INTO .*turns/);
    expect(await log.write(store, { row: { status: "waiting", mailGot: 0, park: { wakeAt: 7 } } })).toEqual({
      accepted: true,
      runNo: log.runNo,
    });
    await lost;
    expect((await store.turns(log.runNo)).length).toBe(3);
    expect([(await store.run("a"))?.wakeAt, warnings]).toEqual([7, ["STORE_UNREACHABLE"]]);
  });

  test.each(["dropAnswerOf", "dropRequestOf"] as const)("a turn that is sent again and refused was not written: %s", async (fault) => {
    fresh();
    const store = await owner();
    const log = await begin(store, "a");
    await log.write(store);
    const lost = proxy[fault](/INSERT INTO .*turns/);
    expect(await store.append([log.next({ after: 7, epoch: 7 })])).toEqual([{ accepted: false, reason: "fenced" }]);
    await lost;
    expect((await store.turns(log.runNo)).length).toBe(2);
  });

  test("a first turn whose answer is lost made its run", async () => {
    fresh();
    const store = await owner();
    await begin(store, "before");
    const lost = proxy.dropAnswerOf(/INSERT INTO .*turns/);
    const log = await begin(store, "a");
    await lost;
    expect((await log.write(store)).accepted).toBe(true);
  });

  test.each(["dropAnswerOf", "duplicate"] as const)("a turn with all that goes with it is written once: %s", async (fault) => {
    fresh();
    const store = await owner();
    const [log, other] = [await begin(store, "a"), await parked(store, "other", null)];
    await store.start(newRun("a/2"), first);
    await log.write(store, { fold: counting, facts: "" });
    const lost = proxy[fault](fault === "duplicate" ? /INSERT INTO .*states/ : /^COMMIT/);
    const answer = await log.write(store, {
      ...end,
      fold: counting,
      facts: "",
      blobs: [{ hash: "h", text: "1" }],
      children: ["a/1", "a/2"].map((id) => ({ run: newRun(id), first: firstOwned })),
      messages: [signal("other", "m")],
      successor: { run: newRun("a", { at: 2000 }), first: firstOwned },
    });
    await lost;
    const [child, successor] = [await store.run("a/1"), await store.run("a")];
    expect(answer).toEqual({
      ...{ accepted: true, runNo: log.runNo, folded: { facts: "[2]" } },
      ...{ children: [child?.runNo, undefined], successorNo: successor?.runNo },
    });
    expect([await store.state("r", "n"), (await store.inbox(other.runNo, 0)).length, (await store.byNo(log.runNo))?.id]).toEqual([
      "2",
      1,
      `a~${log.runNo}`,
    ]);
  });

  test("a start and a message whose answers are lost are there once", async () => {
    fresh();
    const store = open();
    await store.run("x");
    const started = proxy.dropAnswerOf(/INSERT INTO .*runs/);
    expect((await store.start(newRun("a"), first)).created).toBe(true);
    await started;
    const posted = proxy.dropAnswerOf(/INSERT INTO .*inbox/);
    expect(await store.post(signal("a", "m"))).toEqual({ status: "duplicate", seq: 1 });
    await posted;
    expect((await store.start(newRun("a"), first)).created).toBe(false);
  });

  /** Turn after turn of several runs, while `disturb` is called now and then. */
  async function work(store: OpenStore, logs: readonly Log[], turns: number, disturb: (turn: number) => unknown): Promise<void> {
    for (let turn = 0; turn < turns; turn++) {
      void disturb(turn);
      const answers = await store.append(logs.map((log) => log.next()));
      expect(answers.every((answer) => answer.accepted)).toBe(true);
      for (const log of logs) log.passed();
    }
  }

  test("connections that are cut again and again lose nothing", async () => {
    fresh();
    const store = await owner();
    const logs = [await begin(store, "a"), await begin(store, "b")];
    await work(store, logs, 30, (turn) => turn % 3 === 0 && setImmediate(() => proxy.cut()));
    for (const log of logs) expect((await store.turns(log.runNo)).map(({ turn }) => turn)).toEqual(Array.from({ length: 31 }, (_, i) => i));
  });

  test("a server that restarts is waited for, and the lease outlives it", async () => {
    fresh();
    const store = await owner();
    const logs = [await begin(store, "a")];
    let restarted: Promise<void> | undefined;
    await work(store, logs, 10, (turn) => {
      if (turn === 3) restarted = server.restart("immediate");
    });
    await restarted;
    expect([(await store.turns(logs[0]?.runNo ?? 0)).length, store.trusted()]).toEqual([11, true]);
    expect(warnings).toContain("STORE_UNREACHABLE");
  });

  test("who is cut off is not trusted any more, and its runs go to another", async () => {
    fresh();
    let why = "";
    const zombie = open({ leaseMs: 2_000 });
    await zombie.acquire("Z", (reason) => (why = reason));
    const log = await begin(zombie, "a");
    const other = await owner({ leaseMs: 2_000 }, server.url());
    expect(await other.due(Date.now(), 10)).toEqual([]);
    const freed = new Promise<void>((resolve) => {
      const look = async (): Promise<void> => {
        if ((await other.due(Date.now(), 10)).length > 0) resolve();
      };
      other.watch("owner", () => void look());
    });
    proxy.blackhole();
    await freed;
    expect(zombie.trusted()).toBe(false);
    expect((await log.write(other, { take: true })).accepted).toBe(true);
    proxy.heal();
    proxy.cut();
    await expect(zombie.append([log.next({ facts: '["late"]' })])).rejects.toMatchObject({ code: "OWNERSHIP_LOST" });
    expect(why).not.toBe("");
    expect((await other.turns(log.runNo)).length).toBe(2);
    await zombie.acquire("Z2");
    expect(zombie.trusted()).toBe(true);
  });

  test("a main loop that is busy for longer than the lease keeps it", async () => {
    fresh();
    const options = { leaseMs: 2_500, stallMs: 30_000 };
    const [store, rival] = [await owner(options, server.url()), await owner(options, server.url())];
    const log = await begin(store, "a");
    // Until both renew, and may end the leases of others.
    await renewed(store, schema, 3);
    block(4_000);
    expect([store.trusted(), rival.trusted()]).toEqual([true, true]);
    expect((await log.write(store)).accepted).toBe(true);
  });

  test("a main loop that stands still for longer than stallMs loses its lease", async () => {
    fresh();
    const lost = new Promise<string>((resolve) => {
      const store = open({ leaseMs: 400, stallMs: 400 }, server.url());
      void (async () => {
        await store.acquire("L", resolve);
        await renewed(store, schema, 2);
        block(1500);
      })();
    });
    expect(await lost).toMatch(/stood still/);
  });

  /** When the lease was renewed so often. */
  async function renewed(store: OpenStore, of: string, times: number): Promise<void> {
    const seen = new Set<string>();
    const stop = store.watch("owner", () => {});
    while (seen.size <= times) {
      const [row] = await server.query(`SELECT min(expires_at)::text AS at FROM ${of}.leases WHERE state = 'live'`);
      seen.add(String(row?.at));
    }
    stop();
  }

  test("who lets go is heard at once", async () => {
    fresh();
    const [one, two] = [await owner(), await owner()];
    await begin(one, "a");
    const heard = new Promise<void>((resolve) => {
      two.watch("owner", async () => {
        if ((await two.due(Date.now(), 1)).length > 0) resolve();
      });
    });
    await one.release();
    await heard;
  });

  test("a store that is closed while the database is away ends soon, and its verbs with it", async () => {
    fresh();
    const store = await owner();
    proxy.blackhole();
    const waiting = expect(store.run("a")).rejects.toMatchObject({ code: "STORE_FAILED" });
    await store.close();
    await waiting;
  });
});

/** Holds up the event loop. */
function block(ms: number): void {
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, ms);
}
