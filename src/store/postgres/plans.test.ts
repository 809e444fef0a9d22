/** Every statement that is on the way of a run goes by an index, planned on empty tables or on full ones. */
import pg from "pg";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { skipWithoutPostgres } from "../../../test/postgres/binaries.ts";
import { startPostgres, type TestServer } from "../../../test/postgres/server.ts";
import { Blocks } from "./blocks.ts";
import { addBlobs, addRuns, startRun, succeed } from "./company.ts";
import { configOf, greeting, Line, type Row } from "./line.ts";
import { post, postAll } from "./mail.ts";
import { migrate } from "./migrations.ts";
import { Prunes } from "./prune.ts";
import { Queue } from "./queue.ts";
import { Reads } from "./reads.ts";
import { ScheduleTable } from "./schedules.ts";
import { tryTogether } from "./side.ts";
import { Statements } from "./sql.ts";
import { compose } from "./turns.ts";

const full = process.env.ONEX_FAULTS === "full";
const most = full ? 1_000_000 : 200_000;
/** Indexes that are read from one end on: of few rows, or in the order that is asked for. */
const walked = new Set(["leases_live", "leases_dead", "runs_queue", "runs_under_way", "runs_newest", "schedules_pkey"]);

interface Plan {
  readonly "Node Type": string;
  readonly "Relation Name"?: string;
  readonly "Index Name"?: string;
  readonly "Index Cond"?: string;
  readonly Plans?: readonly Plan[];
}

describe.skipIf(skipWithoutPostgres("the plans of PostgreSQL"))("plans", () => {
  let server: TestServer;
  let line: Line;
  beforeAll(async () => {
    server = await startPostgres({ settings: { fsync: "off", maintenance_work_mem: "128MB", shared_buffers: "64MB" } });
    line = new Line({ driver: (config) => new pg.Client(config), config: configOf(server.url(), 10_000), greeting });
    await migrate(line, "onex", "test");
  });
  afterAll(async () => {
    await line.end();
    await server.stop();
  });

  test("of empty tables", async () => {
    expect(await faults(await texts())).toEqual([]);
  });

  test.each([50, most])("of %i turns", async (turns) => {
    const runs = turns / 10;
    await line.query("SET statement_timeout = 0");
    for (const text of [
      "TRUNCATE onex.runs, onex.turns, onex.inbox",
      `INSERT INTO onex.runs (run_no, id, workflow, version, digest, status, priority, created_at, wake_at, put_by, ended_at)
         SELECT n, 'r' || n, 'w' || n % 7, '1', 'd', CASE WHEN n % 3 = 0 THEN 'waiting' ELSE 'completed' END, 100, n, CASE WHEN n % 3 = 0 THEN n END, 1,
           CASE WHEN n % 3 = 0 THEN NULL ELSE n END FROM generate_series(1, ${runs}) AS n`,
      `INSERT INTO onex.turns SELECT n / 10 + 1, n % 10, 1, n % 10, n % 10 + 1, n, false, 1, '["fact"]' FROM generate_series(0, ${turns - 1}) AS n`,
      `INSERT INTO onex.inbox SELECT n, 1, 'm', 'signal', '{}' FROM generate_series(1, ${runs / 5}) AS n`,
      "INSERT INTO onex.states VALUES ('r', 'k', '1') ON CONFLICT DO NOTHING",
      "ANALYZE",
    ])
      await line.query(text);
    expect(await faults(await texts())).toEqual([]);
  });

  /** All statements, as they are sent: what they answer does not matter here. */
  async function texts(): Promise<ReadonlySet<string>> {
    const found = new Set<string>();
    const spy = {
      async query(query: { text: string } | string): Promise<readonly Row[]> {
        if (typeof query === "string") return rows;
        found.add(query.text);
        return rows.length === 0 && query.text.includes("made AS") ? [{ run_no: 2 }] : rows;
      },
      rollback: async () => {},
      transact: async (work: () => Promise<unknown>) => work(),
    } as unknown as Line;
    // A row that fits all questions.
    const names = { id: "a", workflow: "w", version: "1", digest: "d", concurrency: "c", rate: "r" };
    let rows: readonly Row[] = [
      { ...names, run_no: 1, mail_put: 1, queued_at: 1, lease_no: null, ended_at: null, count: 0, n: 1, facts: "[]" },
    ];
    const sql = new Statements("onex");
    for (const [changes, starts, takes] of [
      [true, true, true],
      [true, true, false],
      [true, false, true],
      [true, false, false],
      [false, true, false],
      [false, false, false],
    ] as const)
      await sql.run(spy, compose(changes, starts, takes));
    const run = { id: "a", workflow: "w", version: "1", digest: "d", priority: 1, at: 1 };
    const first = { epoch: 0, next: 1, facts: "[]" };
    const message = { runId: "a", messageId: "m", kind: "signal", body: "{}" } as const;
    await addRuns(spy, sql, [{ runNo: 1, run, first }], "pending", null);
    await addBlobs(spy, sql, [{ runNo: 1, hash: "h", text: "t" }]);
    await startRun(spy, sql, { runNo: 1, run, first }, "c", "s");
    await post(spy, sql, message, "c", "s");
    await postAll(spy, sql, [message]);
    const fold = { keys: [{ reducer: "r", key: "k" }], with: () => ({ facts: "[]", states: ["1"] }) };
    const write = { run: 1, turn: 1, after: 1, epoch: 1, pos: 1, next: 2, at: 1, final: false, facts: "", fold, messages: [message] };
    await tryTogether(spy, sql, [{ write, runNo: 1, children: [], successorNo: undefined }], 1);
    const reads = new Reads(sql);
    const blocks = new Blocks();
    const queue = new Queue(sql, blocks);
    const schedules = new ScheduleTable(sql);
    await queue.due(spy, 1, 1, false, 1);
    await queue.due(spy, 1, 1, true, 1);
    await queue.admit(spy, 1, { concurrency: 1, rate: { limit: 1, perMs: 1 } }, 1, 1);
    await queue.take(spy, [1], ["w@1"], 1, 1);
    await queue.queued(spy, 1, 1, []);
    await queue.queuedCount(spy, 1);
    rows = [];
    await succeed(spy, sql, 1, { runNo: 2, run, first }, 1);
    await post(spy, sql, message, "c", "s");
    await queue.nextWake(spy, 1);
    await queue.nextQueued(spy, 1);
    await queue.sleepers(spy, 1, 2, 3);
    await queue.underWay(spy);
    await queue.admissions(spy, 1);
    await reads.run(spy, "a");
    await reads.byNo(spy, 1);
    for (const filter of [
      {},
      { status: "failed" },
      { status: "completed" },
      { workflow: "w" },
      { workflow: "w", status: "failed", before: 1 },
    ] as const)
      await reads.list(spy, { ...filter, limit: 10 });
    await reads.turns(spy, 1);
    await reads.tail(spy, 1);
    await reads.blob(spy, 1, "h");
    await reads.inbox(spy, 1, 0);
    await reads.mailed(spy, 1);
    await reads.state(spy, "r", "k");
    await new Prunes(sql).prune(spy, 1, 1, {}, 1);
    await new Prunes(sql).groups(spy, 1, {});
    await new Prunes(sql).pruned(spy, "a");
    await schedules.list(spy);
    await schedules.due(spy, 1);
    await schedules.next(spy, 1);
    await schedules.save(spy, { id: "a", revision: "1", nextAt: 1, spec: "", state: "" }, "0");
    return found;
  }

  /** Reads that go by no index, or through all of one. */
  async function faults(texts: ReadonlySet<string>): Promise<readonly string[]> {
    const found: string[] = [];
    for (const text of texts) {
      await line.query("DEALLOCATE ALL");
      await line.query(`PREPARE p AS ${text}`);
      const count = Math.max(0, ...[...text.matchAll(/\$(\d+)/g)].map(([, n]) => Number(n)));
      const values = count === 0 ? "" : `(${Array(count).fill("NULL").join(", ")})`;
      const [row] = await line.query(`EXPLAIN (FORMAT JSON) EXECUTE p${values}`);
      const [plan] = JSON.parse(row?.["QUERY PLAN"] as string) as [{ readonly Plan: Plan }];
      walk(plan.Plan, (node) => {
        const table = node["Relation Name"];
        const scans = node["Node Type"].includes("Scan");
        const index = node["Index Name"];
        const byIndex = node["Node Type"].startsWith("Index") && (node["Index Cond"] !== undefined || walked.has(index ?? ""));
        if (scans && (table ?? index) !== undefined && !byIndex)
          found.push(`${node["Node Type"]} ${index ?? table} in ${text.slice(0, 400)}`);
      });
    }
    return found;
  }
});

function walk(plan: Plan, visit: (node: Plan) => void): void {
  visit(plan);
  for (const inner of plan.Plans ?? []) walk(inner, visit);
}
