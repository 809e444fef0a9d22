/** The smallest nodes there are: what is measured is onex, not they. */
import { compute, effect, workflow } from "onex";
import { z } from "zod";

const Count = z.object({ n: z.number() });
export const begun: { at: number } = { at: 0 };

export const noop = effect({ name: "noop", input: Count, idempotent: true, readonly: true }, async ({ n }) => {
  if (n === 0) begun.at = performance.now();
  return { n: n + 1 };
});
export const pureNoop = compute({ name: "pure-noop", input: Count }, ({ n }) => ({ n: n + 1 }));

/** Ten awaited effects, each with what the one before gave. */
export const tenEffects = workflow({ name: "ten-effects", input: Count }, function* ({ n }) {
  let at = n;
  for (let i = 0; i < 10; i++) at = (yield* noop({ n: at })).n;
  return { n: at };
});
export const tenComputes = workflow({ name: "ten-computes", input: Count }, function* ({ n }) {
  let at = n;
  for (let i = 0; i < 10; i++) at = (yield* pureNoop({ n: at })).n;
  return { n: at };
});
