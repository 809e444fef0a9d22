/** What a turn does itself: computes, reducers, and the look at an effect's input before its intent is written. */
import type { CommandOf } from "../core/command.ts";
import type { FactBody } from "../core/fact.ts";
import { type Failure, failureOf, OnexError } from "../core/failure.ts";
import { type Json, toJson } from "../core/json.ts";
import type { ComputeContract, Contract, ReducerContract } from "../node/contract.ts";
import { recordedOutput } from "../node/contract.ts";
import { type Checked, checkMaybe } from "../node/schema.ts";
import type { Runtime } from "./runtime.ts";
import { checkSize } from "./values.ts";
import type { World } from "./world.ts";

export function runCompute(
  runtime: Pick<Runtime, "guard"> & { readonly settings: Pick<Runtime["settings"], "maxValueBytes"> },
  wish: CommandOf<"compute">,
): Extract<FactBody, { readonly type: "compute.completed" | "compute.failed" }> {
  const contract = wish.callee as ComputeContract;
  const base = { step: wish.step, node: contract.name, digest: wish.digest };
  try {
    const input = contract.decodeInput(wish.input);
    const returned = runtime.guard(() => (contract.run as (input: unknown) => unknown)(input));
    const output = recordedOutput(contract, returned);
    checkSize(output, runtime.settings.maxValueBytes, `compute ${contract.name}: output`);
    return { type: "compute.completed", ...base, output };
  } catch (error) {
    return { type: "compute.failed", ...base, error: failureOf(error, "COMPUTE_THREW") };
  }
}

/** A value that a workflow may not make itself, so that it replays; `now`: the time of the turn. */
export function freshValue({ entropy }: World, of: CommandOf<"value">["of"], now: number): Json {
  return of === "now" ? now : of === "random" ? entropy.random() : entropy.uuid();
}

/** Applies an event on a store with one owner. */
export function runReducer(
  runtime: Runtime,
  wish: CommandOf<"reduce">,
): { readonly fact: FactBody; readonly state?: { readonly reducer: string; readonly key: string; readonly state: string } } {
  const contract = wish.callee as ReducerContract;
  const key = reducerKey(wish);
  if (typeof key !== "string") return { fact: key };
  const fact = reduced(runtime, wish, key, runtime.states.read(contract, key));
  if (fact.type !== "reducer.applied") return { fact };
  runtime.states.write(contract, key, fact.state);
  return { fact, state: { reducer: contract.name, key, state: JSON.stringify(fact.state) } };
}

/** The key that an event is for, or what comes of one that has none. */
export function reducerKey(wish: CommandOf<"reduce">): string | FactBody {
  const contract = wish.callee as ReducerContract;
  try {
    return contract.keyOf(contract.decodeInput(wish.input) as never);
  } catch (error) {
    return notReduced(wish, error);
  }
}

/** What comes of an event after the state of its key. */
export function reduced(runtime: Pick<Runtime, "guard" | "settings">, wish: CommandOf<"reduce">, key: string, state: Json): FactBody {
  const contract = wish.callee as ReducerContract;
  try {
    const event = contract.decodeInput(wish.input) as never;
    const before = contract.decode(state);
    const after = runtime.guard(() => (contract.run as (state: unknown, event: unknown) => unknown)(before, event));
    const output: Json = recordedOutput(contract, after);
    checkSize(output, runtime.settings.maxValueBytes, `reducer ${contract.name}: state`);
    return { type: "reducer.applied", step: wish.step, node: contract.name, key, input: wish.input, state: output };
  } catch (error) {
    return notReduced(wish, error);
  }
}

function notReduced({ step, callee }: CommandOf<"reduce">, error: unknown): FactBody {
  return { type: "step.failed", step, node: callee.name, attempts: 1, error: failureOf(error, "REDUCER_THREW") };
}

/** Why an effect is not sent: its service is missing, or its input is refused; else its input as the effect gets it. */
export function tryInput(
  runtime: Runtime,
  wish: CommandOf<"dispatch">,
): { readonly missing?: string; readonly error?: Failure; readonly decoded?: Checked } | undefined {
  const contract = wish.callee as Contract;
  const missing = runtime.services.missing(contract);
  if (missing !== undefined) return { missing };
  try {
    checkSize(wish.input, runtime.settings.maxValueBytes, `effect ${contract.name}: input`);
    const checked = checkMaybe(contract.input, wish.input);
    // An asynchronous schema is asked again when the call is made.
    if (checked instanceof Promise) return undefined;
    if (checked.problem !== undefined)
      return { error: { code: "INPUT_INVALID", message: `effect ${contract.name}: input: ${checked.problem}` } };
    return { decoded: checked };
  } catch (error) {
    return { error: failureOf(error, "INPUT_INVALID") };
  }
}

/** What `start` and a child call ask of an input. Throws OnexError `INPUT_INVALID`, `INPUT_NOT_JSON`, `VALUE_TOO_LARGE`. */
export function startInput(contract: Contract, given: unknown, maxValueBytes: number): Json {
  const where = `workflow ${contract.name}: input`;
  let input: Json;
  try {
    input = toJson(given, where);
  } catch (error) {
    throw new OnexError("INPUT_NOT_JSON", (error as Error).message);
  }
  checkSize(input, maxValueBytes, where);
  contract.decodeInput(input);
  return input;
}
