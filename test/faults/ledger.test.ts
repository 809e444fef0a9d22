/**
 * A hundred random workflows, each played once for every act in it, which then fails; the process is killed while it takes
 * things back. Read afterwards: a log that the effects wrote outside the store. It must balance: what a failed scope did is
 * undone, what a scope that succeeded did is not.
 */
import { join } from "node:path";
import { expect, test } from "vitest";
import { linesOf, newFolder, Program } from "./processes.ts";
import { foretell, plant } from "./programs/trees.mjs";
import { factsOf, snapshot } from "./snapshot.ts";

const trees = 100;
const kills = 10;

interface Entry {
  readonly op: "do" | "undo";
  readonly key: string;
  readonly run: string;
  readonly id: number;
}

test(`${trees} random workflows fail at each of their steps, with ${kills} kills while they compensate: the ledger balances`, async () => {
  const folder = newFolder();
  const file = join(folder, "test.db");
  const effects = join(folder, "effects");
  const given = { file, effects, trees, atOnce: 24 };
  let during = 0;
  for (let kill = 0; kill < kills; kill++) {
    const target = 20 + Math.floor(Math.random() * 30);
    const owner = new Program("ledger", { ...given, leash: target + 10 });
    await owner.says(({ undone }) => undone === target);
    owner.kill("SIGKILL");
    await owner.end("SIGKILL");
    if ((await snapshot(file)).rows.some(({ status }) => status === "compensating")) during++;
  }
  expect(during, "kills hit runs that were compensating").toBeGreaterThan(kills / 2);
  const last = new Program("ledger", given);
  const { ended } = await last.says("ended");
  await last.end();

  const log = new Map<string, Entry[]>();
  for (const entry of linesOf<Entry>(effects)) log.set(entry.run, [...(log.get(entry.run) ?? []), entry]);
  const taken = await snapshot(file);
  const rows = new Map(taken.rows.map((row) => [row.id, row]));
  for (const { run, fact } of [...factsOf(taken, "run.failed"), ...factsOf(taken, "run.cancelled")])
    expect(fact.notUndone, run).toEqual([]);

  let played = 0;
  let undone = 0;
  for (let seed = 0; seed < trees; seed++) {
    const { tree, acts } = plant(seed);
    for (let failing = 0; failing < acts; failing++) {
      const run = `${seed}-${failing}`;
      const { failed, kept } = foretell(tree, failing);
      expect(rows.get(run)?.status, run).toBe(failed ? "failed" : "completed");
      const entries = log.get(run) ?? [];
      const back = new Set(entries.filter(({ op }) => op === "undo").map(({ key }) => key));
      const done = new Map(entries.filter(({ op }) => op === "do").map(({ key, id }) => [key, id]));
      const standing = [...done].filter(([key]) => !back.has(key)).map(([, id]) => id);
      expect(standing.toSorted(ascending), `${run}: what was done and not undone`).toEqual([...kept].toSorted(ascending));
      // Nothing is done again after it was taken back.
      for (const key of back)
        expect(
          entries.findLastIndex((entry) => entry.op === "do" && entry.key === key),
          `${run}: done after it was undone`,
        ).toBeLessThan(entries.findIndex((entry) => entry.op === "undo" && entry.key === key));
      played++;
      undone += back.size;
    }
  }
  expect(ended).toBe(played);
  console.log(
    `ledger: ${played} runs of ${trees} workflows, ${undone} acts undone, ${kills} kills, ${during} of them while a run compensated`,
  );
});

function ascending(a: number, b: number): number {
  return a - b;
}
