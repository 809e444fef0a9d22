import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import type { StoreHost } from "../store.ts";
import { poke, pollNews, watchPokes } from "./wake.ts";

/** Timers that run when told, in a world without time. */
function standing(): StoreHost & { readonly timers: { ms: number; run: () => void }[]; readonly warnings: string[]; step(): number } {
  const timers: { ms: number; run: () => void }[] = [];
  const warnings: string[] = [];
  return {
    timers,
    warnings,
    now: () => 0,
    setTimer(ms, run) {
      const timer = { ms, run };
      timers.push(timer);
      return () => void (timers.includes(timer) && timers.splice(timers.indexOf(timer), 1));
    },
    warn: (code) => void warnings.push(code),
    step() {
      const timer = timers.shift();
      timer?.run();
      return timer?.ms ?? -1;
    },
  };
}

describe("news between processes", () => {
  test("a poke is heard, and the slow look goes on besides", async () => {
    const folder = mkdtempSync(join(tmpdir(), "onex-"));
    const path = join(folder, "wake");
    const host = standing();
    let heard = (): void => {};
    const first = new Promise<void>((resolve) => (heard = resolve));
    const stop = watchPokes(path, host, () => heard());
    await first; // its own poke
    expect([host.step(), host.warnings, host.timers[0]?.ms]).toEqual([200, [], 1000]);
    const second = new Promise<void>((resolve) => (heard = resolve));
    poke(path);
    await second;
    stop();
    expect(host.timers).toEqual([]);
    rmSync(folder, { recursive: true });
  });

  test("where nothing is heard, the file is looked at often, and that is said", () => {
    const host = standing();
    let looks = 0;
    const stop = watchPokes("/no/such/folder/wake", host, () => looks++);
    expect([host.step(), host.step(), host.step(), looks]).toEqual([200, 25, 25, 3]);
    expect(host.warnings).toEqual([]);
    // A busy machine gets five seconds to answer.
    for (let i = 0; i < 200; i++) host.step();
    expect(host.warnings).toEqual(["STORE_NOT_WATCHED"]);
    stop();
    expect(host.timers).toEqual([]);
  });

  test("a client looks every 20 ms until it is stopped, even from within a look", () => {
    const host = standing();
    let looks = 0;
    const stop = pollNews(host, () => {
      if (++looks === 2) stop();
    });
    expect([host.step(), host.step(), host.step(), looks]).toEqual([20, 20, -1, 2]);
  });

  test("a poke where no owner ever was is no error", () => {
    expect(() => poke("/no/such/folder/wake")).not.toThrow();
  });
});
