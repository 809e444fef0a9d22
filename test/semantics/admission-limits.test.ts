/** Under random starts, sleeps, children, cancels and crashes no limit is ever exceeded, and everything ends. */
import fc from "fast-check";
import { expect, test } from "vitest";
import { z } from "zod";
import { all, effect, type Steps, sleep, workflow } from "../../src/index.ts";
import type { RunRow } from "../../src/store/store.ts";
import { type Tested, tested } from "./stage.ts";

const perMs = 2000;
const Body: z.ZodType<Body> = z.lazy(() => z.object({ sleeps: z.array(z.number()), children: z.array(Body), fails: z.boolean() }));
interface Body {
  readonly sleeps: readonly number[];
  readonly children: readonly Body[];
  readonly fails: boolean;
}

function play() {
  let look = (): void => {};
  const work = effect({ name: "work", input: z.number(), idempotent: true, irreversible: "a test" }, async () => look());
  const bodies = function* (body: Body): Steps<null> {
    for (const ms of body.sleeps) {
      yield* work(ms);
      yield* sleep(`${ms}ms`);
    }
    if (body.children.length > 0) yield* all(body.children.map((child) => free(child)));
    yield* work(0);
    if (body.fails) throw new Error("it fails");
    return null;
  };
  const free = workflow({ name: "free", input: Body, output: z.null() }, bodies);
  const keyed = workflow(
    { name: "keyed", input: z.object({ key: z.string(), body: Body }), output: z.null(), concurrency: { limit: 2, key: ({ key }) => key } },
    ({ body }) => bodies(body),
  );
  const paced = workflow({ name: "paced", input: Body, output: z.null(), rate: { limit: 2, per: "2s" } }, bodies);
  return { free, keyed, paced, onWork: (then: () => void) => (look = then) };
}

const body: fc.Arbitrary<Body> = fc.letrec<{ body: Body }>((tie) => ({
  body: fc.record({
    sleeps: fc.array(fc.integer({ min: 1, max: 5000 }), { maxLength: 3 }),
    children: fc.oneof({ maxDepth: 2 }, fc.constant([]), fc.array(tie("body"), { maxLength: 2 })),
    fails: fc.boolean(),
  }),
})).body;
const action = fc.oneof(
  {
    weight: 6,
    arbitrary: fc.record({
      does: fc.constant("start" as const),
      of: fc.constantFrom("free", "keyed", "paced"),
      key: fc.constantFrom("a", "b"),
      body,
      priority: fc.integer({ min: 1, max: 3 }),
      later: fc.constantFrom(0, 0, 0, 1500),
    }),
  },
  { weight: 2, arbitrary: fc.record({ does: fc.constant("advance" as const), ms: fc.integer({ min: 1, max: 3000 }) }) },
  { weight: 1, arbitrary: fc.record({ does: fc.constant("cancel" as const), which: fc.nat(30) }) },
  { weight: 1, arbitrary: fc.constant({ does: "crash" as const }) },
);

test("limits hold at every step, and everything ends", async () => {
  await fc.assert(
    fc.asyncProperty(fc.integer({ min: 1, max: 3 }), fc.array(action, { minLength: 5, maxLength: 30 }), async (max, actions) => {
      const { free, keyed, paced, onWork } = play();
      const t: Tested = tested({ nodes: [free, keyed, paced], maxConcurrentWorkflows: max });
      const looks: Promise<void>[] = [];
      const keys = new Map<string, string>();
      const look = async (): Promise<void> => check(await t.list(), max, keys);
      onWork(() => looks.push(look()));
      const ids: string[] = [];
      for (const one of actions) {
        if (one.does === "start") {
          const runId = `r${ids.length}`;
          ids.push(runId);
          keys.set(runId, one.key);
          const startAt = Date.UTC(2030, 0, 1) + one.later;
          const options = { runId, priority: one.priority, ...(one.later > 0 ? { startAt } : {}) };
          if (one.of === "keyed") await t.start(keyed, { key: one.key, body: one.body }, options);
          else await t.start(one.of === "free" ? free : paced, one.body, options);
        } else if (one.does === "advance") await t.advance(`${one.ms}ms`);
        else if (one.does === "cancel")
          await t
            .run(ids[one.which] ?? "none")
            .cancel()
            .catch(() => {});
        else await t.crash();
        await look();
      }
      await t.advance("1d");
      await Promise.all(looks);
      const rows = await t.list();
      expect(rows.filter(({ endedAt }) => endedAt === undefined)).toEqual([]);
      expect(rows.filter(({ parent }) => parent === undefined).length).toBe(ids.length);
      await checkRate(t, rows);
    }),
    { numRuns: 60 },
  );
});

/** What the store says, not what admission believes. */
function check(rows: readonly RunRow[], max: number, keys: ReadonlyMap<string, string>): void {
  const roots = rows.filter(({ parent }) => parent === undefined);
  expect(roots.filter(({ owned }) => owned).length, "root runs that are driven").toBeLessThanOrEqual(max);
  for (const key of ["a", "b"]) {
    const underWay = roots.filter(
      ({ id, workflow, status, endedAt }) => workflow === "keyed" && keys.get(id) === key && endedAt === undefined && status !== "pending",
    );
    expect(underWay.length, `runs of the key ${key} under way`).toBeLessThanOrEqual(2);
  }
}

async function checkRate(t: Tested, rows: readonly RunRow[]): Promise<void> {
  const begun: number[] = [];
  for (const { id } of rows.filter(({ workflow }) => workflow === "paced")) {
    const taken = (await t.run(id).facts()).find(({ type }) => type === "lease.acquired");
    if (taken) begun.push(taken.at);
  }
  begun.sort((a, b) => a - b);
  for (let i = 2; i < begun.length; i++) expect((begun[i] ?? 0) - (begun[i - 2] ?? 0), "of three that begin").toBeGreaterThanOrEqual(perMs);
}
