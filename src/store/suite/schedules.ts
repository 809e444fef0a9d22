/** Schedules: kept under their id, each write after the one it knows. */
import type { ScheduleRow } from "../schedule-store.ts";
import type { Scenario } from "./kit.ts";

const row = (id: string, revision: string, nextAt?: number): ScheduleRow => ({
  ...{ id, revision, nextAt },
  ...{ spec: '{"a":"\\u0000 \\ud800 ü"}', state: "{}" },
});

export const schedules: readonly Scenario[] = [
  {
    name: "a schedule is kept by anyone, and seen by all",
    async play(t) {
      const store = await t.owner();
      const client = t.open();
      t.equal(await client.schedules.save(row("b", "1", 5), undefined), true);
      t.equal(await store.schedules.save(row("a", "1"), undefined), true);
      t.equal([await store.schedules.get("b"), await client.schedules.get("x")], [row("b", "1", 5), undefined]);
      t.equal(await client.schedules.list(), [row("a", "1"), row("b", "1", 5)]);
      t.equal([await client.schedules.remove("a"), await client.schedules.remove("a")], [true, false]);
      t.equal((await store.schedules.list()).length, 1);
    },
  },
  {
    name: "a schedule is written after the revision that its writer knows, or not at all",
    async play(t) {
      const store = t.open();
      await store.schedules.save(row("a", "1", 5), undefined);
      t.equal(await store.schedules.save(row("a", "2", 6), undefined), false);
      t.equal(await store.schedules.save(row("a", "2", 6), "0"), false);
      t.equal(await store.schedules.save(row("b", "2", 6), "1"), false);
      t.equal(await store.schedules.list(), [row("a", "1", 5)]);
      t.equal(await store.schedules.save(row("a", "2", 6), "1"), true);
      t.equal(await store.schedules.get("a"), row("a", "2", 6));
    },
  },
  {
    name: "schedules that are due come by their time",
    async play(t) {
      const store = t.open();
      t.equal(await store.schedules.next(-1), undefined);
      const times = { c: 30, a: 20, b: 10, never: undefined };
      for (const [id, nextAt] of Object.entries(times)) await store.schedules.save(row(id, "1", nextAt), undefined);
      const due = async (now: number) => (await store.schedules.due(now)).map(({ id }) => id);
      t.equal([await due(9), await due(20), await due(99)], [[], ["b", "a"], ["b", "a", "c"]]);
      t.equal([await store.schedules.next(-1), await store.schedules.next(10), await store.schedules.next(30)], [10, 20, undefined]);
    },
  },
];
