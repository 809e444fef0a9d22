/** The tables of runs, turns and messages have the same columns in both databases: here their rows become what a store answers. */
import type { RunStatus } from "../core/fact.ts";
import type { MailRow, Message, RunRow, TurnRow } from "./store.ts";

export type Row = Readonly<Record<string, unknown>>;

export const runColumns =
  "run_no, id, workflow, version, digest, status, blocked, priority, created_at, ended_at, lease_no, wake_at, mail_put, mail_got, parent, queued_at, concurrency, rate";
export const turnColumns = "turn, epoch, pos, next, at, final, facts";

export interface RowReaders {
  runRow(row: Row): RunRow;
  /** Of a run that was removed: the columns that are kept of it. */
  prunedRow(row: Row): RunRow;
  mailRow(row: Row): MailRow;
}

/** @param decode the text behind what the database keeps of one that a caller chose. */
export function rowReaders(decode: (stored: string) => string): RowReaders {
  const maybe = (value: unknown): string | undefined => (typeof value === "string" ? decode(value) : undefined);
  const runRow = (row: Row): RunRow => ({
    runNo: row.run_no as number,
    id: decode(row.id as string),
    workflow: decode(row.workflow as string),
    version: decode(row.version as string),
    digest: decode(row.digest as string),
    status: row.status as RunStatus,
    blocked: (row.blocked ?? undefined) as string | undefined,
    priority: row.priority as number,
    createdAt: row.created_at as number,
    endedAt: optional(row.ended_at),
    owned: row.lease_no !== null,
    wakeAt: optional(row.wake_at),
    mailPut: row.mail_put as number,
    mailGot: row.mail_got as number,
    parent: maybe(row.parent),
    queuedAt: optional(row.queued_at),
    concurrency: maybe(row.concurrency),
    rate: maybe(row.rate),
  });
  return {
    runRow,
    prunedRow: (row) => {
      const gone = { blocked: null, lease_no: null, wake_at: null, queued_at: null, concurrency: null, rate: null };
      return runRow({ ...row, ...gone, mail_put: 0, mail_got: 0 });
    },
    mailRow: (row) => ({
      seq: row.seq as number,
      messageId: decode(row.message_id as string),
      kind: row.kind as Message["kind"],
      body: decode(row.body as string),
    }),
  };
}

/** SQLite has no booleans: `final` is 0 or 1 there. */
export function turnRow(row: Row): TurnRow {
  return {
    turn: row.turn as number,
    epoch: row.epoch as number,
    pos: row.pos as number,
    next: row.next as number,
    at: row.at as number,
    final: row.final === true || row.final === 1,
    facts: row.facts as string,
  };
}

function optional(value: unknown): number | undefined {
  return (value ?? undefined) as number | undefined;
}
