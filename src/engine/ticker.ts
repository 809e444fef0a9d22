/**
 * Drives schedules, in the process that owns the store: a tick that is due starts one run.
 *
 * K1 One look is under way at a time; a request meanwhile makes another one follow. One timer stands for the earliest tick.
 * K2 A tick is a run by its id. First it is noted that it may be started, then it is started, then the schedule moves on: after
 *    a crash between any two of these the next look finds it, and it is started once, or was.
 * K3 With many owners the run that a tick waits for may end in any process, and whoever waits for its end may die: the end is
 *    heard as by one who asks for its result, and schedules with a tick that waits are looked for from time to time.
 * K4 Each write is made after the revision that was read: what somebody else has put, paused or removed meanwhile stands.
 */
import { durationMs } from "../core/duration.ts";
import { type Failure, failureOf, OnexError } from "../core/failure.ts";
import type { WorkflowContract } from "../node/contract.ts";
import type { ScheduleRow } from "../store/schedule-store.ts";
import { newRun, type StartSpec, startedFact } from "./begin.ts";
import { cronTimes, dueTicks } from "./cron.ts";
import type { Engine } from "./engine.ts";
import { startInput } from "./inline.ts";
import { Looks } from "./looks.ts";
import { enqueue } from "./queue.ts";
import { readSchedule, type ScheduleSpec, type ScheduleState, tickId } from "./schedules.ts";

export class Ticker {
  readonly #engine: Engine;
  readonly #looks: Looks;
  /** Schedules with a tick that waits, by the run that must end before. */
  readonly #awaited = new Map<string, string>();
  /** K3: how to stop hearing of that run. */
  readonly #hearing = new Map<string, () => void>();
  /** Those whose run has ended. */
  readonly #released = new Set<string>();
  readonly #named = new Set<string>();

  constructor(engine: Engine) {
    this.#engine = engine;
    this.#looks = new Looks(engine, () => this.look());
  }

  get quiet(): boolean {
    return this.#looks.quiet;
  }
  stop(): void {
    this.#looks.stop();
    for (const stop of this.#hearing.values()) stop();
    this.#hearing.clear();
  }

  /** The store has just become this process's own. */
  open(): void {
    this.#looks.run(async () => {
      for (const row of await this.#engine.store.schedules.list())
        if (readSchedule(row).state.waiting !== undefined) this.#released.add(row.id);
      await this.#look();
    });
  }
  /** K3. */
  sweep(): void {
    if (this.#engine.store.owners === "many") this.open();
  }
  /** A schedule may have changed. */
  look(): void {
    if (this.#engine.owner) this.#looks.run(() => this.#look());
  }
  /** A run has ended. */
  ended(runId: string): void {
    this.#hearing.get(runId)?.();
    this.#hearing.delete(runId);
    const id = this.#awaited.get(runId);
    if (id === undefined) return;
    this.#awaited.delete(runId);
    this.#released.add(id);
    this.look();
  }

  async #look(): Promise<void> {
    const { store } = this.#engine;
    for (const id of [...this.#released]) {
      this.#released.delete(id);
      const row = await store.schedules.get(id);
      if (row) await this.#release(row);
    }
    const now = store.now();
    for (const row of await store.schedules.due(now)) {
      if (this.#looks.stopped) return;
      await this.#tick(row, now);
    }
    const next = await store.schedules.next(now);
    if (!this.#looks.stopped) this.#looks.arm(next ?? Number.POSITIVE_INFINITY);
  }

  /** Everything of a schedule that is due. */
  async #tick(row: ScheduleRow, now: number): Promise<void> {
    const { spec, state: found } = readSchedule(row);
    const contract = this.#workflowOf(spec, row.id);
    if (!contract) return;
    const next = cronTimes(`schedule ${row.id}`, spec.cron, spec.timezone);
    const draft = new Draft(this.#engine, row, found);
    const from = await draft.settle(row.nextAt as number);
    for (const at of dueTicks(next, from, now, spec.catchUp, durationMs(spec.catchUpWithin))) {
      const does = await this.#decide(spec, draft.state, at);
      if (does === "start" && !(await this.#start(draft, contract, spec, at))) return;
      if (does !== "start") draft.leaveOut(at, does === "wait");
      if (this.#looks.stopped) return;
    }
    if (await draft.save(next(now))) this.#await(row.id, draft.state);
    else this.look();
  }

  /** Starts the tick that waits, when the run before it has ended. */
  async #release(row: ScheduleRow): Promise<void> {
    const { spec, state: found } = readSchedule(row);
    const contract = this.#workflowOf(spec, row.id);
    if (!contract || found.waiting === undefined) return;
    const draft = new Draft(this.#engine, row, found);
    await draft.settle(0);
    const { waiting } = draft.state;
    if (waiting !== undefined) {
      if (await this.#isUnderWay(draft.state)) return this.#await(row.id, draft.state);
      if (!(await this.#start(draft, contract, spec, waiting))) return;
    }
    if (!(await draft.save(row.nextAt))) this.look();
  }

  /** Sees to it that the tick that waits is released, also when the run has ended just now. */
  #await(id: string, state: ScheduleState): void {
    if (state.waiting === undefined || !state.last) return;
    const { runId } = state.last;
    this.#awaited.set(runId, id);
    if (this.#engine.store.owners === "many" && !this.#hearing.has(runId))
      this.#hearing.set(runId, this.#engine.watchers.wait(runId, { ended: () => this.ended(runId), failed: () => this.ended(runId) }));
    this.#isUnderWay(state).then(
      (underWay) => !underWay && this.ended(runId),
      (error) => this.#engine.stop(error),
    );
  }

  async #isUnderWay(state: ScheduleState): Promise<boolean> {
    const run = state.last && (await this.#engine.store.run(state.last.runId));
    return run !== undefined && run.endedAt === undefined;
  }

  /** What overlap makes of a tick. */
  async #decide(spec: ScheduleSpec, state: ScheduleState, at: number): Promise<"start" | "skip" | "wait"> {
    if (spec.overlap === "allow" || !state.last) return "start";
    const busy = state.waiting !== undefined || (await this.#isUnderWay(state));
    if (!busy) return "start";
    if (spec.overlap === "cancel") {
      const { runId } = state.last;
      const body = JSON.stringify({ reason: `its schedule ticked again, at ${new Date(at).toISOString()}` });
      await this.#engine.store.post({ runId, messageId: `${runId}/overlap`, kind: "cancel", body });
      this.#engine.posted(runId);
      return "wait";
    }
    return spec.overlap === "queue" && state.waiting === undefined ? "wait" : "skip";
  }

  /** K2. Answers false when the schedule has changed meanwhile: then nothing was started. */
  async #start(draft: Draft, contract: WorkflowContract, spec: ScheduleSpec, at: number): Promise<boolean> {
    const engine = this.#engine;
    const runId = tickId(draft.row.id, at);
    const { error: _past, ...state } = draft.state;
    draft.state = { ...state, starting: at };
    if (!(await draft.save(draft.row.nextAt))) {
      this.look();
      return false;
    }
    const made = this.#make(contract, spec, runId, at);
    if ("error" in made) {
      engine.world.log.warn(`schedule ${draft.row.id}: the tick ${runId} was not started: ${made.error.message}`, {
        code: made.error.code,
      });
      draft.failed(at, made.error);
      return true;
    }
    if (contract.plan) await engine.definitions.keep(engine.store, contract.plan);
    await enqueue(engine, made.run, made.started);
    draft.begun(at, runId);
    return true;
  }

  #make(contract: WorkflowContract, spec: ScheduleSpec, id: string, scheduledAt: number) {
    const engine = this.#engine;
    try {
      const input = startInput(contract, spec.input, engine.settings.maxValueBytes);
      const start: StartSpec = { id, contract, input, options: { priority: spec.priority }, deadline: undefined, scheduledAt };
      const started = startedFact(engine, start, engine.store.now());
      return { started, run: newRun(engine, start, started) };
    } catch (error) {
      return { error: failureOf(error, "INPUT_INVALID") };
    }
  }

  /** A schedule of a workflow that is not held here waits for a process that holds it. */
  #workflowOf(spec: ScheduleSpec, id: string): WorkflowContract | undefined {
    try {
      return this.#engine.definitions.get(spec.workflow);
    } catch (error) {
      if (!(error instanceof OnexError)) throw error;
      if (!this.#named.has(id)) this.#engine.world.log.warn(`schedule ${id} waits: ${error.message}`, { code: error.code });
      this.#named.add(id);
      return undefined;
    }
  }
}

/** A schedule under change: its row as it was written last, and its state as it is to be written next. */
class Draft {
  readonly #engine: Engine;
  row: ScheduleRow;
  state: ScheduleState;

  constructor(engine: Engine, row: ScheduleRow, state: ScheduleState) {
    this.#engine = engine;
    this.row = row;
    this.state = state;
  }

  /** Looks whether a tick that may have been started was; answers from when on ticks are still to be decided. */
  async settle(from: number): Promise<number> {
    const at = this.state.starting;
    if (at !== undefined) {
      const runId = tickId(this.row.id, at);
      if (await this.#engine.store.run(runId)) this.begun(at, runId);
    }
    return Math.max(from, (this.state.last?.at ?? -1) + 1);
  }

  begun(at: number, runId: string): void {
    this.state = { ...this.#over(at), last: { at, runId }, started: this.state.started + 1 };
  }
  failed(at: number, error: Failure): void {
    this.state = { ...this.#over(at), error };
  }
  /** A tick that comes while a run is under way: it waits, in the place of another, or is skipped. */
  leaveOut(at: number, waits: boolean): void {
    const { skipped, waiting } = this.state;
    if (!waits) this.state = { ...this.state, skipped: skipped + 1 };
    else this.state = { ...this.state, waiting: at, skipped: waiting === undefined ? skipped : skipped + 1 };
  }
  #over(at: number): ScheduleState {
    const { starting: _known, waiting, ...state } = this.state;
    return waiting === undefined || waiting === at ? state : { ...state, waiting };
  }

  async save(nextAt: number | undefined): Promise<boolean> {
    const row = { ...this.row, revision: this.#engine.world.entropy.uuid(), nextAt, state: JSON.stringify(this.state) };
    if (!(await this.#engine.store.schedules.save(row, this.row.revision))) return false;
    this.row = row;
    return true;
  }
}
