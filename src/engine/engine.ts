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
import { failureOf, OnexError } from "../core/failure.ts";
import { Sanitizer } from "../core/sanitizer.ts";
import { undoWorkflow } from "../core/undo.ts";
import type { AnyNode, PlanSource, WorkflowContract } from "../node/contract.ts";
import type { Registry } from "../node/registry.ts";
import type { Checked } from "../node/schema.ts";
import type { Provided } from "../node/service.ts";
import { blobsOf, decodeFacts } from "../store/codec.ts";
import type { OpenStore, Store, Told, TurnRow } from "../store/store.ts";
import type { ActiveRun } from "./active-run.ts";
import { ActiveRuns } from "./active-runs.ts";
import { Admission } from "./admission.ts";
import { AtHand } from "./at-hand.ts";
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
import { Starts } from "./starts.ts";
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
  readonly starts: Starts;
  readonly parkedFolds = new ParkedFolds();
  readonly atHand: AtHand;
  readonly metrics: Metrics;
  readonly runs: ActiveRuns;
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
    this.starts = new Starts({ clock: world.clock, timeoutMs: this.settings.startTimeoutMs });
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
    this.runs = new ActiveRuns(this, this.#intake);
    this.#ticker = new Ticker(this);
    this.#outgoing = new Outgoing(
      world.clock,
      () => this.store.trusted(),
      () => this.#quiet(),
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
  news(told?: Told): void {
    if (told) return this.#intake.told(told);
    this.#intake.look();
    this.#ticker.look();
  }
  sweep(): void {
    for (const run of this.runs.all()) run.sweep();
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
    this.#outgoing.drop();
    this.writer.drop();
    this.runs.drop(error, "LEASE_LOST");
    this.#outgoing.settled();
    this.watchers.look();
    if (!this.closing) this.#tenure.again();
  }

  // ── runs ──

  active(id: string): ActiveRun | undefined {
    return this.runs.get(id);
  }
  activeNo(runNo: number): ActiveRun | undefined {
    return this.runs.byNo(runNo);
  }
  get activeCount(): number {
    return this.runs.count;
  }
  enlist(run: ActiveRun): void {
    this.runs.enlist(run);
  }
  broken(run: ActiveRun, error: unknown): void {
    this.runs.broken(run, error);
  }

  // ── workflows, and facts of their runs ──

  /** The workflows that can be started here. */
  workflows(): WorkflowContract[] {
    return this.registry.contracts().filter((contract): contract is WorkflowContract => contract.kind === "workflow");
  }

  workflowOf(started: Pick<Started, "workflow" | "version" | "definition">): WorkflowContract | undefined {
    if (started.workflow === undoWorkflow.name) return undoWorkflow as WorkflowContract;
    return this.definitions.find(started);
  }

  decode(runNo: number, { facts, blobs }: Pick<TurnRow, "facts" | "blobs">): Fact[] {
    return decodeFacts(facts, blobsOf(this.store, runNo, blobs));
  }

  keep(plan: PlanSource): void {
    this.definitions.keep(this.store, plan)?.catch((error) => this.stop(error));
  }

  // ── what is to be looked at ──

  /** Looks for due runs and mail, soon. */
  look(): void {
    if (this.owner) this.#intake.look();
  }
  /** A run was put into the queue for `at`: looks then, if that is this process's to do. */
  queued(at: number): void {
    if (at <= this.store.now()) this.admission.queued();
    if (this.owner) this.#intake.wakeAt(at);
  }
  /** A schedule was changed by this process. */
  scheduled(): void {
    if (this.owner) this.#ticker.look();
  }
  /** The log of that id has ended for good. */
  over(runId: string, final: Fact & FinalBody): void {
    this.watchers.ended(runId, final);
    this.#ticker.ended(runId);
  }
  posted(runId: string): void {
    if (this.owner) this.#intake.mail(runId);
  }

  // ── calls ──

  get callsInFlight(): number {
    return this.#outgoing.inFlight;
  }
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

  #afterBatch(): void {
    this.states.settled();
    this.#outgoing.send();
    this.#outgoing.settled();
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
      [...this.runs.all()].every((run) => run.quiet && run.restful)
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
    this.starts.stop();
    this.#intake.stop();
    this.#ticker.stop();
    this.runs.drop(error, "ORCHESTRATOR_CLOSED");
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
    for (const run of this.runs.all()) run.rest("ORCHESTRATOR_CLOSED");
    this.#ticker.stop();
    await this.#outgoing.drain(graceMs, () => this.writer.idle);
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
}
