/** What any step may say beside its verb. */
import type { RetryPolicy } from "../core/retry.ts";
import type { Cursor } from "./cursor.ts";
import { shown } from "./cursor.ts";
import type { Needs } from "./flow.ts";
import type { Names } from "./names.ts";
import { didYouMean } from "./suggest.ts";

export const policyKeys = ["maxAttempts", "backoff", "delay", "maxDelay", "factor", "jitter", "within", "except"] as const;

/** `retry`: attempts, false, or a policy. */
export function readRetry(cursor: Cursor): RetryPolicy | false | undefined {
  if (cursor.value === false) return false;
  if (typeof cursor.value === "number") {
    const maxAttempts = cursor.whole("retry (a number of attempts)", 1, 1000);
    return maxAttempts === undefined ? undefined : { maxAttempts };
  }
  if (!cursor.isMap)
    return cursor.wrong(
      `retry is a number of attempts, false, or a policy such as { maxAttempts: 5, delay: 1s }, not ${shown(cursor.value)}`,
    );
  cursor.only("a retry policy", policyKeys);
  const policy: { -readonly [K in keyof RetryPolicy]?: RetryPolicy[K] | undefined } = {
    maxAttempts: cursor.get("maxAttempts")?.whole("maxAttempts", 1, 1000),
    backoff: cursor.get("backoff")?.choice("backoff", ["fixed", "linear", "exponential"]),
    delay: cursor.get("delay")?.duration("delay"),
    maxDelay: cursor.get("maxDelay")?.duration("maxDelay"),
    factor: readFactor(cursor.get("factor")),
    jitter: cursor.get("jitter")?.choice("jitter", ["full", "none"]),
    within: cursor.get("within")?.duration("within"),
    except: readWords(cursor.get("except"), "except"),
  };
  return Object.fromEntries(Object.entries(policy).filter(([, value]) => value !== undefined)) as RetryPolicy;
}

function readFactor(cursor: Cursor | undefined): number | undefined {
  if (!cursor) return undefined;
  if (typeof cursor.value === "number" && cursor.value >= 1 && cursor.value <= 100) return cursor.value;
  return cursor.wrong(`factor is a number from 1 to 100, not ${shown(cursor.value)}`);
}

export function readWords(cursor: Cursor | undefined, what: string): string[] | undefined {
  if (!cursor?.list(what)) return undefined;
  return cursor.items().flatMap((item) => item.text(`each of ${what}`) ?? []);
}

/** `needs`: names, or `{ any, count }`. `siblings` are the steps beside this one. */
export function readNeeds(cursor: Cursor, siblings: ReadonlyMap<string, number> | undefined, names: Names): Needs | undefined {
  if (!siblings) return cursor.wrong("needs orders the named steps of one block; write it on the step that this belongs to");
  if (cursor.isMap) {
    cursor.only("needs", ["any", "count"]);
    const any = cursor.get("any");
    if (!any) return cursor.wrong("needs as a map holds { any: [names], count: 1 }");
    const members = readNames(any, siblings, names);
    if (members.length === 0) return any.wrong("any names at least one step");
    const count = cursor.get("count");
    return { names: members, any: count === undefined ? 1 : (count.whole("count", 1, members.length) ?? 1), place: cursor.place };
  }
  if (typeof cursor.value === "string") return cursor.wrong(`needs is a list of step names; write [${cursor.value}]`);
  return cursor.list("needs") ? { names: readNames(cursor, siblings, names), any: undefined, place: cursor.place } : undefined;
}

function readNames(cursor: Cursor, siblings: ReadonlyMap<string, number>, names: Names): Needs["names"] {
  if (!cursor.list("needs")) return [];
  const seen = new Set<string>();
  return cursor.items().flatMap((item) => {
    const name = item.text("a step name");
    if (name === undefined) return [];
    if (seen.has(name)) {
      item.wrong(`"${name}" stands here twice`);
      return [];
    }
    seen.add(name);
    if (siblings.has(name)) return [{ name, place: item.place }];
    const outer = names.has(name) ? " It stands outside this block: let the block need it." : didYouMean(name, siblings.keys());
    item.error("REFERENCE_UNKNOWN", `there is no step "${name}" beside this one.${outer}`);
    return [];
  });
}
