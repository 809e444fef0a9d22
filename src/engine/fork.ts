/**
 * New runs that share the past of another one: `fork` and `retry` (durability: both make a new run; the old log stays as it is).
 *
 * A fork is put into the queue like the start of a client, under the limits of its workflow: whoever drives runs takes it,
 * folds what it shares and goes on. A process that holds the workflow folds it before, so that what does not fit is refused here.
 */
import { durationMs } from "../core/duration.ts";
import { type Fact, type FactOf, isFinal, type Started } from "../core/fact.ts";
import { failureOf, OnexError } from "../core/failure.ts";
import {
  alongside,
  type ForkPoint,
  pointOf,
  type Refused,
  retryPoint,
  type Shared,
  shareUntil,
  survives,
  takesInput,
} from "../core/fork.ts";
import { type Json, toJson } from "../core/json.ts";
import { pinned } from "../core/pin.ts";
import { undoWorkflow } from "../core/undo.ts";
import { view } from "../core/view.ts";
import type { WorkflowContract } from "../node/contract.ts";
import { encodeFacts } from "../store/codec.ts";
import type { FirstTurn, NewRun, RunRow } from "../store/store.ts";
import { limitKeys } from "./admission.ts";
import type { ForkOptions, RetryOptions } from "./api.ts";
import { fresh } from "./begin.ts";
import type { Engine } from "./engine.ts";
import { RunHandle } from "./handle.ts";
import { startInput } from "./inline.ts";
import { endOf } from "./queue.ts";
import { canonical, checkId, checkSize } from "./values.ts";

interface Old {
  readonly row: RunRow;
  /** The id under which it ran: a round that was restarted has got another name since. */
  readonly ranAs: string;
  readonly facts: readonly Fact[];
  readonly started: Started;
}

/** Throws OnexError `RUN_UNKNOWN`, `RUN_NOT_ENDED`, `RUN_ID_CONFLICT`, `WORKFLOW_UNKNOWN`, `INPUT_INVALID`, and what `Refused` names. */
export async function fork(engine: Engine, runId: string, options: ForkOptions): Promise<RunHandle<unknown>> {
  const old = await read(engine, runId);
  const { from } = options;
  const point: ForkPoint | undefined = from === undefined ? { position: 1 } : pointOf(old.facts, from);
  if (!point) throw impossible(old, `it has no step "${from}"; ${stepsOf(old.facts)}`);
  if (from !== undefined && options.input !== undefined && !takesInput(old.facts, point))
    throw impossible(old, `step "${from}" takes no input that could be another one`);
  const made = await make(engine, old, point, options);
  if ("code" in made) throw refusal(old, made);
  return made;
}

/** A fork from what failed, or what had to be taken back because of it. Throws what `fork` throws. */
export async function retry(engine: Engine, runId: string, options: RetryOptions): Promise<RunHandle<unknown>> {
  if (options.from !== undefined) return fork(engine, runId, options);
  const old = await read(engine, runId);
  let point = retryPoint(old.facts);
  for (;;) {
    if ("code" in point) throw refusal(old, point);
    const made: RunHandle<unknown> | Refused = await make(engine, old, point, options);
    if (!("code" in made)) return made;
    // What stands in the way began before: it is done anew too.
    const earlier: ForkPoint | undefined = made.step === undefined ? undefined : pointOf(old.facts, made.step);
    if (!earlier || earlier.position >= point.position) throw refusal(old, made);
    point = earlier;
  }
}

async function read(engine: Engine, runId: string): Promise<Old> {
  const handle = new RunHandle<unknown>(engine, runId, undefined);
  const row = await handle.row();
  // As they were, and not as they are shown: what is shared goes on with its true values. (Throws `SECRET_KEY_MISSING`.)
  const facts = (await engine.store.turns(row.runNo)).flatMap((turn) => engine.decode(row.runNo, turn));
  const started = pinned(facts);
  if (started.workflow === undoWorkflow.name)
    throw new OnexError("FORK_IMPOSSIBLE", `run ${runId} takes back a child run: it is onex's own and cannot be forked`);
  if (!isFinal(facts.at(-1) as Fact) && !isAtRest(runId, facts))
    throw new OnexError(
      "RUN_NOT_ENDED",
      `run ${runId} is under way: only a run that has ended, or is paused with no call in flight, can be forked; wait for it, or pause it`,
    );
  const ranAs = facts.at(-1)?.type === "run.restarted" ? row.id.replace(new RegExp(`~${row.runNo}~*$`), "") : row.id;
  return { row, ranAs, facts, started };
}

/** Paused, and no call of it is in flight; of one that could not be folded any further they are lost or in doubt. */
function isAtRest(runId: string, facts: readonly Fact[]): boolean {
  const { paused, steps } = view(runId, facts);
  if (!paused) return false;
  if (paused.step === undefined && paused.code !== "PAUSED") return true;
  return !steps.some((step) => step.kind === "effect" && step.status === "running");
}

async function make(engine: Engine, old: Old, point: ForkPoint, options: ForkOptions): Promise<RunHandle<unknown> | Refused> {
  const { definitions, world } = engine;
  if (options.runId !== undefined) checkId("runId", options.runId);
  const id = options.runId ?? world.entropy.uuid();
  await definitions.load(engine.store, old.started);
  const contract = options.version === undefined ? engine.workflowOf(old.started) : definitions.get(old.started.workflow, options.version);
  if (contract?.plan) await definitions.keep(engine.store, contract.plan);
  const now = engine.store.now();
  const input = inputOf(engine, old, point, contract, options);
  const forked = (shared: Shared): FactOf<"run.forked"> => ({
    type: "run.forked",
    from: old.row.id,
    ...(point.step === undefined ? {} : { step: point.step }),
    position: point.position,
    since: shared.since,
    owes: shared.owes,
    ...(input !== undefined && point.step !== undefined ? { input } : {}),
    at: now,
  });
  const begin = (shared: Shared): Started => ({
    ...startedFrom(old, contract, now),
    ...(input !== undefined && point.step === undefined ? { input } : {}),
    ...(options.correlationId === undefined ? {} : { correlationId: options.correlationId }),
    ...(shared.origins.length > 0 ? { origins: shared.origins } : {}),
  });
  const shared = fitting(engine, id, old, point, isWhole(engine, contract) ? contract : undefined, begin, forked);
  if ("code" in shared) return shared;
  const started = engine.tracing.starting({ id, options: {} }, begin(shared));
  const facts = [started, ...shared.before, ...shared.answers, forked(shared)];
  const run: NewRun = {
    id,
    workflow: started.workflow,
    version: started.version,
    digest: questionOf(engine, old, point, started, input),
    priority: started.priority,
    at: now,
    queuedAt: now,
    origin: old.ranAs,
    ...endOf(started),
    ...limitsOf(engine, old, contract, started),
  };
  const encoded = encodeFacts(facts);
  const { created, row } = await stored(engine, run, {
    epoch: 0,
    next: facts.length,
    facts: encoded.text,
    ...(encoded.blobs ? { blobs: encoded.blobs } : {}),
  });
  if (row.digest !== run.digest) throw new OnexError("RUN_ID_CONFLICT", `the run id "${id}" is taken by another run: use another runId`);
  if (created) engine.tracing.begun(started);
  engine.queued(now);
  const made = new RunHandle<unknown>(engine, id, contract);
  made.existed = !created;
  return made;
}

/** What it counts to; without the code, what the run that it is made from counts to. */
function limitsOf(engine: Engine, { row }: Old, contract: WorkflowContract | undefined, { input }: Started): Limits {
  if (contract) return limitKeys(engine.guard, contract, input);
  const { concurrency, rate } = row;
  return { ...(concurrency === undefined ? {} : { concurrency }), ...(rate === undefined ? {} : { rate }) };
}
type Limits = ReturnType<typeof limitKeys>;

async function stored(engine: Engine, run: NewRun, first: FirstTurn): Promise<{ readonly created: boolean; readonly row: RunRow }> {
  try {
    return await engine.store.start(run, first);
  } catch (error) {
    // The owner's failed write stops its engine, whoever asked for it.
    const busy = error instanceof OnexError && error.code === "STORE_BUSY";
    if (engine.owner && !engine.closing && !busy) engine.stop(error);
    throw error;
  }
}

/** A plan is read from the store wherever it is asked for, and its nodes may not be here. */
function isWhole({ registry }: Engine, contract: WorkflowContract | undefined): boolean {
  try {
    contract?.plan?.bind(registry);
    return true;
  } catch {
    return false;
  }
}

/** What is shared, without the answers that would give up the very step that is to be done anew. */
function fitting(
  engine: Engine,
  id: string,
  old: Old,
  point: ForkPoint,
  contract: WorkflowContract | undefined,
  begin: (shared: Shared) => Started,
  forked: (shared: Shared) => FactOf<"run.forked">,
): Shared | Refused {
  const without = new Set<string>();
  for (;;) {
    const shared = shareUntil(old.ranAs, old.facts, point, without);
    if ("code" in shared) return shared;
    if (!contract) {
      if (shared.answers.length === 0) return shared;
      leaveOut(old, shared, without);
      continue;
    }
    const given = folded(old, () => together(engine, id, old, point, contract, shared, without, begin, forked));
    if (!("without" in given)) return given;
    if (given.without === "" || without.has(given.without))
      throw impossible(old, `step "${point.step}" is given up by what was under way beside it; fork from an earlier step`);
    without.add(given.without);
  }
}

/** The answers, and what branches beside the point did since; folded as the fork will be. */
function together(
  engine: Engine,
  id: string,
  old: Old,
  point: ForkPoint,
  contract: WorkflowContract,
  answered: Shared,
  without: ReadonlySet<string>,
  begin: (shared: Shared) => Started,
  forked: (shared: Shared) => FactOf<"run.forked">,
): Shared | { readonly without: string } {
  const replay = () => fresh(engine, id, contract).replay;
  const beside = alongside(replay(), begin(answered), old.facts, point, answered, without);
  if ("without" in beside) return beside;
  const shared = shareUntil(old.ranAs, old.facts, point, without, beside);
  // A step beside it that ended in a way that its facts do not tell is done anew.
  if ("code" in shared) return { without: shared.step ?? "" };
  return survives(replay(), begin(shared), shared, forked(shared)) ?? shared;
}

/** Throws OnexError `FORK_IMPOSSIBLE` for a past that does not fit the workflow. */
function folded<T>(old: Old, fold: () => T): T {
  try {
    return fold();
  } catch (error) {
    throw impossible(old, failureOf(error, "HISTORY_MISMATCH").message);
  }
}

/** Without the code nobody can say what an answer sets off: sleeps go on as they were, anything else is refused. */
function leaveOut(old: Old, { answers }: Shared, without: Set<string>): void {
  for (const fact of answers) {
    if (fact.type !== "timer.fired")
      throw impossible(
        old,
        `steps were under way beside it, and this process does not hold the code of ${old.started.workflow}@${old.started.version} to see what their answers set off; fork it in one that does, or from an earlier step`,
      );
    without.add(fact.step);
  }
}

function inputOf(
  engine: Engine,
  old: Old,
  point: ForkPoint,
  contract: WorkflowContract | undefined,
  { input }: ForkOptions,
): Json | undefined {
  if (input === undefined) return undefined;
  const { maxValueBytes } = engine.settings;
  if (point.step === undefined && contract) return startInput(contract, input, maxValueBytes);
  const where = `fork of ${old.row.id}: input`;
  const json = toJson(input, where);
  checkSize(json, maxValueBytes, where);
  return json;
}

/** The run begins anew: with its whole time, as nobody's child. */
function startedFrom({ facts, started }: Old, contract: WorkflowContract | undefined, now: number): Started {
  const { parent, ancestors: _ancestors, round: _round, origins: _origins, startAt, deadline, version, definition, ...kept } = started;
  const begun = facts.findLast(({ type }) => type === "run.forked")?.at ?? Math.max(started.at, startAt ?? 0);
  // The deadline of a child may be its parent's.
  const own = parent ? contract?.timeout && durationMs(contract.timeout) : deadline && deadline - begun;
  const hash = contract ? contract.plan?.hash : definition;
  return {
    ...kept,
    version: contract?.version ?? version,
    ...(own === undefined ? {} : { deadline: now + own }),
    ...(hash === undefined ? {} : { definition: hash }),
  };
}

/** Equal for equal questions: a fork under an id may be asked for again. */
function questionOf(engine: Engine, old: Old, { step, position }: ForkPoint, started: Started, input: Json | undefined): string {
  const asked = [
    old.row.id,
    step ?? "",
    position,
    `${started.workflow}@${started.version}`,
    input === undefined ? "" : engine.secrets.question(canonical(input)),
  ];
  return engine.world.hash(`fork\0${asked.join("\0")}`).slice(0, 32);
}

function refusal(old: Old, { code, message, step }: Refused): OnexError {
  const todo = step === undefined ? "" : `; fork from step "${step}" or an earlier one`;
  return new OnexError(
    code,
    `run ${old.row.id} cannot be forked there: ${message}${todo}`,
    step === undefined ? {} : { details: { step } },
  );
}

function impossible(old: Old, reason: string): OnexError {
  return refusal(old, { code: "FORK_IMPOSSIBLE", message: reason });
}

function stepsOf(facts: readonly Fact[]): string {
  const steps = new Set<string>();
  for (const fact of facts)
    if (
      "step" in fact &&
      fact.step !== undefined &&
      fact.type !== "run.forked" &&
      !isFinal(fact) &&
      !/~undo\/|~timeout|@\d+$|^~/.test(fact.step)
    )
      steps.add(fact.step);
  const some = [...steps].slice(0, 20).map((step) => `"${step}"`);
  return some.length === 0
    ? "it has none"
    : `it has ${some.join(", ")}${steps.size > some.length ? ` and ${steps.size - some.length} more` : ""}`;
}
