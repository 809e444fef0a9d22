/** A run in the hands of its caller: the same in the process that owns the store and in a client. */
import { durationMs } from "../core/duration.ts";
import { type Fact, type FinalBody, isFinal, type Started } from "../core/fact.ts";
import { OnexError, RunCancelled, RunFailed } from "../core/failure.ts";
import { onlyFields } from "../core/fields.ts";
import { copyJson, type Json, toJson } from "../core/json.ts";
import { pinned } from "../core/pin.ts";
import { type RunView, view } from "../core/view.ts";
import type { WorkflowContract } from "../node/contract.ts";
import { check, type Schema } from "../node/schema.ts";
import type { Signal } from "../node/signal.ts";
import type { Workflow } from "../node/workflow.ts";
import type { Message, Posted, RunRow } from "../store/store.ts";
import type { StartedRun } from "./api.ts";
import type { Engine } from "./engine.ts";
import { askToMove } from "./migrate.ts";
import { missing } from "./missing.ts";
import { checkId, checkSize } from "./values.ts";
import { finalOf } from "./watchers.ts";

/** How many turns are read at once while a log is followed: what one reader costs, however long the log. */
const followedAtOnce = 16;

export class RunHandle<Output> implements StartedRun<Output> {
  readonly runId: string;
  existed = false;
  readonly #engine: Engine;
  readonly #contract: WorkflowContract | undefined;

  constructor(engine: Engine, runId: string, contract: WorkflowContract | undefined) {
    this.#engine = engine;
    this.runId = runId;
    this.#contract = contract;
  }

  async result(options: { readonly timeout?: `${number}${"ms" | "s" | "m" | "h" | "d"}` } = {}): Promise<Output> {
    const final = await this.final(options.timeout === undefined ? undefined : durationMs(options.timeout));
    switch (final.type) {
      case "run.completed":
        return (this.#contract ? this.#contract.decode(final.output) : copyJson(final.output)) as Output;
      case "run.cancelled":
        throw new RunCancelled(this.runId, final.reason);
      case "run.failed":
        throw new RunFailed(this.runId, final.error, final.step, final.notUndone);
      default:
        throw new OnexError("ENGINE_FAILED", `run ${this.runId} ended as ${final.type}`);
    }
  }

  /** The last fact of the run, when it has ended. */
  final(timeoutMs?: number): Promise<Fact & FinalBody> {
    const recent = this.#engine.watchers.recent(this.runId);
    if (recent) return Promise.resolve(recent);
    return new Promise((resolve, reject) => {
      const stops: (() => void)[] = [];
      const over = (then: () => void): void => {
        for (const stop of stops.splice(0)) stop();
        then();
      };
      // First wait, then look: what ends in between is told.
      stops.push(
        this.#engine.watchers.wait(this.runId, {
          ended: (final) => over(() => resolve(final)),
          failed: (error) => over(() => reject(error)),
        }),
      );
      if (timeoutMs !== undefined)
        stops.push(
          this.#engine.world.clock.setTimer(timeoutMs, () =>
            over(() =>
              reject(new OnexError("RESULT_TIMEOUT", `run ${this.runId} did not end within ${timeoutMs} ms: it goes on, so ask again`)),
            ),
          ),
        );
      if (this.#engine.active(this.runId)) return;
      finalOf(this.#engine, this.runId).then(
        (final) => final && over(() => resolve(final)),
        (error) => over(() => reject(this.#engine.error ?? error)),
      );
    });
  }

  async row(): Promise<RunRow> {
    this.#open();
    const row = await this.#engine.store.run(this.runId);
    if (!row) throw await missing(this.#engine.store, this.runId);
    return row;
  }

  async facts(options: { readonly after?: number; readonly limit?: number } = {}): Promise<readonly Fact[]> {
    const { after = 0, limit = Number.POSITIVE_INFINITY } = options;
    const { runNo } = await this.row();
    const found: Fact[] = [];
    let { turn, skip } = await this.#placeOf(runNo, after);
    // A turn has a fact at least, so no more of them are needed; without a limit the log is read as a whole.
    const atOnce = limit === Number.POSITIVE_INFINITY ? undefined : Math.min(limit, 256);
    for (;;) {
      const turns = await this.#engine.secrets.facts(runNo, turn, atOnce);
      turn += turns.length;
      for (const facts of turns) {
        found.push(...facts.slice(skip));
        skip = Math.max(0, skip - facts.length);
      }
      if (atOnce === undefined || turns.length < atOnce || found.length >= limit) break;
    }
    return found.length > limit ? found.slice(0, limit) : found;
  }

  /** Where the log goes on behind the first `after` facts: a turn, and how many facts of it and those that follow come before. */
  async #placeOf(runNo: number, after: number): Promise<{ turn: number; skip: number }> {
    if (after === 0) return { turn: 0, skip: 0 };
    const { store } = this.#engine;
    const last = await store.tail(runNo);
    // The turn in which the next fact stands, by halves; the last one when there is none yet, so that its end is seen.
    let [low, high] = [0, last?.turn ?? 0];
    while (low < high) {
      const middle = Math.ceil((low + high) / 2);
      const [turn] = await store.turns(runNo, middle, 1);
      if (turn !== undefined && turn.pos <= after) low = middle;
      else high = middle - 1;
    }
    const [turn] = await store.turns(runNo, low, 1);
    return { turn: low, skip: after - (turn?.pos ?? 0) };
  }
  async #shown(row: RunRow): Promise<Fact[]> {
    const facts = (await this.#engine.secrets.facts(row.runNo, 0)).flat();
    // Its row was read just before it was removed.
    if (facts.length === 0) throw await missing(this.#engine.store, this.runId);
    return facts;
  }

  async status(): Promise<RunView> {
    const row = await this.row();
    const shown = view(this.runId, await this.#shown(row));
    return row.blocked === undefined ? shown : { ...shown, blocked: row.blocked };
  }

  async *events(options: { readonly after?: number; readonly signal?: AbortSignal } = {}): AsyncIterable<Fact> {
    const { after = 0, signal } = options;
    let wake: (() => void) | undefined;
    let news = true;
    let failure: OnexError | undefined;
    const stop = this.#engine.watchers.listen(this.runId, {
      news: () => {
        news = true;
        wake?.();
      },
      failed: (error) => {
        failure = error;
        wake?.();
      },
    });
    const aborted = () => wake?.();
    signal?.addEventListener("abort", aborted);
    try {
      let runNo: number | undefined;
      let place: { turn: number; skip: number } | undefined;
      for (;;) {
        if (signal?.aborted) return;
        if (failure) throw failure;
        if (!news) {
          await new Promise<void>((resolve) => {
            wake = resolve;
          });
          continue;
        }
        news = false;
        this.#open();
        const log: number = runNo ?? (await this.row()).runNo;
        runNo = log;
        place ??= await this.#placeOf(log, after);
        const turns = await this.#engine.secrets.facts(log, place.turn, followedAtOnce);
        place.turn += turns.length;
        for (const facts of turns)
          for (const fact of facts) {
            if (place.skip > 0) place.skip--;
            else yield fact;
            if (signal?.aborted) return;
            if (!isFinal(fact)) continue;
            if (fact.type !== "run.restarted") return;
            // Read to its end, it goes on as a new log under the same id.
            runNo = undefined;
            place = { turn: 0, skip: 0 };
          }
        if (turns.length > 0) news = true;
        else if (!(await this.#engine.store.byNo(log))) throw await missing(this.#engine.store, this.runId);
      }
    } finally {
      signal?.removeEventListener("abort", aborted);
      stop();
    }
  }

  async signal(signal: string | Signal<Schema>, payload: unknown, options: { readonly messageId?: string } = {}): Promise<void> {
    const name = typeof signal === "string" ? signal : signal.name;
    if (options.messageId !== undefined) checkId("messageId", options.messageId);
    const json = toJson(payload, `signal ${name}: payload`);
    checkSize(json, this.#engine.settings.maxValueBytes, `signal ${name}: payload`);
    const problem = typeof signal === "string" ? undefined : check(signal.payload, json, `signal ${name}`).problem;
    const refused = problem ?? (await this.#atTheDoor(name, json));
    if (refused !== undefined)
      throw new OnexError(
        "SIGNAL_INVALID",
        `signal ${name} for run ${this.runId}: ${this.#engine.secrets.of(this.runId, [], json).text(refused)}`,
      );
    await this.#post("signal", { name, payload: json }, options.messageId);
  }

  /** A YAML workflow declares its signals, so they are checked before they are taken (API rule 21). */
  async #atTheDoor(name: string, payload: Json): Promise<string | undefined> {
    const { definitions, secrets, store } = this.#engine;
    const row = await this.row();
    const [first] = await secrets.facts(row.runNo, 0, 1);
    let started = first?.[0] as Started | undefined;
    // Code declares no signals, whatever it was moved to.
    if (started?.definition === undefined) return undefined;
    started = this.#engine.active(this.runId)?.replay.started ?? pinned((await secrets.facts(row.runNo, 0)).flat());
    await definitions.load(store, started);
    const plan = this.#engine.workflowOf(started)?.plan;
    if (!plan) return undefined;
    const declared = plan.signal(name);
    if (!declared) return `the workflow ${started.workflow} declares no such signal`;
    const verdict = declared(payload);
    return "problem" in verdict ? verdict.problem : undefined;
  }

  async migrate(to: Workflow<never, unknown>): Promise<void> {
    const { contract } = to as unknown as { readonly contract: WorkflowContract };
    await this.#post("migrate", await askToMove(this.#engine, (await this.row()).workflow, contract));
  }

  cancel(reason?: string): Promise<void> {
    return this.#post("cancel", reason === undefined ? {} : { reason });
  }

  async pause(options: { readonly reason?: string } = {}): Promise<void> {
    onlyFields("OPTION_INVALID", "the options of pause", options, ["reason"]);
    const { reason } = options;
    return this.#post("pause", reason === undefined ? {} : { reason });
  }

  async resume(options?: { readonly step: string } & ({ readonly as: "retry" | "fail" } | { readonly output: Json })): Promise<void> {
    const run = await this.status();
    if (options === undefined) {
      if (run.paused?.code === "IN_DOUBT")
        throw new OnexError(
          "STEP_IN_DOUBT",
          `step "${run.paused.step}" of run ${this.runId} may have happened: say whether to send it again, to count it as failed, or what its output is`,
        );
    } else {
      const step = run.steps.find((one) => one.step === options.step);
      if (step?.status !== "paused")
        throw new OnexError(
          "STEP_NOT_PAUSED",
          `step "${options.step}" of run ${this.runId} is ${step?.status ?? "unknown"}: only a paused step can be settled`,
        );
    }
    const body =
      options === undefined
        ? {}
        : "output" in options
          ? { step: options.step, as: "output", output: toJson(options.output, `resume ${options.step}: output`) }
          : { step: options.step, as: options.as };
    await this.#post("resume", body);
  }

  async #post(kind: Message["kind"], body: object, messageId?: string): Promise<void> {
    this.#open();
    const { store, world } = this.#engine;
    let posted: Posted;
    try {
      posted = await store.post({ runId: this.runId, messageId: messageId ?? world.entropy.uuid(), kind, body: JSON.stringify(body) });
    } catch (error) {
      // The owner's failed write stops its engine, whoever asked for it.
      const busy = error instanceof OnexError && error.code === "STORE_BUSY";
      if (this.#engine.owner && !this.#engine.closing && !busy) this.#engine.stop(error);
      throw error;
    }
    if (posted.status === "unknown") throw await missing(store, this.runId);
    if (posted.status === "ended") throw new OnexError("RUN_ENDED", `run ${this.runId} has ended: it takes no ${kind} any more`);
    if (this.#engine.owner) this.#engine.posted(this.runId);
  }

  #open(): void {
    if (this.#engine.error) throw this.#engine.error;
    if (this.#engine.closing) throw new OnexError("ORCHESTRATOR_CLOSED", "the orchestrator was closed");
  }
}
