/** Messages: numbered under the row of their run (S3), and each counted once. */
import type { Message, Posted } from "../store.ts";
import { bigints, bools, ints, texts } from "./arrays.ts";
import type { Line, Row } from "./line.ts";
import type { Statements } from "./sql.ts";
import { encodeText } from "./text.ts";

/** A run in the queue waits for its turn, whatever comes: a cancel alone wakes it. */
const woken = (cancel: string): string => `CASE WHEN r.lease_no IS NULL AND (r.queued_at IS NULL OR ${cancel}) THEN 0 ELSE r.wake_at END`;

const put = `WITH u AS (
  UPDATE @.runs r SET mail_put = r.mail_put + 1, wake_at = ${woken("$3 = 'cancel'")}
  WHERE r.id = $1 AND r.ended_at IS NULL AND (SELECT i.seq FROM @.inbox i WHERE i.run_no = r.run_no AND i.message_id = $2) IS NULL
  RETURNING run_no, mail_put, lease_no),
i AS (INSERT INTO @.inbox (run_no, seq, message_id, kind, body) SELECT run_no, mail_put, $2, $3, $4 FROM u)
SELECT mail_put, pg_notify($5, CASE WHEN lease_no IS NULL THEN ':' || $6 ELSE lease_no || ':' || $6 || ':' || run_no END) FROM u`;

const why = `SELECT r.ended_at, (SELECT i.seq FROM @.inbox i WHERE i.run_no = r.run_no AND i.message_id = $2) AS seq FROM @.runs r WHERE r.id = $1`;

/**
 * Puts one message, and tells who owns the run over `channel`, signed `sender`. The message that collides with its twin is
 * tried again by the caller.
 */
export async function post(line: Line, statements: Statements, message: Message, channel: string, sender: string): Promise<Posted> {
  const { kind, body } = message;
  const [runId, messageId] = [encodeText(message.runId), encodeText(message.messageId)];
  for (;;) {
    const [row] = await statements.run(line, put, runId, messageId, kind, encodeText(body), channel, sender);
    if (row) return { status: "posted", seq: row.mail_put as number };
    const [there] = await statements.run(line, why, runId, messageId);
    if (!there) return { status: "unknown" };
    if (there.seq !== null) return { status: "duplicate", seq: there.seq as number };
    if (there.ended_at !== null) return { status: "ended" };
    // The id has just moved on to a successor.
  }
}

/** Puts the messages of turns, within their transaction; answers whose runs got them. */
export async function postAll(line: Line, statements: Statements, messages: readonly Message[]): Promise<readonly (number | null)[]> {
  const ids = [...new Set(messages.map((message) => encodeText(message.runId)))];
  const targets = new Map<string, Row>();
  const found = await statements.run(
    line,
    "SELECT run_no, id, mail_put FROM @.runs WHERE id = ANY($1::text[]) AND ended_at IS NULL FOR NO KEY UPDATE",
    texts(ids),
  );
  for (const row of found) targets.set(row.id as string, row);
  const seen = new Set(
    (
      await statements.run(
        line,
        "SELECT run_no, message_id FROM @.inbox WHERE run_no = ANY($1::bigint[]) AND message_id = ANY($2::text[])",
        bigints(found.map((row) => row.run_no as number)),
        texts(messages.map((message) => encodeText(message.messageId))),
      )
    ).map((row) => `${row.run_no} ${row.message_id}`),
  );
  const puts = new Map<number, { put: number; cancel: boolean }>();
  const rows: { runNo: number; seq: number; messageId: string; kind: string; body: string }[] = [];
  for (const { runId, messageId, kind, body } of messages) {
    const target = targets.get(encodeText(runId));
    if (!target) continue;
    const runNo = target.run_no as number;
    const name = `${runNo} ${encodeText(messageId)}`;
    if (seen.has(name)) continue;
    seen.add(name);
    const before = puts.get(runNo) ?? { put: target.mail_put as number, cancel: false };
    const seq = before.put + 1;
    puts.set(runNo, { put: seq, cancel: before.cancel || kind === "cancel" });
    rows.push({ runNo, seq, messageId: encodeText(messageId), kind, body: encodeText(body) });
  }
  if (rows.length === 0) return [];
  const numbered = [...puts].sort(([a], [b]) => a - b);
  const told = await statements.run(
    line,
    `UPDATE @.runs r SET mail_put = m.put, wake_at = ${woken("m.cancel")}
     FROM unnest($1::bigint[], $2::int[], $3::bool[]) AS m(run_no, put, cancel) WHERE r.run_no = m.run_no RETURNING r.lease_no`,
    bigints(numbered.map(([runNo]) => runNo)),
    ints(numbered.map(([, { put }]) => put)),
    bools(numbered.map(([, { cancel }]) => cancel)),
  );
  await statements.run(
    line,
    `INSERT INTO @.inbox (run_no, seq, message_id, kind, body) SELECT * FROM unnest($1::bigint[], $2::int[], $3::text[], $4::text[], $5::text[])`,
    bigints(rows.map((row) => row.runNo)),
    ints(rows.map((row) => row.seq)),
    texts(rows.map((row) => row.messageId)),
    texts(rows.map((row) => row.kind)),
    texts(rows.map((row) => row.body)),
  );
  return told.map((row) => row.lease_no as number | null);
}
