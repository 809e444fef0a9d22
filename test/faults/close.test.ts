/** What closing does to calls in flight: who answers in time is recorded, the rest is in doubt, and the runs live on. */
import { join } from "node:path";
import { expect, test } from "vitest";
import { linesOf, newFolder, Program } from "./processes.ts";
import { factsOf, snapshot } from "./snapshot.ts";

interface Line {
  readonly pid: number;
  readonly how?: string;
  readonly key?: string;
  readonly aborted?: string;
}

test("close waits for answers within the grace, leaves the rest in doubt, and another process finishes the runs", async () => {
  const folder = newFolder();
  const given = { file: join(folder, "test.db"), effects: join(folder, "effects") };
  const closing = new Program("closing", { ...given, graceMs: 1_000 });
  expect((await closing.says("started")).started).toBe("ORCHESTRATOR_CLOSED");
  expect(await closing.says("results")).toEqual({ results: Array(3).fill("ORCHESTRATOR_CLOSED"), stopped: "none" });
  await closing.end();

  const taken = await snapshot(given.file);
  // Nothing new was begun: the second step of the run whose first was answered waits for the next process.
  expect(factsOf(taken, "action.completed").map(({ run, fact }) => [run, fact.step])).toEqual([["prompt", "first"]]);
  expect(factsOf(taken, "action.dispatched").map(({ fact }) => fact.step)).toEqual(["first", "first", "first"]);
  expect(factsOf(taken, "action.failed")).toEqual([]);
  expect(taken.rows.map(({ owned, wakeAt, endedAt }) => [owned, wakeAt, endedAt])).toEqual(Array(3).fill([false, 0, undefined]));
  expect(
    linesOf<Line>(given.effects)
      .flatMap(({ aborted }) => aborted ?? [])
      .sort(),
  ).toEqual(["deaf", "obedient"]);

  const next = new Program("closing", given);
  expect((await next.says("results")).results).toEqual(["prompt", "obedient", "deaf"].map((how) => [how, "next"]));
  await next.end();
  const calls = linesOf<Line>(given.effects).filter(({ how }) => how !== undefined);
  const by = (how: string) => calls.filter((call) => call.how === how).map(({ pid }) => (pid === closing.pid ? "closed" : "next"));
  expect(by("prompt"), "what was recorded is not run again").toEqual(["closed"]);
  for (const how of ["obedient", "deaf"]) {
    expect(by(how), "what was in doubt is sent again").toEqual(["closed", "next"]);
    expect(new Set(calls.filter((call) => call.how === how).map(({ key }) => key)).size, "with the same key").toBe(1);
  }
});

test("without grace the runs live on all the same", async () => {
  const folder = newFolder();
  const given = { file: join(folder, "test.db"), effects: join(folder, "effects") };
  const closing = new Program("closing", { ...given, graceMs: 0 });
  await closing.says("results");
  await closing.end();
  expect((await snapshot(given.file)).rows.filter((row) => row.owned || row.endedAt !== undefined)).toEqual([]);
  const next = new Program("closing", given);
  expect((await next.says("results")).results).toEqual(["prompt", "obedient", "deaf"].map((how) => [how, "next"]));
  await next.end();
});
