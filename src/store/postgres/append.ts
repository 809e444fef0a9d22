/**
 * Appending a batch. Turns that are only a row and a change go in one statement; those with company (children, messages, states …)
 * in one transaction beside it. Whoever did not win is looked up afterwards: a statement does not see what it collided with.
 *
 * A1 Of what was sent and not answered, the same is sent again: it waits for the first try, and finds what that has written.
 * A2 Each turn answers for itself; a lease that is not live any more ends the batch.
 */
import type { Appended, RunRow, TurnRow, TurnWrite } from "../store.ts";
import { bigints, ints, texts } from "./arrays.ts";
import { ownershipLost } from "./errors.ts";
import { fenced, hasCompany, isSound, type Job, jobsOf, type Numbers, startOf } from "./job.ts";
import type { Line } from "./line.ts";
import type { Pool } from "./pool.ts";
import { Prunes } from "./prune.ts";
import { withBlobs } from "./reads.ts";
import { runColumns, runRow } from "./rows.ts";
import { tryTogether } from "./side.ts";
import type { Statements } from "./sql.ts";
import { encodeText } from "./text.ts";
import { writeTurns } from "./turns.ts";

export interface AppendTools {
  readonly pool: Pool;
  readonly statements: Statements;
  readonly numbers: Numbers;
  committed(): void;
  /** Owners of runs that got mail. */
  mailed(leases: readonly (number | null)[]): void;
}

export async function append(tools: AppendTools, batch: readonly TurnWrite[], leaseNo: number): Promise<readonly Appended[]> {
  const answers = new Map<TurnWrite, Appended>();
  const plain: Job[] = [];
  const accompanied: Job[] = [];
  const sound = batch.filter(isSound);
  if (sound.length < batch.length) for (const write of batch) answers.set(write, fenced);
  for (const job of await jobsOf(sound, tools.numbers)) (hasCompany(job.write) ? accompanied : plain).push(job);
  const parts = await Promise.allSettled([
    plain.length === 0 ? [] : writePlain(tools, plain, leaseNo),
    accompanied.length === 0 ? [] : writeTogether(tools, accompanied, leaseNo),
  ]);
  for (const part of parts) {
    if (part.status === "rejected") throw part.reason;
    for (const [job, answer] of part.value) answers.set(job.write, answer);
  }
  return batch.map((write) => answers.get(write) as Appended);
}

type Answers = readonly (readonly [Job, Appended])[];

async function writePlain(tools: AppendTools, jobs: readonly Job[], leaseNo: number): Promise<Answers> {
  return tools.pool.use(async (line, tries) => {
    const won = await writeTurns(line, tools.statements, jobs, leaseNo);
    tools.committed();
    const lost = jobs.filter((job) => !won.has(job.runNo));
    const verdicts = lost.length === 0 ? [] : await judge(line, tools.statements, lost, leaseNo, tries);
    return [
      ...jobs.filter((job) => won.has(job.runNo)).map((job) => [job, { accepted: true, runNo: job.runNo }] as const),
      ...verdicts.map(
        ({ job, verdict }) => [job, verdict === "there" ? ({ accepted: true, runNo: job.runNo } as const) : verdict] as const,
      ),
    ];
  });
}

/** Those that lose take the others back with them: these are tried again without. */
async function writeTogether(tools: AppendTools, jobs: readonly Job[], leaseNo: number): Promise<Answers> {
  const answers: [Job, Appended][] = [];
  let left = jobs;
  let tried = false;
  while (left.length > 0) {
    const trying = left;
    const done = await tools.pool.use(async (line, tries) => {
      const found = await tryTogether(line, tools.statements, trying, leaseNo);
      if (found.lost.length === 0) return { ...found, verdicts: [] };
      return { ...found, verdicts: await judge(line, tools.statements, found.lost, leaseNo, tries + (tried ? 1 : 0)) };
    });
    tried = true;
    answers.push(...done.answers);
    if (done.lost.length === 0) {
      tools.committed();
      tools.mailed(done.leases);
      return answers;
    }
    for (const { job, verdict } of done.verdicts)
      answers.push([job, verdict === "there" ? await tools.pool.use((line) => recall(line, tools.statements, job)) : verdict]);
    const lost = new Set(done.lost);
    left = trying.filter((job) => !lost.has(job));
  }
  return answers;
}

type Verdict = { readonly job: Job; readonly verdict: Appended | "there" };

/** Why turns were not accepted: fenced, an id that exists, or written by an earlier try. Throws OnexError `OWNERSHIP_LOST`. */
async function judge(
  line: Line,
  statements: Statements,
  jobs: readonly Job[],
  leaseNo: number,
  tries: number,
): Promise<readonly Verdict[]> {
  const [lease] = await statements.run(line, "SELECT state FROM @.leases WHERE lease_no = $1", leaseNo);
  if (lease?.state !== "live") throw ownershipLost("the lease of this process has ended, and others may drive its runs");
  const starts = new Map<string, RunRow>();
  const ids = jobs.flatMap((job) => startOf(job)?.id ?? []);
  if (ids.length > 0) {
    const kept = ids.map(encodeText);
    const rows = await statements.run(line, `SELECT ${runColumns} FROM @.runs WHERE id = ANY($1::text[])`, texts(kept));
    for (const run of [...(await new Prunes(statements).pruneds(line, kept)), ...rows.map(runRow)]) starts.set(run.id, run);
  }
  const there = tries === 0 ? new Set<number>() : await written(line, statements, jobs, leaseNo);
  return jobs.map((job) => {
    const run = startOf(job);
    if (there.has(job.runNo)) return { job, verdict: "there" };
    const existing = run === undefined ? undefined : starts.get(run.id);
    return { job, verdict: existing === undefined ? fenced : { accepted: false, reason: "exists", row: existing } };
  });
}

/** Numbers of the runs whose turn stands there under this lease: a run has one turn on its way, so it is the one that was sent. */
async function written(line: Line, statements: Statements, jobs: readonly Job[], leaseNo: number): Promise<ReadonlySet<number>> {
  const rows = await statements.run(
    line,
    `SELECT b.run_no FROM unnest($1::bigint[], $2::int[]) AS b(run_no, turn)
     WHERE (SELECT t.lease_no FROM @.turns t WHERE t.run_no = b.run_no AND t.turn = b.turn) = $3`,
    bigints(jobs.map((job) => job.runNo)),
    ints(jobs.map((job) => job.write.turn)),
    leaseNo,
  );
  return new Set(rows.map((row) => row.run_no as number));
}

/** The answer of a turn that an earlier try has written. */
async function recall(line: Line, statements: Statements, job: Job): Promise<Appended> {
  const { runNo, write, children, successorNo } = job;
  const made = new Set(
    children.length === 0
      ? []
      : (await statements.run(line, "SELECT run_no FROM @.runs WHERE run_no = ANY($1::bigint[])", bigints(children))).map(
          (row) => row.run_no,
        ),
  );
  const folded = write.fold && (await recallFold(line, statements, job));
  return {
    accepted: true,
    runNo,
    ...(folded ? { folded } : {}),
    ...(write.children ? { children: children.map((no) => (made.has(no) ? no : undefined)) } : {}),
    ...(successorNo === undefined ? {} : { successorNo }),
  };
}

async function recallFold(line: Line, statements: Statements, { runNo, write }: Job): Promise<Pick<TurnRow, "facts" | "blobs">> {
  const rows = await statements.run(line, "SELECT facts FROM @.turns WHERE run_no = $1 AND turn = $2", runNo, write.turn);
  const [turn] = await withBlobs(
    line,
    statements,
    runNo,
    rows.map((row) => ({ facts: row.facts as string })),
  );
  return turn ?? { facts: "[]" };
}
