/**
 * A store that is set back to an older state, while node hosts remember the epochs of what came after: its runs finish, and
 * each effect happens once.
 */
import { copyFileSync, existsSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, afterEach, beforeAll, describe, expect, test } from "vitest";
import {
  type AnyNode,
  compute,
  createNodeHost,
  createOrchestrator,
  effect,
  type Log,
  type Orchestrator,
  signal,
  sqlite,
  workflow,
} from "../../src/index.ts";
import { postgres } from "../../src/store/postgres/postgres.ts";
import type { Store } from "../../src/store/store.ts";
import { anything, quiet } from "../semantics/kit.ts";
import { serving } from "../serve.ts";
import { skipWithoutStore } from "./kit.ts";
import { startPostgres, type TestServer } from "./server.ts";

const waits = ["begin", "again", "more", "end"] as const;
const ids = ["r0", "r1", "r2"];

interface Place {
  open(): Store;
  /** Keeps the state as it is now; nobody has it open. */
  keep(): Promise<void>;
  /** From now on `open` opens what was kept. */
  setBack(): Promise<void>;
}

async function play(place: Place): Promise<void> {
  const done: string[] = [];
  const act = (name: string) =>
    effect({ name, input: anything, idempotent: false, irreversible: "no", inDoubt: "pause" }, async (n, { runId, epoch }) => {
      done.push(`${name} ${n} ${runId}`);
      return { n, epoch };
    });
  const nodes = { charge: act("charge"), mail: act("mail"), sum: compute({ name: "sum", input: anything }, (n) => n + 1) };
  const signals = Object.fromEntries(waits.map((name) => [name, signal({ name, payload: anything })]));
  const flow = workflow({ name: "flow", input: anything }, function* () {
    const wait = (name: (typeof waits)[number]) => (signals[name] as NonNullable<(typeof signals)[string]>).wait();
    const { charge, mail, sum } = nodes;
    const given: unknown[] = [yield* charge(1)];
    yield* wait("begin");
    given.push(yield* charge(2));
    yield* wait("again");
    yield* wait("more");
    given.push(yield* mail(3));
    yield* wait("end");
    // One host has seen a lower epoch than the other.
    given.push(yield* charge(4), yield* sum(4), yield* mail(5));
    return given.map((one) => (one as { n?: number }).n ?? one);
  });
  const bank = await serving(createNodeHost({ nodes: [nodes.charge, nodes.sum], log: quiet }));
  const post = await serving(createNodeHost({ nodes: [nodes.mail], log: quiet }));
  const said: string[] = [];
  const log: Log = { ...quiet, warn: (_, fields) => said.push(String((fields as { code?: string } | undefined)?.code)) };
  const live = (mine: readonly AnyNode[]): Orchestrator =>
    createOrchestrator({ store: place.open(), nodes: mine, endpoints: { charge: bank, sum: bank, mail: post }, log });
  /** A life of an orchestrator, in which each run hears these. */
  const life = async (heard: readonly string[], until: (orchestrator: Orchestrator) => Promise<void>): Promise<void> => {
    const orchestrator = live([flow]);
    for (const name of heard) for (const id of ids) await orchestrator.run(id).signal(name, null);
    await until(orchestrator);
    await orchestrator.close();
  };
  /** Until each run waits for that, and for nothing else. */
  const waiting = (name: string) => async (orchestrator: Orchestrator) => {
    for (const id of ids)
      for await (const fact of orchestrator.run(id).events()) if (fact.type === "signal.awaited" && fact.name === name) break;
    await orchestrator.idle();
  };
  await life([], async (orchestrator) => {
    for (const id of ids) await orchestrator.start(flow, null, { runId: id });
    await waiting("begin")(orchestrator);
  });
  await place.keep();
  await life(["begin"], waiting("again"));
  await life(["again"], waiting("more"));
  await life(["more"], waiting("end"));
  const before = done.length;
  expect(before).toBe(3 * ids.length);
  await place.setBack();
  // All at once, so that the runs are woken once, in a low epoch.
  const client = live([]);
  for (const id of ids) for (const name of waits) await client.run(id).signal(name, null);
  await client.close();
  const orchestrator = live([flow]);
  for (const id of ids) {
    const run = orchestrator.run(id);
    expect(await run.result({ timeout: "30s" })).toEqual([1, 2, 3, 4, 5, 5]);
    const facts = await run.facts();
    const raised = facts.flatMap((fact) => (fact.type === "lease.raised" ? [fact.epoch] : []));
    expect(raised.length).toBe(2);
    expect(facts.filter(({ type }) => type === "action.failed")).toEqual([]);
    const view = await run.status();
    expect(view.steps.map(({ attempts }) => attempts).filter((attempts) => attempts > 1)).toEqual([]);
    expect(view.owners?.at(-1)?.epoch).toBe(raised.at(-1));
  }
  await orchestrator.close();
  expect([done.length - before, new Set(done).size]).toEqual([2 * ids.length, done.length]);
  expect(said.filter((code) => code === "STALE_EPOCH").length).toBe(2 * ids.length);
}

describe("SQLite", () => {
  const folder = mkdtempSync(join(tmpdir(), "onex-set-back-"));
  afterEach(() => rmSync(folder, { recursive: true, force: true }));

  test("a file is put back to an older copy", { timeout: 60_000 }, async () => {
    const file = join(folder, "shop.db");
    const parts = ["", "-wal", "-key"];
    const copy = (from: string, to: string): void => {
      for (const part of parts) {
        rmSync(`${to}${part}`, { force: true });
        if (existsSync(`${from}${part}`)) copyFileSync(`${from}${part}`, `${to}${part}`);
      }
    };
    await play({ open: () => sqlite(file), keep: async () => copy(file, `${file}.old`), setBack: async () => copy(`${file}.old`, file) });
  });
});

describe.skipIf(skipWithoutStore("a database that is set back to an older state"))("PostgreSQL", () => {
  let server: TestServer;
  beforeAll(async () => {
    server = await startPostgres();
  });
  afterAll(() => server.stop());

  test("a database is set back to an older state", { timeout: 120_000 }, async () => {
    let database = await server.createDatabase();
    let old = "";
    await play({
      open: () => postgres(server.url(database)),
      keep: async () => {
        old = await server.createDatabase(database);
      },
      setBack: async () => {
        database = old;
      },
    });
  });
});
