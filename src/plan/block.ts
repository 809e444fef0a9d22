/**
 * The steps of one block, started as what they wait for settles: one fiber each, held by a gate that the last
 * predecessor opens. Work is proportional to steps and edges; nothing recurses along the graph.
 */
import { StepError } from "../core/failure.ts";
import type { Json } from "../core/json.ts";
import type { Steps } from "../core/operation.ts";
import { gather, Latch } from "../core/structure.ts";
import type { Block, NamedStep } from "./flow.ts";
import { Frame } from "./frame.ts";
import { type At, type PlanRun, runStep } from "./interpret.ts";
import { fill } from "./template.ts";

/** `implicit`: without `output` the value is that of the last step. */
export function* runBlock(run: PlanRun, block: Block, at: At, implicit: boolean): Steps<Json> {
  const frame = new Frame(at.frame);
  const inner: At = { ...at, frame };
  if (block.chain)
    for (const step of block.steps) frame.set(step.name, yield* runStep(run, step.body, { ...inner, order: step.order }, step.name));
  else {
    const turn = new BlockRun(block);
    yield* gather(block.steps.map((step, i) => runNamed(run, turn, step, i, inner)));
    if (turn.failure) throw turn.failure;
  }
  if (block.output) return fill(block.output, frame);
  return implicit ? (frame.get(block.steps.at(-1)?.name ?? "") ?? null) : null;
}

function* runNamed(run: PlanRun, turn: BlockRun, step: NamedStep, i: number, at: At): Steps<Json> {
  if (!turn.ready(i)) yield* turn.gate(i).wait();
  if (turn.isDead(i)) {
    turn.settled(i, false);
    return null;
  }
  try {
    const value = yield* runStep(run, step.body, { ...at, order: step.order }, step.name, { failure: turn.unmet(step, at) });
    at.frame.set(step.name, value);
    turn.settled(i, true);
    return value;
  } catch (error) {
    // Its failure is for the steps to judge that wanted any of several: enough of the others may do (API 4, point 7).
    if (!(error instanceof StepError) || !(step.judged || run.defaults.goOn)) throw error;
    if (!step.judged) turn.bury(i, error);
    turn.settled(i, false);
    return null;
  }
}

class BlockRun {
  readonly #block: Block;
  readonly #left: number[];
  readonly #gates: (Latch | undefined)[];
  /** For a step that wants any of several: how many are missing, and how many may still come. */
  readonly #missing: number[];
  readonly #possible: number[];
  /** Steps that failed, or need one that did, where the others go on. */
  readonly #dead = new Set<number>();
  /** The first that failed: the block fails with it when the others have settled. */
  failure: StepError | undefined;

  constructor(block: Block) {
    this.#block = block;
    this.#left = block.steps.map((step) => step.waitsFor);
    this.#gates = block.steps.map(() => undefined);
    this.#missing = block.steps.map((step) => step.any?.count ?? 0);
    this.#possible = block.steps.map((step) => step.any?.of.length ?? 0);
  }

  ready(i: number): boolean {
    return this.#left[i] === 0;
  }
  gate(i: number): Latch {
    const gate = this.#gates[i] ?? new Latch();
    this.#gates[i] = gate;
    return gate;
  }

  isDead(i: number): boolean {
    return this.#dead.has(i);
  }
  /** It failed, and what does not depend on it goes on: its dependents settle without having run. */
  bury(failed: number, error: StepError): void {
    this.failure ??= error;
    this.#dead.add(failed);
    const left = [failed];
    for (let i = left.pop(); i !== undefined; i = left.pop())
      for (const { step, any } of this.#block.dependents[i] ?? [])
        if (!any && !this.#dead.has(step)) {
          this.#dead.add(step);
          this.#open(step);
          left.push(step);
        }
  }

  /** The failure of a step whose `any` can no longer be met. */
  unmet(step: NamedStep, at: At): StepError | undefined {
    const i = this.#block.index.get(step.name) ?? -1;
    if (!step.any || (this.#missing[i] ?? 0) === 0) return undefined;
    const message = `${step.name} needs ${step.any.count} of ${step.any.of.join(", ")} to succeed, and too many failed`;
    return new StepError({ code: "NEEDS_UNMET", message }, { step: at.path + step.name, node: "", attempts: 1 });
  }

  settled(i: number, succeeded: boolean): void {
    for (const { step, any } of this.#block.dependents[i] ?? []) {
      if (!any) this.#count(step);
      else if (succeeded) this.#gained(step);
      else this.#lost(step);
    }
  }
  #gained(step: number): void {
    const missing = this.#missing[step] ?? 0;
    if (missing === 0) return;
    this.#missing[step] = missing - 1;
    if (missing === 1) this.#count(step);
  }
  #lost(step: number): void {
    const possible = (this.#possible[step] ?? 0) - 1;
    this.#possible[step] = possible;
    // Settled members are counted in `missing`, so what is possible are the members that have not failed.
    const wanted = this.#block.steps[step]?.any?.count ?? 0;
    if (possible === wanted - 1) this.#open(step);
  }
  #count(step: number): void {
    if (this.#dead.has(step)) return;
    const left = (this.#left[step] ?? 0) - 1;
    this.#left[step] = left;
    if (left === 0) this.#open(step);
  }
  #open(step: number): void {
    this.#left[step] = 0;
    this.#gates[step]?.release();
  }
}
