/** The queue of starts: who waits, in which order, who is left out, and what counts as under way. */
import type { OpenStore } from "../store.ts";
import { begin, end, first, Log, newRun, park, parked, type Scenario, signal } from "./kit.ts";

export const queue: readonly Scenario[] = [
  {
    name: "a queued run is nobody's, and due only in the queue",
    async play(t) {
      const store = await t.owner();
      const { row } = await t.open().start(newRun("a", { queuedAt: 50, concurrency: "c", rate: "r" }), first);
      t.equal([row.status, row.owned, row.wakeAt, row.queuedAt, row.concurrency, row.rate], ["pending", false, undefined, 50, "c", "r"]);
      t.equal([await due(store), await store.nextWake(-1), await queued(store)], [[], undefined, ["a"]]);
      await new Log(row.runNo, 0).write(store, { take: true });
      const taken = await store.run("a");
      t.equal([taken?.owned, taken?.queuedAt, taken?.status], [true, undefined, "running"]);
      t.equal(await queued(store), []);
    },
  },
  {
    name: "queued runs come by priority, then by their time, then by their number, and not before their time",
    async play(t) {
      const store = await t.owner();
      const start = (id: string, queuedAt: number, priority: number) => store.start(newRun(id, { queuedAt, priority }), first);
      await start("second of two", 20, 100);
      await start("late", 500, 1);
      await start("first", 30, 1);
      await start("first of two", 10, 100);
      await start("third", 20, 100);
      t.equal(await queued(store, 400), ["first", "first of two", "second of two", "third"]);
      t.equal(await queued(store, 400, [], 2), ["first", "first of two"]);
      t.equal([await queued(store, 9), (await queued(store, 500))[1]], [[], "late"]);
      t.equal([await store.queuedCount(9), await store.queuedCount(400), await store.queuedCount(500)], [0, 4, 5]);
      t.equal([await store.nextQueued(-1), await store.nextQueued(10), await store.nextQueued(500)], [10, 20, undefined]);
    },
  },
  {
    name: "those of a concurrency or rate that is named are left out",
    async play(t) {
      const store = await t.owner();
      await store.start(newRun("a", { queuedAt: 1, concurrency: "x" }), first);
      await store.start(newRun("b", { queuedAt: 1, concurrency: "y", rate: "r" }), first);
      await store.start(newRun("c", { queuedAt: 1, rate: "s" }), first);
      await store.start(newRun("d", { queuedAt: 1 }), first);
      t.equal(await queued(store, 1, ["x", "r"]), ["c", "d"]);
      t.equal(await queued(store, 1, ["y", "s"]), ["a", "d"]);
    },
  },
  {
    name: "a queued run whose time ends there is due then, and not when it was taken before",
    async play(t) {
      const store = await t.owner();
      await store.start(newRun("a", { queuedAt: 50, wakeAt: 70 }), first);
      const { row } = await store.start(newRun("b", { queuedAt: 50, wakeAt: 80 }), first);
      t.equal([await store.nextWake(60), (await store.run("a"))?.wakeAt], [70, 70]);
      await new Log(row.runNo, 0).write(store, { take: true });
      t.equal([(await store.due(75, 10, true)).map(({ id }) => id), await store.nextWake(75)], [["a"], undefined]);
    },
  },
  {
    name: "mail leaves a run in the queue, and is there when it is taken; a cancel makes it due",
    async play(t) {
      const store = await t.owner();
      const { row } = await store.start(newRun("a", { queuedAt: 50 }), first);
      await t.open().post(signal("a", "m"));
      t.equal([await due(store), await queued(store), (await store.run("a"))?.wakeAt], [[], ["a"], undefined]);
      await t.open().post({ ...signal("a", "n"), kind: "cancel" });
      t.equal([await due(store), await due(store, true)], [["a"], ["a"]]);
      t.equal((await store.inbox(row.runNo, 0)).length, 2);
      await new Log(row.runNo, 0).write(store, { take: true, ...end });
      t.equal([await queued(store), await due(store), (await store.run("a"))?.endedAt], [[], [], 1001]);
    },
  },
  {
    name: "children that are due are found alone",
    async play(t) {
      const store = await t.owner();
      await parked(store, "root", 10);
      await parked(store, "child", 20, { parent: "root" });
      await parked(store, "later", 200, { parent: "root" });
      t.equal([await due(store, true), await due(store)], [["child"], ["root", "child"]]);
      t.equal((await store.due(300, 1, true)).length, 1);
    },
  },
  {
    name: "what is under way is counted by its concurrency, asleep or not, until it ends",
    async play(t) {
      const store = await t.owner();
      await store.start(newRun("queued", { queuedAt: 1, concurrency: "x" }), first);
      const log = await begin(store, "a", { concurrency: "x" });
      await parked(store, "b", null, { concurrency: "x" });
      await begin(store, "c", { concurrency: "y" });
      await begin(store, "d");
      const counts = async () => Object.fromEntries((await store.underWay()).map(({ concurrency, count }) => [concurrency, count]));
      t.equal(await counts(), { x: 2, y: 1 });
      await log.write(store, end);
      t.equal(await counts(), { x: 1, y: 1 });
      await store.release();
      t.equal(await counts(), { x: 1, y: 1 });
    },
  },
  {
    name: "when a run of a rate was first taken is kept",
    async play(t) {
      const store = await t.owner();
      const { row } = await store.start(newRun("a", { queuedAt: 1, rate: "r" }), first);
      await begin(store, "b", { rate: "s", at: 500 });
      await begin(store, "c");
      t.equal(await store.admissions(0), [{ rate: "s", at: 500 }]);
      const log = new Log(row.runNo, 0);
      await log.write(store, { take: true, ...park(5) });
      await log.write(store, { take: true });
      t.equal(await store.admissions(0), [
        { rate: "s", at: 500 },
        { rate: "r", at: 1001 },
      ]);
      t.equal(await store.admissions(500), [{ rate: "r", at: 1001 }]);
    },
  },
  {
    name: "a queued run that is blocked waits outside of the queue, and comes back to its place",
    async play(t) {
      const store = await t.owner();
      const { row } = await store.start(newRun("a", { queuedAt: 50 }), first);
      await store.block(row.runNo, "VERSION_MISSING");
      t.equal([await queued(store), await store.queuedCount(100), await store.nextQueued(0)], [[], 0, undefined]);
      t.equal(await store.unblock(["w@1"]), 1);
      t.equal([await queued(store), await due(store), (await store.run("a"))?.queuedAt], [["a"], [], 50]);
    },
  },
  {
    name: "a new owner finds the queue as it was",
    async play(t) {
      const store = await t.owner("L1");
      await store.start(newRun("a", { queuedAt: 50 }), first);
      await store.release();
      const next = await t.owner("L2");
      t.equal([await queued(next), await due(next)], [["a"], []]);
    },
  },
];

async function due(store: OpenStore, slotless?: boolean): Promise<readonly string[]> {
  return (await store.due(100, 100, slotless)).map((row) => row.id);
}

async function queued(store: OpenStore, now = 100, except: readonly string[] = [], limit = 100): Promise<readonly string[]> {
  return (await store.queued(now, limit, except)).map((row) => row.id);
}
