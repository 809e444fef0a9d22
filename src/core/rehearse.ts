/**
 * A rehearsal: two replays of one run are cancelled, and their wishes are answered alike until one of them wants something
 * else. So it is found out whether both would take back the same things, whoever wrote them and however.
 *
 * Nothing leaves: both replays are spent afterwards. Calls in flight are answered as aborted with an unknown outcome, and
 * calls of an undo with null; an undo that cannot read that fails alike in both.
 */
import type { Command } from "./command.ts";
import type { Fact, FactBody } from "./fact.ts";
import { type Json, sameJson } from "./json.ts";
import type { Replay } from "./replay.ts";

/** An undo that has not ended by then is compared as far as it went. */
const maxAnswers = 2_000;

/** The first step at which they differ, or undefined. */
export function rehearse(one: Replay, other: Replay): string | undefined {
  const at = one.now;
  const children = new Map<string, string>();
  const tell = (body: FactBody): string | undefined => {
    const fact = Object.assign(body, { at }) as Fact;
    if (!one.expects(fact)) return undefined;
    one.apply(fact);
    try {
      other.apply(fact);
      return undefined;
    } catch {
      return "step" in fact && fact.step !== undefined ? fact.step : fact.type;
    }
  };
  let differs = tell({ type: "cancel.requested" });
  for (let i = 0; i < maxAnswers && differs === undefined; i++) {
    differs = difference(one, other);
    if (differs !== undefined) break;
    const answer = answerOf(one, children);
    if (!answer) return undefined;
    differs = tell(answer);
  }
  return differs;
}

/** The step of a wish that only one of them has. */
function difference(one: Replay, other: Replay): string | undefined {
  for (const [from, to] of [
    [one, other],
    [other, one],
  ] as const)
    for (const wish of from.open()) if (!isSame(wish, to.command(wish.key))) return nameOf(wish);
  return undefined;
}

function isSame(wish: Command, other: Command | undefined): boolean {
  if (other?.type !== wish.type) return false;
  if (wish.type === "finish" || wish.type === "record")
    return sameJson(wish.fact as unknown as Json, (other as typeof wish).fact as unknown as Json);
  if ("callee" in wish) {
    const { callee } = other as typeof wish;
    if (callee.name !== wish.callee.name || callee.version !== wish.callee.version) return false;
  }
  return !("input" in wish) || sameJson(wish.input, (other as typeof wish).input);
}

function nameOf(wish: Command): string {
  const asks = wish.type === "record" || wish.type === "finish" ? wish.fact : wish;
  return "step" in asks && asks.step !== undefined ? asks.step : asks.type;
}

/** The next thing that happens: what was wished first is answered first, and time passes only when nothing else is wished. */
function answerOf(replay: Replay, children: Map<string, string>): FactBody | undefined {
  const open = replay.open();
  for (const wish of open) {
    const answer = answered(wish, children);
    if (answer) return answer;
  }
  for (const [step, runId] of children) {
    children.delete(step);
    return { type: "child.ended", step, runId, status: "completed", output: { notUndone: [] } };
  }
  const timers = open.filter((wish) => wish.type === "arm").sort((a, b) => a.due - b.due);
  return timers[0] && { type: "timer.fired", step: timers[0].step };
}

function answered(wish: Command, children: Map<string, string>): FactBody | undefined {
  switch (wish.type) {
    case "record":
      return { ...wish.fact };
    case "dispatch":
      return { type: "action.dispatched", step: wish.step, attempt: wish.attempt, node: wish.callee.name, input: wish.input, notAfter: 0 };
    case "deliver":
      if (wish.step.includes("~undo/")) return { type: "action.completed", step: wish.step, attempt: wish.attempt, output: null };
      return undefined;
    case "abort":
      return {
        type: "action.failed",
        step: wish.step,
        attempt: wish.attempt,
        error: { code: "CANCELLED", message: "cancelled" },
        outcome: "unknown",
      };
    case "compute":
      return { type: "compute.completed", step: wish.step, node: wish.callee.name, digest: wish.digest, output: null };
    case "reduce":
      return { type: "reducer.applied", step: wish.step, node: wish.callee.name, key: "", input: wish.input, state: null };
    case "read":
      return { type: "state.read", step: wish.step, node: wish.callee.name, key: wish.stateKey, state: null };
    case "value":
      return { type: "value.recorded", step: wish.step, value: 0 };
    case "start-child":
      children.set(wish.step, wish.runId);
      return { type: "child.started", step: wish.step, runId: wish.runId, node: wish.callee.name, input: wish.input };
    case "cancel-child":
      return { type: "child.ended", step: wish.step, runId: wish.runId, status: "cancelled" };
    default:
      return undefined;
  }
}
