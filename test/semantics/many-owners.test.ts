/** What holds where several orchestrators drive the runs of one store, and processes come, go, and lose their leases. */
import { expect, test } from "vitest";
import { z } from "zod";
import { type AnyNode, each, effect, now, reducer, signal, sleep, workflow } from "../../src/index.ts";
import { Fleet, leaseMs, type Member } from "./fleet.ts";
import { asked, flowOf, lapsed, ownerAndClient, start } from "./fleet-kit.ts";
import { anything, Gate, Ledger } from "./kit.ts";

// ── starts of others ──

test("a start of another process is taken by its number: one question and its turns, and no look at the rest", async () => {
  const flow = flowOf(function* () {
    return yield* now();
  });
  const fleet = new Fleet([flow] as AnyNode[]);
  const [owner, client] = await ownerAndClient(fleet);
  owner.line.calls.clear();
  await start(client, flow, "r");
  await fleet.settle();
  expect((await fleet.row("r")).status).toBe("completed");
  expect(Object.fromEntries(owner.line.calls)).toEqual({ take: 1, append: 1 });
});

test("a signal from another process is read by the one that drives the run, and by no look", async () => {
  const ledger = new Ledger();
  const gate = new Gate();
  ledger.manners.call = gate;
  const go = signal({ name: "go", payload: z.number() });
  const flow = flowOf(function* () {
    yield* ledger.again("call");
    return yield* go.wait();
  });
  const fleet = new Fleet([flow] as AnyNode[]);
  const [a, b] = (await fleet.joined(2)) as [Member, Member];
  await start(a, flow, "r");
  await fleet.settle();
  for (const { line } of [a, b]) line.calls.clear();
  await b.face.run("r").signal(go, 7);
  await fleet.settle();
  gate.open();
  await fleet.settle();
  expect((await fleet.row("r")).status).toBe("completed");
  expect([a.line.count("inbox"), a.line.count("mailed", "due", "queued"), b.line.count("inbox")]).toEqual([1, 0, 0]);
});

test("mail that comes while a run is being taken is read with the next turn", async () => {
  const go = signal({ name: "go", payload: z.number() });
  const flow = flowOf(function* () {
    return yield* go.wait();
  });
  const fleet = new Fleet([flow] as AnyNode[]);
  const [owner, client] = await ownerAndClient(fleet);
  owner.line.back.hold();
  await start(client, flow, "r");
  await fleet.settle();
  expect(owner.line.count("take")).toBe(1);
  // Nobody owns it yet, so this is told to nobody in particular.
  await client.face.run("r").signal(go, 7);
  await fleet.settle();
  owner.line.back.release();
  await fleet.settle();
  expect([(await fleet.row("r")).status, await client.face.run("r").result()]).toEqual(["completed", 7]);
});

test("a secret in what another process starts is sealed on the way, and there where it is needed", async () => {
  const seen: unknown[] = [];
  const use = effect({ name: "use", input: anything, idempotent: true, readonly: true }, async (input) => void seen.push(input));
  const flow = flowOf(function* (input) {
    yield* use(input);
  });
  const fleet = new Fleet([flow, use] as AnyNode[]);
  const [owner, client] = await ownerAndClient(fleet);
  await start(client, flow, "r", { password: "correct horse" });
  await fleet.settle();
  expect([seen, owner.line.count("take")]).toEqual([[{ password: "correct horse" }], 1]);
  expect(JSON.stringify(await fleet.store.turns((await fleet.row("r")).runNo))).not.toContain("correct horse");
});

test("what is started elsewhere waits for a slot, in the order of the queue", async () => {
  const ledger = new Ledger();
  const gate = new Gate();
  ledger.manners.first = [gate, "ok", "ok", "ok"];
  const flow = flowOf(function* () {
    yield* ledger.again("first");
  });
  const fleet = new Fleet([flow] as AnyNode[]);
  const [, client] = await ownerAndClient(fleet, { config: { maxConcurrentWorkflows: 1 } });
  for (const id of ["r0", "r1", "r2", "r3"]) {
    await start(client, flow, id, null, { priority: id === "r3" ? 1 : 100 });
    await fleet.settle();
  }
  expect((await Promise.all(["r0", "r1", "r2", "r3"].map((id) => fleet.row(id)))).map(({ status }) => status)).toEqual([
    "running",
    ...["pending", "pending", "pending"],
  ]);
  gate.open();
  await fleet.settle();
  const turns = fleet.log.filter(({ write }) => write.take === true).map(({ runNo }) => runNo);
  const numbers = new Map(await Promise.all(["r0", "r1", "r2", "r3"].map(async (id) => [(await fleet.row(id)).runNo, id] as const)));
  expect(turns.map((runNo) => numbers.get(runNo))).toEqual(["r0", "r3", "r1", "r2"]);
});

test("a start of a workflow that one process does not hold is the other's at once, and stays in the queue where nobody holds it", async () => {
  const flow = flowOf(function* () {
    return yield* now();
  });
  const other = workflow({ name: "other", input: anything }, function* () {
    return yield* now();
  });
  const fleet = new Fleet([flow] as AnyNode[]);
  const [a] = (await fleet.joined(1)) as [Member];
  const b = fleet.join({ nodes: [other] as AnyNode[] });
  const client = fleet.join({ nodes: [] });
  await fleet.settle();
  await start(client, other as never, "o");
  await fleet.settle();
  expect([(await fleet.row("o")).status, fleet.log.at(-1)?.by]).toEqual(["completed", b.name]);
  await fleet.close(b);
  await start(client, other as never, "p");
  await fleet.settle();
  const { status, queuedAt } = await fleet.row("p");
  expect([status, queuedAt !== undefined, a.said]).toEqual(["pending", true, ["VERSION_MISSING"]]);
});

// ── closing ──

test("who closes while the store does not answer waits for it no longer than its grace", async () => {
  const flow = flowOf(function* () {
    yield* sleep("100ms");
    return yield* now();
  });
  const fleet = new Fleet([flow] as AnyNode[]);
  const [a] = (await fleet.joined(1)) as [Member];
  a.line.back.hold();
  start(a, flow, "r").catch(() => {});
  await fleet.settle();
  const began = fleet.clock.now();
  let closed = false;
  fleet.leave(a, 5_000).then(() => {
    closed = true;
  });
  // Time goes on only when everybody rests.
  await fleet.advance("4999ms");
  expect(closed).toBe(false);
  await fleet.advance("1ms");
  a.line.back.release();
  await fleet.settle();
  expect([closed, fleet.clock.now() - began]).toEqual([true, 5_000]);
});

// ── takeover ──

test("the runs of one that was killed are taken when its lease has lapsed, one epoch higher, and a call in doubt keeps its key", async () => {
  const ledger = new Ledger();
  const gate = new Gate();
  ledger.manners.first = [gate, "ok"];
  const flow = flowOf(function* () {
    yield* ledger.again("first");
    return (yield* ledger.again("second")).id;
  });
  const fleet = new Fleet([flow] as AnyNode[]);
  const [a, b] = (await fleet.joined(2)) as [Member, Member];
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
  await fleet.ask(c.face.run("r").cancel("enough"));
  await fleet.advance("1m");
  const rows = await fleet.rows();
  expect(rows.filter(({ endedAt }) => endedAt === undefined)).toEqual([]);
  expect((await fleet.ask(c.face.run("r").status())).status).toBe("cancelled");
  expect(ledger.lines.filter((line) => line.startsWith("undo")).sort()).toEqual(
    ["undo before beside?", "undo before deep?"]
      .map((line) => line.replace("?", ""))
      .concat(["undo beside?", "undo deep?"])
      .sort(),
  );
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
  const events = asked(
    (async () => {
      const types: string[] = [];
      for await (const { type } of a.face.run("r").events()) types.push(type);
      return types;
    })(),
  );
  // The other one sees it first.
  a.line.back.hold();
  fleet.lapse(a);
  await fleet.settle();
  expect([signals[0]?.reason, a.said, a.face.role, a.face.engine.counts.leasesLost]).toEqual([
    expect.objectContaining({ code: "LEASE_LOST" }),
    ["LEASE_LOST"],
    "client",
    1,
  ]);
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
  expect([ledger.lines, (await fleet.takers("4")).length]).toEqual([["1", "2", "3", "4"], 2]);
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

test("a start waits for a store that is away for a bounded time, and what it asked for happens once", async () => {
  const ledger = new Ledger();
  const flow = flowOf(function* (id) {
    return (yield* ledger.again(id as string)).id;
  });
  const fleet = new Fleet([flow] as AnyNode[]);
  const [a, b] = [fleet.join({ startTimeoutMs: 20_000 }), fleet.join()];
  await fleet.settle();
  const away = asked(start(a, flow, "early", "early"));
  a.line.there.hold();
  const named = asked(start(a, flow, "r", "r"));
  const unnamed = asked(a.face.start(flow as never, "u" as never));
  await fleet.advance("19s");
  expect([away.error, named.error, unnamed.error]).toEqual([undefined, undefined, undefined]);
  await fleet.advance("1s");
  for (const { error } of [named, unnamed])
    expect(error).toMatchObject({ code: "START_TIMEOUT", message: expect.stringContaining("runId") });
  const waiting = a.line.verbs;
  const refused = Array.from({ length: 50 }, (_, i) => asked(start(a, flow, `more${i}`)));
  await fleet.settle();
  expect(refused.map(({ error }) => (error as { code?: string } | undefined)?.code)).toEqual(Array(50).fill("START_TIMEOUT"));
  expect(a.line.verbs).toBe(waiting);
  // The same start by another process, and by this one when the store is back, makes no second run.
  await start(b, flow, "r", "r");
  a.line.there.release();
  await fleet.advance("1m");
  const again = await fleet.ask(start(a, flow, "r", "r"));
  expect([again.existed, ledger.lines.toSorted(), (await fleet.rows()).length]).toEqual([true, ["early", "r", "u"], 3]);
});

test("a look at the store that began before the lease was lost takes nothing, and does not stop the engine", async () => {
  const ledger = new Ledger();
  const flow = flowOf(
    function* (id) {
      return (yield* ledger.again(id as string)).id;
    },
    { concurrency: { limit: 2, key: () => "one" } },
  );
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

// ── from a process that does not drive it ──

test("whoever does not drive a run may signal, pause, resume, cancel and move it, and waits for its end", async () => {
  const go = signal({ name: "go", payload: z.string() });
  const body = function* () {
    const first = yield* go.wait();
    const second = yield* go.wait();
    return [first, second];
  };
  const flow = flowOf(body);
  const newer = flowOf(body, { version: "2.0.0" });
  const fleet = new Fleet([flow, newer] as AnyNode[]);
  const [a, b] = (await fleet.joined(2)) as [Member, Member];
  const status = async () => (await b.face.run("r").status()).status;
  await start(a, flow, "r");
  await fleet.settle();
  const run = b.face.run("r");
  const result = asked(run.result());
  await run.pause();
  await fleet.settle();
  expect(await status()).toBe("paused");
  await run.signal(go, "1");
  await run.resume();
  await fleet.settle();
  await run.migrate(newer as never);
  await fleet.settle();
  expect((await fleet.row("r")).version).toBe("2.0.0");
  await run.signal(go, "2");
  await fleet.settle();
  expect(result.answer).toEqual(["1", "2"]);
  await start(a, flow, "s");
  await fleet.settle();
  await b.face.run("s").cancel();
  await fleet.settle();
  expect((await a.face.run("s").status()).status).toBe("cancelled");
});

test("mail is read once, whoever comes between the look of another and its taking", async () => {
  const go = signal({ name: "go", payload: z.number() });
  const flow = flowOf(function* () {
    const got: number[] = [];
    for (let i = 0; i < 3; i++) got.push(yield* go.wait());
    return got;
  });
  const fleet = new Fleet([flow] as AnyNode[]);
  const [a, b, c] = (await fleet.joined(3)) as [Member, Member, Member];
  await start(a, flow, "r");
  await fleet.settle();
  // It sees the run with one message, and takes it long after.
  b.line.back.hold();
  a.line.there.hold();
  await c.face.run("r").signal(go, 1);
  await fleet.settle();
  for (const n of [2, 3]) {
    await fleet.advance("6s");
    if (n === 2) await c.face.run("r").signal(go, n);
    await fleet.settle();
  }
  b.line.back.release();
  a.line.there.release();
  await fleet.advance("1m");
  await c.face.run("r").signal(go, 3);
  await fleet.advance("1m");
  expect(await c.face.run("r").result()).toEqual([1, 2, 3]);
});

test("all reduce and read one key, and each event counts once", async () => {
  const count = reducer({ name: "count", event: anything, initial: 0 }, (state: number) => state + 1);
  const flow = flowOf(function* () {
    const seen: number[] = [];
    for (let i = 0; i < 5; i++) {
      const mine = (yield* count(null)) as number;
      const now = (yield* count.read()) as number;
      seen.push(mine);
      if (now < mine) throw new Error(`it reads ${now} after ${mine}`);
    }
    return seen;
  });
  const fleet = new Fleet([flow] as AnyNode[]);
  const members = await fleet.joined(3);
  members.forEach(({ line }, i) => {
    line.back.delayMs = i;
  });
  const starts = members.flatMap((member, i) => [0, 1, 2, 3].map((n) => start(member, flow, `${i}/${n}`)));
  await fleet.advance("10ms");
  fleet.lapse(members[0] as Member);
  fleet.kill(members[1] as Member);
  starts.map((one) => one.catch(() => {}));
  await fleet.advance("1m");
  const rows = await fleet.rows();
  expect(rows.filter(({ status }) => status !== "completed").map(({ id, status }) => `${id} ${status}`)).toEqual([]);
  const values: number[] = [];
  for (const { id } of rows)
    for (const fact of await fleet.facts(id)) if (fact.type === "reducer.applied") values.push(fact.state as number);
  expect(values.sort((x, y) => x - y)).toEqual(values.map((_, i) => i + 1));
  expect(values.length).toBe(rows.length * 5);
});

test("a look whose lease is lost in its middle takes nothing for the next lease", async () => {
  const ledger = new Ledger();
  ledger.manners.call = [new Gate(), new Gate()];
  const flow = flowOf(function* () {
    return (yield* ledger.again("call")).id;
  });
  const fleet = new Fleet([flow] as AnyNode[]);
  const [a, b] = (await fleet.joined(2)) as [Member, Member];
  await start(a, flow, "r");
  await fleet.settle();
  b.line.back.delayMs = 10;
  await fleet.close(a);
  for (let i = 0; b.line.count("byNo") === 0 && i < 1000; i++) await fleet.advance("1ms");
  expect(b.line.count("byNo")).toBe(1);
  fleet.lapse(b);
  await fleet.advance("5s");
  // Under the new lease it is taken once, by the run that is driven.
  expect([fleet.driver("r")?.name, await fleet.takers("r")]).toEqual(["b", ["a", "b"]]);
  expect(ledger.lines).toEqual(["call", "call"]);
});
