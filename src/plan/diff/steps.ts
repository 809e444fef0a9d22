/**
 * The steps of two flows, compared by what they mean: which came, went or were renamed, what each says otherwise, and who
 * waits for whom. How they are written down, their order and a `needs` that is implied are no difference.
 */
import type { Block, NamedStep, Step } from "../flow.ts";
import type { Changes } from "./change.ts";
import { bodiesOf, doesText, modifierFacets, type Renames, stepText, templateText, verbFacets } from "./text.ts";

const none: Renames = new Map();

/** @param path before the names of its steps: "" for the flow itself, else "block/". */
export function diffBlocks(changes: Changes, old: Block, now: Block, path: string, outer: Renames = none): void {
  const renames = renamed(old, now, outer);
  const before = new Map(old.steps.map((step) => [step.name, step]));
  const kept = now.steps.map((step) => [before.get(renames.get(step.name) ?? step.name), step] as const);
  const matched = new Set(kept.map(([was]) => was?.name));
  for (const step of old.steps) if (!matched.has(step.name)) changes.add("-", `step ${path}${step.name}`, doesText(step.body.verb), "runs");
  for (const [was, step] of kept) {
    if (!was) {
      changes.add("+", `step ${path}${step.name}`, `${doesText(step.body.verb)}${waitsText(now, step)}`, "runs");
      continue;
    }
    if (was.name !== step.name) changes.add("~", `step ${path}${was.name}`, `renamed to ${step.name}`, "runs");
    diffSteps(changes, was.body, step.body, `${path}${step.name}`, renames);
  }
  diffEdges(changes, old, now, path, renames);
  const gives = [templateText(old.output, none), templateText(now.output, renames)] as const;
  // The output of the whole is told as such, by who knows that it is.
  if (path !== "") changes.value(`step ${path.slice(0, -1)}`, "output", ...gives, "runs");
}

/** A step that went and one that came, which are the same but for their names: new name → old name. */
function renamed(old: Block, now: Block, outer: Renames): Renames {
  const renames = new Map(outer);
  const gone = old.steps.filter(({ name }) => !now.index.has(name));
  const come = new Set(now.steps.filter(({ name }) => !old.index.has(name)));
  for (let found = true; found; ) {
    found = false;
    for (const step of come) {
      const at = gone.findIndex(({ body }) => stepText(body, none) === stepText(step.body, renames));
      if (at < 0) continue;
      renames.set(step.name, (gone[at] as NamedStep).name);
      gone.splice(at, 1);
      come.delete(step);
      found = true;
    }
  }
  return renames;
}

function diffSteps(changes: Changes, old: Step, now: Step, path: string, renames: Renames): void {
  const what = `step ${path}`;
  const does = [doesText(old.verb), doesText(now.verb)] as const;
  if (old.verb.kind !== now.verb.kind) changes.add("~", what, `${does[0]} → ${does[1]}`, "runs");
  else {
    changes.value(what, "", ...does, "runs");
    facets(changes, what, verbFacets(old.verb, none), verbFacets(now.verb, renames));
    if (old.verb.kind === "steps" && now.verb.kind === "steps") diffBlocks(changes, old.verb.block, now.verb.block, `${path}/`, renames);
    else diffBodies(changes, bodiesOf(old.verb), bodiesOf(now.verb), path, renames);
  }
  facets(changes, what, modifierFacets(old, none), modifierFacets(now, renames));
}

function facets(
  changes: Changes,
  what: string,
  old: readonly (readonly [string, string | undefined])[],
  now: readonly (readonly [string, string | undefined])[],
): void {
  const after = new Map(now);
  for (const [name, value] of old) changes.value(what, name, value, after.get(name), "runs");
}

function diffBodies(
  changes: Changes,
  old: readonly (readonly [string, Step])[],
  now: readonly (readonly [string, Step])[],
  path: string,
  renames: Renames,
): void {
  const before = new Map(old);
  const after = new Map(now);
  for (const [name, step] of old) if (!after.has(name)) changes.add("-", `step ${path}/${name}`, doesText(step.verb), "runs");
  for (const [name, step] of now) {
    const was = before.get(name);
    if (was) diffSteps(changes, was, step, `${path}/${name}`, renames);
    else changes.add("+", `step ${path}/${name}`, doesText(step.verb), "runs");
  }
}

/** Who waits for whom, of steps that are in both. */
function diffEdges(changes: Changes, old: Block, now: Block, path: string, renames: Renames): void {
  const was = edges(old, (name) => name);
  const is = edges(now, (name) => renames.get(name) ?? name);
  const inBoth = (name: string) => old.index.has(name) && now.steps.some((step) => (renames.get(step.name) ?? step.name) === name);
  const say = (mark: "+" | "-", { from, to, how }: Edge): void => {
    if (inBoth(from) && inBoth(to)) changes.add(mark, `edge ${path}${from} → ${path}${to}`, how, "runs");
  };
  for (const [key, edge] of was) if (!is.has(key)) say("-", edge);
  for (const [key, edge] of is) if (!was.has(key)) say("+", edge);
}

interface Edge {
  readonly from: string;
  readonly to: string;
  /** "", or how many of several are enough. */
  readonly how: string;
}
function edges(block: Block, nameOf: (name: string) => string): Map<string, Edge> {
  const found = new Map<string, Edge>();
  block.dependents.forEach((dependents, i) => {
    for (const { step, any } of dependents) {
      const waits = block.steps[step] as NamedStep;
      const how = any ? `${waits.any?.count ?? 1} of ${waits.any?.of.length ?? 1}` : "";
      const edge = { from: nameOf((block.steps[i] as NamedStep).name), to: nameOf(waits.name), how };
      found.set(`${edge.from} ${edge.to} ${how}`, edge);
    }
  });
  return found;
}

function waitsText(block: Block, step: NamedStep): string {
  const at = block.index.get(step.name) ?? -1;
  const names = block.steps.filter((_, i) => block.dependents[i]?.some((one) => one.step === at)).map(({ name }) => name);
  return names.length === 0 ? "" : `, after ${names.join(", ")}`;
}

/** Every step with its path, those in blocks and bodies too. */
export function* stepsOf(block: Block, path = ""): Generator<readonly [string, Step]> {
  for (const { name, body } of block.steps) yield* within(body, `${path}${name}`);
}
function* within(step: Step, path: string): Generator<readonly [string, Step]> {
  yield [path, step];
  if (step.verb.kind === "steps") yield* stepsOf(step.verb.block, `${path}/`);
  for (const [name, body] of bodiesOf(step.verb)) yield* within(body, `${path}/${name}`);
}
