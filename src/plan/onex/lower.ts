/**
 * The model → a native plan, in constructs that the grammar has.
 *
 * M1 parallel, conditional: a group for each wave; batch: waves cut into chunks; sequential: each step a group of its own.
 * M2 All of a group has settled before one of the next begins. Between two groups stands a `set` that waits for the first
 *    and that the second waits for, so edges stay proportional to steps. It performs nothing and leaves no fact.
 * M3 A node is given `{ config, input, DEPENDENCY: output, … }`.
 * M4 The output of a run is `{ steps, skipped, errors }`, each in the order of declaration; that of a stream is null, since
 *    its items went to its taker.
 */
import type { Json } from "../../core/json.ts";
import { oneOf } from "../suggest.ts";
import { failed, judgedBy, neededBy, type Outcomes, outcomesOf, outputOf, takenWhen } from "./conditions.ts";
import { plain } from "./environment.ts";
import type { OnexStep, OnexWorkflow, OnFailure, Rules } from "./model.ts";
import { Made } from "./places.ts";
import { joined, streamed, type Taking, takings } from "./streaming.ts";
import { ms, policyOf } from "./timing.ts";
import { wavesOf } from "./waves.ts";

type Data = Record<string, Json>;

export interface Lowered {
  readonly plan: Json;
  readonly places: Made;
}

export function lower(workflow: OnexWorkflow, onFailure: "stop" | "compensate"): Lowered {
  const { rules, steps, place } = workflow;
  const places = new Made();
  const made = places.put<Data>({}, place);
  const taken = takings(steps.filter((step) => step.enabled));
  const enabled = joined(
    steps.filter((step) => step.enabled),
    taken,
  );
  const outcomes = outcomesOf(enabled, (step) => actionOf(step, rules) === "continue");
  const lowering = new Lowering(workflow, enabled, outcomes, places, taken);
  /** The group before. */
  let last: readonly string[] = [];
  const done: OnexStep[] = [];
  for (const group of groupsOf(enabled, rules)) {
    let before = last;
    if (last.length > 1) {
      const gate = lowering.fresh("all_settled");
      made[gate] = places.put({ set: null, needs: last }, place);
      before = [gate];
    }
    for (const step of group) {
      made[step.name] = lowering.step(step, before, done);
      places.entry(made, step.name, step.place);
    }
    last = group.map(({ name }) => name);
    done.push(...group);
  }
  const output = lowering.output(made);
  if (Object.keys(made).length === 0) made[lowering.fresh("nothing")] = places.put({ set: null }, place);
  const plan: Data = {
    onex: "v1",
    kind: "workflow",
    name: workflow.name,
    version: workflow.version,
    ...(workflow.description === undefined ? {} : { description: workflow.description }),
    timeout: ms(rules.timeoutMs),
    ...(rules.concurrency === undefined ? {} : { concurrency: rules.concurrency }),
    ...defaultsOf(rules),
    onFailure,
    steps: made,
    output,
  };
  return { plan: places.put(plan, place), places };
}

/** A step's own word, else the workflow's. */
export function actionOf(step: OnexStep, rules: Rules): OnFailure {
  return step.onFailure === undefined || step.onFailure === "retry" ? rules.onFailure : step.onFailure;
}

function defaultsOf({ stepTimeoutMs, retry }: Rules): Data {
  if (stepTimeoutMs === undefined && retry === undefined) return {};
  const policy = retry && (policyOf(retry.retries, retry) as Json);
  return {
    defaults: {
      ...(stepTimeoutMs === undefined ? {} : { timeout: ms(stepTimeoutMs) }),
      ...(policy === undefined ? {} : { retry: policy }),
    },
  };
}

/** M1. */
function groupsOf(steps: readonly OnexStep[], rules: Rules): OnexStep[][] {
  const waves = wavesOf(steps);
  if (rules.mode === "sequential") return waves.flat().map((step) => [step]);
  const size = rules.mode === "batch" ? (rules.batchSize ?? rules.concurrency) : undefined;
  if (size === undefined) return waves;
  return waves.flatMap((wave) => Array.from({ length: Math.ceil(wave.length / size) }, (_, i) => wave.slice(i * size, (i + 1) * size)));
}

class Lowering {
  readonly #workflow: OnexWorkflow;
  readonly #byName: ReadonlyMap<string, OnexStep>;
  readonly #outcomes: Outcomes;
  readonly #places: Made;
  /** Of streams, by the step that takes them. */
  readonly #takings: ReadonlyMap<string, Taking>;
  readonly #taken: Set<string>;

  constructor(workflow: OnexWorkflow, enabled: readonly OnexStep[], outcomes: Outcomes, places: Made, taken: ReadonlyMap<string, Taking>) {
    this.#workflow = workflow;
    this.#byName = new Map(enabled.map((step) => [step.name, step]));
    this.#outcomes = outcomes;
    this.#places = places;
    this.#takings = taken;
    this.#taken = new Set(workflow.steps.map(({ name }) => name));
  }

  /** A name that no step has. */
  fresh(word: string): string {
    let name = `_${word}`;
    for (let i = 2; this.#taken.has(name); i++) name = `_${word}_${i}`;
    this.#taken.add(name);
    return name;
  }

  step(step: OnexStep, before: readonly string[], done: readonly OnexStep[]): Json {
    const { records, failing, forgiven } = this.#outcomes;
    const dependencies = step.dependsOn.filter((name) => this.#byName.has(name));
    const judged = step.branch ? judgedBy(step.branch, this.#byName) : [];
    // Rule 5: a dependency that failed is a failure of this step; one that a condition judges is not.
    const needed = neededBy(step, this.#byName).filter((name) => failing.has(name));
    const earlier = step.skipOnFailure ? done.filter(({ name }) => failing.has(name)).map(({ name }) => name) : [];
    const when = this.#when(step, needed, earlier);
    const call = {
      ...this.#work(step),
      ...(forgiven.has(step.name) ? { onError: "continue" } : {}),
      ...(records.has(step.name) ? { outcome: true } : {}),
    };
    const refers = new Set([...dependencies, ...judged, ...earlier]);
    const needs = before.filter((name) => !refers.has(name));
    const about = step.description;
    const description = step.id === step.name ? about : `${step.id}${about === undefined ? "" : `: ${about}`}`;
    const whole: Data = {
      ...(when === undefined ? {} : { when }),
      ...(needed.length === 0 ? call : { switch: [unmet(step, needed), this.#at(step, call)] }),
      ...(when === undefined || needed.length === 0 ? {} : { default: record("STEP_SKIPPED", "the step was skipped", step) }),
      ...(needs.length === 0 ? {} : { needs: [...needs] }),
      ...(step.priority === undefined ? {} : { priority: step.priority }),
      ...(description === undefined ? {} : { description }),
    };
    this.#at(step, whole);
    if (step.branch) this.#places.entry(whole, "when", step.branch.place);
    return whole;
  }

  #when(step: OnexStep, needed: readonly string[], earlier: readonly string[]): string | undefined {
    const taken = step.branch && takenWhen(step.branch, this.#outcomes);
    const well = earlier.length === 0 ? undefined : [...needed.map(failed), `!(${earlier.map(failed).join(" || ")})`].join(" || ");
    if (taken === undefined || well === undefined) return taken ?? well;
    return `(${taken}) && (${well})`;
  }

  /** The call of a node; of a taker, for each item of its stream. */
  #work(step: OnexStep): Data {
    const taking = this.#takings.get(step.name);
    if (!taking) return this.#call(step);
    const { stream, taker } = taking;
    return this.#places.put(streamed(this.#call(stream), this.#call(taker, { [stream.name]: "${ item }" })), step.place);
  }

  #call(step: OnexStep, more: Data = {}): Data {
    const { retry } = this.#workflow.rules;
    const given: Data = { config: step.config, input: "${ input }" };
    for (const name of step.dependsOn) if (this.#byName.has(name)) given[name] = `\${ ${outputOf(name, this.#outcomes)} }`;
    const timed = step.kind === "effect" || step.kind === "workflow";
    const retries = step.retries ?? (step.onFailure === "retry" ? (retry?.retries ?? 3) : undefined);
    const call: Data = {
      [step.kind]: step.reference,
      with: { ...given, ...more },
      ...(timed && step.timeoutMs !== undefined ? { timeout: ms(step.timeoutMs) } : {}),
      ...(timed && retries !== undefined ? { retry: policyOf(retries, retry) as Json } : {}),
    };
    return this.#at(step, call);
  }
  #at(step: OnexStep, call: Data): Data {
    this.#places.put(call, step.place);
    this.#places.entry(call, step.kind, step.referencePlace);
    return call;
  }

  /** M4. Adds what the output needs to `made`. */
  output(made: Data): Json {
    const { steps, rules, place } = this.#workflow;
    const { records } = this.#outcomes;
    const values: Data = {};
    for (const { name } of steps) values[name] = this.#byName.has(name) ? `\${ ${outputOf(name, this.#outcomes)} }` : null;
    if (records.size === 0) return { steps: values, skipped: steps.filter(({ enabled }) => !enabled).map(({ name }) => name), errors: [] };
    const all = this.fresh("outcomes");
    made[all] = this.#places.put<Data>(
      {
        set: steps
          .filter(({ name, enabled }) => !enabled || records.has(name))
          .map(({ name, enabled }) => ({
            step: name,
            error: enabled ? `\${ ${name}.error }` : { code: "STEP_SKIPPED", message: "not enabled" },
          })),
      },
      place,
    );
    const errors = `${all}.map(o, o.error != null && o.error.code != "STEP_SKIPPED", {"step": o.step, "code": o.error.code, "message": o.error.message})`;
    if (rules.minPercent > 0) this.#enough(made, errors);
    return {
      steps: values,
      skipped: `\${ ${all}.filter(o, o.error != null && o.error.code == "STEP_SKIPPED").map(o, o.step) }`,
      errors: `\${ ${errors} }`,
    };
  }

  /** A run of which too few steps completed has failed. */
  #enough(made: Data, errors: string): void {
    const { rules, place } = this.#workflow;
    const total = this.#byName.size;
    const most = Math.floor((total * (100 - rules.minPercent)) / 100);
    const list = this.fresh("failures");
    made[list] = this.#places.put<Data>({ set: `\${ ${errors} }` }, place);
    made[this.fresh("enough")] = this.#places.put<Data>(
      {
        when: `size(${list}) > ${most}`,
        fail: {
          code: "ONEX_INCOMPLETE",
          message: plain(`fewer than ${rules.minPercent} % of the steps completed`),
          details: { errors: `\${ ${list} }` },
        },
      },
      place,
    );
  }
}

/** Where a step would have called, and what it needs has failed: it has failed too, and the run goes on. */
function unmet(step: OnexStep, needed: readonly string[]): Json {
  const message = `not all of ${oneOf([...needed])} completed`;
  return { when: needed.map(failed).join(" || "), set: record("DEPENDENCY_FAILED", plain(message), step) };
}
function record(code: string, message: string, step: OnexStep): Json {
  return { ok: false, value: null, error: { code, message, step: step.name, details: null } };
}
