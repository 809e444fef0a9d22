/** What it costs to remember things. */
import type { Json } from "../../core/json.ts";
import { roughLength } from "../values.ts";
import type { Ended } from "../wire.ts";

/** About what the input of an open stream takes in memory. */
export function payloadBytes(payload: Json): number {
  return 2 * roughLength(payload, Number.POSITIVE_INFINITY);
}

/** About what an answer takes in memory. */
export function answerBytes(answer: Ended): number {
  const value =
    answer.status === "completed"
      ? answer.output
      : answer.status === "yielded"
        ? answer.item
        : [answer.error.message, answer.error.details ?? null];
  return 2 * roughLength(value, Number.POSITIVE_INFINITY);
}
