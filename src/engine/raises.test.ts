import { expect, test } from "vitest";
import type { FactBody } from "../core/fact.ts";
import { Raises } from "./raises.ts";

function stand() {
  const facts: FactBody[] = [];
  const raises = new Raises();
  return { facts, raises, ask: (seen: number, epoch: number) => raises.above(seen, epoch, (fact) => facts.push(fact)) };
}

test("a run is raised above what was seen, and is told when that is accepted", async () => {
  const { facts, raises, ask } = stand();
  const told: unknown[] = [];
  const asked = [ask(4, 2), ask(6, 2), ask(4, 2)].map((one, i) => one.then((raised) => told.push([i, raised])));
  expect(facts.map((fact) => "epoch" in fact && fact.epoch)).toEqual([5, 7, 5]);
  raises.raised(5);
  await Promise.all([asked[0], asked[2]]);
  expect(told).toEqual([
    [0, true],
    [2, true],
  ]);
  raises.raised(7);
  await asked[1];
  expect(await ask(6, 7)).toBe(true);
  expect(facts.length).toBe(3);
});

test("not more than eight times, and not out of all bounds", async () => {
  const { facts, raises, ask } = stand();
  expect(await ask(1_000_003, 2)).toBe(false);
  for (let epoch = 1; epoch < 9; epoch++) {
    const raised = ask(epoch, epoch);
    raises.raised(epoch + 1);
    expect(await raised).toBe(true);
  }
  expect([await ask(9, 9), facts.length]).toEqual([false, 8]);
});

test("dropped, it is raised no more, and nobody waits", async () => {
  const { raises, ask } = stand();
  const waits = ask(4, 2);
  raises.drop();
  expect([await waits, await ask(4, 2)]).toEqual([false, false]);
});
