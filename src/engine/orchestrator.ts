/** `createOrchestrator`: checks what it is given, opens the store, and is the face of the engine. */
import { durationMs } from "../core/duration.ts";
import { OnexError } from "../core/failure.ts";
import type { Json } from "../core/json.ts";
import type { AnyNode, ReducerContract, WorkflowContract } from "../node/contract.ts";
import type { Reducer } from "../node/reducer.ts";
import { Registry } from "../node/registry.ts";
import type { Workflow } from "../node/workflow.ts";
import type { RunRow } from "../store/store.ts";
import { ActiveRun } from "./active-run.ts";
import type { Orchestrator, OrchestratorOptions, ProcessInput, ProcessOutput, Run, StartOptions } from "./api.ts";
import { acquired, fresh, newRun, questionDigest, type StartSpec, startedFact } from "./begin.ts";
import { Engine } from "./engine.ts";
import { RunHandle } from "./handle.ts";
import { startInput } from "./inline.ts";
import { Durations, processed, startOptions } from "./process.ts";
import { enqueue } from "./queue.ts";
import { StoredSchedules } from "./schedules.ts";
import { Services } from "./services.ts";
import { systemWorld } from "./system.ts";
import { checkId } from "./values.ts";
import type { World } from "./world.ts";

const mib = 1024 * 1024;
/** The last time that a Date can be, ms. */
const latestTime = 8.64e15;
/** What a run may take to be held good, by the template's default. */
const performanceThresholdMs = 5_000;

/**
 * The process that drives runs. The store is opened and checked here, so a bad one throws at once.
 * Throws OnexError `NODE_DUPLICATE`, `SERVICE_MISSING`, `SERVICE_DUPLICATE`, `CONTRACT_INVALID`, `OPTION_INVALID`,
 * `NOT_BUILT` for `endpoints`, and what opening the store throws.
 */
export function createOrchestrator<const N extends readonly AnyNode[]>(options: OrchestratorOptions<N>): Orchestrator<N> {
  return orchestratorIn(systemWorld(options.log), options);
}

/** As `createOrchestrator`, in a given world; for tests. */
export function orchestratorIn<const N extends readonly AnyNode[]>(world: World, options: OrchestratorOptions<N>): OrchestratorFace<N> {
  checkOptions(world, options);
  return new OrchestratorFace<N>(
    new Engine(world, {
      store: options.store,
      nodes: options.nodes,
      provide: options.provide ?? [],
      settings: {
        parkAfterMs: options.parkAfterMs ?? 1_000,
        abortGraceMs: options.abortGraceMs ?? 5_000,
        maxValueBytes: options.maxValueBytes ?? mib,
        maxConcurrentWorkflows: options.maxConcurrentWorkflows,
        whenFull: options.whenFull ?? "queue",
      },
    }),
  );
}

function checkOptions(world: World, options: OrchestratorOptions<readonly AnyNode[]>): void {
  if (options.endpoints !== undefined)
    throw new OnexError("NOT_BUILT", "`endpoints` is declared in the API but not built yet; leave it out: every node runs in this process");
  const max = options.maxValueBytes;
  if (max !== undefined && !(Number.isInteger(max) && max >= 1024 && max <= 16 * mib))
    throw new OnexError("OPTION_INVALID", `maxValueBytes is ${max}: give whole bytes from 1024 to ${16 * mib} (16 MiB)`);
  for (const name of ["parkAfterMs", "abortGraceMs"] as const) {
    const ms = options[name];
    if (ms !== undefined && !(ms >= 0 && ms <= 3_600_000))
      throw new OnexError("OPTION_INVALID", `${name} is ${ms}: give ms from 0 to 3600000`);
  }
  const { maxConcurrentWorkflows: runs, whenFull } = options;
  if (runs !== undefined && !(Number.isInteger(runs) && runs >= 1))
    throw new OnexError("OPTION_INVALID", `maxConcurrentWorkflows is ${runs}: give a whole number from 1, or leave it out`);
  if (whenFull !== undefined && whenFull !== "queue" && whenFull !== "refuse")
    throw new OnexError("OPTION_INVALID", `whenFull is ${JSON.stringify(whenFull)}: give "queue" or "refuse"`);
  const registry = new Registry(options.nodes);
  const services = new Services(options.provide ?? [], (node) => world.stage?.isStubbed(node) ?? false);
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

export class OrchestratorFace<N extends readonly AnyNode[]> implements Orchestrator<N> {
  readonly engine: Engine;
  readonly schedules: StoredSchedules;
  readonly #durations = new Durations(performanceThresholdMs);

  constructor(engine: Engine) {
    this.engine = engine;
    this.schedules = new StoredSchedules(engine, () => this.#mustBeOpen());
  }

  get role(): "owner" | "client" {
    return this.engine.owner ? "owner" : "client";
  }
  get stopped(): Promise<void> {
    return this.engine.stopped;
  }

  async start<I, O>(workflow: Workflow<I, O>, input: NoInfer<I>, options: StartOptions = {}): Promise<Run<O>> {
    this.#mustBeOpen();
    const given = workflow.contract;
    const contract = options.version === undefined ? given : this.engine.definitions.get(given.name, options.version);
    return this.#start<O>(contract, input, options, undefined);
  }

  async #start<O>(contract: WorkflowContract, given: unknown, options: StartOptions, deadline: number | undefined): Promise<RunHandle<O>> {
    const { engine } = this;
    checkStart(options);
    // Its owner drives it: one that is not in `nodes` could not be found again when it is put down. (Throws `WORKFLOW_UNKNOWN`.)
    const asked = { workflow: contract.name, version: contract.version };
    if (engine.owner && !contract.plan && !engine.definitions.find(asked)) engine.definitions.get(contract.name, contract.version);
    const input = startInput(contract, given, engine.settings.maxValueBytes);
    const id = options.runId ?? engine.world.entropy.uuid();
    const spec: StartSpec = { id, contract, input, options, deadline };
    const handle = new RunHandle<O>(engine, id, contract);
    const existing = options.runId === undefined ? undefined : (engine.active(id)?.row ?? (await engine.store.run(id)));
    if (existing) return this.#same(handle, existing, spec);
    if (contract.plan) await engine.definitions.keep(engine.store, contract.plan);
    this.#mustBeOpen();
    const started = startedFact(engine, spec, engine.store.now());
    const run = newRun(engine, spec, started);
    // Another start of the same id may have come while the store was read.
    const twin = engine.active(id);
    if (twin) return this.#same(handle, twin.row, spec);
    const later = started.startAt !== undefined;
    if (engine.owner && !later && engine.settings.whenFull === "refuse" && engine.admission.free <= 0) throw refused(engine);
    if (!engine.owner || later || !engine.admission.passes(run)) {
      const stored = await enqueue(engine, run, started);
      return stored.created ? handle : this.#same(handle, stored.row, spec);
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
    active.arrive(started);
    active.arrive(acquired(engine, 1));
    let taken: RunRow | undefined;
    try {
      taken = await engine.begin(active);
    } catch (error) {
      if (engine.admission.giveBack(run)) engine.look();
      throw error;
    }
    if (!taken) return handle;
    if (engine.admission.giveBack(run)) engine.look();
    return this.#same(handle, taken, spec);
  }

  #same<O>(handle: RunHandle<O>, existing: Pick<RunRow, "digest" | "workflow">, spec: StartSpec): RunHandle<O> {
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

  async process(input: ProcessInput<string, unknown>): Promise<ProcessOutput<never, never>> {
    this.#mustBeOpen();
    const contract = this.engine.definitions.get(input.workflowType);
    const options = startOptions(input as ProcessInput, this.engine.store.now());
    const deadline = input.deadline === undefined ? undefined : Number(input.deadline);
    const handle = await this.#start<Json>(contract, input.workflowContext ?? null, options, deadline);
    return (await processed(handle, input as ProcessInput, this.#durations)) as ProcessOutput<never, never>;
  }

  async read<S, K extends readonly unknown[]>(reducer: Reducer<never, S, K>, ...key: K): Promise<S> {
    this.#mustBeOpen();
    const contract = reducer.contract as unknown as ReducerContract;
    const text = await this.engine.store.state(contract.name, key.length === 0 ? "" : String(key[0]));
    return contract.decode(text === undefined ? contract.initial : (JSON.parse(text) as Json)) as S;
  }

  async list(filter: Parameters<Orchestrator["list"]>[0] = {}): Promise<readonly RunRow[]> {
    this.#mustBeOpen();
    return this.engine.store.list(filter);
  }

  idle(): Promise<void> {
    return this.engine.idle();
  }
  stats(): ReturnType<Orchestrator["stats"]> {
    return { ...this.engine.counts, commits: this.engine.store.commits, callsInFlight: this.engine.callsInFlight };
  }
  close(options: { readonly graceMs?: number } = {}): Promise<void> {
    return this.engine.close(options.graceMs ?? 10_000);
  }

  #mustBeOpen(): void {
    if (this.engine.error) throw this.engine.error;
    if (this.engine.closing) throw new OnexError("ORCHESTRATOR_CLOSED", "the orchestrator was closed");
  }
}

function refused(engine: Engine): OnexError {
  return new OnexError(
    "ADMISSION_REFUSED",
    `${engine.settings.maxConcurrentWorkflows} root runs are driven (maxConcurrentWorkflows), and whenFull is "refuse": start it again later`,
  );
}

function checkStart(options: StartOptions): void {
  const { startAt } = options;
  if (startAt !== undefined && !(Math.abs(Number(startAt)) <= latestTime))
    throw new OnexError("OPTION_INVALID", `startAt is ${String(startAt)}: give a Date, or ms since 1970`);
  if (options.timeout !== undefined) durationMs(options.timeout);
  const { priority, runId } = options;
  if (priority !== undefined && !(Number.isInteger(priority) && priority >= 1 && priority <= 1000))
    throw new OnexError("OPTION_INVALID", `priority is ${priority}: give a whole number from 1 (first) to 1000`);
  if (runId !== undefined) checkId("runId", runId);
}
