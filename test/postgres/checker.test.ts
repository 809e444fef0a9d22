/** Each rule of the checker: it had something to check in what is right, and sees a violation that was made by hand. */
import { describe, expect, test } from "vitest";
import type { Fact } from "../../src/core/fact.ts";
import { createOrchestrator, effect, memory, workflow } from "../../src/index.ts";
import { any } from "../faults/any.ts";
import { check, type RuleName } from "./checker.ts";
import { type Entry, type Evidence, type LoggedRun, readRuns, type Turn } from "./evidence.ts";

/** The same, and all of it can be changed. */
type Draft<T> = T extends readonly (infer Item)[] ? Draft<Item>[] : T extends object ? { -readonly [K in keyof T]: Draft<T[K]> } : T;

let at = 1_000;
function turn(turn: number, epoch: number, pos: number, facts: readonly object[], final = false): Turn {
  const dated = facts.map((fact) => ({ ...fact, at: at++ }) as Fact);
  return { turn, epoch, pos, next: pos + facts.length, at, final, facts: dated };
}
function call(phase: Entry["phase"], step: string, attempt: number, epoch: number, more: Partial<Entry> = {}): Entry {
  const done = phase === "done" && { output: `${step} done` };
  const actionId = `${step} ${attempt}`;
  return {
    phase,
    run: "a",
    step,
    attempt,
    actionId,
    key: `key of ${step}`,
    epoch,
    leaseId: `L${epoch}`,
    pid: 7,
    at,
    input: step,
    ...done,
    ...more,
  };
}
const dispatched = (step: string, attempt = 1) => ({ type: "action.dispatched", step, attempt, node: "work", input: step, notAfter: 9 });
const completed = (step: string, attempt = 1) => ({ type: "action.completed", step, attempt, output: `${step} done` });

/** A run of two steps whose owner died in the second, which another one sent again to the same host. */
function right(): Draft<Evidence> {
  const turns = [
    turn(0, 1, 0, [{ type: "run.started" }, { type: "lease.acquired", leaseId: "L1", epoch: 1 }, dispatched("s0")]),
    turn(1, 1, 3, [completed("s0"), dispatched("s1")]),
    turn(2, 2, 5, [{ type: "lease.acquired", leaseId: "L2", epoch: 2 }]),
    turn(3, 3, 6, [completed("s1"), { type: "run.completed", output: null }], true),
  ];
  const row = { runNo: 1, id: "a", status: "completed", endedAt: at } as LoggedRun["row"];
  const entries = [
    call("accepted", "s0", 1, 1),
    call("done", "s0", 1, 1),
    call("accepted", "s1", 1, 1),
    call("accepted", "s1", 1, 2),
    call("done", "s1", 1, 1),
    call("done", "s1", 1, 2),
  ];
  return structuredClone({ runs: [{ row, turns }], acknowledged: ["a"], entries }) as Draft<Evidence>;
}

type Harm = (evidence: Draft<Evidence>, turns: Draft<Turn>[], row: Draft<LoggedRun["row"]>) => void;
const harms: Readonly<Record<RuleName, readonly Harm[]>> = {
  "nothing lost": [
    (evidence) => void evidence.acknowledged.push("b"),
    (_, turns, row) => {
      turns.pop();
      row.status = "running";
      row.endedAt = undefined;
    },
  ],
  "one row for each id": [({ runs }) => void runs.push(structuredClone(runs[0] as Draft<LoggedRun>))],
  "turns have no gaps": [
    (_, turns) => void turns.splice(1, 1),
    (_, turns) => void turns.splice(1, 0, structuredClone(turns[1] as Draft<Turn>)),
  ],
  "each turn begins where the one before ended": [(_, turns) => set(turns[2], "pos", 4), (_, turns) => void turns[1]?.facts.pop()],
  "epochs rise by one where ownership changes or the run ends, and nowhere else": [
    (_, turns) => set(turns[2], "epoch", 1),
    (_, turns) => set(turns[1], "epoch", 2),
    (_, turns) => set(turns[3], "epoch", 2),
    (_, turns) => set(turns[2], "epoch", 3),
    (_, turns) => set(turns[2]?.facts[0] as { epoch: number }, "epoch", 1),
  ],
  "nothing follows the end": [
    (_, turns) => void turns.push({ ...(turns[3] as Draft<Turn>), turn: 4, pos: 8, next: 8, facts: [], final: false }),
    (_, turns) => void turns[3]?.facts.reverse(),
    (_, turns) => set(turns[3], "final", false),
    (_, _turns, row) => set(row, "endedAt", undefined),
  ],
  "the row says how the run ended": [(_, _turns, row) => set(row, "status", "failed")],
  "time does not go back": [(_, turns) => set(turns[2]?.facts[0], "at", 1)],
  "a step has one outcome, and nothing after it": [
    (_, turns) => void turns[3]?.facts.unshift({ ...completed("s1"), at } as Draft<Fact>),
    (_, turns) => void turns[3]?.facts.splice(1, 0, { ...dispatched("s0", 2), at } as Draft<Fact>),
  ],
  "every call of a step has its key and its input, and no other step has that key": [
    ({ entries }) => set(entries[3], "key", "another"),
    ({ entries }) => set(entries[3], "input", "another"),
    ({ entries }) => {
      for (const entry of entries) entry.key = "one for all";
    },
  ],
  "nothing is done that was not announced": [
    ({ entries }) => void entries.push(call("accepted", "s1", 2, 2)),
    ({ entries }) => {
      for (const entry of entries) entry.input = "another";
    },
  ],
  "a call names a lease that its run was under": [
    ({ entries }) => set(entries[3], "leaseId", "L9"),
    ({ entries }) => set(entries[3], "epoch", 3),
  ],
  "a host takes nothing of an owner before the last that it heard of": [
    ({ entries }) => void entries.push(call("accepted", "s1", 1, 1)),
    ({ entries }) => void entries.push(call("accepted", "s1", 1, 2, { leaseId: "L9" })),
  ],
  "no owner calls what was recorded before it took the run": [({ entries }) => void entries.push(call("accepted", "s0", 1, 2))],
  "what is recorded was done": [
    ({ entries }) => void entries.splice(1, 1),
    ({ entries }) => set(entries[1], "output", "another"),
    ({ entries }) => set(entries[1], "attempt", 2),
  ],
  "each step of a completed run counts once in the world": [
    ({ entries }) => set(entries[5], "key", "another"),
    ({ entries }) => void entries.push(call("done", "s2", 1, 2)),
    ({ entries }) => void entries.splice(1, 1),
  ],
};

function set<T extends object, K extends keyof T>(target: T | undefined, key: K, value: T[K]): void {
  if (target === undefined) throw new Error("there is nothing to harm");
  target[key] = value;
}

test("what is right violates no rule, and gives each something to check", () => {
  const { violations, checked } = check(right());
  expect(violations).toEqual([]);
  expect(Object.entries(checked).filter(([, count]) => count === 0)).toEqual([]);
  expect(Object.keys(checked)).toEqual(Object.keys(harms));
});

describe.each(Object.entries(harms) as [RuleName, readonly Harm[]][])("%s", (rule, cases) => {
  test.each(cases.map((harm, i) => [i + 1, harm] as const))("violation %i is seen", (_, harm) => {
    const evidence = right();
    const run = evidence.runs[0] as Draft<LoggedRun>;
    harm(evidence, run.turns, run.row);
    const told = check(evidence).violations.filter((one) => one.rule === rule);
    expect(told.length).toBeGreaterThan(0);
    for (const { run, what } of told) expect([run, what]).toEqual([expect.stringMatching(/^[ab]$/), expect.stringMatching(/^\S.*\S$/)]);
  });
});

test("calls of hosts that are processes of their own are judged apart: each knows what it heard", () => {
  const evidence = right();
  evidence.entries.push(call("accepted", "s1", 1, 1, { pid: 8 }));
  expect(check(evidence).violations).toEqual([]);
});

test("an owner that died is followed by another one in memory too: what the store holds violates nothing", async () => {
  const store = memory();
  const entries: Entry[] = [];
  let hangs = true;
  const work = effect({ name: "work", input: any, idempotent: true, irreversible: "a test" }, async (input, context) => {
    const { runId: run, idempotencyKey: key, actionId, epoch, leaseId, attempt } = context;
    const entry = { run, step: input.step, attempt, actionId, key, epoch, leaseId, at: 0, pid: 1, input };
    entries.push({ ...entry, phase: "accepted" });
    if (hangs && input.step === "s2")
      await new Promise<void>((_, reject) => context.signal.addEventListener("abort", () => reject(context.signal.reason)));
    const output = `${input.step} ${"long".repeat(2_000)}`;
    entries.push({ ...entry, phase: "done", output });
    return output;
  });
  const four = workflow({ name: "four", input: any }, function* () {
    for (const step of ["s0", "s1", "s2", "s3"]) yield* work({ step }, { step });
  });
  const owner = () => createOrchestrator({ store, nodes: [four] });
  const first = owner();
  await first.start(four, {}, { runId: "a" });
  while (entries.length < 5) await new Promise((resolve) => setImmediate(resolve));
  store.kill();
  hangs = false;
  const second = owner();
  await second.run("a").result();
  await second.close();
  await first.close({ graceMs: 0 });
  const runs = await readRuns(store.open({ now: Date.now, setTimer: () => () => {}, warn: () => {} }));
  const { violations, checked } = check({ runs, acknowledged: ["a"], entries });
  expect(violations).toEqual([]);
  expect(Object.values(checked)).not.toContain(0);
  expect(runs[0]?.turns.at(-1)?.epoch).toBe(3);
});
