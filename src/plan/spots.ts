/** Where the words of a step or a file stand, for complaints about one of them. */
import type { Cursor } from "./cursor.ts";
import type { Place } from "./finding.ts";

/** Where `retry.delay` stands: `at("retry", "delay")`; what is not there stands where the word around it does. */
export type Spots = (...keys: readonly string[]) => Spot;
/** A key and its value. */
export interface Spot {
  readonly key: Place;
  readonly value: Place;
}

export function spotsOf(cursor: Cursor): Spots {
  return (...keys) => {
    let at = cursor;
    for (const key of keys) at = at.get(key) ?? at;
    return { key: at.keyPlace, value: at.place };
  };
}
