/** Runs under way are moved to another definition of their workflow, or stay what they are. */
import { expect, test } from "vitest";
import { z } from "zod";
import { type AnyNode, type Run, restart, signal, workflow } from "../../src/index.ts";
import { parseWorkflow } from "../../src/plan/workflow.ts";
import { testOrchestrator } from "../../src/testing/index.ts";
import { anything, Gate, Ledger, quiet } from "./kit.ts";

type Loaded = ReturnType<typeof parseWorkflow>;

/** A contract of the workflow "flow" with these steps. */
function contract(version: string, steps: string, head = ""): Loaded {
  return parseWorkflow(
    `onex: v1\nkind: workflow\nname: flow\nversion: ${version}\ntimeout: 1d\nsignals: { go: {} }\n${head}\nsteps:\n${steps}`,
    `flow-${version}.yaml`,
  );
}

async function started(old: Loaded, prepare: (ledger: Ledger) => void = () => {}) {
  const ledger = new Ledger();
  prepare(ledger);
  const t = testOrchestrator({ nodes: [old, ledger.act, ledger.again, ledger.final, ledger.back] as readonly AnyNode[], log: quiet });
  const run = (await t.start(old as never, {} as never, { runId: "run" })) as Run;
  await t.advance("0ms");
  return { t, run, ledger };
}
const step = (name: string, more = "") => `  ${name}: { effect: act, with: ${name}${more} }\n`;
const wait = (name: string, needs: string) => `  ${name}: { wait: go, needs: [${needs}] }\n`;
const v1 = contract("1.0.0", step("a") + wait("w", "a") + step("b", ", needs: [w]"));

test("a run goes on with a definition whose tail was changed", async () => {
  const { t, run, ledger } = await started(v1);
  await run.migrate(contract("1.1.0", step("a") + wait("w", "a") + step("c", ", needs: [w]") + step("d", ", needs: [c]")) as never);
  await t.advance("1s");
  expect(await run.status()).toMatchObject({ version: "1.1.0", moved: { from: "1.0.0" }, status: "waiting" });
  expect((await t.list())[0]).toMatchObject({ version: "1.1.0" });
  await t.crash("1s");
  await run.signal("go", null);
  await t.advance("1s");
  expect(await t.run("run").status()).toMatchObject({ status: "completed", version: "1.1.0" });
  expect(ledger.lines).toEqual(["a", "c", "d"]);
});

test.each([
  ["a step that was done is gone", wait("w", "") + step("b", ", needs: [w]"), /step "a"/],
  ["a step that was done has another name", step("x") + wait("w", "x") + step("b", ", needs: [w]"), /step "a"/],
  ["a step that was done has another input", `  a: { effect: act, with: other }\n${wait("w", "a")}`, /another input|step "a"/],
  ["a step that was done calls another node", `  a: { effect: again, with: a }\n${wait("w", "a")}`, /again/],
  ["a new step stands before one that was done", `${step("n")}  a: { effect: act, with: a, needs: [n] }\n${wait("w", "a")}`, /step "a"/],
  ["a new step stands beside one that was done", step("a") + step("n", ", needs: [a]") + wait("w", "a"), /run late/],
  ["it waits for another signal", `${step("a")}  v: { wait: go, needs: [a] }\n`, /step "w"/],
  [
    "what was done is taken back otherwise",
    `  a: { effect: act, with: a, undo: { effect: final, with: a } }\n${wait("w", "a")}`,
    /taken back/,
  ],
])("%s: it stays what it is, and finishes", async (_, steps, why) => {
  const { t, run, ledger } = await started(v1);
  await run.migrate(contract("2.0.0", steps) as never);
  await t.advance("1s");
  const view = await run.status();
  expect(view).toMatchObject({ version: "1.0.0", notMoved: { version: "2.0.0", message: expect.stringMatching(why) } });
  await run.signal("go", null);
  await t.advance("1s");
  expect(await run.status()).toMatchObject({ status: "completed", version: "1.0.0" });
  expect(ledger.lines).toEqual(["a", "b"]);
});

test("a call in flight stays in flight, and its answer is the new definition's", async () => {
  const gate = new Gate();
  const { t, run, ledger } = await started(
    contract("1.0.0", step("a") + step("slow", ", needs: [a]") + step("b", ", needs: [slow]")),
    (one) => {
      one.manners.slow = gate;
    },
  );
  expect(ledger.lines).toEqual(["a", "slow"]);
  await run.migrate(contract("2.0.0", step("a") + step("slow", ", needs: [a], timeout: 1h") + step("c", ", needs: [slow]")) as never);
  await t.advance("1s");
  expect((await run.status()).version).toBe("2.0.0");
  gate.open();
  await t.advance("1s");
  expect(await run.status()).toMatchObject({ status: "completed", takeovers: 0 });
  expect(ledger.lines).toEqual(["a", "slow", "c"]);
});

test("a paused run is moved, and goes on with the new definition when it is resumed", async () => {
  const { t, run, ledger } = await started(v1);
  await run.pause();
  await run.signal("go", null);
  await t.advance("1s");
  await run.migrate(contract("2.0.0", step("a") + wait("w", "a") + step("c", ", needs: [w]")) as never);
  await t.advance("1s");
  expect(await run.status()).toMatchObject({ status: "paused", version: "2.0.0" });
  expect(ledger.lines).toEqual(["a"]);
  await run.resume();
  await t.advance("1s");
  expect(await run.status()).toMatchObject({ status: "completed" });
  expect(ledger.lines).toEqual(["a", "c"]);
});

test("a run that waits in the queue is moved when it is taken", async () => {
  const { t } = await started(v1);
  const later = await t.start(v1 as never, {} as never, { runId: "later", startAt: Date.UTC(2030, 0, 1, 2) });
  await later.migrate(contract("2.0.0", step("z")) as never);
  await t.advance("3h");
  expect(await later.status()).toMatchObject({ status: "completed", version: "2.0.0" });
});

test("asked twice, it is moved once", async () => {
  const { t, run } = await started(v1);
  const to = contract("1.1.0", step("a") + wait("w", "a"));
  await run.migrate(to as never);
  await run.migrate(to as never);
  await t.advance("1s");
  const facts = await run.facts();
  expect(facts.filter(({ type }) => type === "run.migrated" || type === "migration.refused")).toHaveLength(1);
});

test("another workflow is refused at the door", async () => {
  const { run } = await started(v1);
  const other = parseWorkflow(
    "onex: v1\nkind: workflow\nname: other\nversion: 1.0.0\ntimeout: 1d\nsteps:\n  a: { set: 1 }\n",
    "other.yaml",
  );
  await expect(run.migrate(other as never)).rejects.toMatchObject({ code: "MIGRATION_INVALID" });
});

test("a definition with nodes that the process does not hold is refused", async () => {
  const { t, run } = await started(v1);
  await run.migrate(contract("2.0.0", `${step("a") + wait("w", "a")}  n: { effect: nowhere, needs: [w] }\n`) as never);
  await t.advance("1s");
  expect((await run.status()).notMoved?.message).toMatch(/nowhere/);
});

test("a run in code goes on with a version that the process holds", async () => {
  const ledger = new Ledger();
  const go = signal({ name: "go", payload: z.null() });
  const one = workflow({ name: "coded", version: "1.0.0", input: anything }, function* () {
    yield* ledger.act("a");
    yield* go.wait();
    yield* ledger.act("b");
  });
  const two = workflow({ name: "coded", version: "2.0.0", input: anything }, function* () {
    yield* ledger.act("a");
    yield* go.wait();
    yield* ledger.act("c");
    return "two";
  });
  const three = workflow({ name: "coded", version: "3.0.0", input: anything }, function* () {
    yield* go.wait();
  });
  const t = testOrchestrator({ nodes: [one, two] as readonly AnyNode[], log: quiet });
  const run = await t.start(one, null, { runId: "run" });
  await t.advance("0ms");
  await run.migrate(three as never);
  await t.advance("1s");
  expect((await run.status()).notMoved?.message).toMatch(/does not hold coded@3/);
  await run.migrate(two as never);
  await t.crash();
  await t.advance("1s");
  await t.run("run").signal("go", null);
  await t.advance("1s");
  expect(await t.run("run").result()).toBe("two");
  expect(ledger.lines).toEqual(["a", "c"]);
});

test("a fork of a run that was moved goes on with what it was moved to", async () => {
  const { t, run, ledger } = await started(v1);
  await run.migrate(contract("2.0.0", step("a") + wait("w", "a") + step("c", ", needs: [w]")) as never);
  await t.advance("1s");
  ledger.manners.c = ["fatal", "ok"];
  await run.signal("go", null);
  await t.advance("1m");
  expect(await run.status()).toMatchObject({ status: "failed", version: "2.0.0" });
  const again = await t.retry("run", { runId: "again" });
  await t.advance("1m");
  await again.signal("go", null).catch(() => {});
  await t.advance("1m");
  expect(await again.status()).toMatchObject({ status: "completed", version: "2.0.0" });
  expect((await again.facts()).some(({ type }) => type === "run.migrated")).toBe(false);
});

test("a run that was moved is restarted under its new pin", async () => {
  const go = signal({ name: "go", payload: z.null() });
  const coded = (version: string, then: (n: number) => number) =>
    workflow({ name: "coded", version, input: z.number() }, function* (n) {
      yield* go.wait();
      const next = then(n);
      if (next < 3) return yield* restart(next);
      return version;
    });
  const one = coded("1.0.0", (n) => n + 1);
  const two = coded("2.0.0", (n) => n + 1);
  const t = testOrchestrator({ nodes: [one, two] as readonly AnyNode[], log: quiet });
  const run = await t.start(one, 1, { runId: "run" });
  await run.migrate(two as never);
  await t.advance("1s");
  await run.signal("go", null);
  await t.advance("1s");
  expect((await run.facts())[0]).toMatchObject({ type: "run.started", version: "2.0.0", round: 1 });
  expect(await run.status()).toMatchObject({ version: "2.0.0" });
  await t.crash();
  await t.run("run").signal("go", null);
  await t.advance("1s");
  expect(await t.run("run").result()).toBe("2.0.0");
});
