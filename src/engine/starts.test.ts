/** Starts that wait for a store which does not answer. */
import { expect, test } from "vitest";
import { VirtualClock } from "../testing/clock.ts";
import { Starts } from "./starts.ts";

function stand(timeoutMs = 1_000) {
  const clock = new VirtualClock(0, (callback) => setImmediate(callback));
  const starts = new Starts({ clock, timeoutMs });
  const told: string[] = [];
  const answers = new Map<string, (error?: Error) => void>();
  let begun = 0;
  const start = (id: string): void => {
    const begin = () => {
      begun++;
      return new Promise<string>((resolve, reject) => answers.set(id, (error) => (error ? reject(error) : resolve(starts.heard(id)))));
    };
    starts.wait(id, begin).then(
      () => told.push(`${id} there`),
      (error: Error & { readonly code?: string }) => told.push(`${id} ${error.code ?? error.message}`),
    );
  };
  const rest = () => new Promise<void>((resolve) => setImmediate(resolve));
  const pass = async (ms: number): Promise<void> => {
    const until = clock.now() + ms;
    while (clock.step(until));
    clock.moveTo(until);
    await rest();
  };
  const answer = async (id: string, error?: Error): Promise<void> => {
    answers.get(id)?.(error);
    await rest();
  };
  return { starts, clock, told, start, pass, answer, begun: () => begun };
}

test("one that is not answered is given up after the time, and not before", async () => {
  const { told, start, pass } = stand();
  start("a");
  await pass(999);
  expect(told).toEqual([]);
  await pass(1);
  expect(told).toEqual(["a START_TIMEOUT"]);
});

test("while the store answers any, the others are waited for; what it was not asked for counts for nothing", async () => {
  const { told, start, pass, answer } = stand();
  for (const id of ["a", "b", "c", "d"]) start(id);
  await pass(900);
  await answer("b");
  await pass(900);
  await answer("c", new Error("full"));
  await pass(99);
  expect(told).toEqual(["b there", "c full"]);
  await pass(1);
  expect(told.slice(2)).toEqual(["a START_TIMEOUT", "d START_TIMEOUT"]);
});

test("each has its own time", async () => {
  const { told, start, pass } = stand();
  start("a");
  await pass(600);
  start("b");
  await pass(400);
  expect(told).toEqual(["a START_TIMEOUT"]);
  await pass(599);
  expect(told.length).toBe(1);
  await pass(1);
  expect(told).toEqual(["a START_TIMEOUT", "b START_TIMEOUT"]);
});

test("in the silence nothing is begun; an answer to one that was given up ends it", async () => {
  const { told, start, pass, answer, begun } = stand();
  start("a");
  await pass(1_000);
  start("b");
  await pass(0);
  expect([told, begun()]).toEqual([["a START_TIMEOUT", "b START_TIMEOUT"], 1]);
  await answer("a");
  start("c");
  await answer("c");
  expect([told.at(-1), begun()]).toEqual(["c there", 2]);
  start("d");
  await pass(1_000);
  await answer("d", new Error("lost"));
  start("e");
  expect(begun()).toBe(4);
});

test("so many wait through a silence and no more; a line that moves may be longer", async () => {
  const { told, start, pass, answer, begun } = stand(30_000);
  for (let i = 0; i < 10_010; i++) start(`r${i}`);
  await pass(4_000);
  await answer("r0");
  await pass(4_999);
  start("last");
  expect([told, begun()]).toEqual([["r0 there"], 10_011]);
  await pass(1);
  start("late");
  await pass(0);
  expect([told.at(-1), begun()]).toEqual(["late START_TIMEOUT", 10_011]);
});

test("stopped, and with none that waits, it leaves no timer", async () => {
  const { starts, clock, told, start, answer } = stand();
  start("a");
  await answer("a");
  expect(clock.step(10_000)).toBe(false);
  start("b");
  starts.stop();
  expect([clock.step(10_000), told]).toEqual([false, ["a there"]]);
});
