/** What holds where several orchestrators drive the runs of one store, and processes come, go, and lose their leases. */
import { expect, test } from "vitest";
import { z } from "zod";
import { type AnyNode, effect, each, now, reducer, signal, sleep, type Steps, workflow } from "../../src/index.ts";
import { Fleet, leaseMs, type Member } from "./fleet.ts";
import { anything, Gate, Ledger } from "./kit.ts";

const lapsed = `${leaseMs}ms` as const;

/** A workflow of this body. */
function flowOf(body: (input: unknown) => Steps<unknown>, options: object = {}) {
  return workflow({ name: "flow", input: anything, ...options }, body);
}
type Flow = ReturnType<typeof flowOf>;

function start(member: Member | undefined, flow: Flow, runId: string, input: unknown = null, options: object = {}) {
  return (member as Member).face.start(flow as never, input as never, { runId, ...options });
}
/** How a question is answered, when it is. */
function asked<T>(question: Promise<T>): { answer: T | undefined; error: unknown } {
  const came: { answer: T | undefined; error: unknown } = { answer: undefined, error: undefined };
  question.then(
    (answer) => {
      came.answer = answer;
    },
    (error) => {
      came.error = error;
    },
  );
  return came;
}

// ── takeover ──

test("the runs of one that was killed are taken when its lease has lapsed, one epoch higher, and a call in doubt keeps its key", async () => {
  const ledger = new Ledger();
  const gate = new Gate();
  ledger.manners.first = [gate, "ok"];
  const fleet = new Fleet([flowOf(function* () {
    yield* ledger.again("first");
    return (yield* ledger.again("second")).id;
  })] as AnyNode[]);
  const [a, b] = (await fleet.joined(2)) as [Member, Member];
  const flow = flowOf(function* () { return null; });
  await start(a, flow, "r");
  await fleet.settle();
  expect(ledger.lines).toEqual(["first"]);
  fleet.kill(a);
  await fleet.advance(`${leaseMs - 1}ms`);
  expect([fleet.driver("r"), (await fleet.row("r")).status]).toEqual([undefined, "running"]);
  const result = asked(b.face.run("r").result());
  await fleet.advance("1s");
  expect([ledger.lines, result.answer, await fleet.takers("r")]).toEqual([["first", "first", "second"], "second", ["a", "b"]]);
  expect(new Set(ledger.keys.filter(({ line }) => line === "first").map(({ key }) => key)).size).toBe(1);
  expect((await fleet.facts("r")).flatMap((fact) => (fact.type === "lease.acquired" ? [fact.epoch] : []))).toEqual([1, 2]);
});

test("timers and signals of a run go on in another process", async () => {
  const go = signal({ name: "go", payload: z.number() });
  const flow = flowOf(function* () {
    yield* sleep("1h");
    const at = yield* now();
    return { at, got: yield* go.wait() };
  });
  const fleet = new Fleet([flow] as AnyNode[]);
  const [a, b] = (await fleet.joined(2)) as [Member, Member];
  const begun = fleet.clock.now();
  await start(a, flow, "r");
  await fleet.settle();
  await b.face.run("r").signal(go, 7);
  await fleet.settle();
  fleet.kill(a);
  await fleet.advance("61m");
  expect(await b.face.run("r").result()).toEqual({ at: begun + 3_600_000, got: 7 });
});

test("what one has put down is taken by another when its time comes, also when nobody has told it", async () => {
  const flow = flowOf(function* () {
    yield* sleep("10m");
    return "woken";
  });
  const fleet = new Fleet([flow] as AnyNode[]);
  const [a, b] = (await fleet.joined(2)) as [Member, Member];
  await start(a, flow, "r");
  await fleet.settle();
  await fleet.close(a);
  await fleet.advance("10m");
  expect([await b.face.run("r").result(), await fleet.takers("r")]).toEqual(["woken", ["a", "b"]]);
});

test("runs are handed over at once when a process closes", async () => {
  const ledger = new Ledger();
  ledger.manners.call = ["obey", "ok"];
  const flow = flowOf(function* () {
    return (yield* ledger.again("call")).id;
  });
  const fleet = new Fleet([flow] as AnyNode[]);
  const [a, b] = (await fleet.joined(2)) as [Member, Member];
  await start(a, flow, "r");
  await fleet.settle();
  await fleet.close(a);
  await fleet.settle();
  expect([await b.face.run("r").result(), await fleet.takers("r")]).toEqual(["call", ["a", "b"]]);
});

test("parents and children are driven anywhere: after a takeover, and under a cancel", async () => {
  const ledger = new Ledger();
  ledger.manners.deep = "obey";
  ledger.manners.beside = "obey";
  const child = workflow({ name: "child", input: anything }, function* (id: string) {
    yield* ledger.again(`before ${id}`);
    yield* ledger.again(id);
    return id;
  });
  const flow = flowOf(function* () {
    return yield* each(["deep", "beside"], (id) => child(id));
  });
  const fleet = new Fleet([flow, child] as AnyNode[]);
  const [a, b, c] = (await fleet.joined(3)) as [Member, Member, Member];
  await start(a, flow, "r");
  await fleet.settle();
  // What the dead one drove is given to both of the others.
  fleet.kill(a);
  b.line.there.delayMs = 3;
  c.line.there.delayMs = 2;
  await fleet.advance(lapsed);
  await fleet.advance("2s");
  expect(ledger.lines.filter((line) => line === "deep").length).toBe(2);
  await c.face.run("r").cancel("enough");
  await fleet.advance("1m");
  const rows = await fleet.rows();
  expect(rows.filter(({ endedAt }) => endedAt === undefined)).toEqual([]);
  expect((await c.face.run("r").status()).status).toBe("cancelled");
  expect(ledger.lines.filter((line) => line.startsWith("undo")).sort()).toEqual(["undo before beside?", "undo before deep?"].map((line) => line.replace("?", "")).concat(["undo beside?", "undo deep?"]).sort());
});

test("a child whose log another process has written is taken back", async () => {
  const ledger = new Ledger();
  const gate = new Gate();
  ledger.manners.last = [gate, "fatal"];
  const child = workflow({ name: "child", input: anything }, function* () {
    yield* ledger.again("of the child");
  });
  const flow = flowOf(function* () {
    yield* child(null);
    yield* ledger.again("last");
  });
  const fleet = new Fleet([flow, child] as AnyNode[]);
  const [a, b] = (await fleet.joined(2)) as [Member, Member];
  await start(a, flow, "r");
  await fleet.settle();
  fleet.kill(a);
  await fleet.advance(lapsed);
  await fleet.advance("1m");
  expect((await b.face.run("r").status()).status).toBe("failed");
  expect(ledger.lines).toEqual(["of the child", "last", "last", "undo of the child"]);
});

// ── a lease that is lost ──

test("one whose lease has lapsed drives nothing of before, begins anew, and takes work again", async () => {
  const ledger = new Ledger();
  ledger.manners.call = ["obey", "ok"];
  const signals: AbortSignal[] = [];
  const watched = effect({ name: "watched", input: anything, idempotent: true, irreversible: "no" }, async (_, context) => {
    signals.push(context.signal);
    if (signals.length === 1) await new Promise(() => {});
    return context.epoch;
  });
  const flow = flowOf(function* () {
    return yield* watched(null);
  });
  const fleet = new Fleet([flow, watched] as AnyNode[]);
  const [a, b] = (await fleet.joined(2)) as [Member, Member];
  await start(a, flow, "r");
  await fleet.settle();
  const before = a.face.engine.leaseId;
  const result = asked(a.face.run("r").result());
  const events = asked((async () => {
    const types: string[] = [];
    for await (const { type } of a.face.run("r").events()) types.push(type);
    return types;
  })());
  // The other one sees it first.
  a.line.back.hold();
  fleet.lapse(a);
  await fleet.settle();
  expect([signals[0]?.aborted, a.said, a.face.role, a.face.stats().leasesLost]).toEqual([true, ["LEASE_LOST"], "client", 1]);
  expect([fleet.driver("r") ?? b, (await fleet.row("r")).status]).toEqual([b, "completed"]);
  a.line.back.release();
  await fleet.settle();
  expect([a.face.role, a.face.engine.leaseId === before]).toEqual(["owner", false]);
  expect([result.answer, events.answer?.at(-1)]).toEqual([2, "run.completed"]);
  expect(fleet.log.filter(({ leaseId }) => leaseId === before).length).toBe(1);
  await start(a, flow, "next");
  await fleet.settle();
  expect([await a.face.run("next").result(), await fleet.takers("next")]).toEqual([1, ["a"]]);
});

test("one that is not told of it appends nothing, and learns it from the store", async () => {
  const ledger = new Ledger();
  const gate = new Gate();
  ledger.manners.call = [gate, "ok"];
  const flow = flowOf(function* () {
    yield* ledger.again("call");
    return (yield* ledger.again("next")).id;
  });
  const fleet = new Fleet([flow] as AnyNode[]);
  const [a] = (await fleet.joined(2)) as [Member, Member];
  await start(a, flow, "r");
  await fleet.settle();
  a.line.deaf = true;
  fleet.lapse(a);
  await fleet.settle();
  expect(await fleet.takers("r")).toEqual(["a", "b"]);
  gate.open();
  await fleet.settle();
  expect(ledger.lines).toEqual(["call", "call", "next"]);
  expect([a.said, a.face.role]).toEqual([["LEASE_LOST"], "owner"]);
});

test("nothing is sent while the lease is in doubt; it goes when it is sure, and not when it is lost", async () => {
  const ledger = new Ledger();
  const flow = flowOf(function* (id) {
    return (yield* ledger.again(id as string)).id;
  });
  const fleet = new Fleet([flow] as AnyNode[]);
  const [a, b] = (await fleet.joined(2)) as [Member, Member];
  a.line.doubt = true;
  for (const id of ["1", "2", "3"]) await start(a, flow, id, id);
  await fleet.advance("2s");
  expect(ledger.lines).toEqual([]);
  const health = a.face.healthCheck();
  await fleet.settle();
  expect((await health).reasons.join()).toContain("lease");
  a.line.doubt = false;
  await fleet.advance("100ms");
  expect(ledger.lines).toEqual(["1", "2", "3"]);
  a.line.doubt = true;
  await start(a, flow, "4", "4");
  await fleet.advance("1s");
  fleet.lapse(a);
  await fleet.advance("1s");
  expect([ledger.lines, fleet.log.at(-1)?.by]).toEqual([["1", "2", "3", "4"], "b"]);
  expect(await b.face.run("4").result()).toBe("4");
});

test.each(["there", "back"] as const)("a start on its way (%s) when the lease is lost is answered, and runs once", async (way) => {
  const ledger = new Ledger();
  const flow = flowOf(function* () {
    return (yield* ledger.again("once")).id;
  });
  const fleet = new Fleet([flow] as AnyNode[]);
  const [a] = (await fleet.joined(2)) as [Member, Member];
  a.line[way].hold();
  const started = asked(a.face.start(flow as never, null as never));
  await fleet.settle();
  fleet.lapse(a);
  await fleet.settle();
  a.line[way].release();
  await fleet.advance("10s");
  expect(started.error).toBe(undefined);
  expect([(await fleet.rows()).map(({ status }) => status), ledger.lines]).toEqual([["completed"], ["once"]]);
});

test("a look at the store that began before the lease was lost takes nothing, and does not stop the engine", async () => {
  const ledger = new Ledger();
  const flow = flowOf(function* (id) {
    return (yield* ledger.again(id as string)).id;
  }, { concurrency: { limit: 2, key: () => "one" } });
  const fleet = new Fleet([flow] as AnyNode[]);
  const [a, b] = (await fleet.joined(2)) as [Member, Member];
  a.line.there.delayMs = 7;
  b.line.back.delayMs = 5;
  for (let i = 0; i < 8; i++) {
    const going = start(b, flow, `r${i}`, `${i}`);
    await fleet.advance("9ms");
    fleet.lapse(i % 2 === 0 ? a : b);
    await fleet.advance("3s");
    await going;
  }
  await fleet.advance("1m");
  expect((await fleet.rows()).map(({ status }) => status)).toEqual(Array(8).fill("completed"));
  expect([a.face.engine.error, b.face.engine.error]).toEqual([undefined, undefined]);
  expect([a.face.role, b.face.role]).toEqual(["owner", "owner"]);
});
