/** The schema of a step: exactly one verb, what belongs to the verb, and modifiers. */
import { celNames, scopeNames } from "../names.ts";
import type { policyKeys } from "../parse-modifiers.ts";
import { belongs, type VerbName, verbs } from "../parse-step.ts";
import {
  choice,
  closed,
  durationOrHole,
  durationText,
  expression,
  flag,
  list,
  named,
  ref,
  reference,
  type SchemaNode,
  said,
  text,
  whole,
} from "./pieces.ts";

const identifier = "^[A-Za-z_][A-Za-z0-9_]*$";
/** Names that expressions can use. */
export const nameSchema: SchemaNode = { type: "string", pattern: identifier, not: { enum: [...scopeNames, ...celNames] } };
const name = ref("name");
const itemName: SchemaNode = { anyOf: [{ const: "item" }, name] };

/** Named steps. */
export const stepsSchema: SchemaNode = said(
  "Name → step. Steps start as soon as what they refer to is there; no order is implied.",
  named(name, ref("step")),
);

const policy: Readonly<Record<(typeof policyKeys)[number], SchemaNode>> = {
  maxAttempts: said("Attempts in all, the first one too. Default 3.", whole(1, 1000, 3)),
  backoff: said("How the waiting grows. Default exponential.", choice("fixed", "linear", "exponential")),
  delay: said("Before the second attempt. Default 1s.", durationText),
  maxDelay: said("No wait is longer. Default 60s.", durationText),
  factor: said("What an exponential wait is multiplied with each time. Default 2.", { type: "number", minimum: 1, maximum: 100 }),
  jitter: said(
    "full waits a random part of the time, so that many do not try at once; none waits all of it. Default full.",
    choice("full", "none"),
  ),
  within: said("All attempts together take no longer.", durationText),
  except: said("Codes of errors that are not tried again.", list(text())),
};

/** `retry`: attempts, false, or a policy. */
export const retrySchema: SchemaNode = { anyOf: [whole(1, 1000), { const: false }, closed(policy)] };

const call = (kind: string, what: string): SchemaNode =>
  said(`Calls ${what}; its input is \`with\`, its output the value of the step.`, { ...reference, title: kind });

const ofVerb: Readonly<Record<VerbName, SchemaNode>> = {
  compute: call("compute", "a compute: pure code, done within the turn"),
  effect: call("effect", "an effect: code that acts on the world"),
  reducer: call("reducer", "a reducer: applies the event `with` to its state"),
  workflow: call("workflow", "another workflow as a run of its own"),
  read: said("Reads the state of a reducer; `key` says which.", reference),
  wait: said("Waits for a signal that is declared in `signals`; the value is its payload.", text()),
  sleep: said("Waits for a duration, or until a moment that an expression gives.", durationOrHole),
  set: said("The value of the step: any template with ${ … } in it."),
  fail: said('Fails here: { code, message, details }, or "${ error }" in an onError.', {
    anyOf: [
      closed(
        {
          code: said("In capitals, such as NOT_APPROVED.", text("^[A-Z][A-Z0-9_]*$|\\$\\{")),
          message: said("What happened, for people.", text()),
          details: said("Any value."),
        },
        ["code"],
      ),
      text("\\$\\{"),
    ],
  }),
  steps: said("A group with a scope of its own; its value is `output`, else null.", ref("steps")),
  switch: said("The first step whose `when` holds; the last may have none.", { type: "array", minItems: 1, items: ref("body") }),
  each: said("`do` for each item of a list (CEL), or of a stream { effect, with }.", {
    anyOf: [
      expression,
      closed(
        {
          effect: said("The stream.", reference),
          with: said("Its input."),
          timeout: said("The longest wait for one item.", durationText),
          retry: said("How often the stream is tried.", ref("retry")),
        },
        ["effect"],
      ),
    ],
  }),
  race: said(
    "Branches that begin together; the first to settle decides, the others are cancelled. The value is { winner, value }.",
    named(name, ref("body")),
  ),
  repeat: said("A step again and again, until `until` holds; with `last` and `index`.", ref("body")),
};

const modifiers: Readonly<Record<string, SchemaNode>> = {
  with: said("The input of the call: any template with ${ … } in it. Default {}."),
  retry: said("How often the call is tried: attempts, false, or a policy.", ref("retry")),
  undo: said("How it is taken back: a step with `done { input, output, idempotencyKey }`.", ref("body")),
  keep: said("Not taken back when its scope succeeds without it. Default false.", flag),
  key: said("Which state of the reducer: a template."),
  output: said("The value of the group: a template."),
  do: said("What is done for each item, with `item` and `index`.", ref("body")),
  as: said("Another name for `item`.", itemName),
  concurrency: said("Bodies at once. Default 10.", whole(1, 1000, 10)),
  batchSize: said("The body is given lists of so many items.", whole(1, 100_000)),
  onItemError: said("collect goes on and gives { results, errors }. Default fail.", choice("fail", "collect")),
  until: said("CEL that ends the repeat, such as last.done.", expression),
  max: said("After so many turns it fails with REPEAT_LIMIT.", whole(1, 1_000_000)),
  every: said("The wait between two turns. Default 0s.", durationText),
  timeout: said("Of a call one attempt, of a block or a wait the whole; then STEP_TIMEOUT.", durationText),
  when: said("CEL; if it is false the step is skipped, and its value is `default` or null.", expression),
  default: said("The value when skipped: a template. Only beside `when`."),
  needs: said("Steps of this block that must end first: names, or { any: names, count }. Order only; a reference orders by itself.", {
    anyOf: [
      { type: "array", uniqueItems: true, items: name },
      closed(
        {
          any: said("It is enough that some of these succeed.", { type: "array", minItems: 1, uniqueItems: true, items: name }),
          count: said("How many of them. Default 1.", whole(1, 20_000, 1)),
        },
        ["any"],
      ),
    ],
  }),
  onError: said("fail, continue (the value is null), or a step with `error { code, message, step, details }`. Default fail.", {
    anyOf: [choice("fail", "continue"), ref("body")],
  }),
  outcome: said("The value is { ok, value, error }, and the step never fails. Default false.", flag),
  priority: said("Lower goes first. Default 100.", whole(1, 1000, 100)),
  description: said("For people.", text()),
};

/** A step; without a name it is a body, which nothing can be ordered after, and so has no `needs`. */
export function stepSchema(isNamed: boolean): SchemaNode {
  const { needs, ...ofBody } = modifiers;
  const own = isNamed && needs !== undefined ? { ...ofBody, needs } : ofBody;
  return {
    ...closed({ ...ofVerb, ...own }),
    oneOf: verbs.map((verb) => ({ required: [verb] })),
    allOf: [
      ...Object.keys(own).flatMap(belonging),
      beside("default", { required: ["when"] }),
      beside("each", { required: ["do"] }),
      beside("repeat", { required: ["until", "max"] }),
    ],
  };
}

/** A key that only some verbs have stands beside one of them. */
function belonging(key: string): readonly SchemaNode[] {
  const of = belongs[key];
  return of === undefined ? [] : [beside(key, { anyOf: of.map((verb) => ({ required: [verb] })) })];
}

function beside(key: string, then: SchemaNode): SchemaNode {
  return { if: { required: [key] }, then };
}
