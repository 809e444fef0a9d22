/**
 * What a fold needs of a store that answers with promises: it is read before, and the run stands still until it is there.
 *
 * H1 A store for one owner answers at once: it is asked when the fold needs it, and nothing is kept here.
 * H2 What is kept is looked for again at each use: an entry that made room for others is simply read again.
 */
import type { Command } from "../core/command.ts";
import { type Fact, type FactBody, isFinal } from "../core/fact.ts";
import { OnexError } from "../core/failure.ts";
import { pinned } from "../core/pin.ts";
import { undoWorkflow } from "../core/undo.ts";
import type { WorkflowContract } from "../node/contract.ts";
import type { RunRow, TurnRow } from "../store/store.ts";
import type { Engine } from "./engine.ts";

const maxRuns = 256;

interface Kept {
  readonly turns: number;
  readonly facts: readonly Fact[];
}

export class AtHand {
  readonly #engine: Engine;
  readonly #runs = new Map<string, Kept>();

  constructor(engine: Engine) {
    this.#engine = engine;
  }

  /** The facts of a run, in the middle of a fold. */
  facts(runId: string): readonly Fact[] {
    const { store } = this.#engine;
    if (store.owners === "one") {
      const row = store.run(runId) as RunRow | undefined;
      if (row === undefined) throw new OnexError("RUN_UNKNOWN", `there is no run "${runId}" in ${store.name}`);
      return (store.turns(row.runNo) as readonly TurnRow[]).flatMap((turn) => this.#engine.decode(row.runNo, turn));
    }
    const kept = this.#runs.get(runId);
    if (!kept) throw new OnexError("ENGINE_FAILED", `the facts of run ${runId} were not read before they were needed`);
    return kept.facts;
  }

  /**
   * What must be read before a run whose log has `turns` turns can carry out a wish or take a fact: undefined when nothing must.
   */
  before(runId: string, turns: number, news: Command | FactBody): (() => Promise<void>) | undefined {
    const { store, states, definitions } = this.#engine;
    if (store.owners === "one") return undefined;
    switch (news.type) {
      case "read":
        return states.before(news.callee, news.stateKey, runId, turns);
      case "start-child": {
        const { plan, name } = news.callee as WorkflowContract;
        if (plan && !definitions.keeps(plan)) return async () => definitions.keep(store, plan);
        if (name !== undoWorkflow.name) return undefined;
        const child = (news.input as { readonly runId: string }).runId;
        const kept = this.#runs.get(child)?.facts.at(-1);
        return kept && isFinal(kept) ? undefined : () => this.load(child);
      }
      // Both fold the run anew, from its own facts.
      case "run.migrated":
        return this.#own(runId, turns);
      case "finish":
        return news.fact.type === "run.failed" && news.fact.error.code === "OPERATION_NOT_PERFORMED" ? this.#own(runId, turns) : undefined;
      default:
        return undefined;
    }
  }
  #own(runId: string, turns: number): (() => Promise<void>) | undefined {
    return turns === 0 || this.#runs.get(runId)?.turns === turns ? undefined : () => this.load(runId);
  }

  /** Reads a run with its definition; of one that takes back another, that one too. */
  async load(runId: string): Promise<void> {
    const { store, definitions } = this.#engine;
    const row = await store.run(runId);
    if (!row) throw new OnexError("RUN_UNKNOWN", `there is no run "${runId}" in ${store.name}`);
    const turns = await store.turns(row.runNo);
    const facts = turns.flatMap((turn) => this.#engine.decode(row.runNo, turn));
    const started = pinned(facts);
    await definitions.load(store, started);
    if (started.workflow === undoWorkflow.name) await this.load((started.input as { readonly runId: string }).runId);
    this.#runs.delete(runId);
    this.#runs.set(runId, { turns: turns.length, facts });
    if (this.#runs.size > maxRuns) this.#runs.delete(this.#runs.keys().next().value as string);
  }
}
