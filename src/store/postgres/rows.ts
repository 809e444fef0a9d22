/** Rows of the tables as the store gives them. */
import type { RunStatus } from "../../core/fact.ts";
import type { MailRow, Message, NewRun, RunRow, TurnRow } from "../store.ts";
import { bigints, texts } from "./arrays.ts";
import type { Row } from "./line.ts";
import { decodeText, encodeText } from "./text.ts";

export const runColumns =
  "run_no, id, workflow, version, digest, status, blocked, priority, created_at, ended_at, lease_no, wake_at, mail_put, mail_got, parent, queued_at, concurrency, rate";
export const turnColumns = "turn, epoch, pos, next, at, final, facts";

export function runRow(row: Row): RunRow {
  return {
    runNo: row.run_no as number,
    id: decodeText(row.id as string),
    workflow: decodeText(row.workflow as string),
    version: decodeText(row.version as string),
    digest: decodeText(row.digest as string),
    status: row.status as RunStatus,
    blocked: optional(row.blocked) as string | undefined,
    priority: row.priority as number,
    createdAt: row.created_at as number,
    endedAt: optional(row.ended_at) as number | undefined,
    owned: row.lease_no !== null,
    wakeAt: optional(row.wake_at) as number | undefined,
    mailPut: row.mail_put as number,
    mailGot: row.mail_got as number,
    parent: text(row.parent),
    queuedAt: optional(row.queued_at) as number | undefined,
    concurrency: text(row.concurrency),
    rate: text(row.rate),
  };
}

export function turnRow(row: Row): TurnRow {
  return {
    turn: row.turn as number,
    epoch: row.epoch as number,
    pos: row.pos as number,
    next: row.next as number,
    at: row.at as number,
    final: row.final as boolean,
    facts: row.facts as string,
  };
}

export function mailRow(row: Row): MailRow {
  return {
    seq: row.seq as number,
    messageId: decodeText(row.message_id as string),
    kind: row.kind as Message["kind"],
    body: decodeText(row.body as string),
  };
}

function text(value: unknown): string | undefined {
  return typeof value === "string" ? decodeText(value) : undefined;
}

export function optional(value: unknown): unknown {
  return value ?? undefined;
}

/** What every statement that makes runs is given of them, a column a parameter: number, id, workflow … concurrency, rate. */
export function runValues(runs: readonly (NewRun & { readonly runNo: number })[]): readonly Buffer[] {
  const all = (of: (run: NewRun) => string): Buffer => texts(runs.map((run) => encodeText(of(run))));
  const some = (of: (run: NewRun) => string | undefined): Buffer =>
    texts(
      runs.map((run) => {
        const value = of(run);
        return value === undefined ? null : encodeText(value);
      }),
    );
  return [
    bigints(runs.map((run) => run.runNo)),
    all((run) => run.id),
    all((run) => run.workflow),
    all((run) => run.version),
    all((run) => run.digest),
    bigints(runs.map((run) => run.priority)),
    bigints(runs.map((run) => run.at)),
    some((run) => run.parent),
    some((run) => run.concurrency),
    some((run) => run.rate),
  ];
}
