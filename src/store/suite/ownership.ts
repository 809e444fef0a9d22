/** Who may write what: every edge of the life of a run, and of a lease. */
import type { OpenStore } from "../store.ts";
import { begin, end, first, Log, newRun, one, park, parked, type Scenario, signal, turnZero } from "./kit.ts";

export const ownership: readonly Scenario[] = [
  {
    name: "a run made by the owner is its own, at epoch 1",
    async play(t) {
      const store = await t.owner();
      const { runNo } = await begin(store, "a");
      const row = await store.run("a");
      t.equal(row, {
        ...{ runNo, id: "a", workflow: "w", version: "1", digest: "digest of a", status: "running", blocked: undefined, priority: 100 },
        ...{ createdAt: 1000, endedAt: undefined, owned: true, wakeAt: undefined, mailPut: 0, mailGot: 0, parent: undefined },
        ...{ queuedAt: undefined, concurrency: undefined, rate: undefined },
      });
      t.equal(await store.tail(runNo), { turn: 0, epoch: 1, pos: 0, next: 1, at: 1000, final: false, facts: '["0"]' });
    },
  },
  {
    name: "a run started by a client is nobody's, at epoch 0, and due at once",
    async play(t) {
      const owner = await t.owner();
      const { created, row } = await t.open().start(newRun("a"), first);
      t.equal([created, row.status, row.owned, row.wakeAt], [true, "pending", false, 0]);
      t.equal((await owner.tail(row.runNo))?.epoch, 0);
      t.equal(await ids(owner, 0), ["a"]);
    },
  },
  {
    name: "starting an id again gives the run that has it",
    async play(t) {
      const store = t.open();
      const { row } = await store.start(newRun("a"), first);
      t.equal(await t.open().start(newRun("a", { digest: "other", workflow: "other" }), first), { created: false, row });
    },
  },
  {
    name: "turn 0 of an id that exists is answered with its row, and writes nothing",
    async play(t) {
      const store = await t.owner();
      const { runNo } = await begin(store, "a");
      const write = turnZero(newRun("a", { digest: "other" }), { facts: '["other"]', states: [{ reducer: "r", key: "k", state: "1" }] });
      t.equal(await one(store, write), { accepted: false, reason: "exists", row: await store.run("a") });
      t.equal((await store.turns(runNo)).length, 1);
      t.equal(await store.state("r", "k"), undefined);
    },
  },
  {
    name: "the owner of a run appends turn after turn, at the same epoch",
    async play(t) {
      const store = await t.owner();
      const log = await begin(store, "a");
      t.equal(await log.write(store), { accepted: true, runNo: log.runNo });
      t.equal(await log.write(store, { row: { status: "paused", mailGot: 0 } }), { accepted: true, runNo: log.runNo });
      t.equal(
        (await store.turns(log.runNo)).map((turn) => [turn.turn, turn.epoch, turn.pos, turn.next, turn.facts]),
        [
          [0, 1, 0, 1, '["0"]'],
          [1, 1, 1, 2, '["1"]'],
          [2, 1, 2, 3, '["2"]'],
        ],
      );
      t.equal((await store.run("a"))?.status, "paused");
    },
  },
  {
    name: "taking an unowned run raises its epoch, and makes it the owner's",
    async play(t) {
      const store = await t.owner();
      const { row } = await store.start(newRun("a"), first);
      const log = new Log(row.runNo, 0);
      t.equal((await log.write(store, { take: true })).accepted, true);
      const taken = await store.run("a");
      t.equal([taken?.status, taken?.owned, taken?.wakeAt], ["running", true, undefined]);
      t.equal((await store.tail(row.runNo))?.epoch, 1);
      t.equal(await ids(store, 0), []);
    },
  },
  {
    name: "a run may be taken and put down by the same turn",
    async play(t) {
      const store = await t.owner();
      const log = await parked(store, "a", 10);
      t.equal((await log.write(store, { take: true, ...park(20) })).accepted, true);
      const row = await store.byNo(log.runNo);
      t.equal([row?.owned, row?.wakeAt, (await store.tail(log.runNo))?.epoch], [false, 20, 2]);
    },
  },
  {
    name: "a run may be taken and ended by the same turn",
    async play(t) {
      const store = await t.owner();
      const log = await parked(store, "a", 10);
      t.equal((await log.write(store, { take: true, ...end })).accepted, true);
      const row = await store.run("a");
      t.equal([row?.status, row?.owned, row?.wakeAt, row?.endedAt], ["completed", false, undefined, 1002]);
    },
  },
  {
    name: "a run that is put down has no owner, keeps its epoch, and wakes when it said",
    async play(t) {
      const store = await t.owner();
      const log = await begin(store, "a");
      await log.write(store, park(5000));
      const row = await store.run("a");
      t.equal([row?.status, row?.owned, row?.wakeAt], ["waiting", false, 5000]);
      t.equal((await store.tail(log.runNo))?.epoch, 1);
      t.equal([await ids(store, 4999), await ids(store, 5000)], [[], ["a"]]);
    },
  },
  {
    name: "the end of a run raises its epoch; nobody owns it, and it never wakes",
    async play(t) {
      const store = await t.owner();
      const log = await begin(store, "a");
      await log.write(store, end);
      const row = await store.run("a");
      t.equal([row?.status, row?.owned, row?.wakeAt, row?.endedAt], ["completed", false, undefined, 1001]);
      const tail = await store.tail(log.runNo);
      t.equal([tail?.epoch, tail?.final], [2, true]);
      t.equal(await ids(store, Number.MAX_SAFE_INTEGER), []);
    },
  },
  {
    name: "only one process owns the store",
    owners: "one",
    async play(t) {
      await t.owner("L1");
      const second = t.open();
      t.equal(await second.acquire("L2"), undefined);
      t.equal((await second.owner())?.leaseId, "L1");
    },
  },
  {
    name: "who lets go leaves its runs unowned and due at once",
    async play(t) {
      const store = await t.owner("L1");
      await begin(store, "a");
      await parked(store, "b", 5000);
      await store.release();
      t.equal(await store.owner(), undefined);
      const next = await t.owner("L2");
      t.equal((await next.owner())?.leaseId, "L2");
      t.equal(await ids(next, 0), ["a"]);
      await t.fails("OWNERSHIP_LOST", () => store.append([turnZero(newRun("c"))]));
    },
  },
  {
    name: "closing lets go",
    async play(t) {
      const store = await t.owner("L1");
      await store.close();
      await t.owner("L2");
    },
  },
  {
    name: "a lost owner's runs are taken over by the next, one epoch higher",
    async play(t) {
      const old = await t.owner("L1");
      const log = await begin(old, "a");
      await t.loseOwner();
      const next = await t.owner("L2");
      t.equal(await ids(next, 0), ["a"]);
      t.equal((await log.write(next, { take: true })).accepted, true);
      t.equal((await next.tail(log.runNo))?.epoch, 2);
    },
  },
  {
    name: "a lost owner that goes on writes nothing, and its release frees nothing",
    async play(t) {
      const old = await t.owner("L1");
      const log = await begin(old, "a");
      const other = await begin(old, "b");
      await t.loseOwner();
      const next = await t.owner("L2");
      const stale = log.next({ messages: [signal("b", "m")], states: [{ reducer: "r", key: "k", state: "1" }] });
      // Before its runs are taken, and after.
      await t.fails("OWNERSHIP_LOST", () => old.append([stale]));
      await log.write(next, { take: true });
      await t.fails("OWNERSHIP_LOST", () => old.append([stale, other.next()]));
      await t.fails("OWNERSHIP_LOST", () => old.append([turnZero(newRun("c"))]));
      await old.release();
      t.equal([(await next.turns(log.runNo)).length, (await next.turns(other.runNo)).length], [2, 1]);
      t.equal([await next.run("c"), await next.state("r", "k"), (await next.run("b"))?.mailPut], [undefined, undefined, 0]);
      t.equal((await next.run("a"))?.owned, true);
      t.equal((await next.owner())?.leaseId, "L2");
    },
  },
  {
    name: "who is not the owner appends nothing",
    async play(t) {
      await t.owner();
      const client = t.open();
      await t.fails("OWNERSHIP_LOST", () => client.append([turnZero(newRun("a"))]));
      await t.fails("OWNERSHIP_LOST", () => client.block(1, "VERSION_MISSING"));
      await t.fails("OWNERSHIP_LOST", () => client.unblock(["w@1"]));
      t.equal(await client.run("a"), undefined);
    },
  },
];

async function ids(store: OpenStore, now: number): Promise<readonly string[]> {
  return (await store.due(now, 100)).map((row) => row.id);
}
