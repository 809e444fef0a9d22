/** Who takes what where several orchestrators drive the runs of one store: limits, slots, versions, schedules, and what goes on beside. */
import { expect, test } from "vitest";
import { type AnyNode, effect, restart, type Steps, sleep, workflow } from "../../src/index.ts";
import { Fleet, type Member } from "./fleet.ts";
import { asked, flowOf, lapsed, start } from "./fleet-kit.ts";
import { anything, Gate, Ledger } from "./kit.ts";

// ── who may begin ──

test("limits on concurrency and rate hold over all processes, and all that wait have their turn", async () => {
  let under = 0;
  let most = 0;
  const work = effect({ name: "work", input: anything, idempotent: true, irreversible: "no" }, async () => {
    most = Math.max(most, ++under);
    await fleet.pass(1_000);
    under--;
  });
  const flow = flowOf(
    function* () {
      yield* work(null);
    },
    { concurrency: { limit: 2, key: () => "k" }, rate: { limit: 3, per: "10s", key: () => "k" } },
  );
  const fleet = new Fleet([flow, work] as AnyNode[]);
  const members = await fleet.joined(3);
  for (let i = 0; i < 12; i++) await start(members[i % 3], flow, `r${i}`);
  await fleet.advance("2m");
  const rows = await fleet.rows();
  expect([rows.filter(({ status }) => status === "completed").length, most]).toEqual([12, 2]);
  const begun: number[] = [];
  for (const { id } of rows) begun.push((await fleet.facts(id)).find(({ type }) => type === "lease.acquired")?.at as number);
  begun.sort((x, y) => x - y);
  for (let i = 3; i < begun.length; i++) expect((begun[i] as number) - (begun[i - 3] as number)).toBeGreaterThanOrEqual(10_000);
});

test("slots are each one's own, and one without a free slot keeps nothing from others", async () => {
  const gate = new Gate();
  const ledger = new Ledger();
  ledger.manners.work = gate;
  const flow = flowOf(function* () {
    yield* ledger.again("work");
  });
  const fleet = new Fleet([flow] as AnyNode[]);
  const [small] = await fleet.joined(1, { maxConcurrentWorkflows: 1 });
  for (let i = 0; i < 6; i++) await start(small, flow, `r${i}`);
  await fleet.settle();
  expect(small?.face.engine.activeCount).toBe(1);
  // What one that dies drove is due, and the small one sees it first.
  const [dies] = await fleet.joined(1);
  await fleet.settle();
  expect([small, dies].map((one) => one?.face.engine.activeCount)).toEqual([1, 5]);
  const [large] = await fleet.joined(1, { maxConcurrentWorkflows: 10 });
  (large as Member).line.there.delayMs = 20;
  fleet.kill(dies as Member);
  await fleet.advance(lapsed);
  await fleet.advance("1s");
  expect([small, large].map((one) => one?.face.engine.activeCount)).toEqual([1, 5]);
  gate.open();
  await fleet.advance("1m");
  expect((await fleet.rows()).every(({ status }) => status === "completed")).toBe(true);
});

test("a version that one alone holds is driven by that one, with its limits", async () => {
  const gate = new Gate();
  const ledger = new Ledger();
  ledger.manners.work = gate;
  const one = flowOf(function* () {
    yield* sleep("1s");
    return 1;
  });
  const two = flowOf(
    function* () {
      yield* ledger.again("work");
      return 2;
    },
    { version: "2.0.0", concurrency: { limit: 1, key: () => "k" } },
  );
  const fleet = new Fleet([one] as AnyNode[]);
  const [old] = (await fleet.joined(1)) as [Member];
  const fresh = fleet.join({ nodes: [one, two] as AnyNode[] });
  await fleet.settle();
  fresh.line.there.delayMs = 5;
  const starts = [0, 1, 2].map((i) => start(fresh, two, `new${i}`));
  await fleet.advance("1s");
  await Promise.all(starts);
  for (let i = 0; i < 3; i++) await start(old, one, `old${i}`);
  await fleet.advance("1s");
  expect(ledger.lines).toEqual(["work"]);
  fleet.lapse(fresh);
  await fleet.advance("1s");
  gate.open();
  await fleet.advance("1m");
  const rows = await fleet.rows();
  expect(rows.map(({ id, status, blocked }) => `${id} ${status} ${blocked}`).sort()).toEqual(
    [0, 1, 2].flatMap((i) => [`new${i} completed undefined`, `old${i} completed undefined`]).sort(),
  );
});

// ── schedules ──

test.each(["queue", "cancel"] as const)(
  "a tick that waits (%s) begins when the run before it has ended elsewhere, also when who noted it is gone",
  async (overlap) => {
    const ledger = new Ledger();
    const flow = workflow({ name: "ticks", input: anything }, function* () {
      yield* sleep("90s");
      yield* ledger.again("done");
    });
    const fleet = new Fleet([flow] as AnyNode[]);
    const [a, b] = (await fleet.joined(2)) as [Member, Member];
    await fleet.ask(a.face.schedules.put({ id: "s", workflow: "ticks", cron: "0 */12 * * *", overlap } as never));
    await fleet.advance("12h");
    const first = (await fleet.rows())[0]?.id as string;
    expect((await fleet.rows()).length).toBe(1);
    await fleet.ask(a.face.run(first).pause());
    await fleet.advance("12h");
    const seen = await b.face.schedules.get("s");
    if (overlap === "queue") {
      expect(seen?.waiting).toBeDefined();
      // Whoever noted it dies, or closes.
      const noted = fleet.log.length % 2 === 0 ? a : b;
      fleet.kill(noted);
      await fleet.advance("1m");
      const other = noted === a ? b : a;
      await fleet.ask(other.face.run(first).resume());
    }
    await fleet.advance("4m");
    const rows = await fleet.rows();
    expect(rows.map(({ status }) => status)).toEqual(["completed", overlap === "queue" ? "completed" : "cancelled"]);
    expect((await (fleet.members.find(({ alive }) => alive) as Member).face.schedules.get("s"))?.started).toBe(2);
  },
);

test("a tick starts one run, however many look", async () => {
  const flow = workflow({ name: "ticks", input: anything }, function* () {
    yield* sleep("1s");
  });
  const fleet = new Fleet([flow] as AnyNode[]);
  const members = await fleet.joined(3);
  members.forEach(({ line }, i) => {
    line.back.delayMs = i * 3;
  });
  await fleet.ask((members[0] as Member).face.schedules.put({ id: "s", workflow: "ticks", cron: "* * * * *" }));
  await fleet.advance("10m");
  expect((await fleet.rows()).length).toBe(10);
  fleet.kill(members[1] as Member);
  fleet.lapse(members[2] as Member);
  await fleet.advance("10m");
  const view = await fleet.ask((members[0] as Member).face.schedules.get("s"));
  expect([(await fleet.rows()).length, view?.started, view?.skipped]).toEqual([20, 20, 0]);
});

// ── beside ──

test("a run goes on as its successors, whoever drives which", async () => {
  const ledger = new Ledger();
  const rounds = workflow({ name: "flow", input: anything }, function* (n: number): Steps<unknown> {
    yield* ledger.again(`${n}`);
    yield* sleep("2s");
    return n < 4 ? yield* restart(n + 1) : n;
  });
  const fleet = new Fleet([rounds] as AnyNode[]);
  const [a, b] = (await fleet.joined(2)) as [Member, Member];
  await start(a, rounds as never, "r", 0);
  const result = asked(b.face.run("r").result());
  await fleet.advance("3s");
  fleet.lapse(a);
  await fleet.advance("2s");
  fleet.kill(b);
  fleet.join();
  await fleet.advance("1m");
  expect(result.error).toMatchObject({ code: "ORCHESTRATOR_CLOSED" });
  expect([await fleet.ask(a.face.run("r").result()), [...new Set(ledger.lines)]]).toEqual([4, ["0", "1", "2", "3", "4"]]);
});

test("a run that another drives is not forked, one that another has ended is forked and retried", async () => {
  const ledger = new Ledger();
  const gate = new Gate();
  ledger.manners.second = [gate, "ok"];
  ledger.manners.third = ["fatal", "ok"];
  const flow = flowOf(
    function* () {
      yield* ledger.again("first");
      yield* ledger.again("second");
      return (yield* ledger.again("third")).id;
    },
    { onFailure: "stop" },
  );
  const fleet = new Fleet([flow] as AnyNode[]);
  const [a, b] = (await fleet.joined(2)) as [Member, Member];
  await start(a, flow, "r");
  await fleet.settle();
  await expect(fleet.ask(b.face.fork("r", { runId: "f" }))).rejects.toMatchObject({ code: "RUN_NOT_ENDED" });
  gate.open();
  await fleet.advance("1s");
  expect((await fleet.row("r")).status).toBe("failed");
  const fork = await fleet.ask(b.face.fork("r", { runId: "f" }));
  const retry = await fleet.ask(b.face.retry("r", { runId: "t" }));
  expect([await fleet.ask(fork.result()), await fleet.ask(retry.result())]).toEqual(["third", "third"]);
});

test("runs that ended are removed by any process, while others run", async () => {
  const flow = flowOf(function* (ms) {
    yield* sleep(`${ms as number}ms`);
    return ms;
  });
  const fleet = new Fleet([flow] as AnyNode[]);
  const [a, b] = (await fleet.joined(2)) as [Member, Member];
  await start(a, flow, "short", 10);
  await start(a, flow, "long", 50_000);
  await fleet.advance("20s");
  const client = b.face.engine.store;
  expect((await fleet.ask(Promise.resolve(client.prune(fleet.clock.now(), 10)))).runs).toBe(1);
  await fleet.advance("1m");
  expect((await fleet.rows()).map(({ id, status }) => `${id} ${status}`)).toEqual(["long completed"]);
  await expect(fleet.ask(a.face.run("short").status())).rejects.toMatchObject({ code: "RUN_PRUNED" });
});

test("idle, health and metrics speak of the process that is asked", async () => {
  const gate = new Gate();
  const ledger = new Ledger();
  ledger.manners.work = gate;
  const flow = flowOf(function* () {
    return (yield* ledger.again("work")).id;
  });
  const fleet = new Fleet([flow] as AnyNode[]);
  const [a, b] = (await fleet.joined(2)) as [Member, Member];
  await start(a, flow, "r");
  await fleet.settle();
  const [idleA, idleB] = [a, b].map(({ face }) => asked(face.idle().then(() => true)));
  await fleet.settle();
  expect([idleA?.answer, idleB?.answer]).toEqual([undefined, true]);
  const health = await fleet.ask(Promise.all([a.face.healthCheck(), b.face.healthCheck()]));
  expect(health.map(({ status, capacity }) => [status, capacity.activeWorkflows])).toEqual([
    ["healthy", 1],
    ["healthy", 0],
  ]);
  gate.open();
  await fleet.settle();
  const metrics = await fleet.ask(Promise.all([a.face.getPerformanceMetrics(), b.face.getPerformanceMetrics()]));
  expect([idleA?.answer, ...metrics.map(({ totalWorkflows, takenOver }) => [totalWorkflows, takenOver])]).toEqual([true, [1, 0], [0, 0]]);
});

test("a process that loses its lease while it closes ends all the same, at once", async () => {
  const ledger = new Ledger();
  ledger.manners.work = ["deaf", "ok"];
  const flow = flowOf(function* () {
    return (yield* ledger.again("work")).id;
  });
  const fleet = new Fleet([flow] as AnyNode[]);
  const [a, b] = (await fleet.joined(2)) as [Member, Member];
  await start(a, flow, "r");
  await fleet.settle();
  const closed = fleet.leave(a, 60_000);
  await fleet.advance("1s");
  fleet.lapse(a);
  await fleet.ask(closed, "1s");
  expect([await fleet.ask(b.face.run("r").result(), "1s"), a.face.engine.error]).toEqual(["work", undefined]);
});

// ── round trips ──

test("a hundred runs of ten effects ask the store seldom: a tenth of a question a step", async () => {
  const work = effect({ name: "work", input: anything, idempotent: true, irreversible: "no" }, async () => null);
  const flow = flowOf(function* () {
    for (let i = 0; i < 10; i++) yield* work(i);
  });
  const fleet = new Fleet([flow, work] as AnyNode[]);
  const [a, b] = (await fleet.joined(2)) as [Member, Member];
  const before = a.line.verbs;
  const runs = await fleet.ask(Promise.all(Array.from({ length: 100 }, () => a.face.start(flow, null))));
  await fleet.ask(Promise.all(runs.map((run) => run.result())));
  await fleet.settle();
  expect([a.face.stats().steps, await fleet.takers(runs[0]?.runId ?? "")]).toEqual([1_000, ["a"]]);
  expect(a.line.verbs - before, JSON.stringify([...a.line.calls])).toBeLessThanOrEqual(100);
  // Starts by the owner and their ends are in the turns: nothing is read for them.
  expect(a.line.verbs - before - a.line.count("append"), JSON.stringify([...a.line.calls])).toBeLessThanOrEqual(10);
  expect(b.face.engine.activeCount).toBe(0);
});
