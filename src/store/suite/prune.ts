/** Retention: which ended runs go, that they go whole, and that none of them can be started again while its id is kept. */
import type { NewRun, OpenStore, PruneOptions } from "../store.ts";
import { begin, end, first, newRun, one, type Scenario, signal, turnZero } from "./kit.ts";

/** Longer than the times of these scenarios are ago. */
const keepIdsMs = 1e15;
const forever: PruneOptions = { keepIdsMs };

export const prune: readonly Scenario[] = [
  {
    name: "runs that ended before the time go whole, oldest first, and others stay as they are",
    async play(t) {
      const store = await t.owner();
      await ended(store, "second", 20);
      await ended(store, "first", 10);
      await ended(store, "late", 50);
      const open = await begin(store, "open");
      const whole = await begin(store, "whole");
      const blobs = [{ hash: "h", text: '"large"' }];
      await store.post(signal("whole", "m"));
      await whole.write(store, { blobs, states: [{ reducer: "r", key: "k", state: "1" }] });
      await whole.write(store, { ...end, at: 30 });
      await store.define("d", "text");
      t.equal(await store.prune(40, 2, forever), { runs: 2, more: true, from: 20 });
      t.equal(await ids(store), ["whole", "open", "late"]);
      t.equal(await store.prune(40, 2, { ...forever, from: 20 }), { runs: 1, more: false, from: 30 });
      t.equal(await ids(store), ["open", "late"]);
      const { runNo } = whole;
      t.equal([await store.run("whole"), await store.byNo(runNo), await store.tail(runNo)], [undefined, undefined, undefined]);
      t.equal([await store.turns(runNo), await store.inbox(runNo, 0), await store.blob(runNo, "h")], [[], [], undefined]);
      t.equal([await store.state("r", "k"), await store.definition("d")], ["1", "text"]);
      t.equal((await open.write(store)).accepted, true);
      t.equal(await store.post(signal("whole", "n")), { status: "unknown" });
      t.equal(await store.prune(40, 10, forever), { runs: 0, more: false, from: 0 });
      t.equal((await begin(store, "new")).runNo > runNo, true);
    },
  },
  {
    name: "any process removes runs, while another owns the store",
    async play(t) {
      const store = await t.owner();
      await ended(store, "a", 10);
      const log = await begin(store, "b");
      const client = t.open();
      t.equal((await client.prune(100, 10, forever)).runs, 1);
      t.equal((await log.write(store)).accepted, true);
      t.equal([await ids(store), await ids(client)], [["b"], ["b"]]);
    },
  },
  {
    name: "only runs of the statuses and the workflow that are asked for go, and what would go is counted before",
    async play(t) {
      const store = await t.owner();
      await ended(store, "a", 10, { workflow: "x" });
      await ended(store, "b", 20, { workflow: "x" }, "failed");
      await ended(store, "c", 30, { workflow: "y" }, "failed");
      await ended(store, "d", 40, { workflow: "y" }, "failed");
      await ended(store, "e", 90, { workflow: "y" }, "failed");
      await begin(store, "open", { workflow: "y" });
      t.equal(await store.prunable(50), [
        { workflow: "x", status: "completed", runs: 1, oldest: 10, newest: 10 },
        { workflow: "x", status: "failed", runs: 1, oldest: 20, newest: 20 },
        { workflow: "y", status: "failed", runs: 2, oldest: 30, newest: 40 },
      ]);
      const failed: PruneOptions = { ...forever, statuses: ["failed", "cancelled"] };
      t.equal(await store.prunable(50, { ...failed, workflow: "x" }), [
        { workflow: "x", status: "failed", runs: 1, oldest: 20, newest: 20 },
      ]);
      t.equal((await store.prune(50, 10, { ...failed, workflow: "y" })).runs, 2);
      t.equal(await ids(store), ["open", "e", "b", "a"]);
      t.equal((await store.prune(50, 10, failed)).runs, 1);
      t.equal(await ids(store), ["open", "e", "a"]);
    },
  },
  {
    name: "a run stays while an ancestor of it is under way",
    async play(t) {
      const store = await t.owner();
      const root = await begin(store, "root", { at: 1 });
      await ended(store, "child", 20, { at: 2, parent: "root" });
      await ended(store, "grandchild", 10, { at: 3, parent: "child" });
      await ended(store, "orphan", 15, { at: 3, parent: "nobody" });
      t.equal([(await store.prune(100, 10, forever)).runs, await ids(store)], [1, ["grandchild", "child", "root"]]);
      await root.write(store, { ...end, at: 30 });
      t.equal((await store.prunable(100))[0]?.runs, 3);
      t.equal([(await store.prune(100, 10, forever)).runs, await ids(store)], [3, []]);
    },
  },
  {
    name: "of a run that was begun anew, earlier rounds and their children go while the last round is under way",
    async play(t) {
      const store = await t.owner();
      const round = await begin(store, "loop", { at: 1 });
      await ended(store, "loop/a", 10, { at: 2, parent: "loop" });
      const next = { run: newRun("loop", { at: 50 }), first: { ...first, epoch: 1 } };
      await round.write(store, { ...end, at: 50, successor: next });
      await ended(store, "loop/b", 60, { at: 51, parent: "loop" });
      const old = `loop~${round.runNo}`;
      t.equal([(await store.prune(100, 10, forever)).runs, await ids(store)], [2, ["loop/b", "loop"]]);
      t.equal([(await store.pruned(old))?.endedAt, await store.pruned("loop")], [50, undefined]);
    },
  },
  {
    name: "a run and its children stay while a fork that shares its past is under way",
    async play(t) {
      const store = await t.owner();
      await ended(store, "old", 20, { at: 1 });
      await ended(store, "old/child", 10, { at: 2, parent: "old" });
      const fork = await begin(store, "fork", { at: 30, origin: "old" });
      t.equal((await store.prune(100, 10, forever)).runs, 0);
      await fork.write(store, { ...end, at: 40 });
      const again = await begin(store, "again", { at: 50, origin: "fork" });
      t.equal([(await store.prune(100, 10, forever)).runs, await store.prunable(100)], [0, []]);
      await again.write(store, { ...end, at: 60 });
      t.equal((await store.prune(100, 10, forever)).runs, 4);
    },
  },
  {
    name: "while the id of a removed run is kept, no start makes another run of it",
    async play(t) {
      const store = await t.owner();
      await ended(store, "a", 10, { workflow: "x", priority: 7, at: 5 });
      await store.prune(100, 10, forever);
      const was = {
        id: "a",
        workflow: "x",
        version: "1",
        digest: "digest of a",
        status: "completed",
        priority: 7,
        createdAt: 5,
        endedAt: 10,
      };
      const kept = async (row: object | undefined) => t.equal(row, { ...nothingMore, ...was, runNo: (row as { runNo: number }).runNo });
      await kept(await store.pruned("a"));
      const started = await t.open().start(newRun("a"), first);
      t.equal(started.created, false);
      await kept(started.row);
      const answer = await one(store, turnZero(newRun("a")));
      t.equal([answer.accepted, !answer.accepted && answer.reason], [false, "exists"]);
      await kept(answer.accepted || answer.reason !== "exists" ? undefined : answer.row);
      const parent = await begin(store, "parent");
      const child = { run: newRun("a", { parent: "parent" }), first: { ...first, epoch: 1 } };
      t.equal(await parent.write(store, { children: [child] }), { accepted: true, runNo: parent.runNo, children: [undefined] });
      t.equal([await store.run("a"), await ids(store)], [undefined, ["parent"]]);
      // Kept long enough, it is like any other.
      t.equal(await store.prune(0, 10, { keepIdsMs: 0 }), { runs: 0, more: false, from: 0 });
      t.equal([await store.pruned("a"), (await store.start(newRun("a"), first)).created], [undefined, true]);
    },
  },
  {
    name: "the id of a run that ended long enough ago is not kept at all",
    async play(t) {
      const store = await t.owner();
      await ended(store, "a", 10);
      await store.prune(100, 10, { keepIdsMs: 1 });
      t.equal([await store.pruned("a"), (await store.start(newRun("a"), first)).created], [undefined, true]);
    },
  },
  {
    name: "many runs go in many calls, and each says whether there are more",
    async play(t) {
      const store = await t.owner();
      for (let i = 0; i < 30; i++) {
        const log = await begin(store, `r${i}`, { at: 1 });
        for (let turn = 0; turn < 40; turn++) await log.write(store);
        await log.write(store, { ...end, at: 10 + (i % 3) });
      }
      let calls = 0;
      let total = 0;
      for (let from = 0, more = true; more; calls++) {
        const pruned = await store.prune(100, 8, { ...forever, from });
        t.equal(pruned.runs > 0 && pruned.runs <= 8, true);
        total += pruned.runs;
        ({ from, more } = pruned);
      }
      t.equal([total, calls >= 4, await ids(store)], [30, true, []]);
    },
  },
];

const nothingMore = {
  ...{ blocked: undefined, owned: false, wakeAt: undefined, mailPut: 0, mailGot: 0, parent: undefined },
  ...{ queuedAt: undefined, concurrency: undefined, rate: undefined },
};

async function ended(
  store: OpenStore,
  id: string,
  at: number,
  over: Partial<NewRun> = {},
  status: "completed" | "failed" = "completed",
): Promise<void> {
  await (await begin(store, id, { at: 1, ...over })).write(store, { ...end, at, row: { status, mailGot: 0 } });
}

/** Newest first. */
async function ids(store: OpenStore): Promise<readonly string[]> {
  return (await store.list({})).map(({ id }) => id);
}
