import { expect, test } from "vitest";
import { all, workflow } from "../../src/index.ts";
import { testOrchestrator } from "../../src/testing/index.ts";
import { anything, Ledger, play, quiet } from "./kit.ts";

test("of steps that are dispatched together the lower number goes first, equal ones in their order", async () => {
  const { act, lines } = new Ledger();
  await play(function* () {
    yield* all([act("usual"), act("late", { priority: 900 }), act("first", { priority: 1 }), act("also usual")]);
  });
  expect(lines).toEqual(["first", "usual", "also usual", "late"]);
});

test("a run's priority is that of its steps and of its children, unless they have their own", async () => {
  const { act, lines } = new Ledger();
  const child = workflow({ name: "child", input: anything }, function* (id: string) {
    yield* act(id);
  });
  const flow = workflow({ name: "flow", input: anything }, function* (id: string) {
    yield* all([child(`${id} child`), act(id), act(`${id} own`, { priority: 500 })]);
  });
  const t = testOrchestrator({ nodes: [flow], log: quiet });
  await Promise.all([t.start(flow, "slow", { priority: 800 }), t.start(flow, "quick", { priority: 2 })]);
  await t.advance("1s");
  const at = (id: string) => lines.indexOf(id);
  expect(at("quick")).toBeLessThan(at("slow own"));
  expect(at("slow own")).toBeLessThan(at("slow"));
  expect(at("quick child")).toBeLessThan(at("slow child"));
  expect((await t.list({ workflow: "child" })).map(({ priority }) => priority).sort()).toEqual([2, 800]);
});
