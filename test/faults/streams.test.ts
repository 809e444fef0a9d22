/** A long stream under `kill -9`: what is recorded is not asked for again, and each item is consumed once. */
import { join } from "node:path";
import { expect, test } from "vitest";
import { linesOf, newFolder, Program } from "./processes.ts";
import { factsOf, snapshot } from "./snapshot.ts";

const items = 10_000;
const kills = 3;

test(`a stream of ${items} items, killed ${kills} times: each item is recorded and consumed once`, async () => {
  const folder = newFolder();
  const given = { file: join(folder, "test.db"), effects: join(folder, "effects"), items };

  const recorded: number[] = [];
  for (let kill = 0; kill < kills; kill++) {
    // Further each time, and at no multiple of anything.
    const target = Math.floor((items * (kill + 1)) / (kills + 1)) + Math.floor(Math.random() * 500);
    const owner = new Program("stream", { ...given, leash: target + 1_000 });
    await owner.says(({ at }) => typeof at === "number" && at >= target);
    owner.kill("SIGKILL");
    await owner.end("SIGKILL");
    const taken = await snapshot(given.file);
    const count = factsOf(taken, "action.item").length;
    expect(count, "it is killed in the middle").toBeLessThan(items);
    expect(count, "and gets on between two kills").toBeGreaterThan(recorded.at(-1) ?? 0);
    expect(factsOf(taken, "run.completed")).toEqual([]);
    recorded.push(count);
  }
  const last = new Program("stream", { ...given, leash: items });
  const { result, counted } = await last.says("result");
  await last.end();
  expect(result).toEqual({ taken: items, inOrder: true });
  expect(counted).toEqual({ seen: items, sum: (items * (items - 1)) / 2 });

  const taken = await snapshot(given.file);
  const numbers = Array.from({ length: items }, (_, n) => n);
  const yielded = factsOf(taken, "action.item").map(({ fact }) => fact);
  expect(yielded.map(({ index }) => index)).toEqual(numbers);
  expect(yielded.map(({ item }) => (item as { n: number }).n)).toEqual(numbers);
  // Each consumer's result stands in the record once.
  const consumed = factsOf(taken, "compute.completed").map(({ fact }) => fact);
  expect(consumed.map(({ step }) => Number(step.slice(0, step.indexOf("/")))).sort((a, b) => a - b)).toEqual(numbers);
  expect(consumed.map(({ output }) => output as number).sort((a, b) => a - b)).toEqual(numbers.map((n) => 2 * n));
  expect(factsOf(taken, "reducer.applied").length).toBe(items);
  expect(factsOf(taken, "action.dispatched").length, "one attempt").toBe(1);
  // Every process went on exactly where the record ended.
  const opened = linesOf<{ opened?: number }>(given.effects).flatMap((line) => line.opened ?? []);
  expect(opened).toEqual([0, ...recorded]);
});
