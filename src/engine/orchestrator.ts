/** An orchestrator: checks what it is given, opens the store, and is the face of the engine. */
import { OnexError } from "../core/failure.ts";
import { onlyFields, shown } from "../core/fields.ts";
import { type Json, toJson } from "../core/json.ts";
import { minSecretLength } from "../core/sanitizer.ts";
import type { RunView } from "../core/view.ts";
import type { AnyNode, ReducerContract, WorkflowContract } from "../node/contract.ts";
import type { Reducer } from "../node/reducer.ts";
import type { Provided } from "../node/service.ts";
import type { Workflow } from "../node/workflow.ts";
import type { RunRow } from "../store/store.ts";
import { ActiveRun } from "./active-run.ts";
import type {
  ForkOptions,
  Orchestrator,
  OrchestratorOptions,
  PerformanceMetrics,
  ProcessInput,
  ProcessOutput,
  RetryOptions,
  Run,
  StartedRun,
  StartOptions,
} from "./api.ts";
import { acquired, fresh, newRun, questionDigest, type StartSpec, startedFact } from "./begin.ts";
import { breakerSettings } from "./breaker.ts";
import { EndpointRegistry, isElsewhere, readEndpoints, refuseRemote } from "./client/endpoints.ts";
import { leaseOf, settingsOf } from "./config-settings.ts";
import type { Restore } from "./definitions.ts";
import { Engine } from "./engine.ts";
import { fork, retry } from "./fork.ts";
import { RunHandle } from "./handle.ts";
import { checkHealth, circuitState, type HealthOptions, type HealthReport, probe, probeMs } from "./health.ts";
import { startInput } from "./inline.ts";
import type { DurationReport } from "./metrics/metrics.ts";
import { performanceTier } from "./metrics/tier.ts";
import { isMissing } from "./missing.ts";
import { checkFork, checkRetry, checkShape, checkStart } from "./options.ts";
import { asked, processed } from "./process.ts";
import { enqueue } from "./queue.ts";
import { StoredSchedules } from "./schedules.ts";
import { Services } from "./services.ts";
import { checkSecret } from "./signature.ts";
import { openTelemetry } from "./tracing/otel.ts";
import { checkSize } from "./values.ts";
import { WorkflowRegistry } from "./workflow-registry.ts";
import type { World } from "./world.ts";

const mib = 1024 * 1024;

/**
 * As `createOrchestrator` (create.ts), in a given world.
 * @param restore makes workflows of stored definitions; a client, which drives no runs, needs none.
 */
export function orchestratorIn<const N extends readonly AnyNode[]>(
  world: World,
  options: OrchestratorOptions<N>,
  restore?: Restore,
): OrchestratorFace<N> {
  checkShape(options);
  const config = settingsOf(options.config, options.store.kind);
  const provide = [...(options.provide ?? []), ...config.provide];
  checkOptions(world, options, provide);
  const endpointSecret = options.endpointSecret ?? world.endpointSecret;
  return new OrchestratorFace<N>(
    new Engine(endpointSecret === undefined ? world : { ...world, endpointSecret }, {
      store: options.store,
      nodes: options.nodes,
      provide,
      secrets: [...secretsOf(options), ...(endpointSecret === undefined ? [] : [endpointSecret])],
      secretKey: options.secretKey ?? world.secretKey,
      settings: {
        parkAfterMs: options.parkAfterMs ?? 1_000,
        abortGraceMs: options.abortGraceMs ?? 5_000,
        maxValueBytes: options.maxValueBytes ?? mib,
        performanceThresholdMs: config.performanceThresholdMs,
        runDefaults: config.runDefaults,
        runTimeoutMs: config.runTimeoutMs,
        maxWorkflowDepth: options.maxWorkflowDepth ?? 32,
        maxConcurrentWorkflows: options.maxConcurrentWorkflows ?? config.maxConcurrentWorkflows,
        whenFull: options.whenFull ?? "queue",
        startTimeoutMs: options.startTimeoutMs ?? 30_000,
        ...leaseOf(config),
      },
      circuitBreaker: breakerSettings(options.circuitBreaker, config.circuitBreaker),
      endpoints: options.endpoints ?? {},
      otel: openTelemetry(options.tracing),
      restore,
    }),
    config.shutdownMs,
  );
}

function checkOptions(world: World, options: OrchestratorOptions<readonly AnyNode[]>, provide: readonly Provided[]): void {
  const max = options.maxValueBytes;
  if (max !== undefined && !(Number.isInteger(max) && max >= 1024 && max <= 16 * mib))
    throw new OnexError("OPTION_INVALID", `maxValueBytes is ${max}: give whole bytes from 1024 to ${16 * mib} (16 MiB)`);
  const depth = options.maxWorkflowDepth;
  if (depth !== undefined && !(Number.isInteger(depth) && depth >= 1 && depth <= 100))
    throw new OnexError("OPTION_INVALID", `maxWorkflowDepth is ${depth}: give a whole number from 1 to 100`);
  for (const name of ["parkAfterMs", "abortGraceMs"] as const) {
    const ms = options[name];
    if (ms !== undefined && !(ms >= 0 && ms <= 3_600_000))
      throw new OnexError("OPTION_INVALID", `${name} is ${ms}: give ms from 0 to 3600000`);
  }
  const { maxConcurrentWorkflows: runs, startTimeoutMs: startMs, whenFull } = options;
  if (startMs !== undefined && !(startMs >= 1 && startMs <= 3_600_000))
    throw new OnexError("OPTION_INVALID", `startTimeoutMs is ${startMs}: give ms from 1 to 3600000`);
  if (runs !== undefined && !(Number.isInteger(runs) && runs >= 1))
    throw new OnexError("OPTION_INVALID", `maxConcurrentWorkflows is ${runs}: give a whole number from 1, or leave it out`);
  if (whenFull !== undefined && whenFull !== "queue" && whenFull !== "refuse")
    throw new OnexError("OPTION_INVALID", `whenFull is ${JSON.stringify(whenFull)}: give "queue" or "refuse"`);
  secretsOf(options);
  if (options.secretKey !== undefined && options.secretKey.length < 16)
    throw new OnexError("OPTION_INVALID", "secretKey has less than 16 characters: give 32 bytes in base64, or a longer passphrase");
  const endpointSecret = options.endpointSecret ?? world.endpointSecret;
  if (endpointSecret !== undefined) checkSecret("endpointSecret", endpointSecret);
  const endpoints = readEndpoints(options.endpoints ?? {});
  const registry = new EndpointRegistry(options.nodes, endpoints);
  refuseRemote(endpoints, registry.contracts());
  const services = new Services(provide, (name) => isElsewhere(world, endpoints, name));
  for (const contract of registry.contracts()) {
    const missing = services.missing(contract);
    if (missing !== undefined)
      throw new OnexError(
        "SERVICE_MISSING",
        `${contract.kind} ${contract.name} uses the service "${missing}", which nobody provides: add ${missing}.from(…) to \`provide\``,
      );
    (contract as Partial<WorkflowContract>).plan?.bind(registry);
  }
}

/** Throws OnexError `OPTION_INVALID` for a value so short that it would turn up everywhere. */
function secretsOf({ secrets }: Pick<OrchestratorOptions<readonly AnyNode[]>, "secrets">): readonly string[] {
  if (typeof secrets === "string") throw new OnexError("OPTION_INVALID", "secrets is text: give a list, such as [apiKey], or { apiKey }");
  const named = Object.entries(secrets ?? {});
  for (const [name, value] of named)
    if (typeof value !== "string" || value.length < minSecretLength)
      throw new OnexError(
        "OPTION_INVALID",
        `secrets: ${name} is no text of at least ${minSecretLength} characters: it could not be told from others`,
      );
  return named.map(([, value]) => value);
}

export class OrchestratorFace<N extends readonly AnyNode[]> implements Orchestrator<N> {
  readonly engine: Engine;
  readonly registry: WorkflowRegistry;
  readonly schedules: StoredSchedules;
  readonly #shutdownMs: number;
  /** Starts whose first turn is on its way to the store. */
  readonly #beginning = new Map<string, Promise<unknown>>();

  constructor(engine: Engine, shutdownMs: number) {
    this.engine = engine;
    this.registry = new WorkflowRegistry(engine.registry, engine.world.hash);
    this.#shutdownMs = shutdownMs;
    this.schedules = new StoredSchedules(engine, () => this.#mustBeOpen());
  }

  get role(): "owner" | "client" {
    return this.engine.owner ? "owner" : "client";
  }
  get stopped(): Promise<void> {
    return this.engine.stopped;
  }

  async start<I, O>(workflow: Workflow<I, O>, input: NoInfer<I>, options: StartOptions = {}): Promise<StartedRun<O>> {
    this.#mustBeOpen();
    const given = (workflow as Partial<Workflow<I, O>> | undefined)?.contract;
    if (given?.kind !== "workflow")
      throw new OnexError(
        "OPTION_INVALID",
        `start was given ${shown(workflow)}: give a workflow; by its name it is \`process({ workflowType })\`, or \`start(registry.get(NAME).workflow, …)\``,
      );
    const contract = options.version === undefined ? given : this.engine.definitions.get(given.name, options.version);
    return this.#start<O>(contract, input, options, undefined);
  }

  async #start<O>(contract: WorkflowContract, given: unknown, options: StartOptions, deadline: number | undefined): Promise<RunHandle<O>> {
    try {
      return await this.#startNow<O>(contract, given, options, deadline);
    } catch (error) {
      throw this.engine.secrets.thrown(error, given);
    }
  }

  async #startNow<O>(
    contract: WorkflowContract,
    given: unknown,
    options: StartOptions,
    deadline: number | undefined,
  ): Promise<RunHandle<O>> {
    const { engine } = this;
    const askedAt = engine.world.clock.elapsed();
    checkStart(options);
    this.#mustHold(contract);
    const input = startInput(contract, given, engine.settings.maxValueBytes);
    const id = options.runId ?? engine.world.entropy.uuid();
    const stepInputs = options.stepInputs && checkedStepInputs(options.stepInputs, engine.settings.maxValueBytes);
    // Read before the first wait: the caller may change what it gave.
    const spec: StartSpec = { id, contract, input, options: stepInputs ? { ...options, stepInputs } : { ...options }, deadline };
    // A store with one owner is a file, and answers at once.
    return engine.store.owners === "many"
      ? engine.starts.wait(id, () => this.#take<O>(spec, contract, askedAt))
      : this.#take(spec, contract, askedAt);
  }

  async #take<O>(spec: StartSpec, contract: WorkflowContract, askedAt: number): Promise<RunHandle<O>> {
    const { engine } = this;
    const { id, options } = spec;
    if (engine.store.owners === "many") await engine.ready;
    this.#mustHold(contract);
    const handle = new RunHandle<O>(engine, id, contract);
    const existing = options.runId === undefined ? undefined : (engine.active(id)?.row ?? engine.starts.heard(await engine.store.run(id)));
    if (existing) return await this.#same(handle, existing, spec);
    if (contract.plan) await engine.definitions.keep(engine.store, contract.plan);
    this.#mustBeOpen();
    const started = startedFact(engine, spec, engine.store.now());
    const run = newRun(engine, spec, started);
    // Another start of the same id may have come while the store was read.
    const twin = engine.active(id);
    if (twin) return await this.#same(handle, twin.row, spec);
    const later = started.startAt !== undefined;
    if (engine.owner && !later && engine.settings.whenFull === "refuse" && engine.admission.free <= 0) throw refused(engine);
    if (!engine.owner || later || !engine.admission.passes(run)) {
      const stored = engine.starts.heard(await enqueue(engine, run, started));
      return stored.created ? handle : await this.#same(handle, stored.row, spec);
    }
    const folded = fresh(engine, id, contract);
    folded.log.live = true;
    const active = new ActiveRun(
      engine,
      run,
      folded,
      { runNo: undefined, turn: 0, after: 0, epoch: 1, pos: 0, mailGot: 0 },
      { taking: false, status: "pending" },
    );
    engine.metrics.asked(active, askedAt);
    active.arrive(started);
    active.arrive(acquired(engine, 1));
    let taken: RunRow | undefined;
    const begun = engine.runs.begin(active).catch(async (error: unknown) => {
      if (!(error instanceof OnexError) || error.code !== "LEASE_LOST") throw error;
      // Whether it was written is not known: by its id it is put into the queue once, for whoever drives it now.
      const stored = await enqueue(engine, run, started);
      return stored.created ? undefined : stored.row;
    });
    this.#beginning.set(id, begun);
    try {
      taken = engine.starts.heard(await begun);
    } catch (error) {
      if (engine.admission.giveBack(run)) engine.look();
      throw error;
    } finally {
      this.#beginning.delete(id);
    }
    if (!taken) return handle;
    if (engine.admission.giveBack(run)) engine.look();
    return await this.#same(handle, taken, spec);
  }

  /** Its owner drives it: one that is not in `nodes` could not be found again when it is put down. Throws OnexError `WORKFLOW_UNKNOWN`. */
  #mustHold({ name, version, plan }: WorkflowContract): void {
    const { owner, definitions } = this.engine;
    if (owner && !plan && !definitions.find({ workflow: name, version })) definitions.get(name, version);
  }

  async #same<O>(handle: RunHandle<O>, existing: Pick<RunRow, "digest" | "workflow">, spec: StartSpec): Promise<RunHandle<O>> {
    // An earlier start may not be in the store yet, and may still fail to get there: so would this one.
    await this.#beginning.get(spec.id);
    handle.existed = true;
    if (existing.digest === questionDigest(this.engine, spec.contract, spec.input)) return handle;
    const what = existing.workflow === spec.contract.name ? "with another input" : `of the workflow ${existing.workflow}`;
    throw new OnexError(
      "RUN_ID_CONFLICT",
      `the run id "${spec.id}" is taken by a run ${what}: use another runId, or start it with the same input`,
    );
  }

  run<O = unknown>(runId: string, workflow?: Workflow<never, O>): Run<O> {
    return new RunHandle<O>(this.engine, runId, workflow?.contract);
  }

  async fork(runId: string, options: ForkOptions = {}): Promise<StartedRun> {
    this.#mustBeOpen();
    checkFork(options);
    return fork(this.engine, runId, options);
  }
  async retry(runId: string, options: RetryOptions = {}): Promise<StartedRun> {
    this.#mustBeOpen();
    checkRetry(options);
    return retry(this.engine, runId, options);
  }

  async process(input: ProcessInput<string, unknown>): Promise<ProcessOutput<never, never>> {
    this.#mustBeOpen();
    // Read before the first wait: the caller may change the object meanwhile.
    const given = asked(input as ProcessInput, this.engine.store.now());
    const { type, version, context, options, deadline } = given;
    const contract = this.engine.definitions.get(type, version);
    const handle = await this.#start<Json>(contract, context, options, deadline);
    const { metrics, settings } = this.engine;
    // A client drives no runs, so it knows of this one alone.
    const tierOf = (ms: number, success: boolean) =>
      this.engine.owner || !success ? metrics.tierOf(type) : performanceTier(ms, settings.performanceThresholdMs);
    return (await processed(handle, given, tierOf)) as ProcessOutput<never, never>;
  }

  async getWorkflowStatus(workflowId: string): Promise<RunView | undefined> {
    try {
      return await this.run(workflowId).status();
    } catch (error) {
      if (isMissing(error)) return undefined;
      throw error;
    }
  }

  async getPerformanceMetrics(): Promise<PerformanceMetrics> {
    const { engine } = this;
    const circuitBreakers = engine.parts.breakers();
    const admission = await probe(engine.world.clock, probeMs, "admission", () => engine.parts.admission());
    const { commits, redelivered, takenOver, callsInFlight } = this.stats();
    return {
      ...engine.metrics.report(),
      activeWorkflows: engine.activeCount,
      circuitBreakerStatus: circuitState(circuitBreakers),
      circuitBreakers,
      admission: "value" in admission ? admission.value : { active: engine.activeCount, queued: 0, max: undefined },
      performanceThresholdMs: engine.settings.performanceThresholdMs,
      commits,
      redelivered,
      takenOver,
      callsInFlight,
    };
  }

  getDurations(): DurationReport {
    return this.engine.metrics.durations();
  }

  healthCheck(options: HealthOptions = {}): Promise<HealthReport> {
    return checkHealth(this.engine, this.engine.settings.performanceThresholdMs, options);
  }

  async read<S, K extends readonly unknown[]>(reducer: Reducer<never, S, K>, ...key: K): Promise<S> {
    this.#mustBeOpen();
    const contract = reducer.contract as unknown as ReducerContract;
    const text = await this.engine.store.state(contract.name, key.length === 0 ? "" : String(key[0]));
    return contract.decode(text === undefined ? contract.initial : (JSON.parse(text) as Json)) as S;
  }

  async list(filter: Parameters<Orchestrator["list"]>[0] = {}): Promise<readonly RunRow[]> {
    this.#mustBeOpen();
    onlyFields("OPTION_INVALID", "the filter of list", filter, ["status", "workflow", "limit", "before"]);
    return this.engine.store.list(filter);
  }

  idle(): Promise<void> {
    return this.engine.idle();
  }
  stats(): ReturnType<Orchestrator["stats"]> {
    return { ...this.engine.counts, commits: this.engine.store.commits, callsInFlight: this.engine.callsInFlight };
  }
  close(options: { readonly graceMs?: number } = {}): Promise<void> {
    return this.engine.close(options.graceMs ?? this.#shutdownMs);
  }

  #mustBeOpen(): void {
    if (this.engine.error) throw this.engine.error;
    if (this.engine.closing)
      throw new OnexError("ORCHESTRATOR_CLOSED", "the orchestrator was closed: make another one with createOrchestrator");
  }
}

function refused(engine: Engine): OnexError {
  return new OnexError(
    "ADMISSION_REFUSED",
    `${engine.settings.maxConcurrentWorkflows} root runs are driven (maxConcurrentWorkflows), and whenFull is "refuse": start it again later`,
  );
}

/** A copy that the caller cannot change any more. Throws OnexError `OPTION_INVALID`, `OUTPUT_NOT_JSON`, `VALUE_TOO_LARGE`. */
function checkedStepInputs(stepInputs: unknown, maxBytes: number): NonNullable<StartOptions["stepInputs"]> {
  const isMap = (value: unknown) => typeof value === "object" && value !== null && !Array.isArray(value);
  if (!isMap(stepInputs) || !Object.values(stepInputs as object).every(isMap))
    throw new OnexError("OPTION_INVALID", "stepInputs is no map from step names to objects: give { step: { field: value } }");
  const copy = toJson(stepInputs, "stepInputs");
  checkSize(copy, maxBytes, "stepInputs");
  return copy as NonNullable<StartOptions["stepInputs"]>;
}
