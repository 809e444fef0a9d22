/** `concurrency` and `rate` of effects, streams and workflows: one form, checked in one place. */
import type { Duration } from "../core/duration.ts";
import { OnexError } from "../core/failure.ts";
import { durationAt, onlyFields, shown } from "../core/fields.ts";

type Key = ((input: never) => string) | undefined;
interface Concurrency {
  readonly limit: number;
  readonly key?: Key;
}
interface Rate extends Concurrency {
  readonly per: Duration;
}
export interface Limits {
  readonly concurrency?: { readonly limit: number; readonly key: Key };
  readonly rate?: { readonly limit: number; readonly perMs: number; readonly key: Key };
}

const maxLimit = 1_000_000;

/** `where` is the node, such as "effect save". Throws OnexError `NODE_INVALID`, `INVALID_DURATION`. */
export function limitsOf(where: string, spec: { readonly concurrency?: Concurrency; readonly rate?: Rate }): Limits {
  const { concurrency, rate } = spec;
  if (concurrency !== undefined) checkLimit(`${where}: concurrency`, concurrency, ["limit", "key"]);
  if (rate !== undefined) checkLimit(`${where}: rate`, rate, ["limit", "per", "key"]);
  const perMs = rate === undefined ? 0 : durationAt(`${where}: rate.per`, rate.per);
  if (rate !== undefined && perMs < 1) throw new OnexError("NODE_INVALID", `${where}: rate.per is "${rate.per}": give 1ms or more`);
  return {
    ...(concurrency === undefined ? {} : { concurrency: { limit: concurrency.limit, key: concurrency.key } }),
    ...(rate === undefined ? {} : { rate: { limit: rate.limit, perMs, key: rate.key } }),
  };
}

function checkLimit(where: string, given: Concurrency, known: readonly string[]): void {
  onlyFields("NODE_INVALID", where, given, known);
  const { limit, key } = given;
  if (!(Number.isInteger(limit) && limit >= 1 && limit <= maxLimit))
    throw new OnexError("NODE_INVALID", `${where}.limit is ${shown(limit)}: give a whole number from 1 to ${maxLimit}`);
  if (key !== undefined && typeof key !== "function")
    throw new OnexError("NODE_INVALID", `${where}.key is ${shown(key)}: give a function of the input, such as ({ customer }) => customer`);
}
