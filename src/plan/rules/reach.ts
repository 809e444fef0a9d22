/** Steps that never run, and conditions that never change. */
import type { Expression } from "../expression.ts";
import type { Place } from "../finding.ts";
import type { Block, Step } from "../flow.ts";
import { contraryOf, excludes, implies, type Part, partsOf } from "./compare.ts";
import { constantOf, failingOf } from "./fate.ts";
import type { Family } from "./rules.ts";
import type { Around } from "./walk.ts";

/** Most cases of a switch that are compared with each other: so many are written by no person. */
const maxCases = 100;

export const reach: Family = ({ findings, flow }) => {
  function condition(when: Expression, { label }: Around): void {
    const constant = constantOf(when);
    if (constant === true)
      findings.warn("CONDITION_CONSTANT", placeOf(when), `the \`when\` of ${label} always holds; take it out, or let it read something`);
    else if (constant === false)
      findings.warn(
        "STEP_UNREACHABLE",
        placeOf(when),
        `${label} never runs: its \`when\` never holds; take the step out, or correct the condition`,
      );
    else {
      const parts = partsOf(when.ast).slice(0, maxCases);
      const other = parts.find((part, i) => parts.slice(0, i).some((before) => excludes(before, part)));
      if (other)
        findings.warn(
          "STEP_UNREACHABLE",
          placeOf(when),
          `${label} never runs: \`${when.text.trim()}\` contradicts itself, so it never holds; join the parts with || if one is enough`,
        );
    }
  }

  function cases(all: readonly Step[], { label }: Around): void {
    const before: { readonly number: number; readonly parts: readonly Part[]; readonly contrary: Part | undefined }[] = [];
    /** Two cases that are each other's contrary. */
    let pair: readonly [number, number] | undefined;
    for (const [i, { when, place }] of all.slice(0, maxCases).entries()) {
      const constant = when && constantOf(when);
      if (constant === false) continue;
      const say = (why: string) =>
        findings.warn("STEP_UNREACHABLE", when ? placeOf(when) : place, `case ${i + 1} of ${label} is never taken: ${why}`);
      if (pair) {
        say(`one of the cases ${pair[0]} and ${pair[1]} always holds; take it out`);
        return;
      }
      const parts = when && constant === undefined ? partsOf(when.ast) : [];
      const cover = before.find((other) => other.parts.every((part) => parts.some((mine) => implies(mine, part))));
      if (cover) {
        say(`case ${cover.number} is taken wherever this one would be; put the narrower case first, or take this one out`);
        continue;
      }
      const contrary = when && constant === undefined ? contraryOf(when.ast) : undefined;
      const twin = before.find((other) => covers(other.contrary, parts) || covers(contrary, other.parts));
      if (twin) pair = [twin.number, i + 1];
      before.push({ number: i + 1, parts, contrary });
    }
  }

  function until(verb: Step["verb"] & { readonly kind: "repeat" }, { label }: Around): void {
    if (verb.until.names.has("last") || verb.until.names.has("index")) return;
    const constant = constantOf(verb.until);
    const turns = verb.max === 1 ? "1 turn" : `${verb.max} turns`;
    findings.warn(
      "CONDITION_CONSTANT",
      placeOf(verb.until),
      constant === true
        ? `the \`until\` of ${label} always holds: it is done once and never repeated; let it read \`last\`, the value of the turn`
        : constant === false
          ? `the \`until\` of ${label} never holds: it fails with REPEAT_LIMIT after ${turns}; let it read \`last\`, the value of the turn`
          : `\`${verb.until.text.trim()}\` reads nothing that a turn of ${label} changes: it ends after the first turn or never; let it read \`last\`, the value of the turn`,
    );
  }

  function block(block: Block, { label }: Around): void {
    const failing = failingOf(block);
    if (failing === undefined) return;
    const { name, body, any: join } = block.steps[failing] as Block["steps"][number];
    const after = (block.dependents[failing] ?? []).filter(({ any }) => !any);
    for (const { step } of after) {
      const later = block.steps[step];
      if (!later) continue;
      const place = later.body.needs?.names.find((need) => need.name === name)?.place ?? later.body.place;
      findings.warn(
        "STEP_UNREACHABLE",
        place,
        `the step "${later.name}" never runs: it comes after "${name}", which always fails; write a \`when\` on "${name}", or \`onError\``,
      );
    }
    if (after.length === 0 && block === flow.body && !join)
      findings.warn("RUN_ALWAYS_FAILS", body.place, `${label} can never complete: the step "${name}" always fails; write \`when\` on it`);
  }

  return {
    step(step, around) {
      if (step.when) condition(step.when, around);
      if (step.verb.kind === "switch") cases(step.verb.cases, around);
      if (step.verb.kind === "repeat") until(step.verb, around);
    },
    block,
  };
};

function covers(contrary: Part | undefined, parts: readonly Part[]): boolean {
  const [only] = parts;
  return contrary !== undefined && only !== undefined && parts.length === 1 && implies(contrary, only);
}

/** Where the condition itself begins. */
export function placeOf(expression: Expression): Place {
  return expression.place(expression.text.length - expression.text.trimStart().length);
}
