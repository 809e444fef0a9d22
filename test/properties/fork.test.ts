/** Random runs that have ended are forked from each of their steps: done, or refused with a reason; nothing shared is called again. */
import fc from "fast-check";
import { expect, test } from "vitest";
import type { Fact } from "../../src/core/fact.ts";
import { type Log, OnexError, type Run } from "../../src/index.ts";
import { type TestOrchestrator, testOrchestrator } from "../../src/testing/index.ts";
import { keyOf, Outside, turn } from "./outside.ts";
import { nodes, plant, shape } from "./tree.ts";

const silent = (): void => {};
const quiet: Log = { debug: silent, info: silent, warn: silent, error: silent };
const refusals = ["FORK_IMPOSSIBLE", "FORK_STEP_OPEN", "FORK_UNDONE"];
const figures = { runs: 0, forks: 0, refused: {} as Record<string, number>, retries: 0, shared: 0 };

type T = TestOrchestrator<readonly []>;

/** Lets time pass, calls be answered, signals come, and a person settle what is in doubt, until the run has ended. */
async function ended(t: T, outside: Outside, run: Run, crashAt: number): Promise<void> {
  for (let i = 0; i < 200; i++) {
    await t.advance("0ms");
    const { status, paused } = await run.status();
    if (["completed", "failed", "cancelled"].includes(status)) return;
    if (i === crashAt) await t.crash();
    for (const { id } of await t.list({ limit: 1000 })) {
      const one = t.run(id);
      const view = await one.status();
      if (view.endedAt !== undefined) continue;
      if (view.paused?.step !== undefined) await one.resume({ step: view.paused.step, as: "retry" }).catch(known);
      else if (view.paused) throw new Error(`run ${id} is paused: ${JSON.stringify(view.paused)}`);
      if (i > 3) for (const name of ["a", "b"]) await one.signal(name, i).catch(known);
    }
    expect(paused?.code).not.toBe("HISTORY_MISMATCH");
    await t.advance("45m");
    outside.release(Number.POSITIVE_INFINITY);
    for (let turns = 0; turns < 4; turns++) await turn();
  }
  throw new Error(`run ${run.runId} does not end: ${JSON.stringify(await run.status())}`);
}
function known(error: unknown): void {
  if (!(error instanceof OnexError) || !["RUN_ENDED", "STEP_NOT_PAUSED"].includes(error.code)) throw error;
}

function stepsOf(facts: readonly Fact[]): string[] {
  const steps = new Set<string>();
  for (const fact of facts) if ("step" in fact && fact.step !== undefined && !/~undo\/|@\d+$|^~/.test(fact.step)) steps.add(fact.step);
  return [...steps];
}

/** Attempts that are settled in the past that the fork shares, under the key of whoever made them. */
function settledBefore(origin: string, facts: readonly Fact[]): Set<string> {
  const settled = new Set<string>();
  for (const fact of facts) {
    if (fact.type === "run.forked") break;
    if (fact.type === "action.completed" || fact.type === "action.failed") settled.add(`${keyOf(origin, fact.step)}/${fact.attempt}`);
  }
  return settled;
}

async function check(t: T, outside: Outside, made: Run, old: Run, crashAt: number): Promise<void> {
  await ended(t, outside, made, crashAt);
  const facts = await made.facts();
  const settled = settledBefore(old.runId, facts);
  figures.shared += settled.size;
  const again = outside.deliveries.filter(({ runId, key, attempt }) => runId === made.runId && settled.has(`${key}/${attempt}`));
  expect(again).toEqual([]);
  const forked = facts.find((fact) => fact.type === "run.forked");
  if (forked?.type !== "run.forked") throw new Error("a fork says so");
  const { step } = forked;
  const since = facts.slice(facts.indexOf(forked) + 1);
  if (step !== undefined)
    expect(
      since.some((fact) => "step" in fact && fact.step === step),
      `${step} is done anew`,
    ).toBe(true);
  if (!forked.owes) {
    // What it shares is the other run's own: it takes back nothing of that, unless that was under way there already, or failed.
    const failed = new Set((await old.facts()).flatMap((fact) => (fact.type === "undo.failed" ? [fact.step] : [])));
    const at = facts.indexOf(forked);
    const began = (from: number, to: number) =>
      new Set(facts.slice(from, to).flatMap((fact) => (fact.type === "action.dispatched" ? [fact.step] : [])));
    const [before, after] = [began(0, at), began(at, facts.length)];
    const owner = (step: string) => step.slice(0, step.indexOf("~undo/"));
    const pending = [...after].filter(
      (step) =>
        step.includes("~undo/") && before.has(owner(step)) && !after.has(owner(step)) && !before.has(step) && !failed.has(owner(step)),
    );
    expect(pending).toEqual([]);
  }
}

test("every step of a run can be forked, or is refused with a reason; a retry goes on", async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.record({
        shape,
        seed: fc.integer({ min: 1, max: 1_000_000 }),
        stop: fc.boolean(),
        cancelAt: fc.option(fc.integer({ min: 0, max: 3 }), { nil: undefined, freq: 4 }),
        crashAt: fc.integer({ min: 0, max: 6 }),
      }),
      async ({ shape: drawn, seed, stop, cancelAt, crashAt }) => {
        const outside = new Outside();
        const { whole, stopping } = nodes(outside);
        const t = testOrchestrator({ nodes: [whole, stopping] as const, seed, log: quiet });
        const tree = plant(drawn, seed, false);
        const run = await t.start(stop ? stopping : whole, tree, { runId: "r" });
        for (let i = 0; i < (cancelAt ?? 0); i++) await t.advance("20m");
        if (cancelAt !== undefined) await run.cancel("enough").catch(known);
        await ended(t as never, outside, run, crashAt);
        const facts = await run.facts();
        figures.runs++;
        let n = 0;
        for (const step of stepsOf(facts)) {
          n++;
          const made = await t.fork("r", { from: step, runId: `f${n}` }).catch((error: unknown) => {
            if (!(error instanceof OnexError) || !refusals.includes(error.code)) throw error;
            expect(error.message).not.toContain("the workflow was changed");
            figures.refused[error.code] = (figures.refused[error.code] ?? 0) + 1;
          });
          if (!made) continue;
          figures.forks++;
          await check(t as never, outside, made, run, n % 3 === 0 ? n % 5 : -1);
        }
        const last = facts.at(-1);
        if (last?.type !== "run.completed") {
          const again = await t.retry("r", { runId: "again" }).catch((error: unknown) => {
            if (!(error instanceof OnexError) || !refusals.includes(error.code)) throw error;
            figures.refused[`retry ${error.code}`] = (figures.refused[`retry ${error.code}`] ?? 0) + 1;
          });
          if (again) {
            figures.retries++;
            await check(t as never, outside, again, run, -1);
          }
        }
        expect(await run.facts()).toEqual(facts);
        await t.close({ graceMs: 0 });
      },
    ),
    { numRuns: 60 },
  );
  if (process.env.PROPERTY_RUNS) console.log(figures);
});
