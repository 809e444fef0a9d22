/** The picture of a run of code: its steps as they came, branches as groups, an edge where one began when another had ended. */
import type { Fact } from "../../core/fact.ts";
import type { RunView, StepView } from "../../core/view.ts";
import { Ids, type Level, type Picture, type PictureEdge, type PictureNode, type StateName } from "./picture.ts";
import { stateOfStep, type Traces, tracesOf } from "./run-state.ts";

/** A step, or the branch that steps stand in; positions are those of facts. */
interface Part {
  readonly name: string;
  readonly path: string;
  step: StepView | undefined;
  begin: number;
  end: number;
  readonly inner: Map<string, Part>;
}

export function runPicture(view: RunView, facts: readonly Fact[], subtitle: string): Picture {
  const root = part("", "");
  const spans = spansOf(view, facts);
  for (const step of view.steps) {
    if (step.kind === "value" || step.step.includes("~undo/")) continue;
    const { begin, end } = spans.get(step) ?? { begin: 0, end: 0 };
    let at = root;
    const names = step.step.split("/");
    names.forEach((name, i) => {
      // A step and a branch may have one name.
      const key = i === names.length - 1 ? `${name} step` : name;
      const next = at.inner.get(key) ?? part(name, names.slice(0, i + 1).join("/"));
      at.inner.set(key, next);
      next.begin = Math.min(next.begin, begin);
      next.end = Math.max(next.end, end);
      if (i === names.length - 1) next.step = step;
      at = next;
    });
  }
  const level = new Drawer(tracesOf(view, facts)).level(root);
  return { title: `${view.workflow} ${view.version}`, subtitle, ...level };
}

function part(name: string, path: string): Part {
  return { name, path, step: undefined, begin: Number.POSITIVE_INFINITY, end: -1, inner: new Map() };
}

/** The first and the last fact of each step. */
function spansOf(view: RunView, facts: readonly Fact[]): ReadonlyMap<StepView, { readonly begin: number; readonly end: number }> {
  const firsts = new Map<string, number>();
  const lasts = new Map<string, number>();
  const received = new Map<string, number[]>();
  facts.forEach((fact, i) => {
    if (fact.type === "signal.received") received.set(fact.name, [...(received.get(fact.name) ?? []), i]);
    if (!("step" in fact) || fact.step === undefined) return;
    if (!firsts.has(fact.step)) firsts.set(fact.step, i);
    lasts.set(fact.step, i);
  });
  return new Map(
    view.steps.map((step) => {
      const begin = firsts.get(step.step) ?? 0;
      let end = step.endedAt === undefined ? Number.POSITIVE_INFINITY : (lasts.get(step.step) ?? begin);
      if (step.kind === "signal" && step.status === "completed") end = received.get(step.node)?.find((i) => i > begin) ?? end;
      if (step.status === "aborted") end = Number.POSITIVE_INFINITY;
      return [step, { begin, end }];
    }),
  );
}

class Drawer {
  readonly #ids = new Ids();
  readonly #traces: Traces;
  constructor(traces: Traces) {
    this.#traces = traces;
  }

  level(around: Part): Level {
    const parts = [...around.inner.values()].sort((a, b) => a.begin - b.begin);
    const ids = parts.map(() => this.#ids.next());
    const waves = parts.map(() => 1);
    const edges: PictureEdge[] = [];
    parts.forEach((late, j) => {
      const before = parts.slice(0, j).flatMap((early, i) => (early.end < late.begin ? [i] : []));
      // Of those that had ended, the ones that did not end before another of them began.
      const newest = Math.max(-1, ...before.map((i) => parts[i]?.begin ?? -1));
      for (const i of before)
        if ((parts[i]?.end ?? -1) >= newest) {
          edges.push({ from: ids[i] ?? "", to: ids[j] ?? "", kind: "time", label: "" });
          waves[j] = Math.max(waves[j] ?? 1, (waves[i] ?? 1) + 1);
        }
    });
    return { nodes: parts.map((each, i) => this.#node(each, ids[i] ?? "", waves[i] ?? 1)), edges };
  }

  #node(each: Part, id: string, wave: number): PictureNode {
    const { step, name, path } = each;
    if (step) {
      const detail = step.kind === "sleep" ? "sleep" : `${step.kind} ${step.node}`;
      const state = stateOfStep(step, this.#traces);
      return { id, label: name, detail, notes: [], tip: `${path}: ${detail}`, wave, state, inner: undefined };
    }
    const inner = this.level(each);
    const names = new Set(inner.nodes.map(({ state }) => state?.name));
    const state = order.find((rank) => names.has(rank)) ?? "completed";
    return { id, label: name, detail: "branch", notes: [], tip: path, wave, state: { name: state, note: "" }, inner };
  }
}

const order: readonly StateName[] = ["paused", "running", "retrying", "waiting", "failed", "aborted", "completed", "undone"];
