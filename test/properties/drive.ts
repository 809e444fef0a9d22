/** Plays a tree to its end in virtual time, from one instant at which something is due to the next, with crashes in between. */
import type { Fact } from "../../src/core/fact.ts";
import { type Log, OnexError, type Run, type RunView } from "../../src/index.ts";
import { decodeFacts } from "../../src/store/codec.ts";
import type { OpenStore, RunRow, TurnRow } from "../../src/store/store.ts";
import { testOrchestrator } from "../../src/testing/index.ts";
import { keyOf, Outside, turn } from "./outside.ts";
import { hash, lengthMs, type Nodes, nodes, type Tree } from "./tree.ts";

export interface Plan {
  readonly tree: Tree;
  readonly seed: number;
  readonly stop: boolean;
  readonly signals: readonly ("a" | "b")[];
  /** Cancelled after a while. */
  readonly cancel: boolean;
  /** A crash after `gap` further instants, so many turns of the event loop into the next. */
  readonly crashes: readonly { readonly gap: number; readonly turns: number }[];
  /** All open runs are asked to go on with the other version after `gap` further instants, so many turns of the event loop into the next. */
  readonly moves?: readonly { readonly gap: number; readonly turns: number }[];
  /** A step in doubt is always sent again. */
  readonly calm: boolean;
}
export interface PlayedRun {
  readonly row: RunRow;
  readonly turns: readonly TurnRow[];
  readonly facts: readonly Fact[];
  readonly view: RunView;
}
export interface Played {
  readonly nodes: Nodes;
  readonly outside: Outside;
  readonly runs: readonly PlayedRun[];
  readonly base: number;
  readonly crashes: number;
  /** Steps whose output was given by hand, by run. */
  readonly given: ReadonlySet<string>;
  /** Calls that were made before their intent was in the store. */
  readonly early: readonly string[];
}

const silent = (): void => {};
const quiet: Log = { debug: silent, info: silent, warn: silent, error: silent };

export async function play(plan: Plan): Promise<Played> {
  const driver = new Driver(plan);
  return driver.play();
}

class Driver {
  readonly #plan: Plan;
  readonly #outside = new Outside();
  readonly #nodes: Nodes;
  readonly #t;
  readonly #store: OpenStore;
  readonly #logs = new Map<number, { turns: TurnRow[]; facts: Fact[] }>();
  /** Times at which something is due, and those among them that the log has set. */
  readonly #timers = new Set<number>();
  readonly #stored = new Set<number>();
  readonly #given = new Set<string>();
  /** Attempts whose intent is in the store. */
  readonly #intents = new Set<string>();
  readonly #early: string[] = [];
  readonly #paused: { readonly runId: string; readonly step: string; readonly at: string }[] = [];
  readonly #signals: { readonly at: number; readonly name: "a" | "b" }[];
  #crashes: { gap: number; turns: number }[];
  #moves: { gap: number; turns: number }[];
  #cancelAt: number | undefined;
  #crashed = 0;
  #now = 0;
  #asked = 0;

  constructor(plan: Plan) {
    this.#plan = plan;
    this.#nodes = nodes(this.#outside);
    this.#t = testOrchestrator({ nodes: [this.#nodes.whole, this.#nodes.again, this.#nodes.stopping], seed: plan.seed, log: quiet });
    // The connection of a process that died still reads what the others write.
    this.#store = (this.#t as unknown as { readonly engine: { readonly store: OpenStore } }).engine.store;
    this.#now = this.#store.now();
    this.#outside.told = ({ node, runId, key, attempt }) => {
      this.#read();
      if (!this.#intents.has(`${key}/${attempt}`)) this.#early.push(`${node} in ${runId}, attempt ${attempt}`);
    };
    this.#signals = plan.signals.map((name, i) => ({ at: this.#now + lengthMs(`${plan.seed}/signal/${i}`), name }));
    this.#crashes = plan.crashes.map((crash) => ({ ...crash }));
    this.#moves = (plan.moves ?? []).map((move) => ({ ...move }));
    this.#cancelAt = plan.cancel ? this.#now + lengthMs(`${plan.seed}/cancel`) : undefined;
  }

  async play(): Promise<Played> {
    const base = this.#now;
    const t = this.#t;
    await t.start(this.#plan.stop ? this.#nodes.stopping : this.#nodes.whole, this.#plan.tree, { runId: "r" });
    await this.#maybeCrash();
    await this.#settle();
    for (let i = 0; !this.#ended; i++) {
      if (i > 3000) throw new Error("the run does not end");
      await this.#instant();
    }
    // Calls of processes that died end as well.
    this.#outside.release(Number.POSITIVE_INFINITY);
    for (let i = 0; i < 12; i++) await turn();
    this.#read();
    const rows = this.#store.list({}) as readonly RunRow[];
    const runs: PlayedRun[] = [];
    for (const row of [...rows].reverse()) {
      const log = this.#logs.get(row.runNo) as { turns: TurnRow[]; facts: Fact[] };
      runs.push({ row, ...log, view: await t.run(row.id).status() });
    }
    await t.close({ graceMs: 0 });
    return { nodes: this.#nodes, outside: this.#outside, runs, base, crashes: this.#crashed, given: this.#given, early: this.#early };
  }

  get #ended(): boolean {
    return (this.#store.run("r") as RunRow).endedAt !== undefined;
  }
  get #open(): string[] {
    return (this.#store.list({}) as readonly RunRow[])
      .filter((row) => row.endedAt === undefined && row.workflow !== "onex-undo")
      .map((row) => row.id);
  }

  async #instant(): Promise<void> {
    const outside = this.#outside;
    const next = this.#next();
    if (next === undefined) return this.#ask();
    const timed = this.#stored.has(next);
    if (next - this.#now > 1) await this.#t.advance(`${next - this.#now - 1}ms`);
    this.#now = next;
    const moving = this.#t.advance("1ms");
    if (timed) await this.#maybeCrash();
    await moving;
    outside.release(next);
    for (const signal of this.#signals) if (signal.at === next) await this.#send(signal.name);
    if (this.#cancelAt === next) await this.#all((run) => run.cancel("enough"), ["r"]);
    await this.#maybeMove();
    if (!timed) await this.#maybeCrash();
    await this.#settle();
  }

  async #maybeMove(): Promise<void> {
    const next = this.#moves[0];
    if (!next || next.gap-- > 0) return;
    this.#moves.shift();
    for (let i = 0; i < next.turns; i++) await turn();
    const { whole, again } = this.#nodes;
    const open = (this.#store.list({}) as readonly RunRow[]).filter(
      ({ endedAt, workflow }) => endedAt === undefined && workflow === "tree",
    );
    for (const { id, version } of open) await this.#all((run) => run.migrate(version === "1.0.0" ? again : whole), [id]);
  }

  /** The next moment at which something is due. */
  #next(): number | undefined {
    // Who is aborted and does not obey is given up after a grace period.
    for (const due of this.#outside.moments.splice(0)) this.#timers.add(Number.isNaN(due) ? this.#now + 5_000 : due);
    let next: number | undefined;
    for (const due of [...this.#timers, ...this.#signals.map(({ at }) => at), this.#cancelAt ?? 0])
      if (due > this.#now && (next === undefined || due < next)) next = due;
    return next;
  }

  /** Nothing is due: what is waited for is a signal, or nothing at all. */
  async #ask(): Promise<void> {
    const asked = this.#asked++;
    if (asked < 4) for (const name of ["a", "b"] as const) await this.#send(name);
    else if (asked === 4) await this.#all((run) => run.cancel("stuck"), ["r"]);
    else throw new Error(`stuck: ${JSON.stringify(this.#store.list({}))}`);
    await this.#settle();
  }

  #send(name: "a" | "b"): Promise<void> {
    return this.#all((run) => run.signal(name, { name, at: this.#now }), this.#open);
  }
  async #all(tell: (run: Run) => Promise<void>, ids: readonly string[]): Promise<void> {
    for (const id of ids)
      await tell(this.#t.run(id)).catch((error: unknown) => {
        if (!(error instanceof OnexError) || !["RUN_ENDED", "STEP_NOT_PAUSED"].includes(error.code)) throw error;
      });
  }

  async #maybeCrash(): Promise<void> {
    const next = this.#crashes[0];
    if (!next || next.gap-- > 0) return;
    this.#crashes.shift();
    for (let i = 0; i < next.turns; i++) await turn();
    this.#crashed++;
    await this.#t.crash();
  }

  async #settle(): Promise<void> {
    for (;;) {
      await this.#t.advance("0ms");
      this.#read();
      if (this.#paused.length === 0) return;
      for (const { runId, step, at } of this.#paused.splice(0)) await this.#resume(runId, step, at);
    }
  }
  async #resume(runId: string, step: string, at: string): Promise<void> {
    const how = this.#plan.calm ? 0 : hash(`${this.#plan.seed}/${at}`) % 3;
    if (how === 2) this.#given.add(`${runId}\0${step}`);
    await this.#all(
      (run) => run.resume({ step, ...(how === 0 ? { as: "retry" } : how === 1 ? { as: "fail" } : { output: { id: "by hand" } }) }),
      [runId],
    );
  }

  /** Reads what was accepted since. */
  #read(): void {
    for (const row of this.#store.list({}) as readonly RunRow[]) {
      let log = this.#logs.get(row.runNo);
      if (!log) {
        log = { turns: [], facts: [] };
        this.#logs.set(row.runNo, log);
      }
      for (const read of this.#store.turns(row.runNo, log.turns.length) as readonly TurnRow[]) {
        log.turns.push(read);
        for (const fact of decodeFacts(read.facts, () => undefined)) {
          log.facts.push(fact);
          if (fact.type === "action.dispatched") this.#intents.add(`${keyOf(row.id, fact.step)}/${fact.attempt}`);
          if (fact.type === "timer.set") {
            this.#timers.add(fact.due);
            this.#stored.add(fact.due);
          }
          if (fact.type !== "run.paused") continue;
          if (fact.step === undefined) throw new Error(`run ${row.id} is paused: ${fact.code}: ${fact.message}`);
          this.#paused.push({ runId: row.id, step: fact.step, at: `${row.id}/${fact.step}/${log.facts.length}` });
        }
      }
    }
    for (const due of this.#timers) if (due <= this.#now) this.#timers.delete(due);
  }
}
