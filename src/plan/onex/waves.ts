/** Who runs after whom: the waves of a graph, in time proportional to steps and edges, without recursion. */
import type { Findings } from "../finding.ts";
import type { OnexStep } from "./model.ts";

/**
 * The waves: a step is in the first wave in which all that it depends on is done; within a wave by declaration. Steps that
 * are not enabled hold nobody up, and are left out (rule 4).
 */
export function wavesOf(steps: readonly OnexStep[]): OnexStep[][] {
  const waves: OnexStep[][] = [];
  walk(
    steps.filter(({ enabled }) => enabled),
    (step, wave) => {
      const list = waves[wave] ?? [];
      waves[wave] = list;
      list.push(step);
    },
  );
  const order = new Map(steps.map((step, i) => [step.name, i]));
  for (const wave of waves) wave.sort((a, b) => (order.get(a.name) ?? 0) - (order.get(b.name) ?? 0));
  return waves;
}

/** Kahn's walk; `visit` is told each step with its wave. Returns what a cycle holds back. */
function walk(steps: readonly OnexStep[], visit: (step: OnexStep, wave: number) => void): ReadonlySet<string> {
  const left = new Map(steps.map(({ name }) => [name, 0]));
  const after = new Map<string, OnexStep[]>();
  for (const step of steps)
    for (const name of step.dependsOn) {
      if (!left.has(name)) continue;
      left.set(step.name, (left.get(step.name) ?? 0) + 1);
      const list = after.get(name) ?? [];
      after.set(name, list);
      list.push(step);
    }
  let now = steps.filter(({ name }) => left.get(name) === 0);
  for (let wave = 0; now.length > 0; wave++) {
    const next: OnexStep[] = [];
    for (const step of now) {
      visit(step, wave);
      left.delete(step.name);
      for (const waiting of after.get(step.name) ?? []) {
        const count = (left.get(waiting.name) ?? 0) - 1;
        left.set(waiting.name, count);
        if (count === 0) next.push(waiting);
      }
    }
    now = next;
  }
  return new Set(left.keys());
}

/** Complains about a cycle, also one through steps that are not enabled, with its names in the order of the path. */
export function tellCycle(steps: readonly OnexStep[], findings: Findings): void {
  const held = walk(steps, () => {});
  if (held.size === 0) return;
  const byName = new Map(steps.map((step) => [step.name, step]));
  // Whoever is held waits for one that is held: going back along such edges must come to a step a second time.
  const seen = new Map<string, number>();
  const path: OnexStep[] = [];
  let at = steps.find(({ name }) => held.has(name));
  while (at && !seen.has(at.name)) {
    seen.set(at.name, path.length);
    path.push(at);
    at = byName.get(at.dependsOn.find((name) => held.has(name)) ?? "");
  }
  if (!at) return;
  const cycle = path.slice(seen.get(at.name)).reverse();
  const first = cycle.indexOf(cycle.reduce((a, b) => (steps.indexOf(a) <= steps.indexOf(b) ? a : b)));
  const turned = [...cycle.slice(first), ...cycle.slice(0, first), cycle[first]].map((step) => step?.id ?? "");
  const shown = turned.length > 12 ? [...turned.slice(0, 6), "…", ...turned.slice(-5)] : turned;
  findings.error(
    "STEP_CYCLE",
    cycle[first]?.place ?? at.place,
    `these steps wait for each other: ${shown.join(" → ")} (each waits for the one before it)`,
  );
}
