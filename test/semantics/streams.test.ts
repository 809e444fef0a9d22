/** Streams: items one by one, each recorded before the next is asked for (API rule 14). */
import { expect, test } from "vitest";
import { z } from "zod";
import { compute, each, type Steps, stream } from "../../src/index.ts";
import { anything, Gate, Ledger, play, playOut } from "./kit.ts";

const double = compute({ name: "double", input: anything }, (n: number) => n * 2);

/** Numbers up to `count`, and how far the producer has come. */
function numbers(count: number, more: { readonly retry?: { maxAttempts: number }; readonly timeout?: "5s" } = {}) {
  const made: number[] = [];
  const taken: number[] = [];
  const rows = stream({ name: "rows", input: anything, item: z.number(), ...more }, async function* (_input: unknown, context) {
    taken.push(context.taken);
    for (let n = context.taken; n < count; n++) {
      made.push(n);
      yield n;
    }
  });
  return { rows, made, taken };
}

test("`yield*` collects", async () => {
  const { rows } = numbers(4);
  const { view, log } = await playOut(function* () {
    return yield* rows(null);
  });
  expect((await view()).output).toEqual([0, 1, 2, 3]);
  expect((await view()).steps).toMatchObject([{ step: "rows", kind: "effect", status: "completed", attempts: 1, items: 4 }]);
  expect(await log()).toEqual([
    "run.started",
    "lease.acquired",
    "action.dispatched rows",
    ...Array(4).fill("action.item rows"),
    "action.completed rows",
    "run.completed",
  ]);
});

test("a consumer starts on the first item, before the producer has ended", async () => {
  const ledger = new Ledger();
  const gate = new Gate();
  const rows = stream({ name: "rows", input: anything, item: z.string() }, async function* () {
    yield "a";
    await gate.pass();
    yield "b";
  });
  const { t, view } = await play(function* (): Steps<unknown> {
    return yield* each(rows(null), (id) => ledger.look(id));
  });
  expect(ledger.lines).toEqual(["a"]);
  expect((await view()).steps).toMatchObject([
    { step: "rows", status: "running", items: 1 },
    { step: "0/look", status: "completed" },
  ]);
  gate.open();
  await t.advance("1s");
  expect((await view()).output).toEqual([{ id: "a" }, { id: "b" }]);
});

test("the next item is asked for only when there is room", async () => {
  const ledger = new Ledger();
  const gates = Array.from({ length: 6 }, () => new Gate());
  const { rows, made } = numbers(6);
  gates.forEach((gate, n) => {
    ledger.manners[`${n}`] = gate;
  });
  const { t, view } = await play(function* () {
    return yield* each(rows(null), (n) => ledger.look(`${n}`), { concurrency: 2 });
  });
  expect(made).toEqual([0, 1]);
  gates[1]?.open();
  await t.advance("1s");
  expect(made).toEqual([0, 1, 2]);
  gates[0]?.open();
  gates[2]?.open();
  await t.advance("1s");
  expect(made).toEqual([0, 1, 2, 3, 4]);
  for (const gate of gates) gate.open();
  await t.advance("1s");
  expect((await view()).output).toEqual(["0", "1", "2", "3", "4", "5"].map((id) => ({ id })));
});
test("each with computes", async () => {
  const { rows } = numbers(300);
  const { view } = await playOut(function* () {
    return yield* each(rows(null), (n) => double(n));
  });
  expect((await view()).output).toEqual(Array.from({ length: 300 }, (_, n) => n * 2));
});
