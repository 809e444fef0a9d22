/**
 * Operations: durable work that has not begun. `yield*` hands one to the fiber that drives the generator.
 *
 * O1 An operation is inert data until it is begun; making one has no effect.
 * O2 Every operation made while a generator advances is counted with its maker, and taken off when it is begun:
 *    what is left when the run ends was forgotten (`OPERATION_NOT_PERFORMED`).
 * O3 `await operation` rejects: `then` takes no callback that a program could pass on purpose.
 */
import type { Duration } from "./duration.ts";
import { OnexError, type StepError } from "./failure.ts";
import type { Json } from "./json.ts";
import type { RetryPolicy } from "./retry.ts";

/** @public the brand of `Instruction`, named in declarations. */
export const instruction: unique symbol = Symbol("onex.instruction");
export interface Instruction {
  readonly [instruction]: true;
}

/** Durable work that has not begun: `yield*` performs it and gives its result. */
export interface Operation<out T> {
  [Symbol.iterator](): Iterator<Instruction, T, unknown>;
  /** Never call it: it makes `await operation` an error (at compile time, and by rejecting at run time). */
  then(use: "✗ inside a workflow write `yield*`, not `await`; outside one use orchestrator.start"): never;
}
/** The return type of a generator that performs operations; needed only where a function calls itself. */
export type Steps<T> = Generator<Instruction, T, unknown>;
/** Whatever `yield*` can perform: an operation, or a generator of them. */
export type Performable<T> = Operation<T> | Steps<T>;
/** @public the brand of `Stream`, named in declarations. */
export declare const streamed: unique symbol;
/** A stream of items: `each` takes them one by one as they arrive, `yield*` collects them. */
export interface Stream<out T> extends Operation<readonly T[]> {
  /** Only a type: it tells a stream from any other operation that gives a list. */
  readonly [streamed]: T;
}
export type Result<P> = P extends { [Symbol.iterator](): Iterator<infer _I, infer T, infer _N> } ? T : never;
export type Results<P> = { -readonly [K in keyof P]: Result<P[K]> };

export type NodeKind = "compute" | "effect" | "reducer" | "workflow";

/** How an effect is taken back; `output` is undefined when its outcome is unknown (it may have happened). */
export interface Undoing<Input, Output> {
  readonly input: Input;
  readonly output: Output | undefined;
  readonly idempotencyKey: string;
}

/** What the core knows of a node that a run calls. */
export interface Callee {
  readonly kind: NodeKind;
  readonly name: string;
  readonly version: string;
  readonly retry?: RetryPolicy | false | undefined;
  readonly timeout?: Duration | undefined;
  readonly heartbeat?: Duration | undefined;
  readonly idempotent?: boolean | undefined;
  readonly readonly?: boolean | undefined;
  readonly irreversible?: string | undefined;
  readonly inDoubt?: "retry" | "fail" | "pause" | undefined;
  /** Effect: the call that takes it back. Reducer: the event that does. */
  readonly undo?: ((done: Undoing<never, never>) => unknown) | undefined;
  readonly undoEvent?: ((event: never) => unknown) | undefined;
  /** A recorded output as the caller gets it (after the schema's defaults and transforms). */
  decode(output: Json): unknown;
  /** A stream's recorded item as its consumer gets it; its presence makes an effect a stream. */
  readonly decodeItem?: ((item: Json) => unknown) | undefined;
  /** A recorded input as the node's own functions get it. */
  decodeInput(input: Json): unknown;
}

export interface StepOptions {
  /** The step's name in facts, views and `stepInputs`; default the node's name, `#2` when it repeats. */
  readonly step?: string;
  /** Of one attempt. */
  readonly timeout?: Duration;
  readonly retry?: RetryPolicy | false;
  /** 1 to 1000, lower goes first; default the run's, else 100. */
  readonly priority?: number;
  /** Not undone when its scope succeeds without it (a loser of a race, an unknown outcome). */
  readonly keep?: boolean;
}
export interface ChildOptions extends StepOptions {
  readonly runId?: string;
}
/** What a plan says beside: the file's defaults, and the undo of this one step. */
export interface CallOptions extends ChildOptions {
  readonly defaults?: { readonly timeout?: Duration | undefined; readonly retry?: RetryPolicy | false | undefined } | undefined;
  readonly undo?: ((done: Undoing<Json, Json>) => Performable<unknown>) | undefined;
}

export interface EachOptions<T> {
  /** Branches at once; default 10. */
  readonly concurrency?: number;
  /** Items to a branch; default no batches. */
  readonly batchSize?: number;
  /** Names the branch; default the index. */
  readonly key?: (item: T, index: number) => string;
}
export type Outcome<T> =
  | { readonly ok: true; readonly value: T; readonly error?: never }
  | { readonly ok: false; readonly error: StepError; readonly value?: never };

/** Who takes the items of a stream, as they are recorded. */
export interface Taker {
  /** Whether the next item may be asked for. */
  readonly room: boolean;
  take(item: Json): void;
  /** No more will come; answers what the stream's step gives. */
  end(): unknown;
  /** Set by the stream: to be called when there is room again. */
  more: () => void;
}

/** Checks a payload: what the workflow gets, or what is wrong with it. */
export type Check = (payload: Json) => { readonly value: unknown } | { readonly problem: string };

type Branch = Performable<unknown>;
export type OpSpec =
  | { readonly kind: "call"; readonly callee: Callee; readonly input: unknown; readonly options: CallOptions }
  | { readonly kind: "read"; readonly callee: Callee; readonly key: string; readonly step: string | undefined }
  | { readonly kind: "all"; readonly branches: readonly Branch[] | Readonly<Record<string, Branch>>; readonly bare: boolean }
  | { readonly kind: "race"; readonly branches: Readonly<Record<string, Branch>> }
  | {
      readonly kind: "each";
      readonly items: readonly unknown[] | Operation<unknown>;
      readonly branch: (item: never, index: number) => Branch;
      readonly options: EachOptions<never>;
      /** The branches name their own steps and scopes. */
      readonly bare: boolean;
    }
  | {
      readonly kind: "stream";
      readonly callee: Callee;
      readonly input: unknown;
      readonly options: CallOptions;
      readonly taker: Taker;
    }
  | { readonly kind: "attempt"; readonly work: Branch }
  | {
      readonly kind: "group";
      readonly key: string;
      readonly work: Branch;
      readonly timeout: Duration | undefined;
      readonly scoped: boolean;
    }
  | { readonly kind: "sleep"; readonly ms: number; readonly step: string | undefined }
  | { readonly kind: "sleepUntil"; readonly due: number; readonly step: string | undefined }
  | { readonly kind: "wait"; readonly name: string; readonly check: Check; readonly step: string | undefined }
  | { readonly kind: "latch"; readonly latch: Latch }
  | { readonly kind: "compensate"; readonly work: readonly Branch[] }
  | { readonly kind: "undo"; readonly undos: readonly { readonly step: string; make(): unknown }[] }
  | { readonly kind: "restart"; readonly input: unknown }
  | { readonly kind: "value"; readonly of: "now" | "random" | "uuid" };

/** Who makes operations: the fiber that advances, and how many of its own it has not begun. */
export interface Maker {
  unbegun: number;
  /** Places of operations that are not begun yet; kept only when a run is folded again to find a forgotten one. */
  readonly places: Map<Op, string> | undefined;
  lost(count: number): void;
}
let advancing: Maker | undefined;
/** Whether it is a fiber's code that runs. */
export function isAdvancing(): boolean {
  return advancing !== undefined;
}

/** Runs `advance` as `maker`; advances never nest, since a fiber is resumed only from the drain loop. */
export function asMaker<T>(maker: Maker, advance: () => T): T {
  const before = advancing;
  advancing = maker;
  try {
    return advance();
  } finally {
    advancing = before;
  }
}

/** An operation as the core sees it. It is its own iterator: `yield*` allocates nothing else. */
export class Op<out T = unknown> implements Operation<T>, Instruction, Iterator<Instruction, T, unknown> {
  readonly [instruction] = true as const;
  readonly spec: OpSpec;
  #maker: Maker | undefined;
  #yielded = false;

  constructor(spec: OpSpec) {
    this.spec = spec;
    this.#maker = advancing;
    if (advancing) {
      advancing.unbegun++;
      advancing.places?.set(this, new Error().stack ?? "");
    }
  }
  [Symbol.iterator](): Iterator<Instruction, T, unknown> {
    this.#yielded = false;
    return this;
  }
  next(value?: unknown): IteratorResult<Instruction, T> {
    if (this.#yielded) return { done: true, value: value as T };
    this.#yielded = true;
    return { done: false, value: this };
  }
  throw(error: unknown): never {
    throw error;
  }
  return(value?: unknown): IteratorResult<Instruction, T> {
    return { done: true, value: value as T };
  }
  /** O3: refuses an `await`. */
  then(...callbacks: unknown[]): never {
    const error = new OnexError(
      "OPERATION_AWAITED",
      "an operation was awaited: inside a workflow write `yield*`, not `await`; outside one use orchestrator.start",
    );
    const reject = callbacks[1];
    if (typeof reject !== "function") throw error;
    return reject(error) as never;
  }
  /** Begins it: the maker has not forgotten it (O2). */
  begin(): OpSpec {
    if (this.#maker) {
      this.#maker.unbegun--;
      this.#maker.places?.delete(this as Op);
      this.#maker.lost(-1);
      this.#maker = undefined;
    }
    return this.spec;
  }
}

/** A gate inside one run: deterministic, since only facts move fibers. Used by plans to order steps. */
export class Latch {
  open = false;
  /** Resumes the waiting fibers, set by the fibers that wait. */
  readonly waiting: (() => void)[] = [];
  /** Lets everyone pass, now and later. */
  release(): void {
    this.open = true;
    for (const resume of this.waiting.splice(0)) resume();
  }
  /** Waits until it is open. */
  wait(): Operation<void> {
    return new Op({ kind: "latch", latch: this });
  }
}

export function isPerformable(value: unknown): value is Performable<unknown> {
  return value instanceof Op || (typeof value === "object" && value !== null && typeof (value as { next?: unknown }).next === "function");
}
