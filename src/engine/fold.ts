/**
 * Reducers on a store for many owners: events end a turn of their own, which is made in its transaction, under the locks of
 * their keys (see `Fold`). The run's fold learns of it when it is accepted, so a turn that was refused leaves nothing to undo.
 */
import type { CommandOf } from "../core/command.ts";
import type { Fact, FactBody } from "../core/fact.ts";
import type { Json } from "../core/json.ts";
import { encodeFacts } from "../store/codec.ts";
import type { Fold, Folded } from "../store/store.ts";
import { reduced, reducerKey } from "./inline.ts";
import type { Runtime } from "./runtime.ts";
import { stateOf } from "./states.ts";

/** `finished` makes a fact of what comes of a wish; it is called anew each time the transaction is tried. */
export function foldOf(
  runtime: Pick<Runtime, "guard" | "settings">,
  wishes: readonly CommandOf<"reduce">[],
  finished: (body: FactBody, input: Json, before: readonly Fact[]) => Fact,
): Fold {
  const events = wishes.map((wish) => ({ wish, key: reducerKey(wish) }));
  const ids = new Map<string, number>();
  const keys: { reducer: string; key: string }[] = [];
  for (const { wish, key } of events) {
    if (typeof key !== "string" || ids.has(idOf(wish, key))) continue;
    ids.set(idOf(wish, key), keys.length);
    keys.push({ reducer: wish.callee.name, key });
  }
  return {
    keys,
    with(found): Folded {
      const states: (string | undefined)[] = [...found];
      const changed = new Set<number>();
      const facts: Fact[] = [];
      for (const { wish, key } of events) {
        const at = typeof key === "string" ? ids.get(idOf(wish, key)) : undefined;
        const body =
          typeof key === "string" && at !== undefined ? reduced(runtime, wish, key, stateOf(wish.callee, states[at])) : (key as FactBody);
        if (body.type === "reducer.applied" && at !== undefined) {
          states[at] = JSON.stringify(body.state);
          changed.add(at);
        }
        facts.push(finished(body, wish.input, facts));
      }
      const { text, blobs } = encodeFacts(facts);
      return { facts: text, ...(blobs ? { blobs } : {}), states: states.map((state, i) => (changed.has(i) ? state : undefined)) };
    },
  };
}

function idOf({ callee }: CommandOf<"reduce">, key: string): string {
  return `${callee.name}\0${key}`;
}
