/** How an operation is begun: as a step that waits for facts, or as a join that waits for branches. */
import { durationMs } from "./duration.ts";
import { OnexError, StepError } from "./failure.ts";
import { type Driver, Fiber, Names, type Pending } from "./fiber.ts";
import { Join, mustPerform, outcomeOf, type Spawn } from "./joins.ts";
import { toJson } from "./json.ts";
import { asMaker, type Callee, type CallOptions, Op, type OpSpec, type Taker } from "./operation.ts";
import { Scope } from "./scope.ts";
import { ChildStep } from "./steps/child.ts";
import type { Desk } from "./steps/desk.ts";
import { EffectStep } from "./steps/effect.ts";
import { ComputeStep, ReadStep, ReduceStep, ValueStep } from "./steps/inline.ts";
import { Collector, Consumer, StreamStep } from "./steps/stream.ts";
import { LatchStep, SignalStep, TimerStep } from "./steps/waits.ts";
import { type Undo, UndoJob, undoOf } from "./undo.ts";
import type { Verdict } from "./verdict.ts";

/** The run, as operations see it that are begun. */
export interface Performing extends Driver, Desk {
  /** The workflow calls a node: past the run's limit it ends. */
  acting(): void;
  /** The workflow calls this child workflow. */
  met(callee: Callee): void;
  undoFailed(step: string, error: unknown): void;
  /** Ends the run early: its root is cancelled, and this is how it ends. */
  stop(verdict: Verdict): void;
}

/** Begins it for `fiber`; answers what the fiber waits for. Throws OnexError `BRANCH_INVALID`, `OUTPUT_NOT_JSON`, `VALUE_TOO_LARGE`. */
export function perform(run: Performing, fiber: Fiber, spec: OpSpec): Pending | undefined {
  switch (spec.kind) {
    case "call":
      return call(run, fiber, spec, undefined);
    case "stream":
      return call(run, fiber, { ...spec, kind: "call" }, spec.taker);
    case "read":
      return new ReadStep(run, fiber, fiber.names.next(spec.step ?? `${spec.callee.name}.read`), spec.callee, spec.key);
    case "value":
      return new ValueStep(run, fiber, fiber.names.next(spec.of), spec.of);
    case "sleep":
    case "sleepUntil": {
      const step = fiber.names.next(spec.step ?? "sleep");
      const fixed = spec.kind === "sleepUntil";
      return new TimerStep(run, step, fixed ? spec.due : run.now + spec.ms, "sleep", () => fiber.resume(undefined), fixed);
    }
    case "wait":
      return new SignalStep(run, fiber, fiber.names.next(spec.step ?? spec.name), spec.name, spec.check);
    case "latch":
      return new LatchStep(fiber, spec.latch);
    case "all":
      return all(run, fiber, spec);
    case "race":
      return race(run, fiber, spec);
    case "each":
      return each(run, fiber, spec);
    case "attempt":
      return attempt(run, fiber, spec.work);
    case "group":
      return group(run, fiber, spec);
    case "compensate":
      return compensate(run, fiber, spec.work);
    case "undo":
      return undoThese(run, fiber, spec.undos);
    case "restart":
      return restart(run, fiber, spec.input);
  }
}

function call(run: Performing, fiber: Fiber, spec: OpSpec & { readonly kind: "call" }, taker: Taker | undefined): Pending {
  const { callee } = spec;
  const options: CallOptions = spec.options;
  const step = fiber.names.next(options.step ?? callee.name);
  const input = toJson(spec.input, `step ${step}: input of ${callee.kind} ${callee.name}`);
  if (!fiber.undoing && !fiber.returning) run.acting();
  switch (callee.kind) {
    case "effect":
      if (callee.decodeItem) return new StreamStep(run, fiber, step, callee, input, options, taker ?? new Collector(callee.decodeItem));
      return new EffectStep(run, fiber, step, callee, input, options);
    case "compute": {
      const timeout = options.timeout ?? callee.timeout;
      return new ComputeStep(run, fiber, step, callee, input, timeout === undefined ? undefined : durationMs(timeout));
    }
    case "reducer":
      return new ReduceStep(run, fiber, step, callee, input, options);
    case "workflow":
      run.met(callee);
      return new ChildStep(run, fiber, step, callee, input, options);
  }
}

/** Makes branches of `parent`: a path of their own and, if scoped, an undo scope of their own. */
function spawner(run: Performing, parent: Fiber, names: Names, scoped: boolean): Spawn {
  // What `finally` does is cleanup in its branches as well: nothing of it is undone.
  const around = parent.returning ? undefined : parent.scope;
  return (work, onSettled) =>
    new Fiber(run, work, {
      names,
      scope: scoped && around ? new Scope(around) : around,
      ownsScope: scoped && around !== undefined,
      undoing: parent.undoing,
      onSettled,
    });
}
function branch(run: Performing, parent: Fiber, key: string): Spawn {
  return spawner(run, parent, new Names(`${parent.names.next(key)}/`), true);
}

function all(run: Performing, fiber: Fiber, spec: OpSpec & { readonly kind: "all" }): Pending {
  const list = Array.isArray(spec.branches);
  const results: unknown = list ? new Array(spec.branches.length) : {};
  const join = new Join(fiber, () => results);
  for (const work of Object.values(spec.branches)) mustPerform(work);
  for (const [key, work] of Object.entries(spec.branches))
    join.add(spec.bare ? spawner(run, fiber, fiber.names, false) : branch(run, fiber, key), work, (value) => {
      (results as Record<string, unknown>)[key] = value;
    });
  join.sealed();
  return join;
}

function race(run: Performing, fiber: Fiber, spec: OpSpec & { readonly kind: "race" }): Pending {
  let winner: { readonly winner: string; readonly value: unknown } | undefined;
  const entries = Object.entries(spec.branches);
  if (entries.length === 0) throw new OnexError("BRANCH_INVALID", "a race needs at least one branch: an empty one would wait for ever");
  for (const [, work] of entries) mustPerform(work);
  const join = new Join(fiber, () => winner, "loser");
  for (const [key, work] of entries)
    join.add(branch(run, fiber, key), work, (value) => {
      winner = { winner: key, value };
      join.stop();
    });
  join.sealed();
  return join;
}

function each(run: Performing, fiber: Fiber, spec: OpSpec & { readonly kind: "each" }): Pending {
  const { concurrency = run.defaults.concurrency ?? 10, batchSize, key } = spec.options;
  if (!(concurrency >= 1) || (batchSize !== undefined && !(batchSize >= 1)))
    throw new OnexError("BRANCH_INVALID", "each: concurrency and batchSize are whole numbers of at least 1");
  const begin = (item: unknown, index: number): readonly [Spawn, unknown] => {
    const spawn = spec.bare
      ? spawner(run, fiber, fiber.names, false)
      : branch(run, fiber, key ? run.guard(() => key(item as never, index)) : String(index));
    const work = asMaker(fiber, () => run.guard(() => spec.branch(item as never, index)));
    mustPerform(work);
    return [spawn, work];
  };
  if (spec.items instanceof Op) return consume(run, fiber, spec.items, begin, concurrency, batchSize);
  const list = spec.items as readonly unknown[];
  const items: readonly unknown[] = batchSize === undefined ? list : batches(list, batchSize);
  const results: unknown[] = new Array(items.length);
  const join = new Join(fiber, () => results);
  let at = 0;
  const next = (): void => {
    if (at >= items.length || join.over) return;
    const index = at++;
    let begun: readonly [Spawn, unknown];
    try {
      begun = begin(items[index], index);
    } catch (error) {
      return join.fail(error);
    }
    join.add(...begun, (value) => {
      results[index] = value;
      next();
    });
  };
  for (let i = 0; i < concurrency && i < items.length; i++) next();
  join.sealed();
  return join;
}

/** The stream is a fiber beside its branches: whichever fails cancels the rest, and all have settled before it goes on. */
function consume(
  run: Performing,
  fiber: Fiber,
  items: Op,
  begin: (item: unknown, index: number) => readonly [Spawn, unknown],
  concurrency: number,
  batchSize: number | undefined,
): Pending {
  const stream = items.begin();
  if (stream.kind !== "call" || !stream.callee.decodeItem)
    throw new OnexError("BRANCH_INVALID", "each goes over a list or a stream: perform what gives the list with `yield*` before");
  const results: unknown[] = [];
  const join = new Join(fiber, () => results);
  const taker = new Consumer(join, begin, results, { concurrency, batchSize, decode: stream.callee.decodeItem });
  join.add(spawner(run, fiber, fiber.names, false), new Op({ ...stream, kind: "stream", taker }), () => {});
  join.sealed();
  return join;
}

function attempt(run: Performing, fiber: Fiber, work: unknown): Pending {
  let outcome: unknown;
  const join = new Join(fiber, () => outcome);
  const spawn: Spawn = (inner, onSettled) =>
    spawner(
      run,
      fiber,
      fiber.names,
      true,
    )(inner, (settled) => {
      outcome = outcomeOf(settled);
      onSettled(outcome ? { how: "ok", value: outcome } : settled);
    });
  join.add(spawn, work, () => {});
  join.sealed();
  return join;
}

function group(run: Performing, fiber: Fiber, spec: OpSpec & { readonly kind: "group" }): Pending {
  let value: unknown;
  const prefix = fiber.names.next(spec.key);
  let timer: TimerStep | undefined;
  const join = new Join(fiber, () => {
    timer?.stop();
    return value;
  });
  const spawn = spawner(run, fiber, new Names(`${prefix}/`), spec.scoped);
  join.add(
    (inner, onSettled) =>
      spawn(inner, (settled) => {
        timer?.stop();
        onSettled(settled);
      }),
    spec.work,
    (result) => {
      value = result;
    },
  );
  if (spec.timeout !== undefined) {
    const message = `${prefix} did not end within ${spec.timeout}`;
    timer = new TimerStep(run, `${prefix}~timeout`, run.now + durationMs(spec.timeout), "timeout", () =>
      join.fail(new StepError({ code: "STEP_TIMEOUT", message }, { step: prefix, node: "", attempts: 1 })),
    );
  }
  join.sealed();
  return join;
}

function compensate(run: Performing, fiber: Fiber, work: readonly unknown[]): Pending {
  const step = fiber.names.next("compensate");
  const undos =
    work.length > 0
      ? [...work].reverse().map((inner, i) => ({ step: `${step}/${work.length - 1 - i}`, make: () => inner }))
      : (fiber.scope?.takeAll() ?? []).map((entry) => undoOf(entry, (id) => run.keyOf(id)));
  for (const inner of work) if (typeof inner === "object" && inner !== null && "begin" in inner) (inner as Op).begin();
  return undoThese(run, fiber, undos);
}

function undoThese(run: Performing, fiber: Fiber, undos: readonly Undo[]): Pending {
  new UndoJob(
    run,
    undos,
    (step, error) => run.undoFailed(step, error),
    () => fiber.resume(undefined),
  );
  // Once begun, it ends also when its fiber is cancelled: a half-done undo helps nobody.
  return { cancel: () => {} };
}

function restart(run: Performing, fiber: Fiber, input: unknown): Pending {
  const next = toJson(input, "restart: input");
  const pending: Pending = { cancel: () => fiber.resume(undefined) };
  fiber.waiting = pending;
  run.stop({ how: "restarted", input: next });
  return pending;
}

function batches(items: readonly unknown[], size: number): unknown[][] {
  const out: unknown[][] = [];
  for (let i = 0; i < items.length; i += size) out.push(items.slice(i, i + size));
  return out;
}
