/**
 * The guard against nondeterminism (API rule 11): while a generator or a compute advances (it is synchronous), the
 * clock, randomness, timers and the network answer with what to use instead.
 */
import { OnexError } from "../core/failure.ts";
import { placeOf } from "../core/place.ts";

interface Swap {
  readonly target: object;
  readonly key: string;
  readonly guard: unknown;
  original: unknown;
}

function refuse(name: string, instead: string) {
  return (): never => {
    const place = placeOf(new Error().stack ?? "");
    const where = place === "" ? "" : ` (${place})`;
    throw new OnexError(
      "NONDETERMINISTIC",
      `${name} gives another answer on replay, so workflows and computes must not use it: ${instead}${where}`,
    );
  };
}

const realDate = globalThis.Date;
const now = refuse("Date.now()", "write `yield* now()` in a workflow, or pass the time as input");
const guardedDate = new Proxy(realDate, {
  construct: (target, args, newTarget) =>
    args.length === 0 ? refuse("new Date()", "write `new Date(yield* now())`")() : Reflect.construct(target, args, newTarget),
  apply: refuse("Date()", "write `yield* now()`"),
  get: (target, key) => (key === "now" ? now : Reflect.get(target, key)),
});
const timer = "write `yield* sleep(…)`";
const swaps: Swap[] = [
  { target: globalThis, key: "Date", guard: guardedDate, original: undefined },
  { target: Math, key: "random", guard: refuse("Math.random()", "write `yield* random()`"), original: undefined },
  { target: globalThis.crypto, key: "randomUUID", guard: refuse("crypto.randomUUID()", "write `yield* uuid()`"), original: undefined },
  { target: globalThis, key: "fetch", guard: refuse("fetch", "call it in an effect"), original: undefined },
  { target: globalThis, key: "setTimeout", guard: refuse("setTimeout", timer), original: undefined },
  { target: globalThis, key: "setInterval", guard: refuse("setInterval", timer), original: undefined },
  { target: globalThis, key: "setImmediate", guard: refuse("setImmediate", timer), original: undefined },
];

let inside = false;

/** Runs `advance` with the guards in place; what throws in it is thrown on. */
export function guarded<T>(advance: () => T): T {
  if (inside) return advance();
  inside = true;
  for (const swap of swaps) {
    swap.original = Reflect.get(swap.target, swap.key);
    Reflect.set(swap.target, swap.key, swap.guard);
  }
  try {
    return advance();
  } finally {
    for (const swap of swaps) Reflect.set(swap.target, swap.key, swap.original);
    inside = false;
  }
}

export function unguarded<T>(advance: () => T): T {
  return advance();
}
