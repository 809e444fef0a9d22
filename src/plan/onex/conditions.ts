/**
 * What became of steps, as expressions. A step that may fail and be survived, or be skipped, is a record in the plan:
 * `{ ok, value, error }` (`outcome: true`); any other one is its output.
 */
import type { Branch, OnexStep } from "./model.ts";

/** What the plan must know of how steps end. */
export interface Outcomes {
  /** Steps that are records. */
  readonly records: ReadonlySet<string>;
  /** Records that may say that the step failed: its own failure is forgiven, or that of one that it depends on is. */
  readonly failing: ReadonlySet<string>;
  /** Steps whose own failure the run survives. */
  readonly forgiven: ReadonlySet<string>;
}

/** Steps that a branch condition reads. */
export function judgedBy(branch: Branch, names: { has(name: string): boolean }): string[] {
  return branch.type === "custom" ? wordsOf(branch.expression).filter((word) => names.has(word)) : [branch.of];
}

/** The names in an expression that stand alone: no members, no texts. */
function wordsOf(expression: string): string[] {
  const bare = expression.replaceAll(/"(?:\\.|[^"\\])*"|'(?:\\.|[^'\\])*'/g, '""');
  return [...new Set([...bare.matchAll(/(?<![.\w])[A-Za-z_]\w*/g)].map(([word]) => word))];
}

export function outputOf(name: string, { records }: Outcomes): string {
  return records.has(name) ? `${name}.value` : name;
}
export function failed(name: string): string {
  return `(${name}.error != null && ${name}.error.code != "STEP_SKIPPED")`;
}

/** When a step is taken; undefined: always. */
export function takenWhen(branch: Branch, outcomes: Outcomes): string | undefined {
  if (branch.type === "custom") return branch.expression;
  const { of } = branch;
  const record = outcomes.records.has(of);
  switch (branch.type) {
    case "if_true":
    case "if_false": {
      const path = [outputOf(of, outcomes), ...(branch.field?.split(".") ?? [])];
      const there = path.slice(1).map((_, i) => `has(${path.slice(0, i + 2).join(".")})`);
      return [...(record ? [`${of}.ok`] : []), ...there, `${path.join(".")} == ${branch.type === "if_true"}`].join(" && ");
    }
    case "if_success":
      return record ? `${of}.ok` : undefined;
    case "if_error":
      return failed(of);
    case "if_timeout":
      return `${of}.error != null && ${of}.error.code == "STEP_TIMEOUT"`;
  }
}

/** `continues`: the step's own failure does not end the run. */
export function outcomesOf(steps: readonly OnexStep[], continues: (step: OnexStep) => boolean): Outcomes {
  const names = new Set(steps.map(({ name }) => name));
  const forgiven = new Set(steps.filter(continues).map(({ name }) => name));
  // Whoever asks for a failure decides what it means: it does not end the run.
  for (const { branch } of steps)
    if (branch?.type === "if_error" || branch?.type === "if_timeout" || branch?.type === "custom")
      for (const name of judgedBy(branch, names)) forgiven.add(name);
  const failing = spread(steps, forgiven, names);
  const records = new Set(failing);
  for (const step of steps) if (step.branch || step.skipOnFailure) records.add(step.name);
  return { records, failing, forgiven };
}

/** What a step needs to have completed: what it depends on, but for what its condition judges. */
export function neededBy(step: OnexStep, names: { has(name: string): boolean }): string[] {
  const judged = step.branch ? judgedBy(step.branch, names) : [];
  return step.dependsOn.filter((name) => names.has(name) && !judged.includes(name));
}

/** A forgiven failure fails those that need it, and those that need them. */
function spread(steps: readonly OnexStep[], from: ReadonlySet<string>, names: ReadonlySet<string>): ReadonlySet<string> {
  const needing = new Map<string, string[]>();
  for (const step of steps)
    for (const name of neededBy(step, names)) {
      const list = needing.get(name) ?? [];
      needing.set(name, list);
      list.push(step.name);
    }
  const reached = new Set(from);
  const left = [...from];
  for (let name = left.pop(); name !== undefined; name = left.pop())
    for (const next of needing.get(name) ?? [])
      if (!reached.has(next)) {
        reached.add(next);
        left.push(next);
      }
  return reached;
}
