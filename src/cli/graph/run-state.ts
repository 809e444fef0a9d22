/**
 * How far each spot of a flow is in a run of it: what the run's steps say, and what follows from the steps behind it.
 *
 * Q1 Steps of a log are found by their ids, with `*` for the number of an item or a turn.
 * Q2 What nothing in the log tells (a step that was skipped, a value that was set) follows from what came after it.
 * Q3 Cases of a switch that do the same with the same node have one id: each of them says that it may be another's.
 * Q4 A race is over when one of its branches is; a group fails when a failure in it has left it.
 */
import type { Fact } from "../../core/fact.ts";
import type { RunView, StepView } from "../../core/view.ts";
import { blockOf, namedOf, type Spot, spotsIn } from "../../plan/outlook/spot.ts";
import { clean, moment, took } from "../output.ts";
import type { State, StateName } from "./picture.ts";

/** What a log says of steps beside their views. */
export interface Traces {
  /** Steps that were taken back. */
  readonly undone: ReadonlySet<string>;
  /** Steps whose undo has begun and has not ended. */
  readonly undoing: ReadonlySet<string>;
  /** Steps that are owed an undo that could not be done. */
  readonly notUndone: ReadonlySet<string>;
  /** Child runs, by step: the last one. */
  readonly children: ReadonlyMap<string, string>;
}

export function tracesOf(view: RunView, facts: readonly Fact[]): Traces {
  const undone = new Set<string>();
  const undoing = new Set<string>();
  for (const { step, status } of view.steps) {
    const at = step.indexOf("~undo/");
    if (at >= 0) (status === "completed" ? undone : undoing).add(step.slice(0, at));
  }
  const notUndone = new Set(view.notUndone);
  // An undo may be several steps.
  for (const step of [...undoing, ...notUndone]) undone.delete(step);
  if (view.endedAt !== undefined) undoing.clear();
  const children = new Map<string, string>();
  for (const fact of facts) if (fact.type === "child.started") children.set(fact.step, fact.runId);
  return { undone, undoing, notUndone, children };
}

/** How one step of a log stands. */
export function stateOfStep(step: StepView, { undone, undoing, notUndone, children }: Traces): State {
  const notes: string[] = [];
  if (step.endedAt !== undefined && step.endedAt > step.startedAt) notes.push(took(step.endedAt - step.startedAt));
  if (step.attempts > 1) notes.push(`${step.attempts} attempts`);
  if (step.items !== undefined) notes.push(step.items === 1 ? "1 item" : `${step.items} items`);
  if (step.due !== undefined && step.endedAt === undefined) notes.push(`until ${moment(step.due)}`);
  if (step.error && step.status !== "completed") notes.push(step.error.code);
  const child = children.get(step.step);
  if (child !== undefined) notes.push(`as run ${child}`);
  if (undoing.has(step.step)) notes.push("being taken back");
  if (notUndone.has(step.step)) notes.push("not taken back");
  const name = undone.has(step.step) ? "undone" : step.status;
  return { name, note: clean(notes.join(", ")) };
}

/** The states of all spots. */
export function statesOf(run: Spot, view: RunView, facts: readonly Fact[]): ReadonlyMap<Spot, State> {
  return new States(run, view, tracesOf(view, facts)).all();
}

class States {
  readonly #run: Spot;
  readonly #view: RunView;
  readonly #traces: Traces;
  readonly #steps = new Map<string, StepView[]>();
  readonly #begun = new Set<Spot>();
  readonly #settled = new Map<Spot, boolean>();
  readonly #states = new Map<Spot, State>();

  constructor(run: Spot, view: RunView, traces: Traces) {
    this.#run = run;
    this.#view = view;
    this.#traces = traces;
    for (const step of view.steps) {
      if (step.step.includes("~undo/")) continue;
      const key = step.step.replaceAll(/(?<=^|\/)\d+(?=[/~]|$)/g, "*");
      const list = this.#steps.get(key) ?? [];
      list.push(step);
      this.#steps.set(key, list);
    }
  }

  all(): ReadonlyMap<Spot, State> {
    for (const spot of spotsIn(this.#run))
      if (this.#of(spot).length > 0 || spot.path === this.#view.failedStep)
        for (let at: Spot | undefined = spot; at; at = at.role === "error" ? at.parent?.parent : at.parent) this.#begun.add(at);
    const spots = [...spotsIn(this.#run)];
    // What stands in a group is known before the group.
    for (const spot of spots.reverse()) this.#states.set(spot, this.#state(spot));
    return this.#states;
  }

  #of(spot: Spot): readonly StepView[] {
    const { verb } = spot.step;
    const found = this.#steps.get(spot.path) ?? [];
    if (verb.kind === "call" || verb.kind === "read") return found.filter(({ node }) => node === verb.reference.replace(/@.*/, ""));
    if (verb.kind === "wait") return found.filter(({ kind, node }) => kind === "signal" && node === verb.signal);
    return verb.kind === "sleep" ? found.filter(({ kind }) => kind === "sleep") : [];
  }

  /** Cases beside it that leave the same in a log. */
  #twins(spot: Spot): number {
    const mine = this.#of(spot);
    if (spot.role !== "case" || mine.length === 0) return 0;
    return spot.parent?.inner.filter((other) => other !== spot && other.path === spot.path && this.#of(other)[0] === mine[0]).length ?? 0;
  }

  /** It has ended, as far as its own steps tell. */
  #isOver(spot: Spot): boolean {
    if (spot.step.onError !== "fail" && spot.error && this.#begun.has(spot.error)) return this.#isOver(spot.error);
    switch (spot.step.verb.kind) {
      case "race":
        return spot.inner.some((inner) => this.#isOver(inner));
      case "switch":
        return spot.inner.some((inner) => this.#begun.has(inner) && this.#isOver(inner));
      case "steps":
        return spot.inner.length > 0 && spot.inner.every((inner) => this.#isOver(inner));
      default: {
        const steps = this.#of(spot);
        return steps.length > 0 && steps.every(({ status }) => status === "completed" || status === "failed") && !spot.path.includes("*");
      }
    }
  }

  /** Something behind it has begun, or what it stands in is over. */
  #isSettled(spot: Spot): boolean {
    const known = this.#settled.get(spot);
    if (known !== undefined) return known;
    const { parent } = spot;
    let settled = this.#view.status === "completed";
    if (parent) {
      const block = spot.role === "step" ? blockOf(parent) : undefined;
      const behind = new Set((block?.dependents[spot.index] ?? []).flatMap(({ step, any }) => (any ? [] : [step])));
      settled ||= parent.inner.some((other) => behind.has(other.index) && (this.#begun.has(other) || this.#isSettled(other)));
      settled ||= this.#isSettled(parent) || (parent.step.verb.kind === "race" && this.#isOver(parent));
    }
    this.#settled.set(spot, settled);
    return settled;
  }

  #state(spot: Spot): State {
    if (spot.inner.length > 0) return this.#group(spot);
    const steps = this.#of(spot);
    if (steps.length === 0) return { name: this.#silent(spot), note: "" };
    const states = steps.map((step) => this.#closed(spot, stateOfStep(step, this.#traces)));
    const [only] = states;
    const shared = this.#twins(spot) > 0 ? "(this case or one like it)" : "";
    if (only && states.length === 1) return shared === "" ? only : { ...only, note: `${only.note} ${shared}`.trim() };
    const counts = new Map<StateName, number>();
    for (const { name } of states) counts.set(name, (counts.get(name) ?? 0) + 1);
    const name = ranks.find((rank) => counts.has(rank)) ?? "completed";
    return { name, note: counts.size === 1 ? `${states.length} times` : [...counts].map(([each, count]) => `${count} ${each}`).join(", ") };
  }

  /** What is still open in the log though all around it is over was given up. */
  #closed(spot: Spot, state: State): State {
    return open.has(state.name) && this.#isSettled(spot) ? { name: "aborted", note: "" } : state;
  }

  /** Of a step that left nothing in the log. */
  #silent(spot: Spot): StateName {
    if (spot.path === this.#view.failedStep) return "failed";
    if (!this.#isSettled(spot)) return "not begun";
    return spot.step.verb.kind === "set" && !spot.step.when && spot.role !== "case" && this.#begun.has(spot.parent ?? spot)
      ? "completed"
      : "skipped";
  }

  #group(spot: Spot): State {
    const leaves = [...spotsIn(spot)].filter((each) => each !== spot && each.inner.length === 0);
    const names = new Set(leaves.map((each) => this.#states.get(each)?.name));
    const note = this.#counted(spot);
    const pause =
      spot.step.verb.kind === "repeat" ? this.#steps.get(`${spot.path}/*~every`)?.find(({ status }) => status === "waiting") : undefined;
    if (pause?.due !== undefined) return { name: "waiting", note: `${note}, the next at ${moment(pause.due)}` };
    const busy = ranks.find((rank) => open.has(rank) && names.has(rank));
    if (busy) return { name: busy === "waiting" || busy === "paused" ? busy : "running", note };
    if (!this.#begun.has(spot)) return { name: this.#isSettled(spot) ? "skipped" : "not begun", note };
    if (leaves.some((leaf) => this.#states.get(leaf)?.name === "failed" && !isCaught(leaf, spot))) return { name: "failed", note };
    if (names.has("undone") && !names.has("completed")) return { name: "undone", note };
    if (this.#isSettled(spot) || this.#isOver(spot)) return { name: "completed", note };
    if (this.#view.endedAt === undefined) return { name: "running", note: note === "" ? "" : `${note}, none under way` };
    return { name: names.has("not begun") || names.has("aborted") ? "aborted" : "completed", note };
  }

  /** Items and turns that there are so far. */
  #counted(spot: Spot): string {
    const word = spot.step.verb.kind === "each" ? "item" : spot.step.verb.kind === "repeat" ? "turn" : undefined;
    if (word === undefined || spot.path.includes("*")) return "";
    const prefix = `${spot.path}/`;
    const numbers = new Set<string>();
    for (const { step } of this.#view.steps)
      if (step.startsWith(prefix)) {
        const [number = ""] = step.slice(prefix.length).split(/[/~]/);
        if (/^\d+$/.test(number)) numbers.add(number);
      }
    return numbers.size === 0 ? "" : `${numbers.size} ${word}${numbers.size === 1 ? "" : "s"}`;
  }
}

/** A failure of the one stays within the other. */
function isCaught(leaf: Spot, group: Spot): boolean {
  for (let at = leaf; at !== group && at.parent; at = at.role === "error" && at.parent.parent ? at.parent.parent : at.parent) {
    if (at.step.onError !== "fail") return true;
    if (at.role === "step" && namedOf(at)?.judged) return true;
    if (at.role === "item" && at.parent.step.verb.kind === "each" && at.parent.step.verb.collect) return true;
    if (at.role === "branch" && at.parent !== group) return true;
  }
  return false;
}

const ranks: readonly StateName[] = [
  "paused",
  "running",
  "retrying",
  "waiting",
  "failed",
  "aborted",
  "completed",
  "undone",
  "skipped",
  "not begun",
];
const open: ReadonlySet<StateName> = new Set(["running", "retrying", "waiting", "paused"]);
