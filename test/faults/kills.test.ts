/**
 * `kill -9` at random moments, twenty times over, while runs of ten steps are under way. Read afterwards: the facts, and a
 * log that the effects wrote outside the store.
 */
import { join } from "node:path";
import { expect, test } from "vitest";
import { linesOf, newFolder, Program } from "./processes.ts";
import { factsOf, type Snapshot, snapshot } from "./snapshot.ts";

const runs = 320;
const kills = 20;
/** Runs that are started and not ended at one time. */
const atOnce = 24;
const steps = 10;

interface Call {
  readonly pid: number;
  readonly run: string;
  readonly step: number;
  readonly key: string;
  readonly input: { readonly step: number; readonly after: number };
  readonly nonce: number;
}
type Entry = Call | { readonly acknowledged: string };

test(`${runs} runs of ${steps} steps, killed ${kills} times: nothing is lost and nothing recorded runs again`, async () => {
  const folder = newFolder();
  const file = join(folder, "test.db");
  const effects = join(folder, "effects");
  const program = (leash: number) => new Program("steps", { file, effects, runs, atOnce, leash });

  // What stood in the log at each kill, and which steps were recorded by then.
  const rounds: { readonly entries: number; readonly recorded: ReadonlyMap<string, number> }[] = [];
  for (let kill = 0; kill < kills; kill++) {
    const before = rounds.at(-1)?.recorded.size ?? 0;
    // More calls than runs are under way at once, so that some were answered; few enough that work is left for the rest.
    const least = 2 * atOnce + 10;
    const share = Math.floor((runs * steps - before) / (kills - kill + 1)) - 30;
    const target = least + Math.floor(Math.random() * Math.min(50, share - least));
    const owner = program(target + 30);
    await owner.says(({ called }) => called === target);
    await new Promise((resolve) => setTimeout(resolve, Math.random() * 5));
    owner.kill("SIGKILL");
    await owner.end("SIGKILL");

    const taken = await snapshot(file);
    const recorded = completed(taken);
    rounds.push({ entries: linesOf(effects).length, recorded });
    expect(recorded.size, "each kill comes after a recorded step").toBeGreaterThan(before);
    expect(taken.rows.filter((row) => row.endedAt === undefined).length, "and leaves runs unfinished").toBeGreaterThan(0);
    expect(recorded.size, "and comes before the last step").toBeLessThan(runs * steps);
    const known = new Set(taken.rows.map((row) => row.id));
    const announced = new Set(factsOf(taken, "action.dispatched").map(({ run, fact }) => stepOf(run, fact.step)));
    for (const entry of linesOf<Entry>(effects))
      if ("acknowledged" in entry) expect(known, "what was acknowledged is there").toContain(entry.acknowledged);
      else expect(announced, "nothing was done that was not announced").toContain(`${entry.run} ${entry.step}`);
  }

  const last = program(Number.MAX_SAFE_INTEGER);
  const { counted } = await last.says("counted");
  await last.end();
  const taken = await snapshot(file);
  const entries = linesOf<Entry>(effects);

  // 0 lost: every run is completed, with the output of its own last step; the reducer applied each event once.
  expect(taken.rows.length).toBe(runs);
  expect(taken.rows.filter((row) => row.status !== "completed")).toEqual([]);
  const recorded = completed(taken);
  expect(recorded.size).toBe(runs * steps);
  for (const { run, fact } of factsOf(taken, "run.completed")) expect(fact.output).toBe(recorded.get(`${run} 9`));
  expect(counted).toBe(runs);

  const calls = new Map<string, Call[]>();
  for (const [at, entry] of entries.entries()) {
    if ("acknowledged" in entry) continue;
    const step = `${entry.run} ${entry.step}`;
    // No recorded step is run again: neither by a later process, nor twice by one.
    const round = rounds.findLast((one) => one.entries <= at);
    expect(round?.recorded.has(step) ?? false, `${step} ran after it was recorded`).toBe(false);
    const earlier = calls.get(step) ?? [];
    expect(earlier.some(({ pid }) => pid === entry.pid)).toBe(false);
    calls.set(step, [...earlier, entry]);
  }
  expect(calls.size).toBe(runs * steps);

  const dispatched = new Map(factsOf(taken, "action.dispatched").map(({ run, fact }) => [stepOf(run, fact.step), fact]));
  const keys = new Set<string>();
  let twice = 0;
  for (const [step, [first, ...again]] of calls) {
    if (!first) continue;
    if (again.length > 0) twice++;
    keys.add(first.key);
    for (const call of again) expect([call.key, call.input]).toEqual([first.key, first.input]);
    expect(first.input).toEqual(dispatched.get(step)?.input);
    expect([first, ...again].map(({ nonce }) => nonce)).toContain(recorded.get(step));
    expect(first.input.after).toBe(before(recorded, first));
  }
  expect(keys.size, "every step has a key of its own").toBe(runs * steps);
  expect(twice, "effects ran twice in some").toBeGreaterThan(0);
  console.log(
    `kills: ${kills}, runs: ${runs}, steps: ${runs * steps}, calls: ${[...calls.values()].flat().length}, steps that ran more than once: ${twice}`,
  );
});

/** "left/s4" of a run as its effect logs it. */
function stepOf(run: string, path: string): string {
  return `${run} ${path.slice(path.lastIndexOf("s") + 1)}`;
}

/** The recorded output of each step. */
function completed(taken: Snapshot): Map<string, number> {
  return new Map(
    factsOf(taken, "action.completed").map(({ run, fact }) => [stepOf(run, fact.step), (fact.output as { nonce: number }).nonce]),
  );
}

/** The number that a step must have been handed, by what is recorded of the steps before it. */
function before(recorded: ReadonlyMap<string, number>, { run, step }: Call): number {
  const of = (n: number): number => recorded.get(`${run} ${n}`) ?? Number.NaN;
  if (step === 0) return 0;
  if (step === 5) return of(3);
  if (step === 6) return of(4) + of(5);
  return of(step - 1);
}
