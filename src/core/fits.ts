/** Whether a run would take a fact as the next one: asked of a fact of another log, before it is folded. */
import type { Fact } from "./fact.ts";
import { sameJson } from "./json.ts";
import type { Replay } from "./replay.ts";

/** Facts that record a wish fit an open one with the same input; answers fit what is under way; nothing else does. */
export function fits(replay: Replay, fact: Fact): boolean {
  switch (fact.type) {
    case "action.dispatched": {
      const wish = replay.command(`d:${fact.step}`);
      return (
        wish?.type === "dispatch" && wish.attempt === fact.attempt && wish.callee.name === fact.node && sameJson(wish.input, fact.input)
      );
    }
    case "child.started": {
      const wish = replay.command(`d:${fact.step}`);
      return wish?.type === "start-child" && wish.callee.name === fact.node && sameJson(wish.input, fact.input);
    }
    case "compute.completed":
    case "compute.failed": {
      const wish = replay.command(`c:${fact.step}`);
      return wish?.type === "compute" && wish.callee.name === fact.node && wish.digest === fact.digest;
    }
    case "reducer.applied": {
      const wish = replay.command(`c:${fact.step}`);
      return wish?.type === "reduce" && wish.callee.name === fact.node && sameJson(wish.input, fact.input);
    }
    case "state.read": {
      const wish = replay.command(`c:${fact.step}`);
      return wish?.type === "read" && wish.callee.name === fact.node && wish.stateKey === fact.key;
    }
    case "value.recorded":
      return replay.command(`c:${fact.step}`)?.type === "value";
    case "timer.set": {
      const wish = replay.command(`r:timer.set:${fact.step}`);
      return wish?.type === "record" && wish.fact.type === "timer.set" && wish.fact.due === fact.due;
    }
    case "step.failed":
      return replay.command(`r:step.failed:${fact.step}`) !== undefined || replay.command(`d:${fact.step}`) !== undefined;
    case "timer.fired":
    case "action.progressed":
    case "action.completed":
    case "action.failed":
    case "child.ended":
      return replay.expects(fact);
    default:
      return false;
  }
}
