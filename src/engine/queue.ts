/** Runs that are not begun yet: how they are put into the queue, and how a cancel ends them there. */
import type { Fact, FinalBody, Started } from "../core/fact.ts";
import { deadline, finalFact, timedOut } from "../core/verdict.ts";
import { encodeFacts } from "../store/codec.ts";
import type { NewRun, RunRow } from "../store/store.ts";
import type { Engine } from "./engine.ts";
import { unmoved } from "./mail.ts";

/** Stores a start for the owner to take when its turn comes. The same id gives the existing row. */
export async function enqueue(engine: Engine, run: NewRun, started: Started): Promise<{ readonly created: boolean; readonly row: RunRow }> {
  const encoded = encodeFacts([started]);
  const queuedAt = started.startAt ?? started.at;
  const stored = await engine.store.start(
    { ...run, queuedAt, ...endOf(started) },
    { epoch: 0, next: 1, facts: encoded.text, ...(encoded.blobs ? { blobs: encoded.blobs } : {}) },
  );
  if (stored.created) engine.tracing.begun(started);
  engine.queued(queuedAt);
  return stored;
}

/** When a run is due in the queue: its time ends there too. */
export function endOf({ deadline }: Started): Pick<NewRun, "wakeAt"> {
  return deadline === undefined ? {} : { wakeAt: Math.ceil(deadline) };
}

/**
 * Ends a run that was cancelled in the queue, or whose time is over there: it needs no slot, and nothing of it is run (see `Replay`).
 * Answers false for a fork: what it owes of its past is for itself to take back.
 */
export async function callOff(engine: Engine, row: RunRow): Promise<boolean> {
  const { store } = engine;
  const tail = await store.tail(row.runNo);
  const mail = await store.inbox(row.runNo, row.mailGot);
  const cancel = mail.findIndex(({ kind }) => kind === "cancel");
  const late = row.wakeAt !== undefined && row.wakeAt <= store.now();
  if (!tail || tail.final || (cancel < 0 && !late)) return true;
  if (tail.next > 1) return false;
  const read = cancel < 0 ? mail : mail.slice(0, cancel + 1);
  const request = read.map((one) => unmoved(one, "it was called off"));
  if (cancel < 0) request.push({ type: "timer.fired", step: deadline });
  const { reason } = request.at(-1) as { readonly reason?: string };
  const end = finalFact(cancel < 0 ? timedOut : { how: "cancelled", reason }, []);
  const at = Math.max(store.now(), tail.at);
  const facts = [...request, end].map((body) => Object.assign(body, { at }) as Fact);
  const encoded = encodeFacts(facts);
  const [answer] = await store.append([
    {
      ...{ run: row.runNo, turn: tail.turn + 1, after: tail.epoch, epoch: tail.epoch + 1, at },
      ...{ pos: tail.next, next: tail.next + facts.length, final: true, take: true, facts: encoded.text },
      ...(encoded.blobs ? { blobs: encoded.blobs } : {}),
      row: { status: cancel < 0 ? "failed" : "cancelled", mailGot: read.at(-1)?.seq ?? row.mailGot },
    },
  ]);
  // Another owner was first, and it is its run now.
  if (!answer?.accepted) return true;
  engine.watchers.publish(row.id, facts);
  engine.metrics.ended({ workflow: row.workflow, at: row.queuedAt ?? row.createdAt }, facts.at(-1) as Fact & FinalBody);
  engine.over(row.id, facts.at(-1) as Fact & FinalBody);
  return true;
}
