/** The process is killed while it moves runs to another definition, and started again: each is moved or refused, none is lost or done twice. */
import { join } from "node:path";
import { expect, test } from "vitest";
import { linesOf, newFolder, Program } from "./processes.ts";
import { factsOf, snapshot } from "./snapshot.ts";

const runs = 50;
/** Runs that have done a step which the new definition does not know. */
const ahead = 10;

interface Entry {
  readonly run: string;
  readonly id: string;
  readonly key: string;
}

test(`killed while it moves ${runs} runs, each is moved whole or not at all, and all end`, async () => {
  const folder = newFolder();
  const given = { folder, runs, ahead };
  const target = ahead + 5 + Math.floor(Math.random() * 25);
  const first = new Program("migrating", { ...given, leash: target + 5 });
  await first.says(({ asked }) => asked === target);
  first.kill("SIGKILL");
  await first.end("SIGKILL");
  const between = await snapshot(join(folder, "test.db"));
  const moved = factsOf(between, "run.migrated").length;
  expect(moved, "the kill came between").toBeGreaterThan(0);
  expect(moved).toBeLessThan(runs - ahead);

  const second = new Program("migrating", given);
  const { ended } = await second.says("ended");
  await second.end();
  const versions = new Map((ended as { runId: string; version: string }[]).map(({ runId, version }) => [runId, version]));
  expect([...versions.values()].filter((version) => version === "2.0.0")).toHaveLength(runs - ahead);

  const after = await snapshot(join(folder, "test.db"));
  const moves = factsOf(after, "run.migrated").map(({ run }) => run);
  expect(new Set(moves).size, "moved once").toBe(moves.length);
  expect(after.rows.map(({ status }) => status)).toEqual(new Array(runs).fill("completed"));
  const entries = linesOf<Entry>(join(folder, "effects"));
  for (let i = 0; i < runs; i++) {
    const own = entries.filter(({ run }) => run === `run-${i}`);
    expect([...new Set(own.map(({ id }) => id))], `run-${i}`).toEqual(["a", i < ahead ? "b" : "renamed", "c"]);
    expect(new Set(own.map(({ key }) => key)).size, `run-${i}`).toBe(3);
  }
});
