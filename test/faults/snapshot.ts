/** What a store holds, read past the engine: facts by run, from the file alone. */
import type { Fact, FactOf } from "../../src/core/fact.ts";
import { decodeFacts } from "../../src/store/codec.ts";
import { sqlite } from "../../src/store/sqlite/sqlite.ts";
import type { RunRow } from "../../src/store/store.ts";

export interface Snapshot {
  readonly rows: readonly RunRow[];
  readonly facts: ReadonlyMap<string, readonly Fact[]>;
}

export async function snapshot(file: string): Promise<Snapshot> {
  const store = sqlite(file).open({ now: Date.now, setTimer: () => () => {}, warn: () => {} });
  try {
    const rows = await store.list({ limit: 1_000_000 });
    const facts = new Map<string, readonly Fact[]>();
    for (const row of rows) {
      const turns = await store.turns(row.runNo);
      facts.set(
        row.id,
        turns.flatMap((turn) => decodeFacts(turn.facts, (hash) => store.blob(row.runNo, hash) as string)),
      );
    }
    return { rows, facts };
  } finally {
    await store.close();
  }
}

/** Facts of one type, of all runs, each with its run. */
export function factsOf<T extends Fact["type"]>(taken: Snapshot, type: T): { readonly run: string; readonly fact: FactOf<T> }[] {
  const found: { run: string; fact: FactOf<T> }[] = [];
  for (const [run, facts] of taken.facts) for (const fact of facts) if (fact.type === type) found.push({ run, fact: fact as FactOf<T> });
  return found;
}
