/**
 * What the programs share: the store, and a workflow of ten effects in two nodes that live elsewhere. Each output holds a
 * number that nobody can guess, and is the input of the next step.
 */
import { all, effect, sqlite, workflow } from "../../../dist/index.js";
import { any } from "../../faults/programs/kit.mjs";

/** The store that a text names: a URL of PostgreSQL, or else a file of SQLite. @param {string} store @param {object} [options] */
export async function openStore(store, options) {
  if (!/^postgres(ql)?:/.test(store)) return sqlite(store);
  const door = "onex/postgres";
  const { postgres } = await import(door);
  return postgres(store, options);
}

/** @param {"left" | "right"} name @param {(input: any, context: import("../../../dist/index.js").EffectContext) => Promise<any>} run */
export function workOf(name, run) {
  return effect(
    {
      name,
      input: any,
      idempotent: true,
      irreversible: "a line in a log",
      retry: { maxAttempts: 10_000, backoff: "fixed", delay: "50ms", jitter: "none" },
    },
    run,
  );
}
const elsewhere = async () => {
  throw new Error("it lives elsewhere");
};
export const left = workOf("left", elsewhere);
export const right = workOf("right", elsewhere);

export const ten = workflow({ name: "ten", input: any, timeout: "1h" }, function* () {
  let after = 0;
  for (let i = 0; i < 4; i++) after = yield* one(i, after);
  const pair = yield* all({
    a: left({ step: "a/s4", after }, { step: "s4" }),
    b: right({ step: "b/s5", after }, { step: "s5" }),
  });
  after = pair.a.nonce + pair.b.nonce;
  for (let i = 6; i < 10; i++) after = yield* one(i, after);
  return after;
});

/** @param {number} i @param {number} after @returns {Generator<any, number, any>} */
function* one(i, after) {
  const work = i % 2 === 0 ? left : right;
  const { nonce } = yield* work({ step: `s${i}`, after }, { step: `s${i}` });
  return nonce;
}
