/**
 * The process dies before and after every commit of a run, one at a time; another process opens the file and goes on. What
 * comes out, and what was done to the world, is what comes out undisturbed.
 */
import { existsSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { sqlite } from "../../src/store/sqlite/sqlite.ts";
import type { OpenStore } from "../../src/store/store.ts";
import { inTime } from "./deadline.ts";
import { linesOf, newFolder, Program } from "./processes.ts";
import { factsOf, type Snapshot, snapshot } from "./snapshot.ts";

interface Booking {
  readonly pid: number;
  readonly op: "book" | "unbook";
  readonly key: string;
  /** Key of the booking that is taken back. */
  readonly of?: string;
  readonly account: string;
  readonly amount: number;
}
interface View {
  readonly run: { readonly runId: string; readonly status: string; readonly notUndone: readonly string[] };
  readonly steps: readonly { readonly step: string; readonly status: string; readonly error?: string }[];
}
interface Crash {
  readonly n: number;
  readonly when: "before" | "after";
}

/** What a run comes to undisturbed: what was booked and not taken back, and how it ended. */
const undisturbedly = {
  canonical: {
    net: { bank: 30, quick: 1, stuck: 0, a: 2, b: 2, c: 2, post: 7, gift: 0, wrap: 0 },
    status: "completed",
    notUndone: [],
    levels: { a: -2, b: -2, c: -2, gift: 0, paper: 0 },
  },
  doomed: { net: { left: 0, right: 0, wrap: 0 }, status: "failed", notUndone: [], levels: { a: 0, b: 0, c: 0, gift: 0, paper: 0 } },
  circling: {
    net: { "round-1": 1, "round-2": 2, "round-3": 3 },
    status: "completed",
    notUndone: [],
    levels: { a: 0, b: 0, c: 0, gift: 0, paper: 0 },
  },
} as const;
const names = ["canonical", "doomed", "circling"] as const;

describe.each(names)("a run of %s that is stopped before and after each of its commits", (name) => {
  test("ends with the same status, output, steps and books", { timeout: 600_000 }, async () => {
    const folder = newFolder();
    const undisturbed = new Program("canonical", { name, plays: [{ file: join(folder, "whole.db"), effects: join(folder, "whole.log") }] });
    const told = await undisturbed.says("commits");
    await undisturbed.end();
    const commits = told.commits as string[];
    const { done: doneOnce, ...net } = books(join(folder, "whole.log"));
    const expected = { ...outcome(told), books: net };
    expect(doneOnce, "nothing is done twice undisturbed").toBe(net.keys);
    expect({ net: net.net, ...main(told, name) }).toEqual(undisturbedly[name]);

    // The commits around a run are the same for all three.
    const hit = commits.flatMap((verb, n) => (name === "canonical" || verb === "append" ? [n] : []));
    const crashes = hit.flatMap((n): Crash[] => [
      { n, when: "before" },
      { n, when: "after" },
    ]);
    let twice = 0;
    let spared = 0;
    /** The process that ends what a crash left, which is also the one that dies next, or `plays` nothing more. */
    const resumed = async ({ n, when }: Crash, plays: readonly object[]): Promise<Program> => {
      const { file, effects } = filesOf({ n, when });
      const where = `${when} ${commits[n]} (${n} of ${commits.length})`;
      // Making the file is the first commit, and it is there or not.
      expect(existsSync(file)).toBe(n > 0 || when === "after");
      const dead = existsSync(file) ? await snapshot(file) : undefined;
      const recorded = dead ? callsOf(dead, "action.completed") : new Set<string>();
      // Nothing was done that was not announced in a turn.
      const announced = dead ? callsOf(dead, "action.dispatched") : new Set<string>();
      for (const { op, account } of existsSync(effects) ? linesOf<Booking>(effects) : [])
        expect(announced, where).toContain(`${op} ${account}`);
      const next = new Program("canonical", { name, plays: [{ file, effects }, ...plays] });
      const answer = await inTime(next.says("commits"), file, `${name}, after it died ${where}`);
      const { done, ...again } = books(effects);
      expect({ ...outcome(answer), books: again }, where).toEqual(expected);
      for (const { pid, op, account } of linesOf<Booking>(effects)) {
        if (!recorded.has(`${op} ${account}`)) continue;
        spared++;
        expect(pid, `${where}: ran again though recorded`).not.toBe(next.pid);
      }
      if (done > doneOnce) twice++;
      return next;
    };
    const filesOf = ({ n, when }: Crash) => ({ file: join(folder, `${n}-${when}.db`), effects: join(folder, `${n}-${when}.log`) });
    // Two at a time, for two cores.
    const left = crashes.values();
    await Promise.all(
      [0, 1].map(async () => {
        let before: Crash | undefined;
        for (const crash of left) {
          const plays = [{ ...filesOf(crash), ...crash }];
          const program = before ? await resumed(before, plays) : new Program("canonical", { name, plays });
          const where = `${crash.when} ${commits[crash.n]} (${crash.n} of ${commits.length})`;
          await inTime(program.end("SIGKILL"), filesOf(crash).file, `${name}, to die ${where}`);
          before = crash;
        }
        if (before) await (await resumed(before, [])).end();
      }),
    );
    expect(spared, "steps were recorded before the crash").toBeGreaterThan(0);
    expect(twice, "in some an effect ran twice").toBeGreaterThan(0);
    console.log(`${name}: ${commits.length} commits (${commits.join(" ")}), ${crashes.length} crashes, in ${twice} an effect ran twice`);
  });
});

/**
 * What a person sees of the runs, in an order that does not depend on which came first. A step that was given up has no
 * result: whether its call could still say so before the crash makes no difference.
 */
function outcome(told: Readonly<Record<string, unknown>>) {
  const results = (steps: View["steps"]) =>
    steps.map((step) => (step.error === "CANCELLED" || step.status === "aborted" ? { step: step.step, status: "aborted" } : step));
  const views = (told.views as View[])
    .map((view) => ({ ...view, steps: results(view.steps).toSorted((a, b) => (a.step < b.step ? -1 : 1)) }))
    .toSorted((a, b) => (a.run.runId < b.run.runId ? -1 : 1));
  return { views, levels: told.levels };
}

/** How the run itself ended, and the levels it left. */
function main(told: Readonly<Record<string, unknown>>, name: string) {
  const run = (told.views as View[]).find((view) => view.run.runId === name)?.run;
  const levels = (told.levels as [string, { onHand: number }][]).map(([sku, { onHand }]) => [sku, onHand]);
  return { status: run?.status, notUndone: run?.notUndone, levels: Object.fromEntries(levels) };
}

/** What was done to the world by services that count a key once. */
function books(path: string) {
  const lines = linesOf<Booking>(path);
  const booked = new Map<string, Booking>();
  const undone = new Map<string, Booking>();
  for (const line of lines) (line.op === "book" ? booked : undone).set(line.of ?? line.key, line);
  const net: Record<string, number> = {};
  for (const { account } of undone.values()) net[account] = 0;
  for (const [key, { account, amount }] of booked) net[account] = (net[account] ?? 0) + (undone.has(key) ? 0 : amount);
  return { net, undone: [...undone.keys()].sort(), keys: booked.size + undone.size, done: lines.length };
}

/** Which calls facts of a type are about; no two have the same node and account. */
function callsOf(taken: Snapshot, type: "action.dispatched" | "action.completed"): Set<string> {
  const names = new Map(
    factsOf(taken, "action.dispatched").map(({ run, fact }) => [
      `${run} ${fact.step}`,
      `${fact.node} ${(fact.input as { account?: string }).account}`,
    ]),
  );
  return new Set(factsOf(taken, type).map(({ run, fact }) => names.get(`${run} ${fact.step}`) ?? ""));
}

describe("a client that is stopped before and after its commit", () => {
  const cases = [
    { does: "start", verb: "start", n: 2 },
    { does: "signal", verb: "post", n: 2 },
  ] as const;
  test.each(
    cases.flatMap(
      (one) =>
        [
          { ...one, when: "before" },
          { ...one, when: "after" },
        ] as const,
    ),
  )("$verb, $when", async ({ does, n, when }) => {
    const folder = newFolder();
    const given = { file: join(folder, "test.db"), effects: join(folder, "effects") };
    const owner = own(given.file);
    if (does === "signal") {
      const starts = new Program("client", { ...given, does: ["start"] });
      await starts.end();
    }
    const client = new Program("client", { ...given, does: [does], n, when });
    await client.end("SIGKILL");
    expect(client.lines).toEqual([{ role: "client" }]);
    const { rows } = await snapshot(given.file);
    if (does === "start") expect(rows.map(({ id }) => id)).toEqual(when === "before" ? [] : ["r"]);
    else expect(rows.map(({ mailPut }) => mailPut)).toEqual([when === "before" ? 0 : 1]);
    // Whoever was not answered asks again, and it counts once.
    await new Program("client", { ...given, does: ["start", "signal"] }).end();
    await owner.close();
    const last = new Program("client", { ...given, does: ["result"] });
    expect((await last.says("result")).result).toEqual(["hello", "hello!"]);
    await last.end();
    expect(linesOf(given.effects).length).toBe(2);
  });

  test.each(["before", "after"] as const)("block, %s", async (when) => {
    const folder = newFolder();
    const given = { file: join(folder, "test.db"), effects: join(folder, "effects") };
    const owner = own(given.file);
    await new Program("client", { ...given, does: ["start", "signal"] }).end();
    await owner.close();
    // open, acquire, unblock, block: an owner that does not hold the workflow.
    await new Program("client", { ...given, holds: false, does: ["idle"], n: 3, when }).end("SIGKILL");
    expect((await snapshot(given.file)).rows[0]?.blocked).toBe(when === "before" ? undefined : "VERSION_MISSING");
    const last = new Program("client", { ...given, does: ["result"] });
    expect((await last.says("result")).result).toEqual(["hello", "hello!"]);
    await last.end();
  });
});

/** Owns the file and does nothing. */
function own(file: string): OpenStore {
  const store = sqlite(file).open({ now: Date.now, setTimer: () => () => {}, warn: () => {} });
  store.acquire("the test");
  return store;
}
