/** Turns that a log must refuse, each alone: the rest of its batch goes on. A store with one proven owner may decline these. */
import type { TurnWrite } from "../store.ts";
import { begin, end, fenced, first, Log, newRun, one, parked, type Scenario, signal, turnZero } from "./kit.ts";

/** A wrong turn for a run that the writer owns; its log has turns 0 and 1. */
function wrong(name: string, over: Partial<TurnWrite>): Scenario {
  return {
    name,
    async play(t) {
      const store = await t.owner();
      const log = await begin(store, "a");
      await log.write(store);
      const before = await store.turns(log.runNo);
      t.equal(await one(store, log.next(over)), fenced);
      t.equal(await store.turns(log.runNo), before);
      t.equal((await log.write(store)).accepted, true);
    },
  };
}

export const fence: readonly Scenario[] = [
  wrong("refused: a turn after another epoch than the last turn's", { after: 2, epoch: 2 }),
  wrong("refused: a turn that does not begin where the last one ends", { pos: 7, next: 8 }),
  wrong("refused: a turn that ends before it begins", { next: 1 }),
  wrong("refused: a turn that leaves one out", { turn: 3 }),
  wrong("refused: a turn whose number is taken", { turn: 1 }),
  wrong("refused: an epoch that rises while nothing changes hands", { epoch: 2 }),
  wrong("refused: an epoch that falls", { epoch: 0 }),
  wrong("refused: an epoch that is raised to what it is", { raise: true }),
  wrong("refused: an epoch that is raised with an end", { final: true, raise: true, epoch: 9 }),
  wrong("refused: an epoch that is raised after another one than the last turn's", { raise: true, after: 2, epoch: 9 }),
  {
    name: "an owner raises the epoch of a run that it has, writes on under it, and the next one begins above",
    async play(t) {
      const store = await t.owner();
      const log = await begin(store, "a");
      t.equal((await log.write(store, { raise: true, epoch: 9 })).accepted, true);
      t.equal(await one(store, log.next({ after: 1, epoch: 1 })), fenced);
      t.equal((await log.write(store)).accepted, true);
      t.equal((await log.write(store, end)).accepted, true);
      t.equal(
        (await store.turns(log.runNo)).map(({ epoch }) => epoch),
        [1, 9, 9, 10],
      );
    },
  },
  wrong("refused: an end that does not raise the epoch", { final: true, epoch: 1 }),
  wrong("refused: an end that raises the epoch by two", { final: true, epoch: 3 }),
  wrong("refused: taking a run that is owned", { take: true }),
  wrong("refused: a turn of a run that does not exist", { run: 999 }),
  {
    name: "refused: a turn of an unowned run without taking it",
    async play(t) {
      const store = await t.owner();
      const log = await parked(store, "a", null);
      t.equal(await one(store, log.next()), fenced);
      t.equal((await store.run("a"))?.owned, false);
    },
  },
  {
    name: "refused: taking a run without raising the epoch",
    async play(t) {
      const store = await t.owner();
      const { row } = await store.start(newRun("a"), first);
      const log = new Log(row.runNo, 0);
      t.equal(await one(store, log.next({ take: true, epoch: 0 })), fenced);
      t.equal((await store.run("a"))?.owned, false);
    },
  },
  {
    name: "refused: anything after the end",
    async play(t) {
      const store = await t.owner();
      const log = await begin(store, "a");
      await log.write(store, end);
      for (const over of [{}, { take: true }, end, { after: 1, epoch: 1 }]) t.equal(await one(store, log.next(over)), fenced);
      t.equal((await store.turns(log.runNo)).length, 2);
    },
  },
  {
    name: "refused: a first turn that does not begin at 0",
    async play(t) {
      const store = await t.owner();
      t.equal(await one(store, turnZero(newRun("a"), { pos: 1, next: 2 })), fenced);
      t.equal(await one(store, turnZero(newRun("a"), { turn: 1 })), fenced);
      t.equal(await store.run("a"), undefined);
    },
  },
  {
    name: "a refused turn leaves nothing behind, and the rest of its batch is written",
    async play(t) {
      const store = await t.owner();
      const a = await begin(store, "a");
      const b = await begin(store, "b");
      const c = await begin(store, "c");
      const bad = b.next({
        turn: 5,
        final: true,
        epoch: 2,
        row: { status: "failed", mailGot: 3 },
        blobs: [{ hash: "h", text: "1" }],
        children: [{ run: newRun("child"), first }],
        messages: [signal("a", "m")],
        states: [{ reducer: "r", key: "k", state: "1" }],
        successor: { run: newRun("b"), first },
      });
      const before = await store.run("b");
      const answers = await store.append([a.next(), bad, c.next()]);
      t.equal(answers, [{ accepted: true, runNo: a.runNo }, fenced, { accepted: true, runNo: c.runNo }]);
      t.equal([await store.run("b"), await store.blob(b.runNo, "h"), await store.run("child")], [before, undefined, undefined]);
      t.equal([await store.state("r", "k"), (await store.run("a"))?.mailPut, (await store.turns(b.runNo)).length], [undefined, 0, 1]);
    },
  },
];
