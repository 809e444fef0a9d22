/**
 * Whatever a workflow is made of and whenever its process dies: the outcome is that of an undisturbed run.
 *
 * A tree of verbs is generated, played once in peace and once under crashes, and the two are compared; the logs are
 * folded again, cold, and held against a Replay that took one fact at a time.
 */
import fc from "fast-check";
import { expect, test } from "vitest";
import { z } from "zod";
import type { Command } from "../../src/core/command.ts";
import { fold } from "../../src/core/decide.ts";
import { type Fact, isFinal, type Started } from "../../src/core/fact.ts";
import { type Program, Replay } from "../../src/core/replay.ts";
import { all, attempt, compute, each, effect, type Json, Fatal, type Log, race, reducer, signal, sleep, type Steps, type Workflow, workflow } from "../../src/index.ts";
import { sha256 } from "../../src/engine/system.ts";
import { testOrchestrator } from "../../src/testing/index.ts";

/** How an effect answers, by attempt: it depends on nothing else, so that a crash cannot change it. */
const manners = ["ok", "fatal", "flaky", "broken", "slow"] as const;

type Tree =
  | { readonly do: "effect"; readonly id: number; readonly manner: (typeof manners)[number] }
  | { readonly do: "compute"; readonly id: number }
  | { readonly do: "reduce"; readonly by: number }
  | { readonly do: "sleep"; readonly for: "0ms" | "1s" | "5s" | "2m" }
  | { readonly do: "wait" }
  | { readonly do: "child"; readonly of: Tree }
  | { readonly do: "attempt"; readonly of: Tree }
  | { readonly do: "race"; readonly win: Tree; readonly lose: Tree }
  | { readonly do: "seq" | "all" | "each"; readonly of: readonly Tree[] };

const id = fc.integer({ min: 0, max: 9 });
const { tree } = fc.letrec<{ tree: Tree; leaf: Tree; few: Tree[] }>((tie) => ({
  leaf: fc.oneof(
    { weight: 4, arbitrary: fc.record({ do: fc.constant("effect" as const), id, manner: fc.constantFrom(...manners, "ok" as const, "ok" as const) }) },
    { weight: 2, arbitrary: fc.record({ do: fc.constant("compute" as const), id }) },
    { weight: 1, arbitrary: fc.record({ do: fc.constant("reduce" as const), by: fc.integer({ min: -5, max: 5 }) }) },
    { weight: 1, arbitrary: fc.record({ do: fc.constant("sleep" as const), for: fc.constantFrom("0ms", "1s", "5s", "2m") }) },
    { weight: 1, arbitrary: fc.record({ do: fc.constant("wait" as const) }) },
  ) as fc.Arbitrary<Tree>,
  few: fc.array(tie("tree"), { minLength: 0, maxLength: 4, size: "max" }),
  tree: fc.oneof(
    { maxDepth: 5, depthSize: "max", withCrossShrink: true },
    { weight: 3, arbitrary: tie("leaf") },
    { weight: 4, arbitrary: fc.record({ do: fc.constantFrom("seq" as const, "all" as const, "each" as const), of: tie("few") }) },
    { weight: 1, arbitrary: fc.record({ do: fc.constant("attempt" as const), of: tie("tree") }) },
    { weight: 1, arbitrary: fc.record({ do: fc.constant("child" as const), of: tie("tree") }) },
    { weight: 1, arbitrary: fc.record({ do: fc.constant("race" as const), win: tie("tree"), lose: tie("tree") }) },
  ) as fc.Arbitrary<Tree>,
}));

/** A whole workflow: some trees, one after the other or at once. */
const forest: fc.Arbitrary<Tree> = fc.record({ do: fc.constantFrom("seq" as const, "seq" as const, "all" as const), of: fc.array(tree, { minLength: 1, maxLength: 6, size: "max" }) });

const anything = z.any();
const noted = signal({ name: "noted", payload: anything });
const double = compute({ name: "double", input: z.number() }, (n) => 2 * n);
const sum = reducer(
  { name: "sum", event: z.object({ by: z.number() }), initial: { total: 0, events: 0 }, undo: ({ by }) => ({ by: -by }) },
  (state, { by }) => ({ total: state.total + by, events: state.events + 1 }),
);
const quietly = (): void => {};
const quiet: Log = { debug: quietly, info: quietly, warn: quietly, error: quietly };

/** What stands behind the effects: it keeps what it did by idempotency key, and what was taken back. */
class World {
  readonly done = new Map<string, string>();
  readonly undone = new Set<string>();
  readonly wrong: string[] = [];

  /** What is done and was not taken back. */
  get net(): string[] {
    return [...this.done].filter(([key]) => !this.undone.has(key)).map(([key, what]) => `${what} ${key}`).sort();
  }

  readonly back = effect({ name: "back", input: z.object({ key: z.string() }), idempotent: true, irreversible: "is an undo" }, async ({ key }, { attempt: count }) => {
    this.undone.add(key);
    if (count === 1 && key < "4") throw new Error("try the undo again");
    return null;
  });

  readonly act = effect(
    {
      name: "act",
      input: z.object({ id: z.number(), manner: z.enum(manners) }),
      output: z.object({ id: z.number() }),
      idempotent: true,
      timeout: "3s",
      retry: { maxAttempts: 2, delay: "1s" },
      undo: ({ idempotencyKey }) => this.back({ key: idempotencyKey }),
    },
    async ({ id, manner }, { attempt: count, idempotencyKey, signal: aborted }) => {
      if (this.undone.has(idempotencyKey)) this.wrong.push(`${idempotencyKey} was sent after its undo`);
      if (manner === "fatal") throw new Fatal("REFUSED");
      if (manner === "slow") await new Promise((_, reject) => aborted.addEventListener("abort", () => reject(aborted.reason)));
      this.done.set(idempotencyKey, `${id}`);
      if (manner === "broken" || (manner === "flaky" && count === 1)) throw new Error("the answer was lost");
      return { id };
    },
  );

  readonly grow: Workflow<unknown, Json> = workflow({ name: "grow", input: anything, output: anything }, (given: { readonly tree: Tree; readonly child?: boolean }) =>
    this.#walk(given.tree, given.child ?? false),
  );

  *#walk(tree: Tree, child: boolean): Steps<Json> {
    switch (tree.do) {
      case "effect":
        return (yield* this.act({ id: tree.id, manner: tree.manner })).id;
      case "compute":
        return yield* double(tree.id);
      case "reduce":
        // Its state depends on the order of concurrent events; only the end is compared.
        yield* sum({ by: tree.by });
        return null;
      case "sleep":
        yield* sleep(tree.for);
        return null;
      case "wait":
        if (!child) yield* noted.wait();
        return null;
      case "child":
        return yield* this.grow({ tree: tree.of, child: true });
      case "attempt": {
        const tried = yield* attempt(this.#walk(tree.of, child));
        // Which of several concurrent failures comes first may differ; that there is one may not.
        return tried.ok ? { ok: tried.value } : "failed";
      }
      case "race":
        return yield* race({ win: this.#walk(tree.win, child), lose: this.#lose(tree.lose, child) });
      case "seq": {
        const results: Json[] = [];
        for (const one of tree.of) results.push(yield* this.#walk(one, child));
        return results;
      }
      case "all":
        return yield* all(tree.of.map((one) => this.#walk(one, child)));
      case "each":
        return yield* each(tree.of, (one) => this.#walk(one, child), { concurrency: 2 });
    }
  }
  /** Never decides a race: what it did is taken back. */
  *#lose(tree: Tree, child: boolean): Steps<Json> {
    yield* attempt(this.#walk(tree, child));
    yield* sleep("900d");
    return null;
  }
}

function waits(tree: Tree): number {
  if (tree.do === "wait") return 1;
  if (tree.do === "race") return waits(tree.win) + waits(tree.lose);
  if (!("of" in tree)) return 0;
  return Array.isArray(tree.of) ? (tree.of as readonly Tree[]).reduce((total, one) => total + waits(one), 0) : waits(tree.of as Tree);
}

function turns(count: number): Promise<void> {
  return new Promise((resolve) => {
    const next = (left: number): void => void (left <= 0 ? resolve() : setImmediate(next, left - 1));
    next(count);
  });
}

/** @param crashes for each the turns of the event loop that pass before it. */
async function playTree(tree: Tree, crashes: readonly number[]) {
  const world = new World();
  const t = testOrchestrator({ nodes: [world.grow, sum], log: quiet });
  const run = await t.start(world.grow, { tree }, { runId: "run" });
  for (let i = waits(tree); i > 0; i--)
    await run.signal(noted, i).catch((error) => {
      if (error.code !== "RUN_ENDED") throw error;
    });
  let going = t.advance("1h");
  for (const crash of crashes) {
    await turns(crash);
    await t.crash();
  }
  await going;
  for (let i = 0; i < 20 && (await run.status()).endedAt === undefined; i++) await (going = t.advance("1h"));
  const view = await run.status();
  const rows = await t.list({ limit: 1_000 });
  const logs = await Promise.all(rows.map(async ({ id: runId }) => ({ runId, facts: await t.run(runId).facts() })));
  const state = await t.read(sum);
  return { t, world, view, logs, total: state.total };
}

function invariants(facts: readonly Fact[], runId: string): void {
  const ends = facts.filter(isFinal);
  expect(ends, `${runId}: one final fact`).toHaveLength(1);
  expect(facts.at(-1), `${runId}: the final fact is the last`).toBe(ends[0]);
  let epoch = 0;
  let at = 0;
  const attempts = new Map<string, number>();
  const inputs = new Map<string, Json>();
  const settled = new Set<string>();
  const timers = new Set<string>();
  for (const fact of facts) {
    expect(fact.at).toBeGreaterThanOrEqual(at);
    at = fact.at;
    switch (fact.type) {
      case "lease.acquired":
        expect(fact.epoch).toBe(epoch + 1);
        epoch = fact.epoch;
        break;
      case "action.dispatched":
        expect(settled.has(fact.step), `${runId}: ${fact.step} is dispatched again`).toBe(false);
        expect(fact.attempt).toBe((attempts.get(fact.step) ?? 0) + 1);
        attempts.set(fact.step, fact.attempt);
        if (inputs.has(fact.step)) expect(fact.input).toEqual(inputs.get(fact.step));
        inputs.set(fact.step, fact.input);
        break;
      case "action.completed":
      case "compute.completed":
      case "compute.failed":
      case "reducer.applied":
      case "step.failed":
        expect(settled.has(fact.step), `${runId}: ${fact.step} has two results`).toBe(false);
        settled.add(fact.step);
        break;
      case "timer.set":
        timers.add(fact.step);
        break;
      case "timer.fired":
        expect(timers.delete(fact.step), `${runId}: the timer ${fact.step} fires once`).toBe(true);
        break;
    }
  }
}

/** A wish without its functions. */
function shown(commands: readonly Command[]): unknown[] {
  return commands.map((command) => ({ ...command, ...("callee" in command ? { callee: command.callee.name } : {}) }));
}

function programOf(world: World): Program {
  const { contract } = world.grow;
  return {
    onFailure: "compensate",
    begin: (started: Started) => contract.begin(started.input, { runId: "run", correlationId: "run", log: quiet }, { find: () => undefined, names: () => [] }),
    finish: (returned) => returned as Json,
  };
}

/** At each prefix of the log: a Replay that took one fact at a time wants what a fresh one wants. */
function warmIsCold(facts: readonly Fact[], runId: string): void {
  const options = { runId, keyOf: (step: string) => sha256(`${runId}\0${step}`).slice(0, 32) };
  const program = programOf(new World());
  const warm = new Replay(program, options);
  const every = Math.max(1, Math.ceil(facts.length / 12));
  facts.forEach((fact, i) => {
    warm.apply(fact);
    warm.take();
    if (i % every !== 0 && i < facts.length - 2) return;
    const cold = fold(program, facts.slice(0, i + 1), options);
    expect(shown(cold.open()), `${runId} after ${i + 1} facts`).toEqual(shown(warm.open()));
    expect({ ...pick(cold) }).toEqual({ ...pick(warm) });
  });
  expect(warm.open()).toEqual([]);
}
const pick = ({ status, now, length, mailbox, calls, paused }: Replay) => ({ status, now, length, mailbox, calls, paused });

function sameResults(calm: readonly Fact[], crashed: readonly Fact[], runId: string): void {
  const results = (facts: readonly Fact[]) =>
    new Map(facts.flatMap((fact) => (fact.type === "action.completed" || fact.type === "compute.completed" ? [[fact.step, fact.output] as const] : [])));
  const peaceful = results(calm);
  for (const [step, output] of results(crashed)) if (peaceful.has(step)) expect(output, `${runId} ${step}`).toEqual(peaceful.get(step));
}

test("crashes change nothing: outcome, results and what was done outside are those of an undisturbed run", { timeout: 60_000 }, async () => {
  const seed = Number(process.env.ONEX_SEED ?? Date.now() % 2 ** 31);
  console.log(`replay property: ONEX_SEED=${seed}`);
  await fc.assert(
    fc.asyncProperty(forest, fc.array(fc.integer({ min: 0, max: 40 }), { minLength: 1, maxLength: 4, size: "max" }), async (given, crashes) => {
      const calm = await playTree(given, []);
      const crashed = await playTree(given, crashes);
      for (const { view, world, logs, t } of [calm, crashed]) {
        expect(["completed", "failed"]).toContain(view.status);
        expect(world.wrong).toEqual([]);
        for (const { runId, facts } of logs) invariants(facts, runId);
        const byKey = new Map<string, unknown>();
        for (const { idempotencyKey, input } of t.calls(world.act)) {
          if (byKey.has(idempotencyKey)) expect(input).toEqual(byKey.get(idempotencyKey));
          byKey.set(idempotencyKey, input);
        }
      }
      expect({ status: crashed.view.status, output: crashed.view.output, notUndone: crashed.view.notUndone }).toEqual({
        status: calm.view.status,
        output: calm.view.output,
        notUndone: [],
      });
      expect(crashed.world.net).toEqual(calm.world.net);
      expect(crashed.total).toBe(calm.total);
      for (const { runId, facts } of crashed.logs) {
        const peer = calm.logs.find((log) => log.runId === runId);
        if (peer) sameResults(peer.facts, facts, runId);
        if (facts[0]?.type === "run.started" && facts[0].workflow === "grow") warmIsCold(facts, runId);
      }
    }),
    { seed, numRuns: Number(process.env.ONEX_RUNS ?? 400) },
  );
});
