/** What there is to judge after faults: the runs as the store has them, what was acknowledged, and what the nodes wrote down. */
import type { Fact } from "../../src/core/fact.ts";
import { decodeFacts } from "../../src/store/codec.ts";
import type { OpenStore, RunRow, TurnRow } from "../../src/store/store.ts";

/** What an effect writes into the log of the world, in one write: when it took a call, and when it had done it. */
export interface Entry {
  readonly phase: "accepted" | "done";
  readonly run: string;
  readonly step: string;
  readonly attempt: number;
  readonly actionId: string;
  readonly key: string;
  readonly epoch: number;
  readonly leaseId: string;
  /** Of the node host. */
  readonly pid: number;
  /** Wall time, ms. */
  readonly at: number;
  readonly input?: unknown;
  readonly output?: unknown;
}

export interface Turn extends Omit<TurnRow, "facts"> {
  readonly facts: readonly Fact[];
}
export interface LoggedRun {
  readonly row: RunRow;
  readonly turns: readonly Turn[];
}

export interface Evidence {
  readonly runs: readonly LoggedRun[];
  /** Ids of the runs whose start was acknowledged. */
  readonly acknowledged: readonly string[];
  /** In the order in which they were written. */
  readonly entries: readonly Entry[];
}

/** All runs of a store, past the engine. */
export async function readRuns(store: OpenStore): Promise<readonly LoggedRun[]> {
  const runs: LoggedRun[] = [];
  for (let before: number | undefined; ; ) {
    const rows = await store.list({ limit: 500, ...(before !== undefined && { before }) });
    for (const row of rows) runs.push({ row, turns: await turnsOf(store, row.runNo) });
    const last = rows.at(-1);
    if (last === undefined) return runs;
    before = last.runNo;
  }
}

async function turnsOf(store: OpenStore, runNo: number): Promise<readonly Turn[]> {
  const turns: Turn[] = [];
  for (const turn of await store.turns(runNo)) {
    const texts = new Map<string, string>();
    for (const { blobs } of JSON.parse(turn.facts) as { readonly blobs?: Readonly<Record<string, string>> }[])
      for (const hash of Object.values(blobs ?? {})) {
        const text = await store.blob(runNo, hash);
        if (text !== undefined) texts.set(hash, text);
      }
    turns.push({ ...turn, facts: decodeFacts(turn.facts, (hash) => texts.get(hash)) });
  }
  return turns;
}
