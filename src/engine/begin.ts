/** How runs come to be: programs of workflows, first turns, children and successors. */

import type { CommandOf } from "../core/command.ts";
import { durationMs } from "../core/duration.ts";
import { type Fact, type FactBody, type FactOf, isFinal, type Started } from "../core/fact.ts";
import { type Failure, failureOf, OnexError } from "../core/failure.ts";
import type { Json } from "../core/json.ts";
import type { Callee } from "../core/operation.ts";
import { pinned } from "../core/pin.ts";
import { type Program, Replay } from "../core/replay.ts";
import { undoProgram, undoWorkflow } from "../core/undo.ts";
import { type Contract, type Log, type NodeSource, recordedOutput, type WorkflowContract } from "../node/contract.ts";
import { encodeFacts } from "../store/codec.ts";
import type { FirstTurn, NewRun } from "../store/store.ts";
import type { ActiveRun } from "./active-run.ts";
import { limitKeys } from "./admission.ts";
import type { StartOptions } from "./api.ts";
import { startInput } from "./inline.ts";
import { ancestorsOf, checkLineage } from "./lineage.ts";
import type { Runtime } from "./runtime.ts";
import { canonical, checkId, checkSize } from "./values.ts";

/** A run's fold, and the log that its workflow writes: silent while replaying, and let out when a turn is accepted. */
export interface Folded {
  readonly replay: Replay;
  readonly log: RunLog;
}
/** A run with its first turn, not stored yet. */
export interface Begun extends Folded {
  readonly run: NewRun;
  readonly first: FirstTurn;
}

export class RunLog {
  /** Set once history is folded. */
  live = false;
  readonly #lines: (() => void)[] = [];
  readonly log: Log;
  constructor(out: Log) {
    const later =
      (level: keyof Log) =>
      (message: string, fields?: object): void => {
        if (this.live) this.#lines.push(() => out[level](message, fields));
      };
    this.log = { debug: later("debug"), info: later("info"), warn: later("warn"), error: later("error") };
  }
  /** Lets out, before its own lines, those of the fold whose place it takes. */
  follow(before: RunLog): void {
    this.#lines.unshift(...before.#lines);
  }
  flush(): void {
    if (this.#lines.length > 0) for (const line of this.#lines.splice(0)) line();
  }
}

interface How {
  /** Of the workflow that takes back a child: the child. */
  readonly undoes?: string | undefined;
  /** Keeps the places of operations; slow. */
  readonly tracing?: boolean;
  /** Where its nodes are found; default what this process holds. */
  readonly nodes?: NodeSource;
}

export function fresh(runtime: Runtime, runId: string, contract: WorkflowContract, how: How = {}): Folded {
  const { undoes, tracing = false, nodes = runtime.registry } = how;
  const log = new RunLog(runtime.secrets.logOf(runtime.world.log, runId));
  const keyOf = (step: string, of = runId) => runtime.world.hash(`${of}\0${step}`).slice(0, 32);
  const program = contract.name === undoWorkflow.name ? undoing(runtime, undoes) : programOf(runtime, runId, contract, log, nodes);
  const met = (callee: Callee) => runtime.definitions.learn(callee as WorkflowContract);
  return { replay: new Replay(program, { runId, keyOf, guard: runtime.guard, met, tracing }), log };
}

function programOf(runtime: Runtime, runId: string, contract: WorkflowContract, log: RunLog, nodes: NodeSource): Program {
  return {
    onFailure: contract.onFailure,
    begin: ({ input, correlationId, defaults }) => contract.begin(input, { runId, correlationId, log: log.log }, nodes, defaults),
    finish: (returned) => {
      const output = recordedOutput(contract, returned);
      checkSize(output, runtime.settings.maxValueBytes, `workflow ${contract.name}: output`);
      return output;
    },
  };
}

/** The program of `<child>~undo`: takes back what the ended child owes, read from its log (API rule 22). */
function undoing(runtime: Runtime, childId: string | undefined): Program {
  return {
    onFailure: "compensate",
    *begin() {
      const facts = runtime.atHand.facts(childId ?? "");
      const started = pinned(facts);
      if (!isFinal(facts.at(-1) as Fact) || (facts.at(-1) as Fact).type !== "run.completed") return null;
      runtime.definitions.loadNow(runtime.store, started);
      const contract = runtime.workflowOf(started);
      if (!contract)
        throw new OnexError(
          "VERSION_MISSING",
          `the workflow ${started.workflow}@${started.version} of ${childId} is not held here: start a process that holds it`,
        );
      const child = fresh(runtime, childId ?? "", contract, { undoes: (started.input as { runId?: string } | null)?.runId }).replay;
      for (const fact of facts) child.apply(fact);
      return yield* undoProgram(child.owed(), (step) => child.keyOf(step));
    },
    finish: () => null,
  };
}

export interface StartSpec {
  readonly id: string;
  readonly contract: Contract;
  readonly input: Json;
  readonly options: StartOptions;
  readonly deadline: number | undefined;
  readonly parent?: Started["parent"];
  readonly ancestors?: Started["ancestors"];
  /** The tick of the schedule that starts it. */
  readonly scheduledAt?: number;
}

export function startedFact(runtime: Runtime, spec: StartSpec, now: number): Started {
  const { contract, options } = spec;
  const timeout = options.timeout ?? contract.timeout;
  const startAt = Math.ceil(Number(options.startAt ?? 0));
  const begins = Math.max(now, startAt);
  const { runDefaults, runTimeoutMs } = runtime.settings;
  const asked = earliest([spec.deadline, timeout === undefined ? undefined : begins + durationMs(timeout)]);
  const deadline = asked ?? (runTimeoutMs === undefined || spec.parent ? undefined : begins + runTimeoutMs);
  const plan = (contract as WorkflowContract).plan;
  return runtime.tracing.starting(spec, {
    type: "run.started",
    workflow: contract.name,
    version: contract.version,
    input: spec.input,
    correlationId: options.correlationId ?? spec.id,
    seed: runtime.world.entropy.seed(),
    priority: options.priority ?? 100,
    ...(deadline === undefined ? {} : { deadline }),
    ...(options.stepInputs ? { stepInputs: options.stepInputs } : {}),
    ...(spec.parent ? { parent: spec.parent } : {}),
    ...(runDefaults ? { defaults: runDefaults } : {}),
    ...(spec.ancestors ? { ancestors: spec.ancestors } : {}),
    ...(startAt > now ? { startAt } : {}),
    ...(spec.scheduledAt === undefined ? {} : { scheduledAt: spec.scheduledAt }),
    ...(plan ? { definition: plan.hash } : {}),
    at: now,
  });
}

function earliest(times: readonly (number | undefined)[]): number | undefined {
  const given = times.filter((time) => time !== undefined);
  return given.length === 0 ? undefined : Math.min(...given);
}

/** Equal for equal questions: the same id may be asked again with the same one. */
export function questionDigest(runtime: Runtime, contract: Contract, input: Json): string {
  return runtime.world.hash(`${contract.name}\0${runtime.secrets.question(canonical(input))}`).slice(0, 32);
}

export function newRun(runtime: Runtime, spec: StartSpec, started: Started): NewRun {
  return {
    id: spec.id,
    workflow: started.workflow,
    version: started.version,
    digest: questionDigest(runtime, spec.contract, spec.input),
    priority: started.priority,
    at: started.at,
    ...(spec.parent ? { parent: spec.parent.runId } : limitKeys(runtime.guard, spec.contract as WorkflowContract, spec.input)),
  };
}

export function acquired(runtime: Runtime, epoch: number): FactBody & { readonly type: "lease.acquired" } {
  const { host, pid } = runtime.world;
  return { type: "lease.acquired", leaseId: runtime.leaseId, epoch, ...(host === undefined ? {} : { by: { host, pid } }) };
}

/** Folds the first two facts and encodes them as turn 0, owned by this process. */
function first(runtime: Runtime, started: Started, folded: Folded, epoch = 1): FirstTurn {
  const lease: FactOf<"lease.acquired"> = { ...acquired(runtime, epoch), at: started.at };
  folded.log.live = true;
  folded.replay.apply(started);
  folded.replay.apply(lease);
  const encoded = encodeFacts([started, lease]);
  return { epoch, next: 2, facts: encoded.text, ...(encoded.blobs ? { blobs: encoded.blobs } : {}) };
}

/** The child run that a workflow wishes for, or why there is none. */
export function child(
  runtime: Runtime,
  parent: ActiveRun,
  wish: CommandOf<"start-child">,
  now: number,
): Begun | { readonly error: Failure } {
  const contract = wish.callee as WorkflowContract;
  try {
    checkId("the runId of the child", wish.runId);
    // With many owners, the turn that makes it is told.
    if (runtime.store.owners === "one" && runtime.store.run(wish.runId) !== undefined)
      throw new OnexError("RUN_ID_CONFLICT", `the run id "${wish.runId}" is taken by another run: give the child another runId`);
    const isUndo = contract.name === undoWorkflow.name;
    const input = isUndo ? wish.input : startInput(contract, wish.input, runtime.settings.maxValueBytes);
    const above = parent.replay.started as Started;
    const ancestors = ancestorsOf(runtime.world, above);
    checkLineage(runtime.world, ancestors, contract, input, runtime.settings.maxWorkflowDepth);
    // What takes something back has its own time: it must not be cut by the end of what it takes back.
    const deadline = wish.step.includes("~undo/") ? undefined : parent.replay.deadline;
    const spec: StartSpec = {
      id: wish.runId,
      contract,
      input,
      options: {
        correlationId: above.correlationId,
        priority: wish.priority,
        ...(above.traceparent === undefined ? {} : { traceparent: above.traceparent }),
      },
      deadline,
      parent: { runId: parent.id, step: wish.step, ...(deadline === undefined ? {} : { deadline }) },
      ancestors,
    };
    const started = startedFact(runtime, spec, now);
    const folded = fresh(runtime, spec.id, contract, isUndo ? { undoes: (input as { runId: string }).runId } : {});
    return { ...folded, run: newRun(runtime, spec, started), first: first(runtime, started, folded) };
  } catch (error) {
    return { error: failureOf(error, "INPUT_INVALID") };
  }
}

/** The run that goes on under the same id after `restart(input)`. */
export function successor(runtime: Runtime, ended: ActiveRun, input: Json, now: number): Begun {
  const before = ended.replay.started as Started;
  const contract = runtime.workflowOf(before) as WorkflowContract;
  const mail = ended.replay.mailbox;
  const { runDefaults, runTimeoutMs } = runtime.settings;
  const timeoutMs = contract.timeout === undefined ? (before.parent ? undefined : runTimeoutMs) : durationMs(contract.timeout);
  const deadline = earliest([before.parent?.deadline, timeoutMs === undefined ? undefined : now + timeoutMs]);
  const { deadline: _past, mail: _read, defaults: _then, origins: _shared, startAt: _begun, ...kept } = before;
  const started: Started = {
    ...kept,
    input,
    round: (before.round ?? 0) + 1,
    seed: runtime.world.entropy.seed(),
    at: now,
    ...(mail.length > 0 ? { mail } : {}),
    ...(runDefaults ? { defaults: runDefaults } : {}),
    ...(deadline === undefined ? {} : { deadline }),
  };
  const folded = fresh(runtime, ended.id, contract);
  // It keeps its share of `concurrency`, and is no new start to `rate`.
  const { rate: _counted, ...row } = ended.row;
  // The last turn of the log before has the epoch after the owner's. To who stands behind an effect it is the same run, so epochs go on rising.
  return { ...folded, run: { ...row, at: now }, first: first(runtime, started, folded, ended.epoch + 2) };
}
