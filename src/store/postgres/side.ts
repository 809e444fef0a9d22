/**
 * Turns with company, in one transaction: states under lock, folds, the turns, then children, values, messages, successors.
 *
 * B1 Locks are taken in one order: rows of runs by number, then states by reducer and key, so that two owners wait for each
 *    other only by way of new ids; a deadlock that is left is tried again.
 * B2 A turn that does not win undoes the whole, and the rest is tried without it: folds have seen its states.
 * B3 Numbers of new runs were chosen before, so what an earlier try has made is known by them.
 */
import type { Appended, Message } from "../store.ts";
import { bigints, texts } from "./arrays.ts";
import { addBlobs, addRuns, succeed } from "./company.ts";
import { byRun, type Job } from "./job.ts";
import type { Line } from "./line.ts";
import { postAll } from "./mail.ts";
import type { Statements } from "./sql.ts";
import { encodeText } from "./text.ts";
import { writeTurns } from "./turns.ts";

export interface Together {
  readonly answers: [Job, Appended][];
  /** Turns that did not win; then nothing was written. */
  readonly lost: readonly Job[];
  /** Whose runs got mail; null: nobody's. */
  readonly leases: readonly (number | null)[];
}

export async function tryTogether(line: Line, statements: Statements, jobs: readonly Job[], leaseNo: number): Promise<Together> {
  await line.query("BEGIN");
  try {
    const messages = jobs.flatMap((job) => job.write.messages ?? []);
    if (messages.length > 0 || jobs.some((job) => job.write.take === true)) await lockRuns(line, statements, jobs, messages);
    const states = await foldAll(line, statements, jobs);
    const won = await writeTurns(line, statements, jobs, leaseNo);
    const lost = jobs.filter((job) => !won.has(job.runNo));
    if (lost.length > 0) {
      await line.rollback();
      return { answers: [], lost, leases: [] };
    }
    await states.write();
    const answers = await addCompany(line, statements, jobs, leaseNo);
    const leases = messages.length > 0 ? await postAll(line, statements, messages) : [];
    await line.query("COMMIT");
    return { answers, lost, leases };
  } catch (error) {
    await line.rollback();
    throw error;
  }
}

/** B1. A run whose id moves meanwhile is found again when the message is put. */
async function lockRuns(line: Line, statements: Statements, jobs: readonly Job[], messages: readonly Message[]): Promise<void> {
  const ids = [...new Set(messages.map((message) => message.runId))];
  const targets =
    ids.length === 0 ? [] : await statements.run(line, "SELECT run_no FROM @.runs WHERE id = ANY($1::text[])", texts(ids.map(encodeText)));
  const numbers = new Set([...jobs.map((job) => job.runNo), ...targets.map((row) => row.run_no as number)]);
  await statements.run(
    line,
    "SELECT run_no FROM @.runs WHERE run_no = ANY($1::bigint[]) ORDER BY run_no FOR NO KEY UPDATE",
    bigints([...numbers].sort((a, b) => a - b)),
  );
}

/** Locks all states that are read or written, and lets the folds follow each other. Answers how the states are written. */
async function foldAll(line: Line, statements: Statements, jobs: readonly Job[]): Promise<{ write(): Promise<void> }> {
  const keys = new Map<string, { readonly reducer: string; readonly key: string }>();
  for (const { write } of jobs)
    for (const one of [...(write.fold?.keys ?? []), ...(write.states ?? [])]) keys.set(nameOf(one), { reducer: one.reducer, key: one.key });
  if (keys.size === 0) return { async write() {} };
  const sorted = [...keys.values()].map(({ reducer, key }) => ({ reducer: encodeText(reducer), key: encodeText(key) })).sort(byKey);
  const names = [texts(sorted.map((one) => one.reducer)), texts(sorted.map((one) => one.key))];
  await statements.run(
    line,
    `INSERT INTO @.states (reducer, key) SELECT * FROM unnest($1::text[], $2::text[]) ON CONFLICT DO NOTHING`,
    ...names,
  );
  const rows = await statements.run(
    line,
    `SELECT k.n, s.state FROM unnest($1::text[], $2::text[]) WITH ORDINALITY AS k(reducer, key, n)
     CROSS JOIN LATERAL (SELECT state FROM @.states s WHERE s.reducer = k.reducer AND s.key = k.key FOR NO KEY UPDATE) s`,
    ...names,
  );
  const values = new Map<string, string | undefined>();
  for (const row of rows) {
    const at = sorted[Number(row.n) - 1];
    if (at) values.set(at.reducer + separator + at.key, (row.state ?? undefined) as string | undefined);
  }
  const changed = new Set<string>();
  const set = (one: { readonly reducer: string; readonly key: string }, state: string | undefined): void => {
    if (state === undefined) return;
    values.set(nameOf(one), state);
    changed.add(nameOf(one));
  };
  for (const job of jobs) {
    const { fold, states } = job.write;
    if (fold) {
      job.folded = fold.with(fold.keys.map((one) => values.get(nameOf(one))));
      for (const [i, one] of fold.keys.entries()) set(one, job.folded.states[i]);
    }
    for (const one of states ?? []) set(one, one.state);
  }
  return {
    async write() {
      const written = sorted.filter((one) => changed.has(one.reducer + separator + one.key));
      if (written.length === 0) return;
      await statements.run(
        line,
        // Not an UPDATE with a join: of a table that was empty when it was planned, that would read all of it for ever.
        `INSERT INTO @.states (reducer, key, state) SELECT * FROM unnest($1::text[], $2::text[], $3::text[])
         ON CONFLICT (reducer, key) DO UPDATE SET state = excluded.state`,
        texts(written.map((one) => one.reducer)),
        texts(written.map((one) => one.key)),
        texts(written.map((one) => values.get(one.reducer + separator + one.key) as string)),
      );
    },
  };
}

const separator = "\u0000";
function nameOf({ reducer, key }: { readonly reducer: string; readonly key: string }): string {
  return encodeText(reducer) + separator + encodeText(key);
}
function byKey(a: { readonly reducer: string; readonly key: string }, b: typeof a): number {
  if (a.reducer !== b.reducer) return a.reducer < b.reducer ? -1 : 1;
  return a.key < b.key ? -1 : 1;
}

async function addCompany(line: Line, statements: Statements, jobs: readonly Job[], leaseNo: number): Promise<[Job, Appended][]> {
  const blobs = jobs.flatMap(({ runNo, write, folded }) => (folded?.blobs ?? write.blobs ?? []).map((blob) => ({ runNo, ...blob })));
  const children = jobs.flatMap(({ write, children }) =>
    (write.children ?? []).map((child, i) => ({ ...child, runNo: children[i] as number })),
  );
  await addBlobs(line, statements, blobs);
  const made = await addRuns(line, statements, children, "running", leaseNo);
  for (const { write, runNo, successorNo } of [...jobs].sort(byRun))
    if (write.successor && successorNo !== undefined)
      await succeed(line, statements, runNo, { ...write.successor, runNo: successorNo }, leaseNo);
  return jobs.map((job) => {
    const { write, runNo, children, successorNo, folded } = job;
    const answer: Appended = {
      accepted: true,
      runNo,
      ...(folded ? { folded: { facts: folded.facts, ...(folded.blobs ? { blobs: folded.blobs } : {}) } } : {}),
      ...(write.children ? { children: children.map((no) => (made.has(no) ? no : undefined)) } : {}),
      ...(successorNo === undefined ? {} : { successorNo }),
    };
    return [job, answer];
  });
}
