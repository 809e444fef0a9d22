import { describe, expect, test } from "vitest";
import { memory } from "./memory.ts";
import { sharedMemory } from "./shared-memory.ts";
import type { StoreHost } from "./store.ts";
import { begin, newRun, parked } from "./suite/kit.ts";
import { storeSuite } from "./suite.ts";

storeSuite({ describe, test, expect }, "memory", {
  make() {
    const store = memory();
    return { store, loseOwner: store.kill };
  },
});

storeSuite({ describe, test, expect }, "memory for many owners", {
  owners: "many",
  make() {
    const store = sharedMemory();
    return { store, loseOwner: () => store.lapse() };
  },
});

describe("memory", () => {
  /** A clock that stands still, and timers that run when told. */
  function standing(): StoreHost & { run(): void; readonly timers: (() => void)[] } {
    const timers: (() => void)[] = [];
    return {
      timers,
      now: () => 42,
      setTimer(_ms, callback) {
        timers.push(callback);
        return () => void timers.splice(timers.indexOf(callback), 1);
      },
      warn() {},
      run() {
        for (const timer of timers.splice(0)) timer();
      },
    };
  }

  test("time is the host's", () => {
    expect(memory().open(standing()).now()).toBe(42);
  });

  test("news comes through the host's timers, once for many writes, and not after it was stopped", () => {
    const store = memory();
    const host = standing();
    const owner = store.open(host);
    const client = store.open(standing());
    let news = 0;
    const stop = owner.watch("owner", () => news++);
    client.start(newRun("a"), { epoch: 0, next: 1, facts: "[]" });
    client.start(newRun("b"), { epoch: 0, next: 1, facts: "[]" });
    expect(news).toBe(0);
    host.run();
    expect(news).toBe(1);
    client.start(newRun("c"), { epoch: 0, next: 1, facts: "[]" });
    stop();
    host.run();
    expect([news, host.timers.length]).toEqual([1, 0]);
  });

  test("a row that was read does not change afterwards", async () => {
    const store = memory().open(standing());
    await store.acquire("L");
    const log = await begin(store, "a");
    const row = await store.run("a");
    await log.write(store, { row: { status: "paused", mailGot: 0 } });
    expect(row?.status).toBe("running");
  });

  test("finds the few that are due among many that sleep", async () => {
    const store = memory().open(standing());
    await store.acquire("L");
    for (let i = 0; i < 5000; i++) await parked(store, `r${i}`, (i * 7919) % 5000);
    expect((await store.due(9, 100)).map((row) => row.wakeAt)).toEqual([0, 1, 2, 3, 4, 5, 6, 7, 8, 9]);
    expect((await store.sleepers(4990, 9999, 3)).map((row) => row.wakeAt)).toEqual([4991, 4992, 4993]);
  });
});
