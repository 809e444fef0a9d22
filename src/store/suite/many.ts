/** What holds where many processes own one store, each its own runs. */
import type { Appended, Fold, OpenStore, Told, TurnWrite } from "../store.ts";
import { begin, end, fenced, first, Log, newRun, one, park, parked, type Scenario, signal, turnZero } from "./kit.ts";

const scenarios: readonly Scenario[] = [
  {
    name: "two own it, each the runs that it has made",
    async play(t) {
      const [a, b] = [await t.owner("L1"), await t.owner("L2")];
      const [one, two] = [await begin(a, "a"), await begin(b, "b")];
      t.equal([(await one.write(a)).accepted, (await two.write(b)).accepted], [true, true]);
      t.equal([await other(b, one), await other(a, two)], [fenced, fenced]);
      t.equal([await a.mailed(), (await b.owner())?.leaseId], [[], "L2"]);
      await t.open().post(signal("b", "m"));
      t.equal([await a.mailed(), await b.mailed()], [[], [two.runNo]]);
    },
  },
  {
    name: "a run that is due is set apart for the one that asked",
    async play(t) {
      const [a, b] = [await t.owner("L1"), await t.owner("L2")];
      await t.open().start(newRun("a"), first);
      t.equal([await due(a), await due(b), await due(a)], [["a"], [], ["a"]]);
      await a.release();
      t.equal(await due(b), ["a"]);
    },
  },
  {
    name: "what was put down is left to its owner for a second",
    async play(t) {
      const [a, b] = [await t.owner("L1"), await t.owner("L2")];
      await parked(a, "a", 5000);
      t.equal([await due(b, 5000), await due(b, 5999), await due(b, 6000)], [[], [], ["a"]]);
      await parked(a, "b", 9000);
      t.equal(await due(a, 9000), ["b"]);
      t.equal(await due(b, 20_000), ["a"]);
    },
  },
  {
    name: "what wakes by a message is anyone's",
    async play(t) {
      const [a, b] = [await t.owner("L1"), await t.owner("L2")];
      await parked(a, "a", null);
      await t.open().post(signal("a", "m"));
      t.equal(await due(b), ["a"]);
    },
  },
  {
    name: "many that are due are shared",
    async play(t) {
      const [a, b] = [await t.owner("L1"), await t.owner("L2")];
      const client = t.open();
      for (let i = 0; i < 60; i++) await client.start(newRun(`r${i}`), first);
      const [mine, yours] = [await due(a), await due(b)];
      t.equal([mine.length, mine.includes(yours[0] ?? ""), (await a.nextWake(0)) !== undefined], [30, false, true]);
      t.equal(yours.length >= 15, true);
    },
  },
  {
    name: "taking a run that another has taken is refused, and what it wrote stands",
    async play(t) {
      const [a, b] = [await t.owner("L1"), await t.owner("L2")];
      const { row } = await t.open().start(newRun("a"), first);
      const [one, two] = [new Log(row.runNo, 0), new Log(row.runNo, 0)];
      const answers = await Promise.all([one.write(a, { take: true, facts: '["a"]' }), two.write(b, { take: true, facts: '["b"]' })]);
      t.equal(answers.filter((answer) => answer.accepted).length, 1);
      t.equal((await a.turns(row.runNo)).length, 2);
      t.equal((await a.tail(row.runNo))?.facts, answers[0]?.accepted ? '["a"]' : '["b"]');
    },
  },
  {
    name: "a lease that has ended is told to its holder, who then begins anew",
    async play(t) {
      let why = "";
      let tell = (): void => {};
      const lost = new Promise<void>((resolve) => (tell = resolve));
      const store = t.open();
      await store.acquire("L1", (reason) => {
        why = reason;
        tell();
      });
      const log = await begin(store, "a");
      t.equal(store.trusted(), true);
      await t.loseOwner();
      await t.fails("OWNERSHIP_LOST", () => store.append([log.next()]));
      await lost;
      t.equal([why !== "", store.trusted()], [true, false]);
      await t.fails("OWNERSHIP_LOST", () => store.append([turnZero(newRun("b"))]));
      await store.acquire("L2");
      t.equal(store.trusted(), true);
      t.equal(await due(store), ["a"]);
      t.equal((await log.write(store, { take: true })).accepted, true);
    },
  },
  {
    name: "a run that one cannot drive is another's",
    async play(t) {
      const [a, b] = [await t.owner("L1"), await t.owner("L2")];
      const client = t.open();
      const { row } = await client.start(newRun("a"), first);
      await client.start(newRun("b", { version: "2" }), first);
      t.equal((await due(a)).length, 2);
      await a.block(row.runNo, "VERSION_MISSING");
      await client.start(newRun("c"), first);
      t.equal([await due(a), (await due(b)).sort()], [["b"], ["a", "c"]]);
      t.equal((await new Log(row.runNo, 0).write(b, { take: true })).accepted, true);
      t.equal((await b.run("a"))?.blocked, undefined);
    },
  },
  {
    name: "limits hold over all owners",
    async play(t) {
      const [a, b] = [await t.owner("L1"), await t.owner("L2")];
      const client = t.open();
      const numbers: number[] = [];
      for (let i = 0; i < 6; i++) {
        const { row } = await client.start(newRun(`r${i}`, { queuedAt: 1, concurrency: "c" }), first);
        numbers.push(row.runNo);
      }
      const admit = (store: OpenStore, runNo: number) => store.admit?.(runNo, { concurrency: 2 });
      const answers = await Promise.all(numbers.map((runNo, i) => admit(i % 2 === 0 ? a : b, runNo)));
      t.equal(answers.filter((answer) => answer?.admitted).length, 2);
      t.equal(answers.filter((answer) => answer?.admitted === false && answer.reason === "concurrency").length, 4);
      const at = answers.findIndex((answer) => answer?.admitted);
      const [owner, stranger] = at % 2 === 0 ? [a, b] : [b, a];
      const runNo = numbers[at] ?? 0;
      t.equal([await owner.queuedCount(100), await admit(stranger, runNo)], [4, { admitted: false, reason: "gone" }]);
      t.equal([(await due(owner)).includes(`r${at}`), (await due(stranger)).includes(`r${at}`)], [true, false]);
      const log = new Log(runNo, 0);
      await log.write(owner, { take: true });
      await log.write(owner, end);
      const next = numbers.findIndex((_, i) => !answers[i]?.admitted);
      t.equal(await admit(stranger, numbers[next] ?? 0), { admitted: true });
    },
  },
  {
    name: "a rate is shared by all owners, and says when there is room again",
    async play(t) {
      const [a, b] = [await t.owner("L1"), await t.owner("L2")];
      const [one, two] = [
        (await a.start(newRun("a", { queuedAt: 1, rate: "r" }), first)).row,
        (await a.start(newRun("b", { queuedAt: 1, rate: "r" }), first)).row,
      ];
      const limits = { rate: { limit: 1, perMs: 60_000 } };
      t.equal(await a.admit?.(one.runNo, limits), { admitted: true });
      const [admission] = await b.admissions(0);
      t.equal(await b.admit?.(two.runNo, limits), { admitted: false, reason: "rate", until: (admission?.at ?? 0) + 60_000 });
      t.equal(await b.admit?.(two.runNo, {}), { admitted: true });
    },
  },
  {
    name: "queued runs under no limit are taken many at once, with their first turn, each by one",
    async play(t) {
      const [a, b] = [await t.owner("L1"), await t.owner("L2")];
      const client = t.open();
      const facts = JSON.stringify([{ type: "x", blobs: { "/v": "h" } }]);
      const started = (id: string, more = {}) =>
        client.start(newRun(id, { queuedAt: 1, ...more }), { ...first, facts, blobs: [{ hash: "h", text: '"v"' }] });
      const numbers: number[] = [];
      for (const id of ["a", "b", "c", "d"]) numbers.push((await started(id)).row.runNo);
      const limited = [await started("x", { concurrency: "c" }), await started("y", { rate: "r" })];
      const later = await started("z", { queuedAt: Number.MAX_SAFE_INTEGER });
      const other = await started("o", { workflow: "other" });
      const asked = [...numbers].reverse().concat(
        limited.map(({ row }) => row.runNo),
        later.row.runNo,
        999_999,
      );
      const [one, two] = await Promise.all([a.take?.(asked, ["w@1"]), b.take?.(asked, ["w@1"])]);
      const ids = [...(one?.taken ?? []), ...(two?.taken ?? [])].map(({ row }) => row.id);
      t.equal([ids.toSorted(), await client.queuedCount(100)], [["a", "b", "c", "d"], 3]);
      for (const [store, taken] of [
        [a, one?.taken ?? []],
        [b, two?.taken ?? []],
      ] as const) {
        t.equal(
          taken.map(({ row }) => row.id),
          taken
            .map(({ row }) => row.id)
            .toSorted()
            .reverse(),
        );
        for (const { row, first: turn } of taken) {
          t.equal([row.queuedAt, row.owned, turn?.turn, turn?.next, turn?.facts], [undefined, false, 0, first.next, facts]);
          t.equal(turn?.blobs, [{ hash: "h", text: '"v"' }]);
          t.equal([(await due(store)).includes(row.id), (await due(store === a ? b : a)).includes(row.id)], [true, false]);
          t.equal((await new Log(row.runNo, 0).write(store, { take: true })).accepted, true);
        }
      }
      t.equal(await a.take?.(numbers, ["w@1"]), { taken: [], left: false });
      t.equal(await a.take?.([other.row.runNo], ["w@1"]), { taken: [], left: true });
      t.equal((await a.take?.([other.row.runNo], ["w@1", "other@1"]))?.taken.length, 1);
    },
  },
  {
    name: "whoever owns a run hears of its mail, and all hear of a run that may be taken, by its number",
    async play(t) {
      const [a, b] = [await t.owner("L1"), await t.owner("L2")];
      const log = await begin(a, "a");
      const client = t.open();
      const started: number[] = [];
      for (const store of [a, b]) {
        const told = await toldOf(store, "queued", async () => {
          started.push((await client.start(newRun(`q${started.length}`, { queuedAt: 1 }), first)).row.runNo);
        });
        t.equal(started.includes(told.runNo), true);
      }
      let sent = 0;
      const told = await toldOf(a, "mail", () => client.post(signal("a", `m${sent++}`)));
      t.equal(told.runNo, log.runNo);
    },
  },
  {
    name: "a turn may follow from states, and tells what it became",
    async play(t) {
      const store = await t.owner();
      const log = await begin(store, "a");
      const fold: Fold = {
        keys: [
          { reducer: "r", key: "k" },
          { reducer: "r", key: "\0" },
        ],
        with: ([k, nul]) => ({
          facts: JSON.stringify([k ?? null, nul ?? null]),
          states: [undefined, "7"],
          blobs: [{ hash: "h", text: "8" }],
        }),
      };
      const folded = (facts: string): Appended => ({
        ...{ accepted: true, runNo: log.runNo },
        folded: { facts, blobs: [{ hash: "h", text: "8" }] },
      });
      t.equal(await log.write(store, { fold, facts: "" }), folded("[null,null]"));
      t.equal(await log.write(store, { fold, facts: "" }), folded('[null,"7"]'));
      t.equal([await store.state("r", "k"), await store.state("r", "\0"), await store.blob(log.runNo, "h")], [undefined, "7", "8"]);
      t.equal((await store.tail(log.runNo))?.facts, '[null,"7"]');
    },
  },
  {
    name: "two owners fold one key, many turns at once: each counts once, and a turn that is refused does not",
    async play(t) {
      const stores = [await t.owner("L1"), await t.owner("L2")];
      const rounds = 5;
      const all = await Promise.all(
        stores.map(async (store, s) => {
          const logs = [];
          for (let i = 0; i < 4; i++) logs.push(await begin(store, `${s} ${i}`));
          const seen: string[] = [];
          for (let round = 0; round < rounds; round++) {
            const batch: TurnWrite[] = logs.map((log) => log.next({ fold: counting, facts: "" }));
            // In the middle of the batch, one that the log does not take.
            batch.splice(2, 0, { ...(await begin(store, `${s} bad ${round}`)).next({ fold: counting, facts: "" }), after: 7, epoch: 7 });
            const answers = await store.append(batch);
            t.equal(
              answers.map((answer) => answer.accepted),
              [true, true, false, true, true],
            );
            for (const answer of answers) if (answer.accepted) seen.push(answer.folded?.facts ?? "");
            for (const log of logs) log.passed();
          }
          return seen;
        }),
      );
      const values = all.flat().map((facts) => Number(JSON.parse(facts)[0]));
      t.equal(
        values.sort((x, y) => x - y),
        values.map((_, i) => i + 1),
      );
      t.equal([values.length, await stores[0]?.state("r", "n")], [2 * 4 * rounds, String(2 * 4 * rounds)]);
    },
  },
  {
    name: "owners that send each other messages and end their runs do not stop each other",
    async play(t) {
      const stores = [await t.owner("L1"), await t.owner("L2")];
      const runs = await Promise.all(
        stores.map(async (store, s) => {
          const logs = [];
          for (let i = 0; i < 6; i++) logs.push(await begin(store, `${s} ${i}`));
          return logs;
        }),
      );
      for (let round = 0; round < 4; round++)
        await Promise.all(
          stores.map((store, s) =>
            store.append(
              (runs[s] ?? []).map((log, i) =>
                log.next({
                  row: { status: "running", mailGot: 0 },
                  messages: [signal(`${1 - s} ${5 - i}`, `${s} ${i} ${round}`), signal(`${s} ${(i + 1) % 6}`, `${s} ${i} ${round}`)],
                }),
              ),
            ),
          ),
        ).then(() => {
          for (const log of runs.flat()) log.passed();
        });
      for (const [s, store] of stores.entries()) for (let i = 0; i < 6; i++) t.equal((await store.run(`${s} ${i}`))?.mailPut, 8);
    },
  },
  {
    name: "a run that is put down while another owner sends it a message is due",
    async play(t) {
      const [a, b] = [await t.owner("L1"), await t.owner("L2")];
      for (let i = 0; i < 10; i++) {
        const [run, sender] = [await begin(a, `a${i}`), await begin(b, `b${i}`)];
        await Promise.all([run.write(a, park(9000)), sender.write(b, { messages: [signal(`a${i}`, "m")] })]);
        t.equal((await a.run(`a${i}`))?.wakeAt, 0);
      }
    },
  },
];

export const many: readonly Scenario[] = scenarios.map((scenario) => ({ ...scenario, owners: "many" }));

const counting: Fold = {
  keys: [{ reducer: "r", key: "n" }],
  with: ([before]) => {
    const n = Number(before ?? 0) + 1;
    return { facts: JSON.stringify([n]), states: [String(n)] };
  },
};

/** Does it until the store calls back with that; it may call with what came before or without, and at first it may not hear yet. */
async function toldOf(store: OpenStore, what: Told["what"], put: () => unknown): Promise<Told> {
  for (;;) {
    let call = (_: Told | undefined): void => {};
    const called = new Promise<Told | undefined>((resolve) => (call = resolve));
    const stop = store.watch("owner", call);
    await put();
    const told = await called;
    stop();
    if (told?.what === what) return told;
  }
}

async function other(store: OpenStore, log: Log): Promise<Appended> {
  return one(store, log.next());
}

async function due(store: OpenStore, now = 100): Promise<string[]> {
  return (await store.due(now, 100)).map((row) => row.id);
}
