/** Faults and delays, drawn from the seed: the same order, operation and count always meet the same fate. */

export type Fault =
  | "none"
  /** Answers 503; nothing happened. */
  | "fail"
  /** Takes effect at once, answers after the caller gave up. */
  | "late-answer"
  /** Takes effect only after the caller gave up, when a retry or an undo may have come and gone. */
  | "late-effect";

/** Shares of requests: above what the demo promises (10 % fail, 5 % take effect late), since some late calls turn out to be duplicates. */
const failShare = 0.13;
const lateAnswerShare = 0.09;
const lateEffectShare = 0.05;

export function faultOf(seed: number, order: string, op: string, count: number): Fault {
  const drawn = draw(`${seed} fault ${order} ${op} ${count}`);
  if (drawn < failShare) return "fail";
  if (drawn < failShare + lateAnswerShare) return "late-answer";
  if (drawn < failShare + lateAnswerShare + lateEffectShare) return "late-effect";
  return "none";
}

/** How long the work takes, ms. */
export function delayOf(seed: number, order: string, op: string, count: number): number {
  return Math.round(40 + 100 * draw(`${seed} delay ${order} ${op} ${count}`));
}

/** A number in [0, 1) that depends on the text alone. */
function draw(text: string): number {
  let hash = 0x811c9dc5;
  for (let i = 0; i < text.length; i++) hash = Math.imul(hash ^ text.charCodeAt(i), 0x01000193);
  hash = Math.imul(hash ^ (hash >>> 16), 0x85ebca6b);
  hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2ae35);
  return ((hash ^ (hash >>> 16)) >>> 0) / 4_294_967_296;
}
