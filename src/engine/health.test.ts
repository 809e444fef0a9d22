import { expect, test } from "vitest";
import { VirtualClock } from "../testing/clock.ts";
import { circuitState, probe } from "./health.ts";

const breaker = (state: "closed" | "open" | "half_open") => ({ endpoint: "e", state, calls: 0, failures: 0, refused: 0 });
const make = () => new VirtualClock(0, setImmediate);

test("a probe answers with a value, later or at once", async () => {
  const clock = make();
  expect(await probe(clock, 10, "p", () => 1)).toEqual({ value: 1 });
  expect(await probe(clock, 10, "p", async () => 2)).toEqual({ value: 2 });
  // Its timer is gone with its answer.
  expect(clock.step(1_000)).toBe(false);
});

test("what it throws is why there is no answer", async () => {
  const fail = () => {
    throw new Error("gone");
  };
  expect(await probe(make(), 10, "p", fail)).toEqual({ failed: "p: gone" });
  expect(await probe(make(), 10, "p", async () => fail())).toEqual({ failed: "p: gone" });
});

test("it is given up after its time, and what comes later is nothing", async () => {
  const clock = make();
  let answer: (value: number) => void = () => {};
  const asking = probe(clock, 10, "p", () => new Promise<number>((resolve) => (answer = resolve)));
  clock.step(10);
  answer(1);
  expect(await asking).toEqual({ failed: "p: no answer within 10 ms" });
});

test("the worst circuit breaker", () => {
  expect(circuitState([])).toBe("closed");
  expect(circuitState([breaker("closed"), breaker("half_open")])).toBe("half_open");
  expect(circuitState([breaker("half_open"), breaker("open")])).toBe("open");
});
