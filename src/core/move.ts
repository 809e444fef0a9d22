/**
 * Whether a run that is under way may go on with another program: with a changed definition of its workflow.
 *
 * Nobody compares the two programs here. Both fold what has happened, and the run may be moved when that leaves it where
 * it was: nothing that was done would have been done otherwise, and what was begun is waited for as before.
 *
 * V1 Every fact fits the new program, at its place. One that does not is a step that was removed, renamed, moved or changed
 *    after it had been done: the run must finish on the old one.
 * V2 A step that was begun is the same node in the same version; facts name the node alone.
 * V3 What is under way (calls, streams, timers, children, aborts) is under way in both.
 * V4 What only the new program wants, it has wanted since nothing else was done. A wish that is older would be carried out
 *    late: before it, or beside it, the old program has gone on. Whether that is right is for a person to decide.
 * V5 The same signals are unread: none was taken for a wait that is not there, or would now be taken by a new one.
 * V6 Cancelled now, the run would take back the same things in the same way (`rehearse`).
 * V7 The new program does not fail the run where the old one goes on.
 *
 * Not looked at: what is recomputed on every replay and wished for nothing yet (`set`, conditions to come), and limits of
 * time and attempts of a call in flight, which keeps those that it was sent with.
 */
import type { Command } from "./command.ts";
import { type Fact, type FactOf, isFinal } from "./fact.ts";
import { failureOf } from "./failure.ts";
import { sameJson } from "./json.ts";
import { rehearse } from "./rehearse.ts";
import type { Replay } from "./replay.ts";

/** What becomes of a run: it is moved, it finishes on the program that it has, or a person decides. */
export type Verdict = { readonly how: "safe" } | { readonly how: "finish" | "decide"; readonly reason: string; readonly step?: string };

/** What happens in a run without anything of it being done. */
const idle: ReadonlySet<Fact["type"]> = new Set([
  ...([
    "run.started",
    "lease.acquired",
    "lease.raised",
    "run.forked",
    "run.paused",
    "run.resumed",
    "run.migrated",
    "migration.refused",
  ] as const),
  ...(["signal.received", "cancel.requested", "action.progressed"] as const),
]);
/** Wishes that have been carried out while they stand: somebody answers them. */
const underWay: ReadonlySet<Command["type"]> = new Set(["deliver", "pull", "abort", "cancel-child", "arm"]);

/**
 * Judges a run by its facts. `before` and `after` make fresh replays of the program that it has and of the new one; they
 * are asked for more than once.
 */
export function judge(facts: readonly Fact[], before: () => Replay, after: () => Replay): Verdict {
  const last = facts.at(-1);
  if (last === undefined || isFinal(last)) return { how: "finish", reason: "it has ended" };
  const old = before();
  const now = after();
  const born = new Map<Command, number>();
  let done = 0;
  for (const [i, fact] of facts.entries()) {
    const changed = nodeChanged(fact, old, now);
    if (changed) return changed;
    try {
      old.apply(fact);
    } catch (error) {
      const why = failureOf(error, "HISTORY_MISMATCH").message;
      return { how: "finish", reason: `it does not fit the program that it has: ${why}` };
    }
    try {
      now.apply(fact);
    } catch (error) {
      return unfit(fact, error, now);
    }
    for (const wish of now.take()) if (!born.has(wish)) born.set(wish, i);
    if (!idle.has(fact.type)) done = i;
  }
  return stands(old, now) ?? late(old, now, (wish) => (born.get(wish) ?? facts.length) < done) ?? rehearsed(facts, before(), after());
}

/** V1, V7. */
function unfit(fact: Fact, error: unknown, now: Replay): Verdict {
  const step = "step" in fact && fact.step !== undefined ? fact.step : undefined;
  const end = now.command("finish");
  if (end?.type === "finish" && end.fact.type === "run.failed") return { how: "finish", reason: failing(end.fact) };
  const { message, details } = failureOf(error, "HISTORY_MISMATCH");
  const expected = (details as { readonly expected?: string } | undefined)?.expected ?? `fails: ${message}`;
  const reason = `${step === undefined ? fact.type : `step "${step}"`} was done (${fact.type}), and the new definition ${expected}`;
  return { how: "finish", reason, ...(step === undefined ? {} : { step }) };
}

/** V2. */
function nodeChanged(fact: Fact, old: Replay, now: Replay): Verdict | undefined {
  if (!("step" in fact) || fact.step === undefined || !("node" in fact)) return undefined;
  const had = calleeOf(fact, old);
  const has = calleeOf(fact, now);
  if (!had || !has || had.name !== has.name || had.version === has.version) return undefined;
  const reason = `step "${fact.step}" was begun with ${had.name}@${had.version}, and the new definition calls ${has.name}@${has.version}`;
  return { how: "finish", step: fact.step, reason };
}

function calleeOf({ step }: { readonly step?: string }, replay: Replay) {
  const wish = replay.command(`d:${step}`) ?? replay.command(`c:${step}`);
  return wish && "callee" in wish ? wish.callee : undefined;
}

/** V3, V5. */
function stands(old: Replay, now: Replay): Verdict | undefined {
  for (const wish of old.open())
    if (underWay.has(wish.type) && !same(wish, now.command(wish.key)))
      return decide(wish, `is under way (${wish.type}), and the new definition does not wait for it`);
  for (const wish of now.open())
    if (underWay.has(wish.type) && !same(wish, old.command(wish.key)))
      return decide(wish, `would be interfered with by the new definition (${wish.type}), and the old one has not done that`);
  const unread = (replay: Replay) => replay.mailbox.map(({ seq }) => seq).join();
  if (unread(old) !== unread(now)) return { how: "decide", reason: "a signal that came would be taken by another wait, or by none" };
  return undefined;
}

/** Whether both wait for the same thing. */
function same(wish: Command, other: Command | undefined): boolean {
  if (other?.type !== wish.type) return false;
  switch (wish.type) {
    case "deliver":
      return other.type === "deliver" && other.attempt === wish.attempt && sameJson(other.input, wish.input);
    case "pull":
      return other.type === "pull" && other.attempt === wish.attempt && other.index === wish.index;
    case "arm":
      return other.type === "arm" && other.due === wish.due;
    case "cancel-child":
      return other.type === "cancel-child" && other.runId === wish.runId;
    default:
      return true;
  }
}

/** V4, V7. */
function late(old: Replay, now: Replay, isLate: (wish: Command) => boolean): Verdict | undefined {
  for (const wish of now.open()) {
    if (underWay.has(wish.type)) continue;
    const known = old.command(wish.key);
    if (wish.type === "finish") {
      if (known?.type === "finish" && known.fact.type === wish.fact.type) continue;
      if (wish.fact.type !== "run.completed") return { how: "decide", reason: failing(wish.fact) };
    }
    if (known?.type !== wish.type && isLate(wish))
      return decide(wish, "is not in what the run has done so far and stands before or beside it: it would run late");
  }
  return undefined;
}

function failing(fact: FactOf<"run.failed"> | { readonly type: string }): string {
  const { error } = fact as Partial<FactOf<"run.failed">>;
  return `under the new definition it would end at once (${fact.type}${error === undefined ? "" : `: ${error.code}: ${error.message}`})`;
}

/** V6. */
function rehearsed(facts: readonly Fact[], old: Replay, now: Replay): Verdict {
  for (const fact of facts) {
    old.apply(fact);
    now.apply(fact);
  }
  const step = rehearse(old, now);
  if (step === undefined) return { how: "safe" };
  return { how: "decide", step, reason: `what it has done would be taken back otherwise: "${step}" differs` };
}

function decide(wish: Command, what: string): Verdict {
  const asks = wish.type === "record" || wish.type === "finish" ? wish.fact : wish;
  const step = "step" in asks ? asks.step : undefined;
  return { how: "decide", ...(step === undefined ? {} : { step }), reason: `${step === undefined ? asks.type : `step "${step}"`} ${what}` };
}
