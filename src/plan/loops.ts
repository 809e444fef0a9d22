/** The verbs that do a body several times, or several bodies at once. */
import { OnexError, StepError } from "../core/failure.ts";
import type { Json } from "../core/json.ts";
import type { Steps } from "../core/operation.ts";
import { consume, gather, sleepFor } from "../core/structure.ts";
import { race } from "../core/verbs.ts";
import { itemAsJson, streamOf } from "./call.ts";
import { kindOf } from "./cel/value.ts";
import { Expression } from "./expression.ts";
import type { Step, Verb } from "./flow.ts";
import { Frame } from "./frame.ts";
import { type At, asStepError, holds, inside, natural, type PlanRun, runStep } from "./interpret.ts";

type Each = Verb & { readonly kind: "each" };
type Repeat = Verb & { readonly kind: "repeat" };

/** A few workers take the items in turn, so ten thousand items cost ten fibers. */
export function* runEach(run: PlanRun, verb: Each, at: At): Steps<Json> {
  const { over, batchSize } = verb;
  const concurrency = verb.concurrency ?? run.defaults.concurrency ?? 10;
  const results: (Json | undefined)[] = [];
  const errors: { readonly [key: string]: Json }[] = [];
  function* one(item: Json, index: number): Steps<null> {
    const frame = new Frame(at.frame, { [verb.as]: item, index });
    try {
      results[index] = yield* runStep(run, verb.body, { ...at, frame }, String(index), { body: "scoped" });
    } catch (thrown) {
      const error = asStepError(thrown, `${at.path}${index}`);
      if (!verb.collect || !(error instanceof StepError)) throw error;
      errors.push({ index, item, code: error.code, message: error.message, step: error.step, details: error.details ?? null });
    }
    return null;
  }
  if (over instanceof Expression) {
    const items = listOf(over, at, batchSize);
    let next = 0;
    function* work(): Steps<null> {
      while (next < items.length) {
        const index = next++;
        yield* one(items[index] as Json, index);
      }
      return null;
    }
    yield* gather(Array.from({ length: Math.min(concurrency, items.length) }, () => work()));
  } else {
    const { stream, node } = streamOf(run, over, at);
    const branch = (item: unknown, index: number) => one(itemAsJson(item, node, `${at.path}${index}`), index);
    yield* consume(stream, branch, batchSize === undefined ? { concurrency } : { concurrency, batchSize });
  }
  if (!verb.collect) return results as Json[];
  return {
    results: results.filter((result) => result !== undefined),
    errors: errors.sort((a, b) => (a.index as number) - (b.index as number)),
  };
}

function listOf(over: Expression, at: At, batchSize: number | undefined): readonly Json[] {
  const list = over.evaluate(at.frame);
  if (!Array.isArray(list)) throw new OnexError("EXPRESSION_FAILED", `each: \`${over.text}\` must be a list, and it is ${kindOf(list)}`);
  return batchSize === undefined ? (list as readonly Json[]) : batches(list as readonly Json[], batchSize);
}

function batches(items: readonly Json[], size: number): Json[][] {
  const out: Json[][] = [];
  for (let i = 0; i < items.length; i += size) out.push(items.slice(i, i + size));
  return out;
}

/** The first to settle decides; the rest are cancelled, and undone. */
export function* runRace(run: PlanRun, branches: ReadonlyMap<string, Step>, at: At): Steps<Json> {
  const running: Record<string, Steps<Json>> = {};
  for (const [key, step] of branches) running[key] = runStep(run, step, inside(at, key), natural(step.verb), { branch: true });
  return yield* race(running);
}

export function* runRepeat(run: PlanRun, verb: Repeat, at: At): Steps<Json> {
  let last: Json = null;
  for (let index = 0; index < verb.max; index++) {
    const before = new Frame(at.frame, { last, index });
    last = yield* runStep(run, verb.body, { ...at, frame: before }, String(index), { body: "plain" });
    if (holds(verb.until, new Frame(at.frame, { last, index }), "until")) return last;
    if (verb.everyMs > 0 && index + 1 < verb.max) yield* sleepFor(verb.everyMs, `${index}~every`);
  }
  const step = at.path.replace(/\/$/, "");
  throw new StepError(
    { code: "REPEAT_LIMIT", message: `${step} was repeated ${verb.max} times, and \`${verb.until.text}\` never held`, details: last },
    { step, node: "", attempts: 1 },
  );
}
