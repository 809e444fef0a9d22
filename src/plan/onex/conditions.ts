/**
 * What became of steps, as expressions. A step that may fail and be survived, or be skipped, is a record in the plan:
 * `{ ok, value, error }` (`outcome: true`); any other one is its output.
 */
import type { Branch, OnexStep } from "./model.ts";

/** The steps whose outcome somebody asks for: a condition, or the run's output. */
export interface Outcomes {
  /** Steps that are records. */
  readonly records: ReadonlySet<string>;
  /** Records whose failure the run survives. */
  readonly survived: ReadonlySet<string>;
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

/** Which steps are records, and which of those are survived. */
export function outcomesOf(steps: readonly OnexStep[], continues: (step: OnexStep) => boolean): Outcomes {
  const names = new Set(steps.map(({ name }) => name));
  const survived = new Set(steps.filter(continues).map(({ name }) => name));
  // Whoever asks for a failure decides what it means: it does not end the run.
  for (const { branch } of steps)
    if (branch?.type === "if_error" || branch?.type === "if_timeout" || branch?.type === "custom")
      for (const name of judgedBy(branch, names)) survived.add(name);
  const records = new Set(survived);
  for (const step of steps) if (step.branch || step.skipOnFailure) records.add(step.name);
  return { records, survived };
}
