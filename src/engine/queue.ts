/** Runs that are not begun yet: how they are put into the queue, and how a cancel ends them there. */
import type { Fact, FinalBody, Started } from "../core/fact.ts";
import { finalFact } from "../core/verdict.ts";
import { encodeFacts } from "../store/codec.ts";
import type { NewRun, RunRow } from "../store/store.ts";
import type { Engine } from "./engine.ts";
import { mailFact } from "./mail.ts";

/** Stores a start for the owner to take when its turn comes. The same id gives the existing row. */
export async function enqueue(engine: Engine, run: NewRun, started: Started): Promise<{ readonly created: boolean; readonly row: RunRow }> {
  const encoded = encodeFacts([started]);
  const queuedAt = started.startAt ?? started.at;
  const stored = await engine.store.start(
    { ...run, queuedAt },
    { epoch: 0, next: 1, facts: encoded.text, ...(encoded.blobs ? { blobs: encoded.blobs } : {}) },
  );
  engine.queued(queuedAt);
  return stored;
}

/**
 * Ends a run that was cancelled in the queue: it needs no slot, and nothing of it is run (see `Replay`).
 * Answers false for a fork: what it owes of its past is for itself to take back.
 */
export async function callOff(engine: Engine, row: RunRow): Promise<boolean> {
  const { store } = engine;
  const tail = await store.tail(row.runNo);
  const mail = await store.inbox(row.runNo, row.mailGot);
  const cancel = mail.findIndex(({ kind }) => kind === "cancel");
  if (!tail || tail.final || cancel < 0) return true;
  if (tail.next > 1) return false;
  const read = mail.slice(0, cancel + 1);
  const request = mailFact(mail[cancel] as (typeof mail)[number]) as { readonly reason?: string };
  const end = finalFact({ how: "cancelled", reason: request.reason }, []);
  const at = Math.max(store.now(), tail.at);
  const facts = [...read.map(mailFact), end].map((body) => Object.assign(body, { at }) as Fact);
  const encoded = encodeFacts(facts);
  await store.append([
    {
      ...{ run: row.runNo, turn: tail.turn + 1, after: tail.epoch, epoch: tail.epoch + 1, at },
      ...{ pos: tail.next, next: tail.next + facts.length, final: true, take: true, facts: encoded.text },
      ...(encoded.blobs ? { blobs: encoded.blobs } : {}),
      row: { status: "cancelled", mailGot: read.at(-1)?.seq ?? row.mailGot },
    },
  ]);
  engine.watchers.publish(row.id, facts);
  engine.over(row.id, facts.at(-1) as Fact & FinalBody);
  return true;
}
