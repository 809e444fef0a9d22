import fc from "fast-check";
import { expect, test } from "vitest";
import { Timers } from "./timers.ts";
import type { Clock } from "./world.ts";

/** A clock with one timer, as the engine's heap needs it. */
class OneTimer implements Pick<Clock, "setTimer"> {
  time = 0;
  set: { readonly due: number; readonly callback: () => void } | undefined;
  delays: number[] = [];
  setTimer(ms: number, callback: () => void): () => void {
    this.delays.push(ms);
    const set = { due: this.time + ms, callback };
    this.set = set;
    return () => {
      if (this.set === set) this.set = undefined;
    };
  }
  /** Fires what is due until `time`. */
  moveTo(time: number): void {
    for (let next = this.set; next && next.due <= time; next = this.set) {
      this.set = undefined;
      this.time = Math.max(this.time, next.due);
      next.callback();
    }
    this.time = time;
  }
}
function make() {
  const clock = new OneTimer();
  return { clock, timers: new Timers(clock as unknown as Clock, () => clock.time) };
}

test("wakes everyone once, at or after its time, in the order of times and then of asking", () => {
  fc.assert(
    fc.property(
      fc.array(fc.integer({ min: 0, max: 50 }), { maxLength: 60 }),
      fc.array(fc.integer({ min: 1, max: 20 }), { maxLength: 10 }),
      (dues, steps) => {
        const { clock, timers } = make();
        const woken: { readonly i: number; readonly due: number; readonly at: number }[] = [];
        for (const [i, due] of dues.entries()) timers.at(due, () => woken.push({ i, due, at: clock.time }));
        for (const step of [...steps, 100]) clock.moveTo(clock.time + step);
        expect(woken).toHaveLength(dues.length);
        for (const { due, at } of woken) expect(at).toBe(due);
        expect(woken.map(({ i }) => i)).toEqual(
          dues
            .map((due, i) => ({ due, i }))
            .sort((a, b) => a.due - b.due || a.i - b.i)
            .map(({ i }) => i),
        );
      },
    ),
  );
});

test("one real timer at a time, never longer than an hour", () => {
  const { clock, timers } = make();
  const day = 86_400_000;
  let woken = 0;
  timers.at(40 * day, () => woken++);
  timers.at(30 * day, () => woken++);
  clock.moveTo(29 * day);
  expect(woken).toBe(0);
  clock.moveTo(41 * day);
  expect(woken).toBe(2);
  expect(Math.max(...clock.delays)).toBe(3_600_000);
});

test("what a wake-up asks for is woken too, and after stop nobody is", () => {
  const { clock, timers } = make();
  const woken: string[] = [];
  timers.at(1, () => {
    woken.push("first");
    timers.at(1, () => woken.push("at once"));
    timers.at(5, () => woken.push("later"));
  });
  clock.moveTo(2);
  expect(woken).toEqual(["first", "at once"]);
  timers.stop();
  clock.moveTo(10);
  expect(woken).toEqual(["first", "at once"]);
});
