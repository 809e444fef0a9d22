/** Three owners that take the same runs from each other, message each other's and fold one key, while leases are taken away. */
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { skipWithoutPostgres } from "../../../test/postgres/binaries.ts";
import { startPostgres, type TestServer } from "../../../test/postgres/server.ts";
import type { Fold, OpenStore, TurnWrite } from "../store.ts";
import { first, newRun, signal } from "../suite/kit.ts";
import { postgres } from "./postgres.ts";

const runs = 40;
const roundsEach = process.env.ONEX_FAULTS === "full" ? 150 : 16;

describe.skipIf(skipWithoutPostgres("owners of a PostgreSQL store that race"))("a race", () => {
  let server: TestServer;
  const warnings: string[] = [];
  beforeAll(async () => {
    server = await startPostgres();
  });
  afterAll(() => server.stop());

  function open(): OpenStore {
    return postgres(server.url()).open({
      now: () => Date.now(),
      setTimer(ms, callback) {
        const timer = setTimeout(callback, ms);
        return () => clearTimeout(timer);
      },
      warn: (code, message) => void warnings.push(`${code}: ${message}`),
    });
  }

  const fold: Fold = {
    keys: [{ reducer: "r", key: "n" }],
    with: ([before]) => ({ facts: `[${Number(before ?? 0) + 1}]`, states: [String(Number(before ?? 0) + 1)] }),
  };

  test("nothing is written twice, nothing is lost, nobody waits for a deadlock", async () => {
    const stores = [open(), open(), open()];
    const tally = { accepted: 0, fenced: 0, lost: 0, folded: 0, sent: new Set<string>() };
    for (let i = 0; i < runs; i++) await (stores[0] as OpenStore).start(newRun(`r${i}`), first);

    /** Takes what is there, whoever has it set apart, and puts it down again, due at once. */
    async function race(store: OpenStore, who: number): Promise<void> {
      await store.acquire(`L${who}`);
      for (let round = 0; round < roundsEach; round++) {
        const batch: TurnWrite[] = [];
        const messages: string[][] = [];
        const rows = round % 2 === 0 ? await store.due(Date.now() + 5000, 20) : await store.list({ limit: 20 });
        for (const row of rows) {
          const tail = await store.tail(row.runNo);
          if (!tail || row.owned) continue;
          const [kind, target] = [(round + batch.length) % 3, `r${(row.runNo * 7 + round) % runs}`];
          const id = `${who} ${round} ${row.id}`;
          messages.push(kind === 1 ? [id, target] : []);
          batch.push({
            ...{
              run: row.runNo,
              turn: tail.turn + 1,
              after: tail.epoch,
              epoch: tail.epoch + 1,
              pos: tail.next,
              next: tail.next + 1,
              at: 1,
              final: false,
            },
            ...{ take: true, facts: `["${id}"]`, row: { status: "waiting", mailGot: row.mailPut, park: { wakeAt: 1 } } },
            ...(kind === 0 ? { fold, facts: "" } : {}),
            ...(kind === 1 ? { messages: [signal(target, id)] } : {}),
          });
        }
        try {
          const answers = await store.append(batch);
          for (const [i, answer] of answers.entries()) {
            tally[answer.accepted ? "accepted" : "fenced"]++;
            if (!answer.accepted) continue;
            if (answer.folded) tally.folded++;
            const [id, target] = messages[i] ?? [];
            if (id !== undefined) tally.sent.add(`${target} ${id}`);
          }
        } catch (error) {
          if ((error as { code?: unknown }).code !== "OWNERSHIP_LOST") throw error;
          tally.lost++;
          await store.acquire(`L${who} ${round}`);
        }
        // Somebody calls a lease of another lapsed, too early.
        if (round % 10 === 5)
          await server.query(
            "UPDATE onex.leases SET state = 'lapsed', ended_at = now() WHERE lease_no = (SELECT min(lease_no) FROM onex.leases WHERE state = 'live')",
          );
      }
    }
    await Promise.all(stores.map(race));

    const store = stores[0] as OpenStore;
    let turns = 0;
    const folds: number[] = [];
    const got = new Set<string>();
    for (let i = 0; i < runs; i++) {
      const row = await store.run(`r${i}`);
      const log = await store.turns(row?.runNo ?? 0);
      log.forEach((turn, n) => {
        const before = log[n - 1];
        expect([turn.turn, turn.pos, turn.epoch]).toEqual([n, before?.next ?? 0, n]);
        if (n > 0 && /^\[\d/.test(turn.facts)) folds.push(JSON.parse(turn.facts)[0] as number);
      });
      turns += log.length - 1;
      const mail = await store.inbox(row?.runNo ?? 0, 0);
      expect(mail.map(({ seq }) => seq)).toEqual(mail.map((_, n) => n + 1));
      for (const { messageId } of mail) got.add(`r${i} ${messageId}`);
    }
    for (const one of tally.sent) expect(got).toContain(one);
    // A batch that lost its lease may have been written in part, and nobody was told.
    expect(turns).toBeGreaterThanOrEqual(tally.accepted);
    expect(tally.lost > 0 || turns === tally.accepted).toBe(true);
    expect(folds.sort((a, b) => a - b)).toEqual(folds.map((_, n) => n + 1));
    expect(await store.state("r", "n")).toBe(String(folds.length));
    expect([tally.accepted > 100, tally.fenced > 0, tally.lost > 0]).toEqual([true, true, true]);
    const [stats] = await server.query("SELECT deadlocks::int AS deadlocks FROM pg_stat_database WHERE datname = current_database()");
    // A machine that is busy with other things answers late, and that is no finding.
    expect([stats, warnings.filter((warning) => !warning.includes("timeout expired"))]).toEqual([{ deadlocks: 0 }, []]);
    for (const one of stores) await one.close();
  });
});
