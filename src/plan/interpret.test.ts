import { describe, expect, test } from "vitest";
import { z } from "zod";
import { Fatal } from "../core/failure.ts";
import type { Json } from "../core/json.ts";
import { sleep } from "../core/verbs.ts";
import { compute } from "../node/compute.ts";
import type { AnyNode, EffectContext } from "../node/contract.ts";
import { effect } from "../node/effect.ts";
import { reducer } from "../node/reducer.ts";
import { signal } from "../node/signal.ts";
import type { Workflow } from "../node/workflow.ts";
import { workflow } from "../node/workflow.ts";
import { testOrchestrator } from "../testing/index.ts";
import { loadWorkflow } from "./load.ts";
import type { Plan, Step } from "./plan.ts";
import { parseWorkflow, planWorkflow } from "./workflow.ts";

const fixtures = new URL("./fixtures/", import.meta.url).pathname;
const any = z.any();

/** An effect for a test; what it did is in `log`. */
function act(
  name: string,
  run: (input: Record<string, Json>, context: EffectContext) => Json | Promise<Json> = (input) => input,
  more: object = {},
) {
  return effect(
    { name, input: any, idempotent: true, irreversible: "test", ...more } as {
      name: string;
      input: typeof any;
      idempotent: true;
      irreversible: string;
    },
    async (input, context) => run(input as Record<string, Json>, context),
  );
}
/** Notes what happened, and answers. */
function noted<T>(log: T[], entry: T, answer: Json): Json {
  log.push(entry);
  return answer;
}
function plan(steps: Record<string, Step>, more: Partial<Plan> = {}): Workflow<Json, Json> {
  return planWorkflow({ onex: "v1", kind: "workflow", name: "t", version: "1.0.0", timeout: "30d", steps, ...more });
}
function yaml(text: string): Workflow<Json, Json> {
  return parseWorkflow(`onex: v1\nkind: workflow\nname: t\nversion: 1.0.0\ntimeout: 1d\n${text}`, "t.yaml");
}

/** Runs it to its end, however much time that takes. */
async function run(target: Workflow<Json, Json>, nodes: readonly AnyNode[], input: Json = {}) {
  const t = testOrchestrator({ nodes: [target, ...nodes] });
  const started = await t.start(target, input);
  let ended = false;
  const settled = started.result().finally(() => {
    ended = true;
  });
  settled.catch(() => {});
  // In steps: a month that nobody waits for is long to go through.
  for (const span of ["1s", "1h", "1d", "30d"] as const) if (!ended) await t.advance(span);
  const result = await settled.then(
    (output) => ({ output }),
    (error: { code: string; step?: string; message: string; notUndone?: readonly string[]; error?: unknown }) => ({
      failed: error.code,
      step: error.step,
      error: error.error,
      notUndone: error.notUndone,
    }),
  );
  await t.close();
  return result;
}

describe("the fixtures run", () => {
  test("calls: every kind of node, and what a step says about it", async () => {
    const target = await loadWorkflow(`${fixtures}calls.yaml`);
    const nodes = [
      compute(
        {
          name: "price-lines",
          input: z.object({ lines: z.array(z.object({ price: z.number(), qty: z.number() })), rate: z.number() }),
          output: z.object({ total: z.number() }),
        },
        ({ lines, rate }) => ({
          total: lines.reduce((sum, line) => sum + line.price * line.qty, 0) * rate,
        }),
      ),
      act("charge", ({ amount }) => ({ receipt: `r${amount}` })),
      act("refund"),
      reducer(
        {
          name: "sales",
          event: z.object({ sum: z.number() }),
          initial: { sum: 0 },
          state: z.object({ sum: z.number() }),
          key: () => "all",
        },
        (state, event) => ({ sum: state.sum + event.sum }),
      ),
      workflow({ name: "ship", version: "1.3.0", input: z.object({ receipt: z.string() }) }, function* ({ receipt }) {
        yield* sleep("1s");
        return { tracking: `t-${receipt}` };
      }),
    ] as const;
    const t = testOrchestrator({ nodes: [target, ...nodes] });
    const started = await t.start(target, {
      lines: [
        { sku: "a", price: 5 },
        { sku: "b", price: 2, qty: 3 },
      ],
      email: "a@b.example",
    });
    await t.advance("1m");
    expect(await started.result()).toEqual({ receipt: "r11", sales: { sum: 11 }, tracking: "t-r11" });
    expect(t.calls(nodes[1]).map(({ input }) => input)).toEqual([
      { amount: 11, note: "order of a@b.example, ${free}", keys: [true, { deep: null }] },
    ]);
    await t.close();
  });

  test("waits: durations, moments and signals", async () => {
    const target = await loadWorkflow(`${fixtures}waits.yaml`);
    const approval = signal({ name: "approval", payload: z.object({ by: z.string() }) });
    const t = testOrchestrator({ nodes: [target] });
    const started = await t.start(target, { at: "2030-01-01T06:00:00Z" });
    await t.advance("6h");
    await t.advance("2m");
    await expect(started.signal(approval, { by: 1 } as never)).rejects.toMatchObject({ code: "SIGNAL_INVALID" });
    await started.signal(approval, { by: "ann" });
    expect(await started.result()).toEqual({ by: "ann" });
    const late = await t.start(target, { at: "2030-01-01T06:00:00Z" });
    await t.advance("2d");
    expect(await late.result()).toEqual({ by: "nobody" });
    await t.close();
  });

  test("branches: switch, when and default", async () => {
    const target = await loadWorkflow(`${fixtures}branches.yaml`);
    const word = compute({ name: "word", input: z.object({ n: z.number() }), output: z.object({ text: z.string() }) }, ({ n }) => ({
      text: `about ${n}`,
    }));
    expect(await run(target, [word], { n: 500 })).toEqual({ output: { size: "big", note: "it is big", rare: { text: "it is big" } } });
    expect(await run(target, [word], { n: 50 })).toEqual({ output: { size: "about 50", note: "nothing", rare: null } });
    expect(await run(target, [word], { n: 5 })).toEqual({ output: { size: "small", note: "nothing", rare: null } });
    expect(await run(target, [word], { n: 7 })).toMatchObject({
      failed: "UNLUCKY",
      step: "size",
      error: { code: "UNLUCKY", message: "7 brings no luck", details: { n: 7 } },
    });
  });

  test("items: each, batches and collected errors", async () => {
    const target = await loadWorkflow(`${fixtures}items.yaml`);
    const nodes = [
      act("load"),
      act("fragile", ({ key }) => {
        if (key === "b") throw new Fatal("GONE");
        return `${key}!`;
      }),
    ];
    expect(await run(target, nodes, { keys: ["a", "b", "c"] })).toEqual({
      output: { plain: ["a", "b", "c"], batches: ["a2", "c1"], good: ["a!", "c!"], bad: ["lenient/1/fragile GONE"] },
    });
    expect(await run(target, nodes, { keys: [] })).toEqual({ output: { plain: [], batches: [], good: [], bad: [] } });
  });

  test("loops: repeat and race", async () => {
    const target = await loadWorkflow(`${fixtures}loops.yaml`);
    const slow = act(
      "slow",
      (_, { signal: aborted }) => new Promise((_resolve, reject) => aborted.addEventListener("abort", () => reject(new Fatal("ABORTED")))),
    );
    expect(await run(target, [act("poll", ({ turn }) => ({ turn: turn as number, done: turn === 2 })), slow])).toEqual({
      output: { turns: 2, winner: "limit" },
    });
    expect(await run(target, [act("poll", ({ turn }) => ({ turn: turn as number, done: false })), slow])).toMatchObject({
      failed: "REPEAT_LIMIT",
      step: "polled",
      error: { details: { turn: 4, done: false } },
    });
  });

  test("errors: continue, a body, and a group that is taken back first", async () => {
    const target = await loadWorkflow(`${fixtures}errors.yaml`);
    const log: string[] = [];
    const unbook = act("unbook", () => noted(log, "unbook", null));
    const book = effect({ name: "book", input: any, idempotent: true, undo: () => unbook({}) }, async () => noted(log, "book", {}));
    const broken = act("broken", () => {
      throw new Fatal("BROKEN");
    });
    expect(await run(target, [book, broken, act("tell", () => noted(log, "tell", null))])).toEqual({
      output: { mild: null, saved: "BROKEN at saved", undone: "BROKEN" },
    });
    expect(log.filter((entry) => entry === "unbook")).toEqual(["unbook"]);
  });

  test("rethrow keeps code and step", async () => {
    const target = await loadWorkflow(`${fixtures}rethrow.yaml`);
    expect(
      await run(target, [
        act("broken", () => {
          throw new Fatal("BROKEN", { details: [1] });
        }),
      ]),
    ).toMatchObject({ failed: "BROKEN", step: "a", error: { details: [1] } });
  });

  test("scopes: two at once, by priority, with config and run", async () => {
    const target = await loadWorkflow(`${fixtures}scopes.yaml`);
    const log: Json[] = [];
    let now = 0;
    let most = 0;
    const work = act("work", async (input) => {
      log.push(input.name as string);
      most = Math.max(most, ++now);
      await new Promise((resolve) => setImmediate(resolve));
      now--;
      return input;
    });
    expect(await run(target, [work])).toEqual({ output: { name: "fourth" } });
    expect(most).toBe(2);
    expect(log.slice(2)).toEqual(["fourth", "third"]);
  });
});

describe("templates", () => {
  test.each<[Json, Json]>([
    ["${ input.n }", 5],
    ["n is ${ input.n }, ${ input.s } ${ input.t } ${ input.z }", "n is 5, x true null"],
    ["$${ input.n }", "${ input.n }"],
    ["${ input.n }\n", 5],
    [" ${ input.n }", " 5"],
    [
      { a: ["${ input.n + 1 }", { b: "${ input.xs }" }], c: 1 },
      { a: [6, { b: [1, 2] }], c: 1 },
    ],
    ["${ {'k': [input.n, {'d': input.s}]} }", { k: [5, { d: "x" }] }],
    ["${ timestamp('2026-01-01T00:00:00Z') }", "2026-01-01T00:00:00.000Z"],
    ["${ run.id == '' }", false],
  ])("%j", async (template, value) => {
    expect(await run(plan({ a: { set: template } }), [], { n: 5, s: "x", t: true, z: null, xs: [1, 2] })).toEqual({ output: value });
  });

  test("a list inside text fails the step, with the place in the file", async () => {
    expect(await run(yaml('steps:\n  a: { set: "n ${ input.xs }" }\n'), [], { xs: [] })).toMatchObject({
      failed: "EXPRESSION_FAILED",
      step: "a",
      error: { message: "`input.xs`: a list has no place inside text; let the hole be the whole value, or take a part of it" },
    });
    expect(await run(yaml('steps:\n  a: { steps: { b: { set: "${ input.gone }" } } }\n'), [], {})).toMatchObject({
      failed: "EXPRESSION_FAILED",
      step: "a/b",
      error: { message: '`input.gone` (line 7, column 30): input has no "gone"; guard it with has(input.gone)' },
    });
  });
});

describe("order", () => {
  test("steps start as soon as what they refer to or need is settled", async () => {
    const log: string[] = [];
    const gates = new Map<string, () => void>();
    const work = act("work", async ({ name }) => {
      log.push(`+${name}`);
      await new Promise<void>((resolve) => gates.set(name as string, resolve));
      log.push(`-${name}`);
      return { name: name as string };
    });
    const open = async (name: string) => {
      gates.get(name)?.();
      for (let i = 0; i < 20; i++) await new Promise((resolve) => setImmediate(resolve));
    };
    const target = plan({
      d: { effect: "work", with: { name: "d", from: "${ b.name }" }, needs: ["c"] },
      a: { effect: "work", with: { name: "a" } },
      b: { effect: "work", with: { name: "b", from: "${ a.name }" } },
      c: { effect: "work", with: { name: "c" } },
    });
    const t = testOrchestrator({ nodes: [target, work] });
    const started = await t.start(target, {});
    await open("");
    expect(log).toEqual(["+a", "+c"]);
    await open("a");
    expect(log).toEqual(["+a", "+c", "-a", "+b"]);
    await open("b");
    expect(log).toEqual(["+a", "+c", "-a", "+b", "-b"]);
    await open("c");
    await open("d");
    expect(log.slice(5)).toEqual(["-c", "+d", "-d"]);
    expect(await started.result()).toEqual({ name: "c" });
    await t.close();
  });

  test("any waits for the first of several, and the rest go on", async () => {
    const log: string[] = [];
    const tell = act("tell", () => noted(log, "tell", null));
    const target = plan({
      slow: { steps: { s: { sleep: "1h" }, noted: { effect: "note", needs: ["s"] } } },
      quick: { set: 1 },
      told: { effect: "tell", needs: { any: ["slow", "quick"] } },
    });
    const note = act("note", () => noted(log, "note", null));
    expect(await run(target, [tell, note])).toEqual({ output: null });
    expect(log).toEqual(["tell", "note"]);
  });

  test("any: failures of its members are its own to judge", async () => {
    const broken = act("broken", () => {
      throw new Fatal("BROKEN");
    });
    const steps = (count: number): Record<string, Step> => ({
      a: { effect: "broken" },
      b: { sleep: "1s" },
      c: { sleep: "2s" },
      told: { set: "told", needs: { any: ["a", "b", "c"], count } },
    });
    expect(await run(plan(steps(2)), [broken])).toEqual({ output: "told" });
    expect(await run(plan(steps(3)), [broken])).toMatchObject({
      failed: "NEEDS_UNMET",
      step: "told",
      error: { message: "told needs 3 of a, b, c to succeed, and too many failed" },
    });
    expect(
      await run(
        plan({
          a: { effect: "broken" },
          b: { effect: "broken" },
          told: { set: 1, needs: { any: ["a", "b"] }, onError: { set: "${ error.code }" } },
        }),
        [broken],
      ),
    ).toEqual({ output: "NEEDS_UNMET" });
    // A member that something else waits for fails the block, as any step does.
    expect(await run(plan({ ...steps(2), other: { set: 1, needs: ["a"] } }), [broken])).toMatchObject({ failed: "BROKEN", step: "a" });
  });

  test("a skipped step counts as met, and skipping does not spread", async () => {
    const target = plan({ a: { set: 1, when: "false" }, b: { set: "${ a == null }" }, c: { set: "${ b }", needs: { any: ["a"] } } });
    expect(await run(target, [])).toEqual({ output: true });
  });

  test("the first failure cancels what is under way beside it", async () => {
    const broken = act("broken", () => {
      throw new Fatal("BROKEN");
    });
    const target = plan({ a: { effect: "broken" }, b: { sleep: "20d" }, c: { effect: "broken", needs: ["b"] } });
    expect(await run(target, [broken])).toMatchObject({ failed: "BROKEN", step: "a" });
  });
});

describe("ids are paths", () => {
  test("of every verb", async () => {
    const note = act("note", () => null);
    const broken = act("broken", () => {
      throw new Fatal("BROKEN");
    });
    const go = signal({ name: "go", payload: any });
    const target = plan(
      {
        top: { effect: "note" },
        pack: { steps: { pick: { effect: "note" } }, needs: ["top"] },
        leaf: { each: "['x']", do: { effect: "note" }, needs: ["pack"] },
        load: { each: "[1, 2]", concurrency: 1, do: { steps: { read: { effect: "note" } } }, needs: ["leaf"] },
        way: { switch: [{ effect: "note" }], needs: ["load"] },
        ways: { switch: [{ steps: { one: { effect: "note" } } }], needs: ["way"] },
        first: { race: { x: { effect: "note" }, y: { steps: { inner: { sleep: "1h" } } } }, needs: ["ways"] },
        again: { repeat: { effect: "note" }, until: "index == 1", max: 3, every: "1m", needs: ["first"] },
        nap: { sleep: "1s", needs: ["again"] },
        asked: { wait: "go", needs: ["nap"] },
        mild: { effect: "broken", onError: { effect: "note" }, needs: ["asked"] },
        wild: { effect: "broken", onError: { steps: { help: { effect: "note" } } }, needs: ["mild"] },
        timed: { steps: { last1: { effect: "note" } }, timeout: "1m", needs: ["wild"] },
      },
      { signals: { go: true } },
    );
    const t = testOrchestrator({ nodes: [target, note, broken] });
    const started = await t.start(target, {});
    await started.signal(go, 1);
    await t.advance("1d");
    await started.result();
    const ids = (await started.facts()).flatMap((fact) =>
      fact.type === "action.dispatched" || fact.type === "timer.set" || fact.type === "signal.awaited" ? [fact.step] : [],
    );
    expect(ids).toEqual([
      "top",
      "pack/pick",
      "leaf/0/note",
      "load/0/read",
      "load/1/read",
      "way",
      "ways/one",
      "first/x/note",
      "first/y/inner",
      "again/0/note",
      "again/0~every",
      "again/1/note",
      "nap",
      "mild",
      "mild~error",
      "wild",
      "wild~error/help",
      "timed~timeout",
      "timed/last1",
    ]);
    await t.close();
  });
});

describe("what a step may say", () => {
  test("retry: attempts, a policy, none, and what the file and the node say", async () => {
    const calls: Record<string, number> = {};
    const flaky = act("flaky", ({ name }) => {
      calls[name as string] = (calls[name as string] ?? 0) + 1;
      throw new Error("again");
    });
    const step = (name: string, more: object = {}): Step => ({ effect: "flaky", with: { name }, onError: "continue", ...more });
    await run(
      plan({
        usual: step("usual"),
        four: step("four", { retry: 4 }),
        none: step("none", { retry: false }),
        policy: step("policy", { retry: { maxAttempts: 2, delay: "1ms" } }),
      }),
      [flaky],
    );
    expect(calls).toEqual({ usual: 3, four: 4, none: 1, policy: 2 });
    await run(plan({ usual: step("file") }, { defaults: { retry: 2 } }), [flaky]);
    expect(calls.file).toBe(2);
  });

  test("timeout: of a call one attempt, of a block the whole", async () => {
    const slow = act("slow", () => new Promise(() => {}), { retry: false });
    expect(await run(plan({ a: { effect: "slow", timeout: "5s" } }), [slow])).toMatchObject({ failed: "STEP_TIMEOUT", step: "a" });
    expect(
      await run(plan({ a: { steps: { b: { sleep: "1h" } }, timeout: "5s", onError: { set: "${ error.code } ${ error.step }" } } }), []),
    ).toEqual({ output: "STEP_TIMEOUT a" });
    expect(
      await run(plan({ a: { wait: "s", timeout: "5s", onError: "continue" }, b: { set: "${ a }" } }, { signals: { s: true } }), []),
    ).toEqual({ output: null });
    expect(
      await run(
        plan({
          a: { each: "[1]", do: { sleep: "1h", timeout: "2s" }, onItemError: "collect" },
          b: { set: "${ a.errors[0].code + ' ' + a.errors[0].step }" },
        }),
        [],
      ),
    ).toEqual({ output: "STEP_TIMEOUT a/0" });
  });

  test("undo: the body of the step goes before that of the node", async () => {
    const log: Json[] = [];
    const takeBack = act("take-back", (input) => noted(log, input, null));
    const book = effect({ name: "book", input: any, idempotent: true, undo: () => takeBack({ by: "node" }) }, async () => ({ id: 7 }));
    const broken = act("broken", () => {
      throw new Fatal("BROKEN");
    });
    const target = plan({
      a: {
        effect: "book",
        with: { n: 1 },
        undo: {
          effect: "take-back",
          with: { by: "step", input: "${ done.input.n }", output: "${ done.output.id }", key: "${ size(done.idempotencyKey) > 0 }" },
        },
      },
      b: { effect: "book", needs: ["a"] },
      c: { effect: "broken", needs: ["b"] },
    });
    expect(await run(target, [takeBack, book, broken])).toMatchObject({ failed: "BROKEN", notUndone: [] });
    expect(log).toEqual([{ by: "node" }, { by: "step", input: 1, output: 7, key: true }]);
    log.length = 0;
    expect(
      await run(plan({ a: { effect: "book" }, c: { effect: "broken", needs: ["a"] } }, { onFailure: "stop" }), [takeBack, book, broken]),
    ).toMatchObject({ failed: "BROKEN", notUndone: ["a"] });
    expect(log).toEqual([]);
  });

  test("keep: a loser of a race that completed is not taken back", async () => {
    const log: Json[] = [];
    const takeBack = act("take-back", (input) => noted(log, input.name as string, null));
    const book = effect({ name: "book", input: any, idempotent: true, undo: ({ input }) => takeBack(input as never) }, async () => null);
    const branch = (name: string, keep: boolean): Step =>
      ({ steps: { in: { effect: "book", with: { name }, keep }, out: { sleep: "1h" } } }) as unknown as Step;
    const rename = (step: Step): Step => JSON.parse(JSON.stringify(step).replace('"in"', '"inner"').replace('"out"', '"outer"')) as Step;
    expect(
      await run(plan({ a: { race: { x: rename(branch("x", false)), y: rename(branch("y", true)), z: { sleep: "1m" } } } }), [
        takeBack,
        book,
      ]),
    ).toEqual({ output: { winner: "z", value: null } });
    expect(log).toEqual(["x"]);
  });

  test("stepInputs lie over the input of the step of that name", async () => {
    const work = act("work");
    const target = plan({ a: { steps: { b: { effect: "work", with: { x: 1, y: 1 } } }, output: "${ b }" } });
    const t = testOrchestrator({ nodes: [target, work] });
    expect(await (await t.start(target, {}, { stepInputs: { b: { y: 2 } } })).result()).toEqual({ x: 1, y: 2 });
    await t.close();
  });

  test("what a node gives is read as its schema leaves it", async () => {
    const node = compute({ name: "dates", input: any, output: z.object({ n: z.number().default(3) }) }, () => ({}));
    expect(await run(plan({ a: { compute: "dates" }, b: { set: "${ a.n }" } }), [node])).toEqual({ output: 3 });
  });
});

describe("one plan in another", () => {
  test("as a child run, whose failure is caught", async () => {
    const child = planWorkflow({
      onex: "v1",
      kind: "workflow",
      name: "child",
      version: "2.1.0",
      timeout: "1d",
      input: { type: "object", required: ["n"] },
      steps: { a: { when: "input.n > 1", fail: { code: "TOO_MUCH" } }, b: { set: "${ input.n }", needs: ["a"] } },
    });
    const parent = (n: Json) => plan({ a: { workflow: "child@2", with: { n }, onError: { set: "${ error.code }" } } });
    expect(await run(parent(1), [child])).toEqual({ output: 1 });
    expect(await run(parent(2), [child])).toEqual({ output: "TOO_MUCH" });
  });
});

test("the input is checked at the door, and its defaults are there", async () => {
  const target = plan(
    { a: { set: "${ input.n + input.m }" } },
    { input: { type: "object", required: ["n"], properties: { n: { type: "number" }, m: { default: 2 } } } },
  );
  expect(await run(target, [], { n: 1 })).toEqual({ output: 3 });
  const t = testOrchestrator({ nodes: [target] });
  await expect(t.start(target, { n: "1" })).rejects.toMatchObject({ code: "INPUT_INVALID" });
  await t.close();
});

test("an orchestrator refuses a plan whose nodes it has not", () => {
  expect(() => testOrchestrator({ nodes: [plan({ a: { effect: "nope" } })] })).toThrow(
    expect.objectContaining({ code: "CONTRACT_INVALID" }),
  );
});

test("a plan that is no text says by path what is wrong", () => {
  expect(() => plan({ a: { each: "[1]", do: { compute: "x", with: { y: "${ zzz }" } } as Step } })).toThrow(
    'plan t is not a valid contract:\n  plan t REFERENCE_UNKNOWN there is nothing called "zzz" here.',
  );
  expect(() => plan({ a: { steps: { b: { sleep: "soon" } } } })).toThrow(
    'plan t PLAN_INVALID steps.a.steps.b.sleep: sleep is a duration such as "30s", "5m" or "2d", not "soon"',
  );
});

test("a crash between any two steps changes nothing", async () => {
  const target = await loadWorkflow(`${fixtures}items.yaml`);
  const nodes = [
    act("load"),
    act("fragile", ({ key }) => {
      if (key === "b") throw new Fatal("GONE");
      return `${key}!`;
    }),
  ];
  const t = testOrchestrator({ nodes: [target, ...nodes] });
  const started = await t.start(target, { keys: ["a", "b", "c"] });
  for (let i = 0; i < 12; i++) {
    for (let turns = 0; turns < i; turns++) await new Promise((resolve) => setImmediate(resolve));
    await t.crash();
  }
  await t.advance("1h");
  expect(await t.run(started.runId).result()).toEqual({
    plain: ["a", "b", "c"],
    batches: ["a2", "c1"],
    good: ["a!", "c!"],
    bad: ["lenient/1/fragile GONE"],
  });
  await t.close();
});

describe("outcome", () => {
  const nodes = [
    act("good", () => 7),
    act("bad", () => Promise.reject(Object.assign(new Error("it broke"), { code: "BROKEN" })), { retry: false }),
  ];
  const error = { code: "BROKEN", message: "it broke", details: null };

  test("a step's value is what became of it", async () => {
    const steps: Record<string, Step> = {
      a: { effect: "good", outcome: true },
      b: { effect: "bad", outcome: true, onError: "continue" },
      c: { effect: "good", outcome: true, when: "b.ok", default: 3 },
      d: { effect: "bad", outcome: true, onError: { set: "${ error.code }" } },
      e: { switch: [{ when: "!b.ok", fail: { code: "NO_WAY" } }, { effect: "good" }], outcome: true, onError: "continue" },
      f: { set: "${ [a.ok ? a.value : 0, b.error != null ? b.error.code : null] }" },
    };
    const output = { a: "${ a }", b: "${ b }", c: "${ c }", d: "${ d }", e: "${ e }", f: "${ f }" };
    expect(await run(plan(steps, { output }), nodes)).toEqual({
      output: {
        a: { ok: true, value: 7, error: null },
        b: { ok: false, value: null, error: { ...error, step: "b" } },
        c: { ok: false, value: 3, error: { code: "STEP_SKIPPED", message: "c was skipped", step: "c", details: null } },
        d: { ok: true, value: "BROKEN", error: null },
        e: { ok: false, value: null, error: { code: "NO_WAY", message: "NO_WAY", step: "e", details: null } },
        f: [7, "BROKEN"],
      },
    });
  });
  test("it does not make a failure good: that is what onError is for", async () => {
    expect(await run(plan({ a: { effect: "bad", outcome: true } }), nodes)).toMatchObject({ failed: "BROKEN", step: "a" });
  });
});

describe("scale", () => {
  const inc = compute({ name: "inc", input: any }, (input) => ({ n: (input as { n: number }).n + 1 }));
  const count = 10_000;

  test.each<[string, (i: number) => number]>([
    ["a chain of 10,000", (i) => i],
    ["a chain of 10,000 written backwards", (i) => count - 1 - i],
  ])("%s", async (_, at) => {
    const steps: Record<string, Step> = {};
    for (let k = 0; k < count; k++) {
      const i = at(k);
      steps[`s${i}`] = { compute: "inc", with: { n: i === 0 ? 0 : `\${ s${i - 1}.n }` } };
    }
    const began = performance.now();
    expect(await run(plan(steps, { output: `\${ s${count - 1}.n }` }), [inc])).toEqual({ output: count });
    expect(performance.now() - began).toBeLessThan(60_000);
  });

  test("10,000 beside each other, and one after all of them", async () => {
    const steps: Record<string, Step> = {};
    for (let i = 0; i < count; i++) steps[`s${i}`] = { compute: "inc", with: { n: i } };
    steps.end = { set: `\${ s0.n + s${count - 1}.n }`, needs: Object.keys(steps).slice(1, -1) };
    const began = performance.now();
    expect(await run(plan(steps), [inc])).toEqual({ output: count + 1 });
    expect(performance.now() - began).toBeLessThan(60_000);
  });

  test("each over 10,000 items", async () => {
    const target = plan({ a: { each: "input.xs", do: { compute: "inc", with: { n: "${ item }" } } }, b: { set: "${ size(a) }" } });
    expect(await run(target, [inc], { xs: Array.from({ length: count }, (_, i) => i) })).toEqual({ output: count });
  });
});
