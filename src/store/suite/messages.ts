/** The inbox: nothing is lost, nothing counts twice, and whoever sleeps over mail is woken. */
import type { Posted } from "../store.ts";
import { begin, end, park, parked, type Scenario, signal } from "./kit.ts";

export const messages: readonly Scenario[] = [
  {
    name: "messages are numbered in the order in which they came, whoever sent them",
    async play(t) {
      const owner = await t.owner();
      const log = await begin(owner, "a");
      const clients = [t.open(), t.open()];
      for (let i = 1; i <= 4; i++) {
        t.equal(await clients[i % 2]?.post({ ...signal("a", `m${i}`), kind: i === 4 ? "cancel" : "signal" }), { status: "posted", seq: i });
      }
      t.equal(await owner.inbox(log.runNo, 2), [
        { seq: 3, messageId: "m3", kind: "signal", body: '{"name":"m3"}' },
        { seq: 4, messageId: "m4", kind: "cancel", body: '{"name":"m4"}' },
      ]);
      t.equal([(await owner.run("a"))?.mailPut, (await owner.run("a"))?.mailGot], [4, 0]);
    },
  },
  {
    name: "a message that is sent again counts once",
    async play(t) {
      const owner = await t.owner();
      const log = await begin(owner, "a");
      await begin(owner, "b");
      const client = t.open();
      await client.post(signal("a", "m1"));
      await client.post(signal("a", "m2"));
      t.equal(await t.open().post(signal("a", "m1")), { status: "duplicate", seq: 1 });
      t.equal(await client.post(signal("b", "m1")), { status: "posted", seq: 1 });
      t.equal((await owner.inbox(log.runNo, 0)).length, 2);
    },
  },
  {
    name: "a message to a run that has ended, or never was, says so",
    async play(t) {
      const owner = await t.owner();
      const log = await begin(owner, "a");
      await owner.post(signal("a", "m1"));
      await log.write(owner, end);
      const client = t.open();
      const answers: Posted[] = [await client.post(signal("a", "m2")), await client.post(signal("b", "m2"))];
      t.equal(answers, [{ status: "ended" }, { status: "unknown" }]);
      t.equal((await owner.inbox(log.runNo, 0)).length, 1);
    },
  },
  {
    name: "a message makes an unowned run due, and leaves an owned one alone",
    async play(t) {
      const owner = await t.owner();
      await parked(owner, "asleep", 9000);
      await parked(owner, "for ever", null);
      await begin(owner, "awake");
      for (const id of ["asleep", "for ever", "awake"]) await t.open().post(signal(id, "m"));
      t.equal(
        (await owner.due(0, 10)).map((row) => row.id),
        ["asleep", "for ever"],
      );
      t.equal((await owner.run("awake"))?.wakeAt, undefined);
    },
  },
  {
    name: "the owner finds its runs that have unread mail",
    async play(t) {
      const owner = await t.owner();
      const logs = [
        await begin(owner, "a"),
        await begin(owner, "b"),
        await begin(owner, "c"),
        await parked(owner, "d", null),
        await begin(owner, "e"),
      ];
      for (const id of ["e", "d", "c", "b"]) await t.open().post(signal(id, "m"));
      const numbers = (...indexes: number[]): unknown => indexes.map((i) => logs[i]?.runNo);
      t.equal(await owner.mailed(), numbers(1, 2, 4));
      await logs[1]?.write(owner, { row: { status: "running", mailGot: 1 } });
      await logs[2]?.write(owner, end);
      t.equal(await owner.mailed(), numbers(4));
      t.equal(await t.open().mailed(), []);
    },
  },
  {
    name: "a run that is put down over unread mail is due at once",
    async play(t) {
      const owner = await t.owner();
      const log = await begin(owner, "a");
      await t.open().post(signal("a", "m1"));
      await log.write(owner, park(9000, 0));
      t.equal((await owner.run("a"))?.wakeAt, 0);
    },
  },
  {
    name: "a run that is put down after it has read its mail sleeps",
    async play(t) {
      const owner = await t.owner();
      const log = await begin(owner, "a");
      await t.open().post(signal("a", "m1"));
      await log.write(owner, park(9000, 1));
      const row = await owner.run("a");
      t.equal([row?.wakeAt, row?.mailGot], [9000, 1]);
    },
  },
  {
    name: "what was read stays read",
    async play(t) {
      const owner = await t.owner();
      const log = await begin(owner, "a");
      await owner.post(signal("a", "m1"));
      await log.write(owner, { row: { status: "running", mailGot: 1 } });
      await log.write(owner, park(9000, 0));
      const row = await owner.run("a");
      t.equal([row?.wakeAt, row?.mailGot], [9000, 1]);
    },
  },
  {
    name: "a turn's messages are posted with it: a parked run wakes, an ended one is passed over",
    async play(t) {
      const owner = await t.owner();
      const parent = await parked(owner, "parent", null);
      const gone = await begin(owner, "gone");
      await gone.write(owner, end);
      const child = await begin(owner, "child");
      await child.write(owner, {
        ...end,
        messages: [{ ...signal("gone", "m"), kind: "child" }, { ...signal("parent", "m"), kind: "child" }, signal("nobody", "m")],
      });
      t.equal(await owner.inbox(parent.runNo, 0), [{ seq: 1, messageId: "m", kind: "child", body: '{"name":"m"}' }]);
      t.equal((await owner.run("parent"))?.wakeAt, 0);
      t.equal(await owner.inbox(gone.runNo, 0), []);
    },
  },
  {
    name: "a run that is put down in the same batch as a message for it is due, in either order",
    async play(t) {
      const owner = await t.owner();
      const [a, b, sender, other] = [
        await begin(owner, "a"),
        await begin(owner, "b"),
        await begin(owner, "sender"),
        await begin(owner, "other"),
      ];
      await owner.append([
        sender.next({ messages: [signal("a", "m")] }),
        a.next(park(9000)),
        b.next(park(9000)),
        other.next({ messages: [signal("b", "m")] }),
      ]);
      t.equal(
        (await owner.due(0, 10)).map((row) => row.id),
        ["a", "b"],
      );
    },
  },
];
