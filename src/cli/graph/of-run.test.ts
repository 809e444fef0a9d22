/** Runs in every status, drawn with how far each step is. Played in virtual time, so each picture is the same every time. */
import { afterEach, expect, test } from "vitest";
import { z } from "zod";
import { all, each, effect, Fatal, type Plan, planWorkflow, race, type Steps, signal, sleep, workflow } from "../../index.ts";
import type { AnyNode } from "../../node/contract.ts";
import { testOrchestrator } from "../../testing/index.ts";
import { styleOf } from "../output.ts";
import { draw } from "./formats.ts";
import { pictureOfRun } from "./of-run.ts";

const any = z.any();
const silent = (): void => {};
const log = { debug: silent, info: silent, warn: silent, error: silent };
const taken: string[] = [];
const back = effect({ name: "back", input: any, idempotent: true, irreversible: "is an undo" }, async ({ id, stuck }) => {
  if (stuck) throw new Error("not now");
  taken.push(id);
  return null;
});
/** Refuses `{ no: true }`, answers nothing to `{ hang: true }`. */
const act = effect({ name: "act", input: any, idempotent: true, undo: ({ input }) => back(input) }, async (input) => {
  if (input.no) throw new Fatal("REFUSED");
  if (input.hang) await new Promise(silent);
  return input.id ?? null;
});
const once = effect({ name: "once", input: any, irreversible: "a letter" }, async ({ hang }) => {
  if (hang) await new Promise(silent);
  return null;
});
const flaky = effect(
  { name: "flaky", input: any, readonly: true, retry: { maxAttempts: 5, delay: "1m", backoff: "fixed", jitter: "none" } },
  async () => {
    throw new Error("not now");
  },
);
const child = workflow({ name: "child", input: any }, function* () {
  yield* sleep("2m");
  return "done";
});

type Steps_ = Plan["steps"];
const plan = (steps: Steps_, rest: Partial<Plan> = {}) =>
  planWorkflow({ onex: "v1", kind: "workflow", name: "flow", version: "1.0.0", timeout: "7d", signals: { go: true }, steps, ...rest });

let t: ReturnType<typeof testOrchestrator<readonly AnyNode[]>>;
const definitions = new Map<string, string>();
afterEach(() => {
  taken.length = 0;
});

/** Starts a run of it as r1 and lets a moment pass. */
async function started(flow: AnyNode, input: object = {}, others: readonly AnyNode[] = []) {
  t = testOrchestrator({ nodes: [flow, act, back, once, flaky, child, ...others], log });
  for (const { contract } of [flow, ...others]) {
    const { plan: source } = contract as { readonly plan?: { readonly hash: string; readonly definition: string } };
    if (source) definitions.set(source.hash, source.definition);
  }
  await t.start(flow as never, input as never, { runId: "r1" });
  await t.advance("1s");
  return t;
}

async function text(runId = "r1", width = Number.POSITIVE_INFINITY): Promise<string> {
  const run = t.run(runId);
  const picture = await pictureOfRun(await run.status(), await run.facts(), async (hash) => definitions.get(hash));
  return draw(picture, "text", { style: styleOf({}, {}), width });
}

test("a run that waits for a signal, and then sleeps", async () => {
  await started(
    plan({
      first: { effect: "act", with: { id: "a" } },
      answer: { wait: "go", needs: ["first"] },
      rest: { sleep: "1h", needs: ["answer"] },
      late: { effect: "act", needs: ["rest"] },
    }),
  );
  expect(await text()).toMatchInlineSnapshot(`
    "flow 1.0.0  run r1: waiting
      1  ✔ first   effect act  completed
      2  ◷ answer  wait go  waiting · ◂ first
      3  ○ rest    sleep  not begun · ◂ answer · 1h
      4  ○ late    effect act  not begun · ◂ rest
    "
  `);
  await t.run("r1").signal("go", null);
  await t.advance("1s");
  expect(await text()).toMatchInlineSnapshot(`
    "flow 1.0.0  run r1: waiting
      1  ✔ first   effect act  completed
      2  ✔ answer  wait go  completed 1.0 s · ◂ first
      3  ◷ rest    sleep  waiting until 2030-01-01 01:00:01Z · ◂ answer · 1h
      4  ○ late    effect act  not begun · ◂ rest
    "
  `);
  await t.advance("2h");
  expect(await text()).toMatchInlineSnapshot(`
    "flow 1.0.0  run r1: completed after 1 h 0 m
      1  ✔ first   effect act  completed
      2  ✔ answer  wait go  completed 1.0 s · ◂ first
      3  ✔ rest    sleep  completed 1 h 0 m · ◂ answer · 1h
      4  ✔ late    effect act  completed · ◂ rest
    "
  `);
});

test("a failed run says what was taken back, what stays and what was never begun", async () => {
  await started(
    plan({
      a: { effect: "act", with: { id: "a" } },
      letter: { effect: "once", needs: ["a"] },
      g: { needs: ["letter"], steps: { b: { effect: "act", with: { id: "b" } }, c: { effect: "act", with: { no: true }, needs: ["b"] } } },
      later: { effect: "act", needs: ["g"] },
    }),
  );
  expect(taken).toEqual(["b", "a"]);
  expect(await text()).toMatchInlineSnapshot(`
    "flow 1.0.0  run r1: failed with REFUSED at g/c after 0 ms
      1    ↶ a       effect act  undone
      2    ✔ letter  effect once  completed · ◂ a
      3    ✖ g       group  failed · ◂ letter
      3.1   ├─ ↶ b   effect act  undone
      3.2   └─ ✖ c   effect act  failed REFUSED · ◂ b
      4    ○ later   effect act  not begun · ◂ g
    "
  `);
});

test("a run that was cancelled takes back what it did", async () => {
  await started(
    plan({
      a: { effect: "act", with: { id: "a" } },
      b: { effect: "act", with: { stuck: true }, needs: ["a"] },
      held: { effect: "act", with: { hang: true }, needs: ["b"], timeout: "1m", retry: false },
      later: { set: 1, needs: ["held"] },
    }),
  );
  await t.run("r1").cancel("enough");
  await t.advance("1s");
  expect((await text()).split("\n")[0]).toBe("flow 1.0.0  run r1: running, asked to cancel");
  await t.advance("2m");
  expect(await text()).toMatchInlineSnapshot(`
    "flow 1.0.0  run r1: compensating, asked to cancel
      1  ✔ a      effect act  completed
      2  ✔ b      effect act  completed being taken back · ◂ a
      3  ↶ held   effect act  undone 6.0 s, CANCELLED · ◂ b · timeout 1m
      4  ○ later  set  not begun · ◂ held
    "
  `);
});

test("a step that is tried again, and one that is in doubt", async () => {
  await started(plan({ a: { effect: "flaky" }, b: { effect: "once", with: { hang: true }, timeout: "1d" } }));
  expect(await text()).toMatchInlineSnapshot(`
    "flow 1.0.0  run r1: running
      1  ↻ a  effect flaky  retrying until 2030-01-01 00:01:00Z, EFFECT_THREW
         ▶ b  effect once  running · timeout 1d
    "
  `);
  await t.crash();
  await t.advance("1s");
  expect(await text()).toMatchInlineSnapshot(`
    "flow 1.0.0  run r1: paused with IN_DOUBT at b
      1  ↻ a  effect flaky  retrying until 2030-01-01 00:01:00Z, EFFECT_THREW
         ‖ b  effect once  paused · timeout 1d
    "
  `);
});

test("a child, items, turns and a race", async () => {
  await started(
    plan({
      sub: { workflow: "child" },
      items: {
        each: "[1, 2, 3]",
        concurrency: 1,
        do: { effect: "act", with: { hang: "${ item == 3 }", no: "${ item == 2 }" }, onError: "continue" },
      },
      poll: { repeat: { effect: "act", with: { id: "${ index }" } }, until: "last == 2", max: 5, every: "1s" },
      first: { race: { yes: { wait: "go" }, no: { sleep: "10s" } } },
    }),
  );
  expect(await text()).toMatchInlineSnapshot(`
    "flow 1.0.0  run r1: running
      1  ▶ sub      workflow child  running as run r1/sub
         ▶ items    each of [1, 2, 3]  running 3 items · 1 at once
          └─ ▶ act  effect act  running 1 completed, 1 failed, 1 running · a failure is passed over
         ◷ poll     repeat until last == 2  waiting 2 turns, the next at 2030-01-01 00:00:02Z · at most 5 turns, 1s apart
          └─ ✔ act  effect act  completed 2 times
         ◷ first    race  waiting · the first to settle decides
          ├─ ◷ yes  wait go  waiting
          └─ ◷ no   sleep  waiting until 2030-01-01 00:00:10Z · 10s
    "
  `);
  await t.advance("1m");
  expect(await text()).toMatchInlineSnapshot(`
    "flow 1.0.0  run r1: running
      1  ▶ sub      workflow child  running as run r1/sub
         ▶ items    each of [1, 2, 3]  running 3 items · 1 at once
          └─ ▶ act  effect act  running 1 completed, 1 failed, 1 running · a failure is passed over
         ▶ poll     repeat until last == 2  running 3 turns, none under way · at most 5 turns, 1s apart
          └─ ✔ act  effect act  completed 3 times
         ✔ first    race  completed · the first to settle decides
          ├─ ✖ yes  wait go  aborted
          └─ ✔ no   sleep  completed 10.0 s · 10s
    "
  `);
});

test("what is skipped, chosen and done instead", async () => {
  await started(
    plan({
      no: { when: "false", effect: "act", with: { id: "no" } },
      way: { switch: [{ when: "false", effect: "act", with: { id: 1 } }, { effect: "once" }] },
      twins: {
        switch: [
          { when: "false", effect: "act", with: { id: 1 } },
          { effect: "act", with: { id: 2 } },
        ],
      },
      bad: { effect: "act", with: { no: true }, onError: { effect: "once" } },
      end: { wait: "go", needs: ["no", "way", "twins", "bad"] },
    }),
  );
  expect(await text()).toMatchInlineSnapshot(`
    "flow 1.0.0  run r1: waiting
      1  ↷ no         effect act  skipped · when false
         ✔ way        switch  completed
          ├─ ↷ act    effect act  skipped · when false
          └─ ✔ once   effect once  completed · otherwise
         ✔ twins      switch  completed
          ├─ ✔ act    effect act  completed (this case or one like it) · when false
          └─ ✔ act    effect act  completed (this case or one like it) · otherwise
         ✖ bad        effect act  failed REFUSED
         ✔ bad~error  effect once  completed · ◂ when bad fails
      2  ◷ end        wait go  waiting · ◂ no, way, twins, bad
    "
  `);
});

test("a fork, and a run that was moved is drawn as the definition that it goes on with", async () => {
  const steps = { a: { effect: "act" }, w: { wait: "go", needs: ["a"] } } as const;
  const old = plan({ ...steps, b: { effect: "act", needs: ["w"] } });
  const now = plan({ ...steps, c: { effect: "act", needs: ["w"] }, d: { effect: "act", needs: ["c"] } }, { version: "1.1.0" });
  await started(old, {}, [now]);
  await t.run("r1").pause();
  await t.advance("1s");
  expect(await text("r1")).toContain("flow 1.0.0  run r1: paused");
  await t.fork("r1", { from: "w", runId: "r2" });
  await t.run("r1").resume();
  await t.advance("1s");
  expect(await text("r2")).toMatchInlineSnapshot(`
    "flow 1.0.0  run r2: waiting, forked from r1 at w
      1  ✔ a  effect act  completed
      2  ◷ w  wait go  waiting · ◂ a
      3  ○ b  effect act  not begun · ◂ w
    "
  `);
  await t.run("r1").migrate(now as never);
  await t.advance("1s");
  await t.run("r1").signal("go", null);
  await t.advance("1s");
  expect(await text("r1")).toMatchInlineSnapshot(`
    "flow 1.1.0  run r1: completed after 4.0 s, moved here from 1.0.0
      1  ✔ a  effect act  completed
      2  ✔ w  wait go  completed 4.0 s · ◂ a
      3  ✔ c  effect act  completed · ◂ w
      4  ✔ d  effect act  completed · ◂ c
    "
  `);
});

test("a run of code: what it did, in branches, a race and items", async () => {
  const go = signal({ name: "go", payload: any });
  const code = workflow({ name: "code", input: any }, function* (): Steps<null> {
    yield* act({ id: "a" });
    yield* all({ left: act({ id: "l" }), right: once({}) });
    yield* race({ yes: go.wait(), no: sleep("1m") });
    yield* each([1, 2], function* (n) {
      yield* act({ id: n }, { step: "one" });
      yield* act({ id: n }, { step: "two" });
    });
    yield* act({ hang: true }, { step: "held" });
    return null;
  });
  await started(code);
  expect(await text()).toMatchInlineSnapshot(`
    "code 1.0.0  run r1: waiting
      1    ✔ act        effect act  completed
      2    ✔ left       branch  completed · ◂ act
      2.1   └─ ✔ act    effect act  completed
           ✔ right      branch  completed · ◂ act
      2.1   └─ ✔ once   effect once  completed
      3    ◷ yes        branch  waiting · ◂ left, right
      3.1   └─ ◷ go     signal go  waiting
           ◷ no         branch  waiting · ◂ left, right
      3.1   └─ ◷ sleep  sleep  waiting until 2030-01-01 00:01:00Z
    "
  `);
  await t.advance("2m");
  expect(await text()).toMatchInlineSnapshot(`
    "code 1.0.0  run r1: running
      1    ✔ act        effect act  completed
      2    ✔ left       branch  completed · ◂ act
      2.1   └─ ✔ act    effect act  completed
           ✔ right      branch  completed · ◂ act
      2.1   └─ ✔ once   effect once  completed
      3    ◷ yes        branch  waiting · ◂ left, right
      3.1   └─ ◷ go     signal go  waiting
           ✔ no         branch  completed · ◂ left, right
      3.1   └─ ✔ sleep  sleep  completed 1 m 0 s
      4    ✔ 0          branch  completed · ◂ no
      4.1   ├─ ✔ one    effect act  completed
      4.2   └─ ✔ two    effect act  completed · ◂ one
           ✔ 1          branch  completed · ◂ no
      4.1   ├─ ✔ one    effect act  completed
      4.2   └─ ✔ two    effect act  completed · ◂ one
      5    ▶ held       effect act  running 2 attempts, STEP_TIMEOUT · ◂ 0, 1
    "
  `);
});
