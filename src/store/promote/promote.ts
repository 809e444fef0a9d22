/**
 * Moves the runs of a file into a PostgreSQL database, whole, and so that at no moment two could drive them.
 *
 * 1. The owner's lock of the file is taken, and the promotion is known in the database: 'copying'.
 * 2. The file is marked and fenced: from now on nobody writes to it.
 * 3. Everything is copied, in chunks; what others would see stands apart until the end.
 * 4. Both sides are read again and compared.
 * 5. In one transaction everything is seen, and the promotion is 'done': the point of no return. A run is not owned then; whoever
 *    takes it first writes `lease.acquired` one epoch higher. No owner from before can be accepted: the file is fenced, and
 *    never knew of the database.
 * 6. The file is marked as moved.
 *
 * Killed anywhere, the same command goes on: what the database says counts, then what the file says.
 */
import { OnexError } from "../../core/failure.ts";
import type { Value } from "../sqlite/driver.ts";
import type { Mark } from "../sqlite/promoted.ts";
import type { StoreHost } from "../store.ts";
import { compare } from "./compare.ts";
import { checkKeys, checkNames } from "./conflicts.ts";
import { Source, tables } from "./source.ts";
import { valuesOf } from "./tables.ts";
import { blockSize, Target } from "./target.ts";

export interface PromoteTask {
  /** Path of the file. */
  readonly file: string;
  /** Of the database. */
  readonly url: string;
  readonly schema: string;
  readonly host: StoreHost;
  /** As every process on the database will have it. */
  readonly secretKey?: string | undefined;
  /** Rows in one transaction, up to 1000. */
  readonly chunkRows?: number;
  told?(progress: Progress): void;
  /** Does what is committed on one of the sides; tests end the process around it. */
  commit?<T>(what: string, work: () => T | Promise<T>): T | Promise<T>;
}

export interface Progress {
  /** "compare", or the table that is copied. */
  readonly at: string;
  readonly rows: number;
  readonly of: number;
}

export interface Promoted {
  /** "before": it was done already. */
  readonly when: "now" | "before";
  readonly endedAt: number;
  /** Rows of each table. */
  readonly rows: Readonly<Record<string, number>>;
}

const chunkBytes = 4 * 1024 * 1024;

/**
 * Throws OnexError `STORE_MISSING`, `STORE_FOREIGN`, `STORE_BUSY`, `STORE_PROMOTED`, `STORE_FAILED`, `STORE_URL_INVALID`, `RUN_ID_CONFLICT`,
 * `PROMOTION_CONFLICT`, `PROMOTION_DIFFERS`, `SECRET_KEY_MISSING`.
 */
export async function promote(task: PromoteTask): Promise<Promoted> {
  return withBoth(task, async (source, target) => {
    const commit = task.commit ?? ((_what, work) => work());
    const mark: Omit<Mark, "state"> = { url: target.name, at: task.host.now() };
    const rows = Object.fromEntries(tables.map((table) => [table.name, source.count(table)]));
    const before = await target.find(source.id);
    const marked = source.mark;
    checkSame(source, target, marked, before !== undefined);
    if (before?.state === "done") {
      if (marked === undefined) throw copyOf(source, target);
      if (marked.state === "promoting") await commit("mark the file as moved", () => source.setMark({ ...mark, state: "promoted" }));
      return { when: "before", endedAt: before.endedAt ?? mark.at, rows };
    }
    checkKeys(source, task.secretKey);
    await checkNames(source, target);
    const begun = await commit("begin", () => target.begin(source.id, source.name));
    if (begun.state === "aborted") {
      await commit("clear", () => target.clear());
      await commit("begin again", () => target.beginAgain());
    }
    if (marked === undefined) await commit("mark", () => source.setMark({ ...mark, state: "promoting" }));
    await copy(task, source, target, commit);
    const of = rows.runs ?? 0;
    await compare(source, target, (runs) => task.told?.({ at: "compare", rows: runs, of }));
    await checkNames(source, target);
    await commit("finish", () => target.finish());
    await commit("mark the file as moved", () => source.setMark({ ...mark, state: "promoted" }));
    return { when: "now", endedAt: task.host.now(), rows };
  });
}

/**
 * Gives the file back, if the promotion is not done; answers whether there was one. `force`: also when the database knows
 * nothing of it; if it was done in another one, its runs go on twice. Throws OnexError as `promote`, and `STORE_PROMOTED`
 * when it is done.
 */
export async function abortPromotion(task: PromoteTask, force = false): Promise<boolean> {
  return withBoth(task, async (source, target) => {
    const commit = task.commit ?? ((_what, work) => work());
    const before = await target.find(source.id);
    const marked = source.mark;
    if (!force) checkSame(source, target, marked, before !== undefined);
    if (before?.state === "done")
      throw new OnexError(
        "STORE_PROMOTED",
        `${source.name}: its runs were moved to ${target.name}, and may have gone on there; that cannot be taken back`,
      );
    if (before !== undefined) {
      const { state } = await target.begin(source.id, source.name);
      if (state === "copying") await commit("abort", () => target.abort());
      await commit("clear", () => target.clear());
    }
    if (marked !== undefined) await commit("give back", () => source.clearMark());
    return before?.state === "copying" || marked !== undefined;
  });
}

export interface Survey {
  readonly rows: Readonly<Record<string, number>>;
  readonly statuses: readonly { readonly status: string; readonly runs: number }[];
  /** The process that has to be stopped first, as far as the file says. */
  readonly owner: number | undefined;
  readonly state: "new" | "copying" | "done" | "aborted";
}

/** What `promote` would move; changes neither side. Throws what it would throw, but for `STORE_BUSY`. */
export async function survey(task: PromoteTask): Promise<Survey> {
  const source = Source.look(task.file);
  try {
    const target = await Target.look(task.url, task.schema);
    try {
      const before = target.isMade ? await target.find(source.id) : undefined;
      checkSame(source, target, source.mark, before !== undefined);
      if (before?.state !== "done") {
        checkKeys(source, task.secretKey);
        if (target.isMade) await checkNames(source, target);
      }
      return {
        rows: Object.fromEntries(tables.map((table) => [table.name, source.count(table)])),
        statuses: source.statuses(),
        owner: source.owner,
        state: before?.state ?? "new",
      };
    } finally {
      await target.close();
    }
  } finally {
    source.close();
  }
}

async function copy(
  { chunkRows = blockSize, told }: PromoteTask,
  source: Source,
  target: Target,
  commit: NonNullable<PromoteTask["commit"]>,
): Promise<void> {
  const progress: Record<string, Value> = { ...(await target.progress()) };
  for (const table of tables) {
    const of = source.count(table);
    for (let rows = 0, done = progress[table.name] === null; !done; ) {
      const chunk = source.chunk(table, progress[table.name], chunkRows, chunkBytes);
      // null: all of the table is there.
      progress[table.name] = chunk.next ?? null;
      done = chunk.next === undefined;
      const values = chunk.rows.map((row) => valuesOf(table, row));
      const numbers = chunk.rows.map((row) => Number(row.run_no ?? 0));
      await commit(`copy ${table.name}`, () => target.put(table, values, numbers, progress));
      rows += chunk.rows.length;
      told?.({ at: table.name, rows, of });
    }
  }
}

async function withBoth<T>(task: PromoteTask, work: (source: Source, target: Target) => Promise<T>): Promise<T> {
  const source = Source.take(task.file);
  try {
    const target = await Target.open(task.url, task.schema, task.host);
    try {
      return await work(source, target);
    } finally {
      await target.close();
    }
  } finally {
    source.close();
  }
}

/** A file that is marked belongs to the database that it is moved to, which knew of it before it was marked. */
function checkSame(source: Source, target: Target, marked: Mark | undefined, known: boolean): void {
  if (marked === undefined || known) return;
  const moved = marked.state === "promoted" ? "were moved" : "are being moved";
  const same = marked.url === target.name;
  throw new OnexError(
    "STORE_PROMOTED",
    `${source.name}: its runs ${moved} to ${marked.url}${same ? ", but the database there now knows nothing of it: is it another one, or was it put back from a backup?" : "; give that one"}${same && marked.state === "promoting" ? " If it is gone for good, --abort --force gives the file back" : ""}`,
  );
}

function copyOf(source: Source, target: Target): OnexError {
  return new OnexError(
    "STORE_PROMOTED",
    `${source.name}: its runs were moved to ${target.name}, but this file does not say so: it is a copy from before. Its runs must not go on: remove it`,
  );
}
