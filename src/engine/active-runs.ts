/**
 * The runs that this process drives: how each comes in, what follows from its accepted turns, and how it leaves.
 *
 * D1 A run is in here from before its first turn is written until it ends, is put down, or is another's; `forget` is the only
 *    way out, and lets go of everything that is kept of it.
 * D2 Who starts a run is answered once: when its first turn is accepted or refused, when folding it throws, or by `drop`.
 */
import { type Fact, type FinalBody, isFinal } from "../core/fact.ts";
import { failureOf, OnexError } from "../core/failure.ts";
import type { Appended, RunRow } from "../store/store.ts";
import { ActiveRun } from "./active-run.ts";
import type { Begun } from "./begin.ts";
import type { Engine } from "./engine.ts";
import type { Intake } from "./intake.ts";
import type { LetGo } from "./let-go.ts";
import { tellRaised } from "./raises.ts";

interface Starting {
  /** With the row of the run that has its id already. */
  accepted(row?: RunRow): void;
  failed(error: unknown): void;
}

export class ActiveRuns {
  readonly #engine: Engine;
  readonly #intake: Intake;
  readonly #byId = new Map<string, ActiveRun>();
  /** Those that are in the store. */
  readonly #byNo = new Map<number, ActiveRun>();
  readonly #starting = new Map<ActiveRun, Starting>();

  constructor(engine: Engine, intake: Intake) {
    this.#engine = engine;
    this.#intake = intake;
  }

  get(id: string): ActiveRun | undefined {
    return this.#byId.get(id);
  }
  byNo(runNo: number): ActiveRun | undefined {
    return this.#byNo.get(runNo);
  }
  get count(): number {
    return this.#byId.size;
  }
  all(): Iterable<ActiveRun> {
    return this.#byId.values();
  }

  // ── in ──

  /** Drives a run that this process makes; resolves when its first turn is accepted. */
  begin(run: ActiveRun): Promise<RunRow | undefined> {
    this.#byId.set(run.id, run);
    this.#engine.admission.hold(run);
    return new Promise((accepted, failed) => {
      this.#starting.set(run, { accepted, failed });
      run.stir();
    });
  }
  /** Drives a run that was taken from the store. */
  enlist(run: ActiveRun): void {
    this.#byId.set(run.id, run);
    this.#byNo.set(run.runNo as number, run);
    this.#engine.admission.hold(run);
    run.stir();
  }
  /** Drives a run whose first turn is in the store. */
  adopt(begun: Begun, runNo: number, mailGot = 0): void {
    const at = { runNo, turn: 1, after: begun.first.epoch, epoch: begun.first.epoch, pos: begun.first.next, mailGot };
    const run = new ActiveRun(this.#engine, begun.run, begun, at, { taking: false, status: "running" });
    this.#engine.tracing.begun(begun.replay.started);
    this.enlist(run);
    run.sweep();
  }

  // ── what follows from its turns ──

  /** A turn was accepted. */
  accepted(run: ActiveRun, facts: readonly Fact[]): void {
    const { counts, metrics, store, tracing, watchers, world } = this.#engine;
    const starting = this.#taken(run);
    if (starting) {
      this.#byNo.set(run.runNo as number, run);
      starting.accepted();
    } else if (facts[0]?.type === "lease.acquired") {
      counts.takenOver++;
      this.#intake.took(run, isFinal(facts.at(-1) as Fact));
    }
    for (const fact of facts)
      if (fact.type === "action.completed" || fact.type === "compute.completed" || fact.type === "reducer.applied") counts.steps++;
      else if (fact.type === "lease.raised") tellRaised(world.log, store.name, run.id, fact.epoch);
    metrics.accepted(run, facts, run.quiet);
    tracing.accepted(run, facts);
    run.folded.log.flush();
    watchers.publish(run.id, facts);
  }

  /** `taking`: it was a turn that takes the run. */
  refused(run: ActiveRun, answer: Appended & { readonly accepted: false }, taking: boolean): void {
    const { store, world, states } = this.#engine;
    const starting = this.#taken(run);
    this.#forget(run, "FENCED");
    if (starting && answer.reason === "exists") return starting.accepted(answer.row);
    // Two reached for it, and the other one has it.
    if (taking && store.owners === "many") return this.#engine.look();
    const message = `run ${run.id} was taken by another owner, and goes on there`;
    world.log.warn(message, { code: "FENCED" });
    states.clear();
    starting?.failed(new OnexError("FENCED", message));
    if (!starting && store.owners === "many") void this.#checkTail(run.runNo as number, run.lastTurn);
  }

  /** A database that was failed over may lack turns that it had acknowledged. Then no other has the run: all that this process had is read again. */
  async #checkTail(runNo: number, lastTurn: number): Promise<void> {
    const engine = this.#engine;
    const { leaseId, store } = engine;
    try {
      const tail = await store.tail(runNo);
      if ((tail?.turn ?? -1) < lastTurn) engine.lost(`${store.name} lacks turns that it had acknowledged`, leaseId);
    } catch (error) {
      engine.stop(error);
    }
  }

  // ── out ──

  /** Its last turn was accepted; after a restart, `next` goes on. */
  ended(run: ActiveRun, final: Fact & FinalBody, next: Begun | undefined, nextNo: number | undefined): void {
    const { metrics, tracing, admission } = this.#engine;
    metrics.ended(run.replay.started, final);
    tracing.ended(run, final);
    this.#forget(run);
    if (next && nextNo !== undefined) return this.adopt(next, nextNo, run.mailSaved);
    if (admission.ended(run.row)) this.#engine.look();
    this.#engine.over(run.id, final);
  }

  /** It was put down until `wakeAt`; null: until mail comes. */
  parked(run: ActiveRun, wakeAt: number | null): void {
    this.#forget(run);
    this.#engine.parkedFolds.keep(run.runNo as number, run.lastTurn, run.folded);
    this.#intake.wakeAt(wakeAt);
  }

  /** Folding threw: the run's code has changed, or there is a bug. */
  broken(run: ActiveRun, error: unknown): void {
    const failure = failureOf(error, "ENGINE_FAILED");
    this.#engine.world.log.error(`run ${run.id}: ${failure.message}`, { code: failure.code });
    const starting = this.#taken(run);
    this.#forget(run, "PAUSED");
    if (starting) return starting.failed(error);
    this.#intake.pause(run.id, failure);
  }

  /** Drives none of them any more; whoever waits for a start gets the error. */
  drop(error: OnexError, why: LetGo): void {
    const starting = [...this.#starting.values()];
    this.#starting.clear();
    for (const run of [...this.#byId.values()]) this.#forget(run, why);
    this.#engine.states.clear();
    for (const { failed } of starting) failed(error);
  }

  /** D2. Who waits for the start of the run, the first time that it is asked. */
  #taken(run: ActiveRun): Starting | undefined {
    const starting = this.#starting.get(run);
    if (starting) this.#starting.delete(run);
    return starting;
  }

  /** D1. */
  #forget(run: ActiveRun, why: LetGo = "ORCHESTRATOR_CLOSED"): void {
    const { states, tracing, admission } = this.#engine;
    run.drop(why);
    states.forget(run.id);
    tracing.left(run.id);
    if (this.#byId.get(run.id) === run) this.#byId.delete(run.id);
    if (run.runNo !== undefined && this.#byNo.get(run.runNo) === run) this.#byNo.delete(run.runNo);
    if (admission.leave(run)) this.#engine.look();
  }
}
