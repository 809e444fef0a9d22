/** Loops and fan-outs without a bound, or with one that no run can reach. */
import { maxFacts } from "../../core/replay.ts";
import { Expression } from "../expression.ts";
import type { Step, Verb } from "../flow.ts";
import { placeOf } from "./reach.ts";
import type { Context, Family } from "./rules.ts";
import { mostItems } from "./sizes.ts";

type Loop = Verb & { readonly kind: "each" | "repeat" };

export const loops: Family = (context) => {
  const { findings, read } = context;
  return {
    step(step, { label }) {
      const { verb } = step;
      if (verb.kind !== "each" && verb.kind !== "repeat") return;
      if (
        verb.kind === "each" &&
        verb.over instanceof Expression &&
        mostItems(verb.over.ast, read) === Number.POSITIVE_INFINITY &&
        callsOut(verb.body)
      )
        findings.warn(
          "EACH_UNBOUNDED",
          placeOf(verb.over),
          `${label} calls out once for each item of \`${verb.over.text.trim()}\`, and whoever starts the run decides how many there are; write \`maxItems\` in the schema of the input`,
        );
      const facts = factsOf(step, context);
      if (facts <= maxFacts || beyondInside(verb.body, context)) return;
      findings.warn(
        "HISTORY_BEYOND",
        verb.kind === "repeat" ? step.at("max").value : verb.over instanceof Expression ? placeOf(verb.over) : step.place,
        `${label}, done as often as it says, writes ${facts.toLocaleString("en")} facts or more, and a run has at most ${maxFacts.toLocaleString("en")}: it would end with HISTORY_TOO_LONG; lower the bound, or let a workflow of its own do a part`,
      );
    },
  };
};

/** The least number of facts of a step whose loops go on to their bounds: an effect has two, what may be left out none. */
function factsOf(step: Step, context: Context): number {
  const { verb } = step;
  if (step.when) return 0;
  if (verb.kind === "call") return verb.node === "effect" ? 2 : 1;
  if (verb.kind === "read" || verb.kind === "wait" || verb.kind === "sleep") return 1;
  if (step.onError !== "fail") return 0;
  switch (verb.kind) {
    case "steps":
      return verb.block.steps.reduce((sum, { body }) => sum + factsOf(body, context), 0);
    case "switch":
      return verb.cases.some(({ when }) => when === undefined)
        ? Math.min(...verb.cases.map((one) => factsOf({ ...one, when: undefined }, context)))
        : 0;
    case "each":
    case "repeat":
      return turnsOf(verb, context) * (factsOf(verb.body, context) + (verb.kind === "repeat" && verb.everyMs > 0 ? 1 : 0));
    default:
      return 0;
  }
}

function turnsOf(verb: Loop, { read }: Context): number {
  if (verb.kind === "repeat") return verb.max;
  const items = verb.over instanceof Expression ? (mostItems(verb.over.ast, read) ?? 0) : 0;
  if (items === Number.POSITIVE_INFINITY) return 0;
  return verb.batchSize === undefined ? items : Math.ceil(items / verb.batchSize);
}

/** Whether a loop within is too long already: it is told there. */
function beyondInside(step: Step, context: Context): boolean {
  const { verb } = step;
  switch (verb.kind) {
    case "each":
    case "repeat":
      return factsOf(step, context) > maxFacts || beyondInside(verb.body, context);
    case "steps":
      return verb.block.steps.some(({ body }) => beyondInside(body, context));
    case "switch":
      return verb.cases.some((one) => beyondInside(one, context));
    case "race":
      return [...verb.branches.values()].some((one) => beyondInside(one, context));
    default:
      return false;
  }
}

/** Whether it calls an effect or a workflow. */
function callsOut({ verb }: Step): boolean {
  switch (verb.kind) {
    case "call":
      return verb.node === "effect" || verb.node === "workflow";
    case "steps":
      return verb.block.steps.some(({ body }) => callsOut(body));
    case "switch":
      return verb.cases.some(callsOut);
    case "race":
      return [...verb.branches.values()].some(callsOut);
    case "each":
    case "repeat":
      return callsOut(verb.body);
    default:
      return false;
  }
}
