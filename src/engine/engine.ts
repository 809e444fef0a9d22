/**
 * The process that drives runs: it owns the store, takes what is due, writes turns in batches, and lets go at the end.
 *
 * P1 Safety is the store's fence; being the owner only decides who tries.
 * P2 A run is driven by at most one ActiveRun of this process; what is parked has none and costs no memory.
 * P3 A failed write stops the engine: callers get that error, nothing goes on from memory alone.
 * P4 On a store for many owners a lease that has lapsed ends what this process drives, and not the process: it drops its
 *    runs and takes another lease. While it is in doubt about its lease, it makes no call.
 */
import type { CommandOf } from "../core/command.ts";
import type { Fact, FinalBody, Started } from "../core/fact.ts";
import { type Failure, failureOf, OnexError } from "../core/failure.ts";
import type { Json } from "../core/json.ts";
import { Sanitizer } from "../core/sanitizer.ts";
import { undoWorkflow } from "../core/undo.ts";
import type { AnyNode, WorkflowContract } from "../node/contract.ts";
import type { Registry } from "../node/registry.ts";
import type { Checked } from "../node/schema.ts";
import type { Provided } from "../node/service.ts";
import { blobsOf, decodeFacts } from "../store/codec.ts";
import type { Appended, OpenStore, RunRow, Store, TurnRow } from "../store/store.ts";
import { ActiveRun } from "./active-run.ts";
import { Admission } from "./admission.ts";
import { AtHand } from "./at-hand.ts";
import { type Begun, child, fresh, successor } from "./begin.ts";
import type { BreakerSettings } from "./breaker.ts";
import type { Call } from "./call.ts";
import { NodeClient } from "./client/client.ts";
import { EndpointRegistry, isElsewhere, readEndpoints } from "./client/endpoints.ts";
import { Definitions, type Restore } from "./definitions.ts";
import { Gate } from "./gate.ts";
import { guarded, unguarded } from "./guard.ts";
import { Intake } from "./intake.ts";
import { Metrics } from "./metrics/metrics.ts";
import { Outgoing } from "./outgoing.ts";
import { ParkedFolds } from "./parked.ts";
import type { Runtime, Settings } from "./runtime.ts";
import { Secrets, sanitizedLog } from "./secrets.ts";
import { Services } from "./services.ts";
import { States } from "./states.ts";
import { type Tenant, Tenure } from "./tenure.ts";
import { Ticker } from "./ticker.ts";
import { Timers } from "./timers.ts";
import { detached } from "./tracing/detached.ts";
import type { Otel } from "./tracing/otel.ts";
import { traced } from "./tracing/spans.ts";
import { type Tracing, untraced } from "./tracing/tracing.ts";
import type { Parts } from "./views.ts";
import { Watchers } from "./watchers.ts";
import type { World } from "./world.ts";
import { Writer } from "./writer.ts";

export interface EngineOptions {
  readonly store: Store;
  readonly nodes: readonly AnyNode[];
  readonly provide: readonly Provided[];
  /** Values registered as secret. */
  readonly secrets: readonly string[];
  readonly secretKey: string | undefined;
  readonly settings: Settings;
  readonly circuitBreaker: BreakerSettings;
  /** URLs of the nodes that are not in this process, by name. */
  readonly endpoints: Readonly<Record<string, string>>;
  /** Undefined: nobody traces. */
  readonly otel: Otel | undefined;
  /** Undefined in a process that drives no runs. */
  readonly restore: Restore | undefined;
}

export class Engine implements Runtime, Tenant {
  readonly world: World;
  /** With secrets as they were: to fold, and to send again. */
  readonly store: OpenStore;
  readonly secrets: Secrets;
  readonly services: Services;
  readonly client: NodeClient;
  readonly registry: Registry;
  readonly settings: Settings;
  readonly writer: Writer;
  readonly timers: Timers;
  readonly states: States;
  readonly watchers: Watchers;
  readonly definitions: Definitions;
  readonly admission: Admission;
  readonly parkedFolds = new ParkedFolds();
  readonly atHand: AtHand;
  readonly metrics: Metrics;
  tracing: Tracing;
  readonly gate: Gate;
  /** What metrics and health show. */
  readonly parts: Parts = {
    breakers: () => this.gate.breakers(),
    nodes: () =>
      this.client
        .views()
        .map((view) => (view.lastError === undefined ? view : { ...view, lastError: this.secrets.sanitizer.text(view.lastError) })),
    admission: () => this.admission.view(),
  };
  readonly guard: <T>(advance: () => T) => T;
  closing = false;
  error: OnexError | undefined;

  readonly #active = new Map<number, ActiveRun>();
  readonly #byId = new Map<string, ActiveRun>();
  readonly #starting = new Map<ActiveRun, { accepted: (row?: RunRow) => void; failed: (error: unknown) => void }>();
  readonly #intake: Intake;
  readonly #ticker: Ticker;
  readonly #tenure: Tenure;
  readonly #outgoing: Outgoing;
  #onQuiet: (() => void)[] = [];
  readonly counts = { steps: 0, redelivered: 0, takenOver: 0, leasesLost: 0 };
  #stopped: { resolve: () => void; reject: (error: unknown) => void } | undefined;
  readonly stopped: Promise<void>;

  constructor(given: World, options: EngineOptions) {
    const sanitizer = new Sanitizer(options.secrets);
    const clock = options.otel ? detached(options.otel, given.clock) : given.clock;
    const world = { ...given, clock, log: sanitizedLog(given.log, () => sanitizer) };
    this.world = world;
    this.settings = options.settings;
    const endpoints = readEndpoints(options.endpoints);
    this.registry = new EndpointRegistry(options.nodes, endpoints);
    this.client = new NodeClient(world, endpoints, options.settings, this.registry.contracts());
    this.services = new Services(options.provide, (name) => isElsewhere(world, endpoints, name));
    this.metrics = new Metrics(() => world.clock.elapsed(), options.settings.performanceThresholdMs);
    this.tracing = options.otel ? traced(options.otel, this) : untraced;
    this.guard = world.guarded ? guarded : unguarded;
    this.stopped = new Promise((resolve, reject) => {
      this.#stopped = { resolve, reject };
    });
    this.stopped.catch(() => {});
    this.definitions = new Definitions(this.registry, options.restore);
    const stored = options.store.open({
      now: () => world.clock.now(),
      setTimer: (ms, callback) => world.clock.setTimer(ms, callback),
      warn: (code, message) => world.log.warn(message, { code }),
      ...(this.settings.lease && { lease: this.settings.lease }),
    });
    this.secrets = new Secrets(stored, sanitizer, options);
    this.store = this.secrets.store;
    this.admission = new Admission(this.store, this.definitions, this.settings.maxConcurrentWorkflows);
    this.timers = new Timers(world.clock, () => this.store.now());
    this.states = new States(this.store);
    this.atHand = new AtHand(this);
    this.gate = new Gate({
      clock: world.clock,
      now: () => this.store.now(),
      breaker: options.circuitBreaker,
      endpoints: options.endpoints,
      rested: () => this.rested(),
    });
    this.writer = new Writer(
      this.store,
      world.clock,
      () => this.#afterBatch(),
      (error) => this.failed(error, this.leaseId),
    );
    this.watchers = new Watchers(this);
    this.#intake = new Intake(this);
    this.#ticker = new Ticker(this);
    this.#outgoing = new Outgoing(
      world.clock,
      () => this.store.trusted(),
      () => {
        this.#drained?.();
        this.#quiet();
      },
    );
    this.#tenure = new Tenure(this);
    this.#tenure.begin();
  }

  // ── ownership ──

  get leaseId(): string {
    return this.#tenure.leaseId;
  }
  get owner(): boolean {
    return this.#tenure.owner;
  }
  /** The store has said for the first time whether this process owns it; at once, if it can. */
  get ready(): Promise<void> {
    return this.#tenure.ready;
  }
  get isIdle(): boolean {
    return this.registry.names("workflow").length === 0;
  }
  begins(): void {
    // With many owners runs end in other processes too.
    if (this.store.owners === "one") this.watchers.unfollow();
    else this.watchers.follow();
    this.#intake.open();
    this.#ticker.open();
  }
  follows(): void {
    this.watchers.follow();
  }
  news(): void {
    this.#intake.look();
    this.#ticker.look();
  }
  sweep(): void {
    for (const run of this.#active.values()) run.sweep();
    this.#ticker.sweep();
    // A net: whatever was missed is late, and not lost.
    this.#intake.look();
  }

  /**
   * P4. The lease has lapsed: others drive the runs of this process from now on, or soon will. Their calls are stopped, their
   * waiters look at the store, and this process begins anew under a new lease.
   */
  lost(why: string, leaseId: string): void {
    if (this.error || leaseId !== this.leaseId) return;
    const then = this.closing ? "and ends" : "and begins anew";
    this.world.log.warn(`${why}: this process drives ${this.activeCount} runs no more, ${then}`, { code: "LEASE_LOST", leaseId });
    this.#tenure.end();
    this.counts.leasesLost++;
    const error = new OnexError("LEASE_LOST", `${why}; what was begun goes on in another process`);
    const starting = [...this.#starting.values()];
    this.#starting.clear();
    this.#outgoing.drop();
    this.writer.drop();
    for (const run of [...this.#byId.values()]) this.#forget(run);
    this.states.clear();
    for (const { failed } of starting) failed(error);
    this.watchers.look();
    if (!this.closing) this.#tenure.again();
  }

  // ── runs ──

  active(id: string): ActiveRun | undefined {
    return this.#byId.get(id);
  }
  activeNo(runNo: number): ActiveRun | undefined {
    return this.#active.get(runNo);
  }
  get activeCount(): number {
    return this.#byId.size;
  }
  get callsInFlight(): number {
    return this.#outgoing.inFlight;
  }
  /** Looks for due runs and mail, soon. */
  look(): void {
    if (this.owner) this.#intake.look();
  }

  /** A run was put into the queue for `at`: looks then, if that is this process's to do. */
  queued(at: number): void {
    if (this.owner) this.#intake.wakeAt(at);
  }
  /** A schedule was changed by this process. */
  scheduled(): void {
    if (this.owner) this.#ticker.look();
  }
  /** The workflows that can be started here. */
  workflows(): WorkflowContract[] {
    return this.registry.contracts().filter((contract): contract is WorkflowContract => contract.kind === "workflow");
  }

  /** Drives a run that this process makes; resolves when its first turn is accepted. */
  begin(run: ActiveRun): Promise<RunRow | undefined> {
    this.#byId.set(run.id, run);
    this.admission.hold(run);
    return new Promise((accepted, failed) => {
      this.#starting.set(run, { accepted, failed });
      run.stir();
    });
  }
  /** Drives a run that was taken from the store. */
  enlist(run: ActiveRun): void {
    this.#byId.set(run.id, run);
    this.#active.set(run.runNo as number, run);
    this.admission.hold(run);
    run.stir();
  }
  adopt(begun: Begun, runNo: number, mailGot = 0): void {
    const at = { runNo, turn: 1, after: begun.first.epoch, epoch: begun.first.epoch, pos: begun.first.next, mailGot };
    const run = new ActiveRun(this, begun.run, begun, at, { taking: false, status: "running" });
    this.tracing.begun(begun.replay.started);
    this.enlist(run);
    run.sweep();
  }

  workflowOf(started: Pick<Started, "workflow" | "version" | "definition">): WorkflowContract | undefined {
    if (started.workflow === undoWorkflow.name) return undoWorkflow as WorkflowContract;
    return this.definitions.find(started);
  }

  workflowNow(pin: Pick<Started, "workflow" | "version" | "definition">): WorkflowContract | undefined {
    this.definitions.loadNow(this.store, pin);
    return this.workflowOf(pin);
  }

  learn(contract: WorkflowContract): void {
    this.definitions.learn(contract);
  }

  factsNow(runId: string): readonly Fact[] {
    if (this.store.owners === "many") return this.atHand.facts(runId);
    const row = this.store.run(runId) as RunRow | undefined;
    if (row === undefined) throw new OnexError("RUN_UNKNOWN", `there is no run "${runId}" in ${this.store.name}`);
    return (this.store.turns(row.runNo) as readonly TurnRow[]).flatMap((turn) => this.decode(row.runNo, turn));
  }
  decode(runNo: number, { facts, blobs }: Pick<TurnRow, "facts" | "blobs">): Fact[] {
    return decodeFacts(facts, blobsOf(this.store, runNo, blobs));
  }

  newChild(parent: ActiveRun, wish: CommandOf<"start-child">, now: number): Begun | { readonly error: Failure } {
    const begun = child(this, parent, wish, now);
    const plan = (wish.callee as WorkflowContract).plan;
    if (plan && !("error" in begun)) this.definitions.keep(this.store, plan)?.catch((error) => this.stop(error));
    return begun;
  }
  successor(run: ActiveRun, input: Json, now: number): Begun {
    return successor(this, run, this.workflowOf(run.replay.started as Started) as WorkflowContract, input, now);
  }

  placed(run: ActiveRun, final: FinalBody & { readonly type: "run.failed" }, turn: readonly Fact[]): FinalBody {
    const contract = this.workflowOf(run.replay.started as Started);
    if (!contract) return final;
    // The run is folded again with every operation's place kept: too slow to do always, and the same by I1.
    const traced = fresh(this, run.id, contract, { tracing: true }).replay;
    const before = run.runNo === undefined ? [] : this.factsNow(run.id);
    try {
      for (const fact of [...before, ...turn]) traced.apply(fact);
    } catch {
      // It does not replay as it ran, so its places are not known; that it forgot something is.
      return final;
    }
    const places = traced.forgottenPlaces.join(", ");
    return places === "" ? final : { ...final, error: { ...final.error, message: `${final.error.message}: ${places}` } };
  }

  value(of: "now" | "random" | "uuid", now: number): Json {
    return of === "now" ? now : of === "random" ? this.world.entropy.random() : this.world.entropy.uuid();
  }

  // ── what follows from accepted turns ──

  accepted(run: ActiveRun, facts: readonly Fact[]): void {
    const starting = this.#starting.get(run);
    if (starting) {
      this.#starting.delete(run);
      this.#active.set(run.runNo as number, run);
      starting.accepted();
    } else if (facts[0]?.type === "lease.acquired") {
      this.counts.takenOver++;
      this.look(); // Mail that came while it was taken.
    }
    for (const fact of facts)
      if (fact.type === "action.completed" || fact.type === "compute.completed" || fact.type === "reducer.applied") this.counts.steps++;
    this.metrics.accepted(run, facts, run.quiet);
    this.tracing.accepted(run, facts);
    run.folded.log.flush();
    this.watchers.publish(run.id, facts);
  }

  refused(run: ActiveRun, answer: Appended & { readonly accepted: false }, taking: boolean): void {
    const starting = this.#starting.get(run);
    this.#starting.delete(run);
    this.#forget(run);
    if (starting && answer.reason === "exists") return starting.accepted(answer.row);
    // Two reached for it, and the other one has it.
    if (taking && this.store.owners === "many") return this.look();
    this.world.log.warn(`run ${run.id} was taken by another owner`, { code: "FENCED" });
    this.states.clear();
    starting?.failed(new OnexError("FENCED", `run ${run.id} was taken by another owner`));
    if (!starting && this.store.owners === "many") void this.#checkTail(run.runNo as number, run.lastTurn);
  }

  /** A database that was failed over may lack turns that it had acknowledged. Then no other has the run: all that this process had is read again. */
  async #checkTail(runNo: number, lastTurn: number): Promise<void> {
    const { leaseId } = this;
    try {
      const tail = await this.store.tail(runNo);
      if ((tail?.turn ?? -1) < lastTurn) this.lost(`${this.store.name} lacks turns that it had acknowledged`, leaseId);
    } catch (error) {
      this.stop(error);
    }
  }

  ended(run: ActiveRun, final: Fact & FinalBody, next: Begun | undefined, nextNo: number | undefined): void {
    this.metrics.ended(run.replay.started, final);
    this.tracing.ended(run, final);
    this.#forget(run);
    if (next && nextNo !== undefined) return this.adopt(next, nextNo, run.mailSaved);
    if (this.admission.ended(run.row)) this.look();
    this.over(run.id, final);
  }
  /** The log of that id has ended for good. */
  over(runId: string, final: Fact & FinalBody): void {
    this.watchers.ended(runId, final);
    this.#ticker.ended(runId);
  }

  parked(run: ActiveRun, wakeAt: number | null): void {
    this.#forget(run);
    this.parkedFolds.keep(run.runNo as number, run.lastTurn, run.folded);
    this.#intake.wakeAt(wakeAt);
  }

  broken(run: ActiveRun, error: unknown): void {
    const failure = failureOf(error, "ENGINE_FAILED");
    this.world.log.error(`run ${run.id}: ${failure.message}`, { code: failure.code });
    const starting = this.#starting.get(run);
    this.#starting.delete(run);
    this.#forget(run);
    if (starting) return starting.failed(error);
    this.#intake.pause(run.id, failure);
  }

  posted(runId: string): void {
    if (this.owner) this.#intake.mail(runId);
  }

  #forget(run: ActiveRun): void {
    run.drop();
    this.states.forget(run.id);
    this.tracing.left(run.id);
    if (this.#byId.get(run.id) === run) this.#byId.delete(run.id);
    if (run.runNo !== undefined && this.#active.get(run.runNo) === run) this.#active.delete(run.runNo);
    if (this.admission.leave(run)) this.look();
  }

  // ── calls ──

  deliver(call: Pick<Call, "start">, decoded: Checked | undefined, command: Pick<CommandOf<"deliver">, "priority" | "delivery">): void {
    this.#outgoing.deliver(call, decoded, command);
    if (command.delivery > 1) this.counts.redelivered++;
  }
  wake(runNo: number, step: string, due: number): void {
    // By number: an entry in the heap must not keep a run in memory that has ended or was put down.
    this.timers.at(due, () => this.activeNo(runNo)?.timerFired(step, due));
  }
  callOver(): void {
    this.#outgoing.ended();
  }
  #drained: (() => void) | undefined;

  #afterBatch(): void {
    this.states.settled();
    this.#outgoing.send();
    this.#quiet();
  }

  // ── rest and end ──

  /** Nothing is due, on its way, or in flight. */
  get quiet(): boolean {
    return (
      this.writer.idle &&
      this.#outgoing.inFlight === 0 &&
      this.#intake.quiet &&
      this.gate.restful(this.settings.parkAfterMs) &&
      this.#ticker.quiet &&
      [...this.#byId.values()].every((run) => run.quiet && run.restful)
    );
  }
  idle(): Promise<void> {
    return new Promise((resolve) => {
      this.#onQuiet.push(resolve);
      this.world.clock.soon(() => this.#quiet());
    });
  }
  #quiet(): void {
    if (this.#onQuiet.length === 0 || (!this.quiet && !this.error)) return;
    for (const resolve of this.#onQuiet.splice(0)) resolve();
  }
  /** Something that kept the engine from resting is over. */
  rested(): void {
    this.#quiet();
  }

  /** What was done under that lease has failed (P3, P4). */
  failed(error: unknown, leaseId: string): void {
    if (this.store.owners === "many" && error instanceof OnexError && error.code === "OWNERSHIP_LOST")
      return this.lost(error.message, leaseId);
    this.stop(error);
  }

  /** P3. */
  stop(cause: unknown): void {
    if (this.error) return;
    const failure = failureOf(cause, "STORE_FAILED");
    this.error = cause instanceof OnexError ? cause : new OnexError(failure.code, failure.message, { cause });
    this.world.log.error(`the engine stops: ${this.error.message}`, { code: this.error.code });
    this.#shutDown(this.error);
    this.tracing.close();
    Promise.resolve()
      .then(() => this.store.close())
      .catch(() => {});
    this.#stopped?.reject(this.error);
  }

  #shutDown(error: OnexError): void {
    this.closing = true;
    this.#tenure.stop();
    this.#outgoing.drop();
    this.writer.stop();
    this.timers.stop();
    this.gate.stop();
    this.#intake.stop();
    this.#ticker.stop();
    for (const run of [...this.#byId.values()]) this.#forget(run);
    for (const { failed } of this.#starting.values()) failed(error);
    this.#starting.clear();
    this.watchers.stop(error);
    this.client.close().catch(() => {});
    this.#quiet();
  }

  /** Dies as by `kill -9`, for tests: nothing more is written, nobody is told but those who wait here. */
  die(): void {
    this.error = new OnexError("ORCHESTRATOR_CLOSED", "the process died");
    this.tracing = untraced;
    this.#shutDown(this.error);
    this.#stopped?.resolve();
  }

  async close(graceMs: number): Promise<void> {
    if (this.closing) return this.error ? undefined : this.stopped;
    this.closing = true;
    this.#intake.stop();
    for (const run of this.#byId.values()) run.rest();
    this.#ticker.stop();
    await this.#drain(graceMs);
    if (this.error) return;
    this.#shutDown(
      new OnexError("ORCHESTRATOR_CLOSED", "the orchestrator was closed; the run goes on when a process opens the store again"),
    );
    this.tracing.close();
    for (const { service, error } of await this.services.close())
      this.world.log.warn(`the service "${service}" could not be closed: ${failureOf(error, "").message}`, {
        code: "SERVICE_CLOSE_FAILED",
      });
    await this.store.close();
    this.#stopped?.resolve();
  }

  /** Waits for calls in flight and for their answers to be written. */
  #drain(graceMs: number): Promise<void> {
    return new Promise((resolve) => {
      let over = false;
      const end = (): void => {
        if (over) return;
        over = true;
        this.#drained = undefined;
        cancel();
        resolve();
      };
      const cancel = this.world.clock.setTimer(graceMs, end);
      const look = (): void => {
        if (over || this.#outgoing.inFlight > 0) return;
        if (this.writer.idle) end();
        else this.world.clock.soon(look);
      };
      this.#drained = look;
      look();
    });
  }
}
