/**
 * What PostgreSQL could do at best: one row of 131 bytes a step in the layout of the log, 100 rows a statement by `unnest`,
 * over the same two connections, no fence and no other work. One chain for latency.
 */
import { type Figures, percentile } from "../stats.ts";
import { postgresServer } from "../store.ts";
import { journal } from "./postgres-journal.ts";
import { facts } from "./row.ts";

const rows = 20_000;
const width = 100;

const table = `CREATE TABLE turns(run_no bigint NOT NULL, turn int NOT NULL, epoch bigint NOT NULL, pos int NOT NULL, next int NOT NULL,
  at bigint NOT NULL, final bool NOT NULL, facts text NOT NULL, PRIMARY KEY (run_no, turn))`;
const insert = {
  name: "insert",
  text: `INSERT INTO turns SELECT b.run_no, b.turn, 1, b.turn, b.turn + 1, b.at, false, b.facts
    FROM unnest($1::bigint[], $2::int[], $3::bigint[], $4::text[]) AS b(run_no, turn, at, facts)`,
};

export async function postgresLimit(): Promise<Figures> {
  const { default: pg } = await import("pg");
  const server = await postgresServer();
  const url = server.url(await server.createDatabase());
  const lines = [new pg.Client({ connectionString: url }), new pg.Client({ connectionString: url })];
  await Promise.all(lines.map((line) => line.connect()));
  await lines[0]?.query(table);
  /** Appends to `chains` runs, turn after turn: the next one when the one before is committed. Answers the ms. */
  const play = async (line: InstanceType<typeof pg.Client>, firstRun: number, chains: number, turns: number): Promise<number> => {
    const from = performance.now();
    const runs = Array.from({ length: chains }, (_, i) => firstRun + i);
    const texts = runs.map(() => facts);
    for (let turn = 0; turn < turns; turn++) {
      const values = [runs, runs.map(() => turn), runs.map(() => Date.now()), texts];
      await line.query({ ...insert, values });
    }
    return performance.now() - from;
  };
  const [one, two] = lines as [InstanceType<typeof pg.Client>, InstanceType<typeof pg.Client>];
  await Promise.all([play(one, 1_000_000, width, 20), play(two, 2_000_000, width, 20)]);
  const from = performance.now();
  await Promise.all([play(one, 0, width / 2, rows / width), play(two, width, width / 2, rows / width)]);
  const ms = performance.now() - from;
  const alone: number[] = [];
  for (let i = 0; i < 200; i++) alone.push(await play(one, 10_000 + i, 1, 10));
  const commit: number[] = [];
  for (let i = 0; i < 500; i++) commit.push(await play(one, 20_000 + i, 1, 1));
  const journalOverOneStepsPerSecond = await journal([one]);
  const journalStepsPerSecond = await journal(lines);
  await Promise.all(lines.map((line) => line.end()));
  return {
    journalStepsPerSecond,
    journalOverOneStepsPerSecond,
    stepsPerSecond: (rows / ms) * 1000,
    tenRowsP50Ms: percentile(alone, 0.5),
    oneRowP50Ms: percentile(commit, 0.5),
  };
}
