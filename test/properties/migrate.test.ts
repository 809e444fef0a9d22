/**
 * Random plans are begun, changed while they wait, and their runs are asked to go on with what they became: after a change
 * behind what was done they end as the new plan would, after a change of what was done as the old one.
 */
import fc from "fast-check";
import { expect, test } from "vitest";
import { type AnyNode, effect, type Log, type Run } from "../../src/index.ts";
import { parseWorkflow } from "../../src/plan/workflow.ts";
import { testOrchestrator } from "../../src/testing/index.ts";

const silent = (): void => {};
const quiet: Log = { debug: silent, info: silent, warn: silent, error: silent };

interface Step {
  readonly name: string;
  readonly verb: "act" | "wait";
  /** What an act is called with. */
  readonly with: string;
  readonly needs: readonly string[];
  readonly more?: string;
}
interface Edit {
  readonly safe: boolean;
  change(steps: readonly Step[], done: ReadonlySet<string>, pick: number): readonly Step[] | undefined;
}

/** Every step waits for the one before it or, one time in three, for an earlier one; every third is a wait. */
const plans = fc
  .array(fc.record({ wait: fc.integer({ min: 0, max: 2 }), back: fc.integer({ min: 0, max: 2 }) }), { minLength: 3, maxLength: 8 })
  .map((drawn) =>
    drawn.map(({ wait, back }, i): Step => {
      const before = back === 0 ? Math.max(0, i - 2) : i - 1;
      return { name: `s${i}`, verb: wait === 0 && i > 0 ? "wait" : "act", with: `s${i}`, needs: i === 0 ? [] : [`s${before}`] };
    }),
  )
  // Something is left to be done while it waits.
  .map((steps): readonly Step[] => [
    ...steps,
    { name: "rest", verb: "wait", with: "", needs: steps.map(({ name }) => name) },
    { name: "end", verb: "act", with: "end", needs: ["rest"] },
  ]);

/** Steps that were done, and acts among them: what a change of them must not touch. */
function acts(steps: readonly Step[], done: ReadonlySet<string>): readonly Step[] {
  return steps.filter(({ name, verb }) => verb === "act" && done.has(name));
}
/** Written in the other order, but for the waits: of two that wait side by side for one signal the first that stands there takes it. */
function backwards(steps: readonly Step[]): readonly Step[] {
  const waits = steps.filter(({ verb }) => verb === "wait").values();
  return [...steps].reverse().map((step) => (step.verb === "wait" ? (waits.next().value ?? step) : step));
}
const edits: readonly Edit[] = [
  { safe: true, change: (steps) => [...steps, { name: "more", verb: "act", with: "more", needs: ["end"] }] },
  { safe: true, change: (steps) => [...steps.slice(0, -1), { name: "other", verb: "act", with: "other", needs: ["rest"] }] },
  {
    safe: true,
    change: (steps, done) =>
      steps.map((step) => (done.has(step.name) || step.verb === "wait" ? step : { ...step, more: ", timeout: 3s, retry: 2" })),
  },
  { safe: true, change: backwards },
  {
    safe: false,
    change: (steps, done, pick) => {
      const gone = acts(steps, done)[pick % acts(steps, done).length];
      return (
        gone && steps.filter((step) => step !== gone).map((step) => ({ ...step, needs: step.needs.filter((name) => name !== gone.name) }))
      );
    },
  },
  {
    safe: false,
    change: (steps, done, pick) => {
      const other = acts(steps, done)[pick % acts(steps, done).length];
      const name = (one: string) => (one === other?.name ? "renamed" : one);
      return other && steps.map((step) => ({ ...step, name: name(step.name), needs: step.needs.map(name) }));
    },
  },
  {
    safe: false,
    change: (steps, done, pick) => {
      const other = acts(steps, done)[pick % acts(steps, done).length];
      return other && steps.map((step) => (step === other ? { ...step, with: "changed" } : step));
    },
  },
  {
    safe: false,
    change: (steps, done) =>
      acts(steps, done).length > 1 ? [...steps, { name: "late", verb: "act", with: "late", needs: [] }] : undefined,
  },
];

function contract(version: string, steps: readonly Step[]) {
  const lines = steps.map(({ name, verb, with: given, needs, more: words = "" }) =>
    verb === "wait"
      ? `  ${name}: { wait: go, needs: [${needs}] }`
      : `  ${name}: { effect: act, with: ${given}, needs: [${needs}]${words} }`,
  );
  const head = `onex: v1\nkind: workflow\nname: flow\nversion: ${version}\ndescription: ${version}\ntimeout: 1d\nsignals: { go: {} }\n`;
  return parseWorkflow(`${head}steps:\n${lines.join("\n")}\noutput: done\n`, "flow.yaml");
}

test("a run that is moved ends as the new plan would, one that is refused as the old one", async () => {
  const figures = { moved: 0, refused: 0 };
  await fc.assert(
    fc.asyncProperty(
      plans,
      fc.integer({ min: 0, max: 3 }),
      fc.integer({ min: 0, max: edits.length - 1 }),
      fc.nat(20),
      fc.boolean(),
      async (steps, signals, which, pick, crashes) => {
        const calls: string[] = [];
        const act = effect(
          { name: "act", input: anything, idempotent: true, irreversible: "a list" },
          async (id, { idempotencyKey }) => void calls.push(`${id} ${idempotencyKey}`),
        );
        const old = contract("1.0.0", steps);
        const t = testOrchestrator({ nodes: [old, act] as readonly AnyNode[], log: quiet });
        const run = (await t.start(old as never, {} as never, { runId: "run" })) as Run;
        await t.advance("0ms");
        const waits = steps.filter(({ verb }) => verb === "wait").length;
        // The last wait is left, so that the run is under way.
        for (let i = 0; i < Math.min(signals, waits - 1); i++) await run.signal("go", i);
        await t.advance("1s");
        const view = await run.status();
        const done = new Set(view.steps.map(({ step }) => step));
        const edit = edits[which] as Edit;
        const changed = edit.change(steps, done, pick);
        if (!changed) return;
        await run.migrate(contract("2.0.0", changed) as never);
        await t.advance("1s");
        if (crashes) await t.crash("1s");
        const moved = await run.status();
        expect(moved.version, JSON.stringify(moved.notMoved)).toBe(edit.safe ? "2.0.0" : "1.0.0");
        for (let i = 0; i < waits; i++) await run.signal("go", i).catch(silent);
        await t.advance("1m");
        expect((await run.status()).status).toBe("completed");
        const wanted = (edit.safe ? changed : steps).filter(({ verb }) => verb === "act").map((step) => step.with);
        expect(calls.map((call) => call.split(" ")[0]).sort()).toEqual([...wanted].sort());
        figures[edit.safe ? "moved" : "refused"]++;
      },
    ),
    { numRuns: 24 },
  );
  // Both happen.
  expect(Math.min(figures.moved, figures.refused), JSON.stringify(figures)).toBeGreaterThan(0);
});

const anything = { "~standard": { version: 1, vendor: "test", validate: (value: unknown) => ({ value }) } } as const;
