/** Who waits for whom in a block: from `needs` and from references, in time proportional to steps and edges. */

import { type Findings, nowhere } from "./finding.ts";
import type { Block, Dependent, NamedStep, Step } from "./flow.ts";
import type { Names } from "./names.ts";
import type { Template } from "./template.ts";

export interface RawStep {
  readonly name: string;
  readonly body: Step;
  readonly order: number;
}

/** Draws the graph; cycles are complaints. `implicit`: without `output` the last step is the value. */
export function drawBlock(
  steps: readonly RawStep[],
  index: ReadonlyMap<string, number>,
  names: Names,
  output: Template | undefined,
  implicit: boolean,
  findings: Findings,
): Block {
  const dependents: Dependent[][] = steps.map(() => []);
  const waitsFor = steps.map(() => 0);
  const read = new Set<number>(implicit && output === undefined && steps.length > 0 ? [steps.length - 1] : []);
  for (const name of names.output.keys()) read.add(index.get(name) ?? -1);
  steps.forEach(({ body, name: own }, i) => {
    const references = names.references[i] ?? new Map();
    const before = new Set<number>();
    for (const [name, place] of references) {
      const at = index.get(name);
      if (at === undefined) continue;
      if (at === i)
        findings.error("STEP_CYCLE", place, `the step "${own}" refers to itself; \`last\` is the value of the turn before, in a repeat`);
      before.add(at);
    }
    for (const { name, place } of body.needs?.names ?? []) {
      const at = index.get(name);
      if (at === undefined) continue;
      if (at === i) findings.error("STEP_CYCLE", place, `the step "${own}" needs itself`);
      else if (references.has(name))
        findings.warn("NEEDS_IMPLIED", place, `"${name}" is needed already, because ${own} refers to it; take it out of needs`);
      if (body.needs?.any === undefined) before.add(at);
    }
    for (const at of before) dependents[at]?.push({ step: i, any: false });
    if (body.needs?.any !== undefined)
      for (const { name } of body.needs.names) dependents[index.get(name) ?? -1]?.push({ step: i, any: true });
    waitsFor[i] = before.size + (body.needs?.any === undefined ? 0 : 1);
  });
  const named = steps.map(
    (step, i): NamedStep => ({
      ...step,
      waitsFor: waitsFor[i] ?? 0,
      any:
        step.body.needs?.any === undefined ? undefined : { of: step.body.needs.names.map(({ name }) => name), count: step.body.needs.any },
      judged: !read.has(i) && (dependents[i]?.length ?? 0) > 0 && (dependents[i] ?? []).every(({ any }) => any),
    }),
  );
  tellCycle(named, dependents, findings);
  const chain = named.every(
    (step, i) => step.any === undefined && (i === 0 || (dependents[i - 1] ?? []).some((dependent) => dependent.step === i)),
  );
  return { steps: named, index, output, dependents, chain };
}

/** Kahn's walk; what it never reaches holds a cycle, and one is named. An `any` counts as all of its members. */
function tellCycle(steps: readonly NamedStep[], dependents: readonly Dependent[][], findings: Findings): void {
  const left = steps.map(() => 0);
  for (const list of dependents) for (const { step } of list) left[step] = (left[step] ?? 0) + 1;
  const ready = steps.map((_, i) => i).filter((i) => left[i] === 0);
  let reached = 0;
  while (ready.length > 0) {
    reached++;
    for (const { step } of dependents[ready.pop() as number] ?? []) {
      left[step] = (left[step] ?? 0) - 1;
      if (left[step] === 0) ready.push(step);
    }
  }
  if (reached === steps.length) return;
  const before = new Map<number, number>();
  dependents.forEach((list, i) => {
    if ((left[i] ?? 0) > 0) for (const { step } of list) if ((left[step] ?? 0) > 0) before.set(step, i);
  });
  let at = steps.findIndex((_, i) => (left[i] ?? 0) > 0 && before.has(i));
  const seen = new Set<number>();
  while (!seen.has(at)) {
    seen.add(at);
    at = before.get(at) ?? at;
  }
  const cycle = [at];
  for (let next = before.get(at) ?? at; next !== at; next = before.get(next) ?? at) cycle.push(next);
  if (cycle.length === 1) return;
  const first = cycle.indexOf(Math.min(...cycle));
  const turned = [...cycle.slice(first), ...cycle.slice(0, first), cycle[first] as number];
  const shown = turned.length > 12 ? [...turned.slice(0, 6), undefined, ...turned.slice(-5)] : turned;
  const path = shown.map((i) => (i === undefined ? "…" : (steps[i]?.name ?? ""))).join(" → ");
  findings.error(
    "STEP_CYCLE",
    steps[cycle[first] ?? 0]?.body.place ?? nowhere,
    `these steps wait for each other: ${path} (each waits for the next)`,
  );
}
