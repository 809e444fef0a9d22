/** The process dies before and after each thing that it writes while a schedule ticks; each tick is one run all the same. */
import { expect, test } from "vitest";
import { sleep, workflow } from "../../src/index.ts";
import { type Death, Mortal } from "./crashing.ts";
import { anything } from "./kit.ts";

const start = Date.UTC(2030, 0, 1);
const minute = 60_000;

interface Played {
  readonly written: readonly string[];
  readonly died: boolean;
  readonly runs: readonly string[];
  readonly schedule: object;
  /** From when to when each run was under way, in order. */
  readonly times: readonly (readonly [from: number, to: number])[];
}
type Overlap = "skip" | "queue" | "allow" | "cancel";

async function play(overlap: Overlap, death?: Death, catchUp: "one" | "all" = "all"): Promise<Played> {
  const flow = workflow({ name: "flow", input: anything }, function* () {
    yield* sleep("25m");
  });
  const mortal = new Mortal([flow], start, death);
  await mortal.advance(0);
  await mortal.ask(() => mortal.now.schedules.put({ id: "s", workflow: flow, cron: "*/10 * * * *", overlap, catchUp }));
  await mortal.advance(42 * minute);
  await mortal.ask(() => mortal.now.schedules.pause("s"));
  await mortal.advance(120 * minute);
  const rows = await mortal.now.list();
  const { last, started, skipped, waiting } = (await mortal.now.schedules.get("s")) ?? {};
  const runs = rows.map(({ id, status }) => `${id} ${status}`).sort();
  const times: [number, number][] = [];
  for (const { id } of rows) {
    const facts = await mortal.now.run(id).facts();
    const taken = facts.find(({ type }) => type === "lease.acquired");
    if (taken) times.push([taken.at, facts.at(-1)?.at ?? 0]);
  }
  times.sort((a, b) => a[0] - b[0] || a[1] - b[1]);
  mortal.now.engine.die();
  return { written: [...mortal.written], died: mortal.died, runs, schedule: { last, started, skipped, waiting }, times };
}

test.each(["skip", "queue", "allow", "cancel"] as const)("overlap %s", async (overlap) => {
  const whole = await play(overlap);
  expect(whole.runs.length).toBe({ skip: 2, queue: 2, allow: 4, cancel: 4 }[overlap]);
  // Opening the store is for others to test.
  const first = whole.written.indexOf("save");
  let deaths = 0;
  for (let n = first; n < whole.written.length; n++)
    for (const when of ["before", "after"] as const) {
      const { written: _, times: __, died, ...played } = await play(overlap, { n, when });
      if (died) deaths++;
      expect(played, `${when} ${whole.written[n]} (${n} of ${whole.written.length}: ${whole.written.join(" ")})`).toEqual({
        runs: whole.runs,
        schedule: whole.schedule,
      });
    }
  expect(deaths).toBe(2 * (whole.written.length - first));
});

test.each(["skip", "queue", "cancel"] as const)("overlap %s, and nobody there for a while: no two runs at once", async (overlap) => {
  const whole = await play(overlap, undefined, "one");
  for (let n = whole.written.indexOf("save"); n < whole.written.length; n++)
    for (const when of ["before", "after"] as const) {
      const { times } = await play(overlap, { n, when, downMs: 12 * minute }, "one");
      const where = `${when} ${whole.written[n]} (${n})`;
      expect(times.length, where).toBeGreaterThan(0);
      for (let i = 1; i < times.length; i++) expect(times[i]?.[0], where).toBeGreaterThanOrEqual(times[i - 1]?.[1] ?? 0);
    }
});
