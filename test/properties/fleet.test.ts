/**
 * Random workflows over several orchestrators on one store, of which some are killed, closed, lose their leases, are cut off
 * or slow, at random moments. Then faults stop, and within bounded virtual time every run ends.
 */
import fc from "fast-check";
import { expect, test } from "vitest";
import type { Fact } from "../../src/core/fact.ts";
import { type AnyNode, effect, Fatal, type Json, reducer, type Steps, signal, sleep, workflow } from "../../src/index.ts";
import { type Accepted, Fleet, type Member } from "../semantics/fleet.ts";
import { anything } from "../semantics/kit.ts";

// ── workflows ──

/** What a workflow does, one after the other. */
type Step =
  | { readonly does: "act"; readonly ms: number }
  | { readonly does: "count" }
  | { readonly does: "sleep"; readonly ms: number }
  | { readonly does: "child"; readonly of: readonly Step[] }
  | { readonly does: "signal" };
interface Work {
  readonly steps: readonly Step[];
  /** It fails at its end, and takes everything back. */
  readonly fails: boolean;
}

const lengths = fc.constantFrom(0, 5, 700, 3_000, 12_000);
const leaf: fc.Arbitrary<Step> = fc.oneof(
  { weight: 4, arbitrary: lengths.map((ms): Step => ({ does: "act", ms })) },
  { weight: 2, arbitrary: fc.constant<Step>({ does: "count" }) },
  { weight: 2, arbitrary: lengths.map((ms): Step => ({ does: "sleep", ms })) },
  { weight: 1, arbitrary: fc.constant<Step>({ does: "signal" }) },
);
const step = fc.oneof(
  { weight: 5, arbitrary: leaf },
  { weight: 1, arbitrary: fc.array(leaf, { maxLength: 3 }).map((of): Step => ({ does: "child", of })) },
);
const work: fc.Arbitrary<Work> = fc.record({ steps: fc.array(step, { minLength: 1, maxLength: 5 }), fails: fc.boolean() });

/** What the effects touch, by idempotency key: how it stands, and what was asked. */
class Ledger {
  readonly entries = new Map<string, "done" | "undone">();
  readonly calls: { readonly key: string; readonly input: string; readonly runId: string; readonly undo: boolean }[] = [];
  /** Told of each call before it does anything. */
  told: (key: string, runId: string, attempt: number) => void = () => {};
}

function nodesOf(fleet: () => Fleet, ledger: Ledger): AnyNode[] {
  const back = effect({ name: "back", input: anything, idempotent: true, irreversible: "is an undo" }, async (key: string, context) => {
    ledger.told(context.idempotencyKey, context.runId, context.attempt);
    ledger.calls.push({ key: context.idempotencyKey, input: JSON.stringify(key), runId: context.runId, undo: true });
    await fleet().pass(3);
    ledger.entries.set(key, "undone");
  });
  const act = effect(
    {
      name: "act",
      input: anything,
      idempotent: true,
      timeout: "10m",
      undo: ({ idempotencyKey }: { readonly idempotencyKey: string }) => back(idempotencyKey),
    },
    async (input: { readonly ms: number }, context) => {
      const { idempotencyKey: key, runId } = context;
      ledger.told(key, runId, context.attempt);
      ledger.calls.push({ key, input: JSON.stringify(input), runId, undo: false });
      if (input.ms > 0) await fleet().pass(input.ms);
      // Once it was taken back, a call that comes late does nothing.
      if (!ledger.entries.has(key)) ledger.entries.set(key, "done");
      return input.ms;
    },
  );
  const count = reducer({ name: "count", event: anything, initial: 0, undo: (by: number) => -by }, (sum: number, by: number) => sum + by);
  const go = signal({ name: "go", payload: anything });
  function* play(steps: readonly Step[]): Steps<Json> {
    let last: Json = null;
    for (const one of steps)
      switch (one.does) {
        case "act":
          last = (yield* act({ ms: one.ms })) as Json;
          break;
        case "count":
          last = (yield* count(1)) as Json;
          break;
        case "sleep":
          yield* sleep(`${one.ms}ms`);
          break;
        case "child":
          yield* child(one.of);
          break;
        case "signal":
          yield* go.wait();
          break;
      }
    return last;
  }
  const child = workflow({ name: "child", input: anything }, function* (steps: readonly Step[]): Steps<Json> {
    return yield* play(steps);
  });
  const flow = workflow({ name: "flow", input: anything }, function* ({ steps, fails }: Work): Steps<Json> {
    yield* play(steps);
    if (fails) throw new Fatal("THROWN");
    return null;
  });
  return [flow, child, act, back, count] as AnyNode[];
}

// ── faults ──

interface Fault {
  readonly after: number;
  readonly does: "kill" | "lapse" | "zombie" | "close" | "cut there" | "cut back" | "heal" | "slow" | "doubt" | "join";
  readonly who: number;
}
const fault: fc.Arbitrary<Fault> = fc.record({
  after: fc.constantFrom(0, 1, 2, 5, 100, 1_000, 9_999, 30_000),
  does: fc.constantFrom("kill", "lapse", "lapse", "zombie", "close", "cut there", "cut back", "heal", "heal", "slow", "doubt", "join"),
  who: fc.nat({ max: 5 }),
});

function strike(fleet: Fleet, { does, who }: Fault): void {
  const alive = fleet.members.filter((member) => member.alive);
  const member = alive[who % alive.length] as Member;
  const { line } = member;
  switch (does) {
    case "join":
      if (alive.length < 4) fleet.join();
      return;
    case "kill":
      if (alive.length > 1) fleet.kill(member);
      return;
    case "close":
      if (alive.length > 1) fleet.leave(member);
      return;
    case "lapse":
      return fleet.lapse(member);
    case "zombie":
      line.deaf = true;
      return fleet.lapse(member);
    case "cut there":
      return line.there.hold();
    case "cut back":
      return line.back.hold();
    case "slow":
      line.there.delayMs = who * 3;
      line.back.delayMs = who * 5;
      return;
    case "doubt":
      line.doubt = true;
      return;
    case "heal":
      return heal(member);
  }
}
function heal({ line }: Member): void {
  line.doubt = false;
  line.there.release();
  line.back.release();
  line.there.delayMs = 0;
  line.back.delayMs = 0;
}

// ── what holds ──

/** Watches every turn as it is accepted. */
class Watch {
  readonly wrong: string[] = [];
  readonly #tails = new Map<number, { turn: number; epoch: number; next: number; final: boolean; leaseId: string | undefined }>();
  readonly #fleet: Fleet;
  /** By key of a step: the attempt under way, and whether its result is recorded. */
  readonly steps = new Map<string, { attempt: number; done: boolean }>();

  constructor(fleet: Fleet, keyOf: (runId: string, step: string) => string) {
    this.#fleet = fleet;
    fleet.accepted = (turn) => this.#accepted(turn, keyOf);
  }

  #accepted({ runNo, write, facts, leaseId }: Accepted, keyOf: (runId: string, step: string) => string): void {
    const where = `run ${runNo}, turn ${write.turn}`;
    const tail = this.#tails.get(runNo);
    if (write.turn > 0 && tail) {
      if (tail.final) this.wrong.push(`${where}: after the end (I6)`);
      if (write.turn !== tail.turn + 1 || write.pos !== tail.next) this.wrong.push(`${where}: a gap (I2)`);
      if (write.epoch !== tail.epoch + (write.take || write.final ? 1 : 0))
        this.wrong.push(`${where}: epoch ${write.epoch} after ${tail.epoch} (I3)`);
      if (!write.take && leaseId !== tail.leaseId) this.wrong.push(`${where}: written by another lease without a take (I3)`);
    }
    this.#tails.set(runNo, { turn: write.turn, epoch: write.epoch, next: write.next, final: write.final, leaseId });
    // Children and successors are made with a turn, and owned by who wrote it; they are known by their first own turn.
    const runId = typeof write.run === "number" ? this.#fleet.idOf(runNo) : write.run.id;
    for (const fact of facts) this.#step(fact, where, runId, keyOf);
  }
  #step(fact: Fact, where: string, runId: string, keyOf: (runId: string, step: string) => string): void {
    if (!("step" in fact) || fact.step === undefined) return;
    const key = keyOf(runId, fact.step);
    const known = this.steps.get(key);
    if (fact.type === "action.dispatched") {
      if (known?.done) this.wrong.push(`${where}: ${fact.step} is sent again after its result (I5)`);
      this.steps.set(key, { attempt: fact.attempt, done: false });
    }
    if (fact.type === "action.completed" || fact.type === "reducer.applied") {
      if (known?.done) this.wrong.push(`${where}: ${fact.step} has two results (I5)`);
      this.steps.set(key, { attempt: known?.attempt ?? 0, done: true });
    }
  }
  /** A call leaves a process. */
  called(key: string, runId: string, attempt: number): void {
    const known = this.steps.get(key);
    if (known?.attempt !== attempt) this.wrong.push(`a call of ${runId} (${key}) before its intent was accepted`);
    else if (known.done) this.wrong.push(`a call of ${runId} (${key}) after its result is recorded (I5)`);
  }
}

interface Plan {
  readonly works: readonly Work[];
  readonly faults: readonly Fault[];
  readonly seed: number;
}

async function play({ works, faults, seed }: Plan): Promise<void> {
  const ledger = new Ledger();
  const nodes = nodesOf(() => fleet, ledger);
  const fleet: Fleet = new Fleet(nodes, seed);
  const watch = new Watch(fleet, (runId, step) => fleet.keyOf(runId, step));
  ledger.told = (key, runId, attempt) => watch.called(key, runId, attempt);
  const members = await fleet.joined(3);
  const wanted = works.map((input, i) => ({ input, runId: `r${i}` }));
  const flow = nodes[0] as never;
  for (const [i, { input, runId }] of wanted.entries())
    (members[i % 3] as Member).face.start(flow, input as never, { runId }).catch(() => {});
  for (const one of faults) {
    await fleet.advance(`${one.after}ms`);
    strike(fleet, one);
  }
  for (const member of fleet.members) heal(member);
  await fleet.advance("30s");
  // Whoever was not answered asks again.
  const [one] = fleet.members.filter(({ alive }) => alive) as [Member];
  for (const { input, runId } of wanted) await fleet.ask(one.face.start(flow, input as never, { runId }));
  for (let i = 0; i < 12; i++) {
    await fleet.advance("1m");
    for (const { id, endedAt, workflow } of await fleet.rows())
      if (endedAt === undefined && workflow !== "onex-undo") await fleet.ask(one.face.run(id).signal("go", null)).catch(() => {});
  }
  const rows = await fleet.rows();
  expect(
    rows.filter(({ endedAt }) => endedAt === undefined).map(({ id, status, owned, wakeAt }) => ({ id, status, owned, wakeAt })),
  ).toEqual([]);
  expect(watch.wrong).toEqual([]);
  expect(
    fleet.members.flatMap(({ name, alive, face }) => (alive && face.engine.error ? [`${name}: ${face.engine.error.message}`] : [])),
  ).toEqual([]);
  // What is outside stands as if nothing had happened.
  for (const [i, { fails }] of works.entries()) expect((await fleet.row(`r${i}`)).status).toBe(fails ? "failed" : "completed");
  const acts = (steps: readonly Step[], does: Step["does"]): number =>
    steps.reduce((sum, one) => sum + (one.does === does ? 1 : one.does === "child" ? acts(one.of, does) : 0), 0);
  const standing = [...ledger.entries.values()].filter((state) => state === "done").length;
  expect(standing, "acts that stand").toBe(works.reduce((sum, { steps, fails }) => sum + (fails ? 0 : acts(steps, "act")), 0));
  expect(ledger.entries.size, "acts that were asked for").toBe(works.reduce((sum, { steps }) => sum + acts(steps, "act"), 0));
  const sum = (await fleet.store.state("count", "")) ?? "0";
  expect(Number(sum), "events that count (I8)").toBe(works.reduce((n, { steps, fails }) => n + (fails ? 0 : acts(steps, "count")), 0));
  const inputs = new Map<string, string>();
  for (const { key, input } of ledger.calls) {
    expect(inputs.get(key) ?? input, "every delivery carries what the first did").toBe(input);
    inputs.set(key, input);
  }
  // What was accepted is what stands in the store.
  for (const { runNo } of rows) {
    const turns = await fleet.store.turns(runNo);
    for (const { write, facts } of fleet.log.filter((turn) => turn.runNo === runNo)) {
      expect(turns[write.turn]?.next).toBe(write.next);
      expect(JSON.parse(turns[write.turn]?.facts ?? "null")).toEqual(facts);
    }
  }
}

test("random workflows over processes that come, go, hang and lose their leases", async () => {
  const plans = fc.record({
    works: fc.array(work, { minLength: 1, maxLength: 4 }),
    faults: fc.array(fault, { maxLength: 12 }),
    seed: fc.integer({ min: 1, max: 1000 }),
  });
  await fc.assert(fc.asyncProperty(plans, play), {
    // So many, however long they take: a limit of time fails where a slow machine ends none within it.
    numRuns: 30,
    // One closes while its answers are cut off, and another is in doubt.
    examples: [
      [
        {
          works: [
            { steps: [{ does: "act", ms: 0 }], fails: false },
            { steps: [{ does: "signal" }, { does: "count" }, { does: "sleep", ms: 5 }], fails: true },
            {
              steps: [
                { does: "act", ms: 12000 },
                { does: "sleep", ms: 0 },
                { does: "act", ms: 700 },
                { does: "act", ms: 0 },
              ],
              fails: false,
            },
          ],
          faults: [
            { after: 1, does: "cut back", who: 5 },
            { after: 2, does: "join", who: 1 },
            { after: 2, does: "zombie", who: 4 },
            { after: 1, does: "zombie", who: 4 },
            { after: 2, does: "cut back", who: 1 },
            { after: 9999, does: "doubt", who: 1 },
            { after: 9999, does: "cut there", who: 4 },
            { after: 0, does: "close", who: 2 },
            { after: 1, does: "close", who: 0 },
            { after: 1, does: "slow", who: 0 },
          ],
          seed: 108,
        },
      ],
    ],
    timeout: Number(process.env.FLEET_TIMEOUT ?? 120_000),
    ...(process.env.FLEET_SEED ? { seed: Number(process.env.FLEET_SEED) } : {}),
  });
});
