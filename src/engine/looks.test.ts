import { expect, test } from "vitest";
import { memory } from "../store/memory.ts";
import { VirtualClock } from "../testing/clock.ts";
import type { Engine } from "./engine.ts";
import { Looks } from "./looks.ts";

function made(look: () => void): Looks {
  const clock = new VirtualClock(0, setImmediate);
  const store = memory().open({ now: () => clock.now(), setTimer: (ms, callback) => clock.setTimer(ms, callback), warn() {} });
  const parts: Pick<Engine, "store" | "leaseId" | "rested" | "failed"> & object = {
    store,
    leaseId: "L",
    rested() {},
    failed(error) {
      throw error;
    },
  };
  return new Looks(parts as Engine, look);
}

test("looks that are asked for during a look are one look after it; what must be done is done before, each", async () => {
  const done: string[] = [];
  const looks = made(() => done.push("look"));
  let end: () => void = () => {};
  const first = new Promise<void>((resolve) => (end = resolve));
  looks.run(() => first);
  looks.run(async () => void done.push("never"));
  looks.run(async () => void done.push("never"));
  looks.must(async () => void done.push("pause a"));
  looks.must(async () => void done.push("pause b"));
  expect(done).toEqual([]);
  end();
  for (let i = 0; i < 20; i++) await Promise.resolve();
  expect(done).toEqual(["pause a", "pause b", "look"]);
});
