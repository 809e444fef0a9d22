/** What goes with a turn, and what is found again: children, successors, states, blobs, lists, and the order of waking. */
import type { OpenStore } from "../store.ts";
import { begin, end, first, firstOwned, Log, newRun, park, parked, type Scenario, signal, turnZero } from "./kit.ts";

/** Text that has been lost on the way somewhere: NUL, a lone surrogate, quotes, a line end. */
const odd = JSON.stringify("\0 \ud800 ' \" \n ü 漢 😀");

export const contents: readonly Scenario[] = [
  {
    name: "children are made with the turn of their parent, and owned by its owner",
    async play(t) {
      const store = await t.owner();
      const parent = await begin(store, "p");
      await store.start(newRun("p/2"), first);
      const children = ["p/1", "p/2", "p/3"].map((id) => ({
        run: newRun(id, { parent: "p" }),
        first: { ...firstOwned, blobs: [{ hash: "h", text: id }] },
      }));
      const answer = await parent.write(store, { children });
      const [one, two, three] = [await store.run("p/1"), await store.run("p/2"), await store.run("p/3")];
      t.equal(answer, { accepted: true, runNo: parent.runNo, children: [one?.runNo, undefined, three?.runNo] });
      t.equal([one?.owned, one?.parent, one?.status], [true, "p", "running"]);
      t.equal([two?.owned, two?.parent, two?.status], [false, undefined, "pending"]);
      t.equal(await store.blob(three?.runNo ?? 0, "h"), "p/3");
      t.equal((await new Log(one?.runNo ?? 0).write(store)).accepted, true);
    },
  },
  {
    name: "a successor has the id, and the mail that was not read",
    async play(t) {
      const store = await t.owner();
      const log = await begin(store, "a");
      for (const id of ["m1", "m2", "m3"]) await store.post(signal("a", id));
      const answer = await log.write(store, {
        final: true,
        row: { status: "completed", mailGot: 1 },
        successor: { run: newRun("a", { digest: "second", at: 2000 }), first: firstOwned },
      });
      const [ended, next] = [await store.byNo(log.runNo), await store.run("a")];
      t.equal(answer, { accepted: true, runNo: log.runNo, successorNo: next?.runNo });
      t.equal([ended?.id, ended?.status, ended?.endedAt], [`a~${log.runNo}`, "completed", 1001]);
      t.equal([next?.owned, next?.digest, next?.mailPut, next?.mailGot], [true, "second", 3, 1]);
      const runNo = next?.runNo ?? 0;
      t.equal(await store.mailed(), [runNo]);
      t.equal(
        (await store.inbox(runNo, 0)).map((mail) => mail.messageId),
        ["m2", "m3"],
      );
      t.equal(await store.post(signal("a", "m3")), { status: "duplicate", seq: 3 });
      t.equal(await store.post(signal("a", "m4")), { status: "posted", seq: 4 });
      t.equal(await store.post(signal(`a~${log.runNo}`, "m5")), { status: "ended" });
      await new Log(runNo).write(store, park(9000, 4));
      t.equal((await store.run("a"))?.wakeAt, 9000);
    },
  },
  {
    name: "a run that was moved is found under its new version",
    async play(t) {
      const store = await t.owner();
      const log = await begin(store, "a");
      await log.write(store, { row: { status: "running", mailGot: 0, version: "2.0.0" } });
      t.equal((await store.run("a"))?.version, "2.0.0");
      await log.write(store, park(9000, 0));
      await store.block(log.runNo, "VERSION_MISSING");
      t.equal(await store.unblock(["w@1.0.0"]), 0);
      const { workflow } = (await store.run("a")) ?? {};
      t.equal(await store.unblock([`${workflow}@2.0.0`]), 1);
    },
  },
  {
    name: "the state of a reducer is found by its key, whatever is in it",
    async play(t) {
      const store = await t.owner();
      const log = await begin(store, "a");
      const keys = ["k", "", "__proto__", "a\0b", "a\0c", "\ud800", "\udfff"];
      await log.write(store, { states: keys.map((key) => ({ reducer: "r", key, state: JSON.stringify(key) })) });
      await log.write(store, {
        states: [
          { reducer: "r", key: "k", state: "2" },
          { reducer: "s", key: "k", state: odd },
        ],
      });
      for (const key of keys.slice(1)) t.equal(await store.state("r", key), JSON.stringify(key));
      t.equal([await store.state("r", "k"), await t.open().state("s", "k"), await store.state("s", "x")], ["2", odd, undefined]);
    },
  },
  {
    name: "facts, blobs, messages and definitions come back to the letter",
    async play(t) {
      const store = await t.owner();
      const log = await begin(store, "a");
      await log.write(store, {
        facts: `[${odd}]`,
        blobs: [
          { hash: "h", text: odd },
          { hash: "i", text: "2" },
        ],
      });
      await log.write(store, { blobs: [{ hash: "h", text: odd }] });
      await store.post({ ...signal("a", "m"), body: odd });
      await store.define("d", "text: ü\n");
      await store.define("d", "text: ü\n");
      const client = t.open();
      t.equal((await client.turns(log.runNo, 1, 1))[0]?.facts, `[${odd}]`);
      t.equal(
        [await client.blob(log.runNo, "h"), await client.blob(log.runNo, "x"), await client.blob(99, "h")],
        [odd, undefined, undefined],
      );
      t.equal((await client.inbox(log.runNo, 0))[0]?.body, odd);
      t.equal([await client.definition("d"), await client.definition("x")], ["text: ü\n", undefined]);
    },
  },
  {
    name: "turns are read from any point on",
    async play(t) {
      const store = await t.owner();
      const log = await begin(store, "a");
      for (let i = 1; i < 5; i++) await log.write(store);
      const numbers = async (from?: number, limit?: number): Promise<readonly number[]> =>
        (await store.turns(log.runNo, from, limit)).map((turn) => turn.turn);
      t.equal(await numbers(), [0, 1, 2, 3, 4]);
      t.equal([await numbers(3), await numbers(1, 2), await numbers(5)], [[3, 4], [1, 2], []]);
      t.equal([(await store.tail(log.runNo))?.turn, await store.tail(99), await store.turns(99)], [4, undefined, []]);
    },
  },
  {
    name: "due runs come by wake time, then priority, lower first",
    async play(t) {
      const store = await t.owner();
      await parked(store, "late", 300);
      await parked(store, "last of two", 200, { priority: 9 });
      await parked(store, "first of two", 200, { priority: 2 });
      await parked(store, "early", 100, { priority: 1000 });
      await parked(store, "never", null);
      await store.start(newRun("new"), first);
      await begin(store, "owned");
      t.equal(await due(store, 299), ["new", "early", "first of two", "last of two"]);
      t.equal(await due(store, 1000, 2), ["new", "early"]);
    },
  },
  {
    name: "sleepers are found in a window of time, and the next wake after one",
    async play(t) {
      const store = await t.owner();
      const logs = [];
      for (const wakeAt of [300, 100, 200, null]) logs.push(await parked(store, `at ${wakeAt}`, wakeAt));
      await store.start(newRun("new"), first);
      const [at300, at100, at200] = logs;
      t.equal(await store.sleepers(100, 300, 10), [
        { runNo: at200?.runNo, wakeAt: 200 },
        { runNo: at300?.runNo, wakeAt: 300 },
      ]);
      t.equal(await store.sleepers(0, 300, 1), [{ runNo: at100?.runNo, wakeAt: 100 }]);
      t.equal(
        [await store.nextWake(-1), await store.nextWake(0), await store.nextWake(100), await store.nextWake(300)],
        [0, 100, 200, undefined],
      );
      await at100?.write(store, { take: true });
      t.equal(await store.nextWake(0), 200);
    },
  },
  {
    name: "a wake time between two milliseconds is the later one",
    async play(t) {
      const store = await t.owner();
      await parked(store, "a", 100.25);
      t.equal([await due(store, 100), await due(store, 101)], [[], ["a"]]);
    },
  },
  {
    name: "lists come newest first, page by page, with filters",
    async play(t) {
      const store = await t.owner();
      const logs = [];
      for (let i = 0; i < 6; i++) logs.push(await begin(store, `r${i}`, { workflow: i % 2 === 0 ? "even" : "odd" }));
      await logs[0]?.write(store, end);
      await logs[3]?.write(store, { final: true, row: { status: "failed", mailGot: 0 } });
      const ids = async (filter: Parameters<OpenStore["list"]>[0]): Promise<readonly string[]> =>
        (await store.list(filter)).map((row) => row.id);
      t.equal(await ids({}), ["r5", "r4", "r3", "r2", "r1", "r0"]);
      t.equal(
        [await ids({ limit: 2 }), await ids({ limit: 2, before: logs[4]?.runNo ?? 0 })],
        [
          ["r5", "r4"],
          ["r3", "r2"],
        ],
      );
      t.equal([await ids({ status: "failed" }), await ids({ status: "completed" }), await ids({ status: "paused" })], [["r3"], ["r0"], []]);
      t.equal([await ids({ workflow: "odd" }), await ids({ workflow: "odd", status: "running", limit: 1 })], [["r5", "r3", "r1"], ["r5"]]);
    },
  },
  {
    name: "a blocked run is not due until its workflow is there",
    async play(t) {
      const store = await t.owner();
      await parked(store, "a", 100, { workflow: "w", version: "2" });
      await parked(store, "b", 100, { workflow: "v", version: "1" });
      const owned = await begin(store, "c");
      for (const id of ["a", "b", "c"]) await store.block((await store.run(id))?.runNo ?? 0, "VERSION_MISSING");
      t.equal([(await store.run("a"))?.blocked, (await store.byNo(owned.runNo))?.blocked], ["VERSION_MISSING", undefined]);
      await t.open().post(signal("a", "m"));
      t.equal([await due(store, 1000), await store.nextWake(-1)], [[], undefined]);
      t.equal([await store.unblock(["w@1", "x@2"]), await store.unblock(["w@2", "w@3"])], [0, 1]);
      t.equal(await due(store, 0), ["a"]);
      t.equal((await store.run("a"))?.blocked, undefined);
    },
  },
  {
    name: "a run that ends in its first turn, or sleeps after it",
    async play(t) {
      const store = await t.owner();
      await store.append([turnZero(newRun("a"), { ...end, epoch: 2 }), turnZero(newRun("b"), park(50))]);
      const [a, b] = [await store.run("a"), await store.run("b")];
      t.equal([a?.status, a?.owned, a?.endedAt, b?.status, b?.owned, b?.wakeAt], ["completed", false, 1000, "waiting", false, 50]);
    },
  },
  {
    name: "the owner hears of a client's start and message, a client of the owner's turns",
    async play(t) {
      const owner = await t.owner();
      const client = t.open();
      const ownerHears = hearing(owner, "owner");
      const clientHears = hearing(client, "client");
      await client.start(newRun("a"), first);
      await ownerHears.once();
      await client.post(signal("a", "m"));
      await ownerHears.once();
      await begin(owner, "b");
      await clientHears.once();
      ownerHears.stop();
      clientHears.stop();
    },
  },
  {
    name: "commits of a connection are counted, one for each write",
    async play(t) {
      const store = await t.owner();
      const before = store.commits;
      await store.append([turnZero(newRun("a")), turnZero(newRun("b"))]);
      await store.start(newRun("c"), first);
      await store.run("a");
      t.equal(store.commits - before, 2);
    },
  },
];

async function due(store: OpenStore, now: number, limit = 100): Promise<readonly string[]> {
  return (await store.due(now, limit)).map((row) => row.id);
}

/** Waits for news without a clock: a store that stays silent fails by the runner's own time limit. */
function hearing(store: OpenStore, role: "owner" | "client"): { once(): Promise<void>; stop(): void } {
  let news = 0;
  let tell = (): void => {};
  const stop = store.watch(role, () => {
    news++;
    tell();
  });
  return {
    stop,
    async once() {
      if (news === 0) await new Promise<void>((resolve) => (tell = resolve));
      news = 0;
    },
  };
}
